//! Checkouts that are refused, by us or by git, and what hostile repositories cannot do.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use orchestrator_worker::checkout::{CheckoutError, CheckoutOptions};
use orchestrator_worker::entry_point::{EntryPointError, in_checkout};
use tokio_util::sync::CancellationToken;

use crate::checkout::{checkouts, file_url, git, is_empty, options, repository, request};
use crate::world::World;

async fn fail(world: &World, options: CheckoutOptions, url: &str, git_ref: Option<&str>) -> CheckoutError {
    let request = request(world, url, git_ref);
    let error = checkouts(world, options).check_out(&request, &CancellationToken::new()).await.expect_err("it fails");
    assert!(is_empty(&world.path("checkouts")), "nothing is left on disk");
    error
}

#[tokio::test]
async fn a_branch_that_is_not_there_is_named() {
    let world = World::new().await;
    let origin = repository(&world);
    let error = fail(&world, options(&world), &file_url(&origin), Some("missing")).await.to_string();
    assert!(error.contains("at missing") && error.contains("no branch and no tag 'missing'"), "{error}");
}

#[tokio::test]
async fn a_host_that_cannot_be_reached_fails_without_prompting_and_shows_no_password() {
    let world = World::new().await;
    let url = "https://robot:s3cret-t0ken@127.0.0.1:1/robots.git";
    let error = fail(&world, options(&world), url, None).await;
    let text = format!("{error} {error:?}");
    assert!(text.contains("127.0.0.1") && !text.contains("s3cret"), "{text}");
}

#[tokio::test]
async fn repositories_on_disk_must_lie_under_an_allowed_path() {
    let world = World::new().await;
    let origin = repository(&world);
    world.write("allowed/readme", "");
    symlink(&origin, world.path("allowed/link")).unwrap();
    for folder in [origin, world.path("allowed/link"), world.path("allowed/missing")] {
        let options = CheckoutOptions { allowed_paths: vec![world.path("allowed")], ..options(&world) };
        let error = fail(&world, options, &file_url(&folder), None).await;
        assert!(matches!(error, CheckoutError::NotAllowed { .. }), "{error}");
    }
}

#[tokio::test]
async fn repositories_on_disk_are_refused_where_no_path_is_allowed() {
    let world = World::new().await;
    let origin = repository(&world);
    let options = CheckoutOptions { open_file_urls: false, ..options(&world) };
    let error = fail(&world, options, &file_url(&origin), None).await.to_string();
    assert!(error.contains("--allow-path"), "{error}");
}

#[tokio::test]
async fn a_git_program_that_is_not_there_is_named() {
    let world = World::new().await;
    let origin = repository(&world);
    let options = CheckoutOptions { git: "/no/such/git".into(), ..options(&world) };
    let error = fail(&world, options, &file_url(&origin), None).await.to_string();
    assert!(error.contains("/no/such/git"), "{error}");
}

#[tokio::test]
async fn a_main_file_that_leads_out_of_the_checkout_is_refused() {
    let world = World::new().await;
    let origin = repository(&world);
    std::fs::remove_file(origin.join("main.py")).unwrap();
    symlink("/etc/passwd", origin.join("main.py")).unwrap();
    git(&origin, &["commit", "--quiet", "-a", "-m", "link"]);
    let request = request(&world, &file_url(&origin), None);
    let checkout = checkouts(&world, options(&world)).check_out(&request, &CancellationToken::new()).await.unwrap();
    let error = in_checkout(checkout.path(), None).unwrap_err();
    assert!(matches!(error, EntryPointError::IsLink { .. }), "{error}");
}

#[tokio::test]
async fn submodules_stay_out_and_no_hook_runs() {
    let world = World::new().await;
    let origin = repository(&world);
    git(&origin, &["-c", "protocol.file.allow=always", "submodule", "add", "--quiet", &file_url(&origin), "module"]);
    git(&origin, &["commit", "--quiet", "-m", "module"]);
    // A hook that the machine's own template would plant.
    let hook: PathBuf = world.write("template/hooks/post-checkout", "#!/bin/sh\ntouch \"$HOME/hooked\"\n");
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    let home = world.path("home");
    world.write("home/.gitconfig", &format!("[init]\n\ttemplateDir = {}\n", world.path("template").display()));
    let script = format!("#!/bin/sh\nHOME='{}' exec git \"$@\"\n", home.display());
    let wrapper = world.write("git-of-the-machine", &script);
    std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755)).unwrap();
    let request = request(&world, &file_url(&origin), None);
    let options = CheckoutOptions { git: wrapper, ..options(&world) };
    let checkout = checkouts(&world, options).check_out(&request, &CancellationToken::new()).await.unwrap();
    assert!(is_empty(&checkout.path().join("module")));
    assert!(!home.join("hooked").exists());
}
