//! Paths and repositories that cannot be run.

use anyhow::{Result, ensure};
use orchestrator_tests::{NewTrigger, World, eventually, on_sqlite, seconds};

on_sqlite!(
    a_path_that_does_not_exist_or_is_not_allowed_fails_the_job_and_says_which,
    what_git_could_misread_and_no_worker_could_find_is_refused_at_entry,
    a_repository_without_a_main_file_or_with_a_linked_one_fails_the_job,
    a_repository_or_branch_that_is_not_there_fails_the_job,
    nothing_of_a_checkout_stays_behind,
);

async fn a_path_that_does_not_exist_or_is_not_allowed_fails_the_job_and_says_which(world: &World) -> Result<()> {
    let allowed = world.stage().folder("allowed").display().to_string();
    let _worker = world.worker("strict").configured(&format!("allowed_paths = [\"{allowed}\"]\n")).start().await;
    let inside = world.shell("allowed/robot", "true");
    let outside = world.shell("outside", "true");
    std::os::unix::fs::symlink(&outside, world.stage().path("allowed/link.sh"))?;
    let missing = world.stage().path("allowed/missing.py");
    let link = world.stage().path("allowed/link.sh");
    let up = world.stage().path("allowed/../outside.sh");
    world.create(NewTrigger::single("inside", &inside)).await;
    assert_eq!(world.ended_job_of("inside").await.status, "DONE");
    for (name, path) in [("missing", &missing), ("outside", &outside), ("link", &link), ("up", &up)] {
        world.create(NewTrigger::single(name, path)).await;
        let job = world.ended_job_of(name).await;
        assert_eq!(job.status, "FAILED", "{name}: {job:#?}");
        let file = path.file_name().map(|file| file.to_string_lossy().into_owned()).unwrap_or_default();
        assert!(job.reason.contains(&file), "{name}: {}", job.reason);
    }
    let repository = world.repository("forbidden");
    repository.commit(&[("main.py", "")]);
    world.create(NewTrigger::single("git", "".as_ref()).git(&repository.url(), None)).await;
    let job = world.ended_job_of("git").await;
    assert_eq!(job.status, "FAILED", "{job:#?}");
    Ok(())
}

async fn what_git_could_misread_and_no_worker_could_find_is_refused_at_entry(world: &World) -> Result<()> {
    let pwned = world.stage().path("pwned");
    let ext = format!("ext::sh -c touch% {}", pwned.display());
    let option = format!("--upload-pack=touch {}", pwned.display());
    for (path, word) in [(ext.as_str(), "ext::"), (&option, "-"), ("ftp://host/robots", "ftp"), ("", "empty")] {
        let path = format!("--path={path}");
        let words = ["trigger", "create", "single", "t", "--process", "p", &path, "--git"];
        world.cli(&words).await.refused(2, &["process_path", word]);
    }
    for (path, word) in [
        ("robot.py", "absolute"),
        ("~/robot.py", "absolute"),
        ("https://git.example.org/robots.git", "--git"),
        ("git@git.example.org:robots.git", "--git"),
    ] {
        let path = format!("--path={path}");
        let words = ["trigger", "create", "single", "t", "--process", "p", &path];
        world.cli(&words).await.refused(2, &["process_path", word]);
    }
    for branch in ["--branch=-x", "--branch=--upload-pack=x", "--branch=a..b", "--branch=a b"] {
        let url = "--path=https://git.example.org/robots.git";
        let words = ["trigger", "create", "single", "t", "--process", "p", url, "--git", branch];
        world.cli(&words).await.refused(2, &["git_branch"]);
    }
    let words = ["trigger", "create", "single", "t", "--process", "p", "--git", "--entry-point=../x.py"];
    world.cli(&[&words[..], &["--path=https://git.example.org/r.git"]].concat()).await.refused(2, &["entry_point"]);
    assert!(!pwned.exists());
    assert!(world.cli(&["trigger", "list", "-o", "name"]).await.ok().stdout.is_empty());
    Ok(())
}

async fn a_repository_without_a_main_file_or_with_a_linked_one_fails_the_job(world: &World) -> Result<()> {
    let _worker = world.worker("here").start().await;
    let without = world.repository("without");
    without.commit(&[("readme.txt", "no robot")]);
    let linked = world.repository("linked");
    let outside = world.python("outside", "open('ran', 'w')");
    std::os::unix::fs::symlink(&outside, linked.folder().join("main.py"))?;
    linked.commit(&[("readme.txt", "a link out of the checkout")]);
    for (name, repository) in [("without", &without), ("linked", &linked)] {
        world.create(NewTrigger::single(name, "".as_ref()).git(&repository.url(), None)).await;
        let job = world.ended_job_of(name).await;
        assert_eq!(job.status, "FAILED", "{name}: {job:#?}");
        assert!(job.reason.contains("main.py"), "{name}: {}", job.reason);
    }
    Ok(())
}

async fn a_repository_or_branch_that_is_not_there_fails_the_job(world: &World) -> Result<()> {
    let _worker = world.worker("here").start().await;
    let repository = world.repository("robots");
    repository.commit(&[("main.py", "")]);
    let nowhere = format!("file://{}", world.stage().path("nowhere").display());
    for (name, url, branch) in
        [("nowhere", nowhere, None), ("no-such-branch", repository.url(), Some("no-such-branch"))]
    {
        world.create(NewTrigger::single(name, "".as_ref()).git(&url, branch)).await;
        let job = world.ended_job_of(name).await;
        assert_eq!((job.status.as_str(), job.commit.as_str()), ("FAILED", ""), "{job:#?}");
        assert!(job.reason.contains(name), "{name}: {}", job.reason);
    }
    Ok(())
}

async fn nothing_of_a_checkout_stays_behind(world: &World) -> Result<()> {
    let worker = world.worker("here").start().await;
    let repository = world.repository("robots");
    let text = World::python_text("open('scratch.txt', 'w').write('x')\nprint(os.getcwd())\nprint(__file__)");
    repository.commit(&[("main.py", &text)]);
    world.create(NewTrigger::single("leaves", "".as_ref()).git(&repository.url(), None)).await;
    let job = world.ended_job_of("leaves").await;
    assert_eq!(job.status, "DONE", "{}", job.reason);
    let said = world.output(&job.id).await?.stdout;
    let checkout = said.lines().last().unwrap_or_default().to_owned();
    assert!(checkout.ends_with("main.py"), "{said}");
    eventually("the checkout is removed", seconds(5), async || {
        let folder = std::path::Path::new(&checkout).parent();
        ensure!(!folder.is_some_and(std::path::Path::exists), "{checkout} is there");
        Ok(())
    })
    .await;
    worker.still_runs()
}
