//! `orchestrator dev`: everything in one process, with a robot that has run.

use anyhow::{Context as _, Result, ensure};
use orchestrator_tests::{Database, Sandbox, World, eventually, run, seconds};

/// A world whose own server is never started.
async fn with_sandbox(scenario: impl AsyncFnOnce(&World) -> Result<()>) {
    run(World::prepare(Database::Sqlite, 1).await, scenario).await;
}

#[tokio::test]
async fn the_first_run_greets_and_a_sample_robot_has_run() {
    with_sandbox(async |world| {
        let data = world.stage().path("sandbox").display().to_string();
        let sandbox = Sandbox::start(world, &["--data", &data]);
        let greeting = eventually("it is ready", seconds(60), async || {
            sandbox.still_runs()?;
            let said = sandbox.stdout();
            ensure!(said.contains("Ready in"), "it said {said:?}");
            Ok(said)
        })
        .await;
        for word in [
            "orchestrator 0.1.0",
            "not for production",
            "gRPC, JSON",
            "Database",
            "SQLite",
            "Worker",
            "Sample",
            "Next:",
        ] {
            assert!(greeting.contains(word), "no {word:?} in {greeting}");
        }
        assert!(greeting.contains("Web UI") && greeting.contains("/login?t="), "{greeting}");
        // What it advises works as it is printed: it has written the context.
        let url = sandbox.url_in(&greeting);
        let listed = sandbox.cli(world, &["job", "list", "-o", "json", "--url", &url]).await.ok().json();
        assert_eq!(listed["jobs"][0]["status"], "DONE", "{listed}");
        let said = sandbox.cli(world, &["trigger", "run", "hello", "--follow"]).await.ok();
        assert!(!said.stdout.is_empty(), "{said}");
        sandbox.cli(world, &["queue", "element", "add", "demo", "--reference", "42"]).await.ok();
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn the_greeting_for_scripts_is_one_line_and_a_second_run_finds_everything() {
    with_sandbox(async |world| {
        let data = world.stage().path("sandbox").display().to_string();
        let mut kept = None;
        for _ in 0..2 {
            let sandbox = Sandbox::start(world, &["--data", &data, "-o", "json"]);
            let (url, token) = sandbox.for_scripts().await;
            let api = orchestrator_tests::Api::new(&url, &token);
            let triggers =
                api.triggers().list(orchestrator_tests::pb::ListTriggersRequest::default()).await?.into_inner();
            assert!(!triggers.triggers.is_empty());
            let names: Vec<_> = triggers.triggers.into_iter().map(|trigger| trigger.id).collect();
            assert_eq!(kept.get_or_insert_with(|| names.clone()), &names, "the second run has the same triggers");
            let status = sandbox.interrupt().await;
            assert!(status.success(), "{status}");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_ephemeral_sandbox_leaves_nothing() {
    with_sandbox(async |world| {
        let empty = world.stage().folder("nothing-here");
        let temporary = world.stage().folder("temporary");
        let sandbox = Sandbox::start_in(world, &empty, &temporary, &["--ephemeral", "-o", "json"]);
        let line = sandbox.greeting().await;
        let data = line["data"].as_str().context("the greeting names the data folder")?;
        assert!(std::path::Path::new(data).exists(), "{line}");
        assert!(sandbox.interrupt().await.success());
        assert!(!std::path::Path::new(data).exists(), "{data} is still there");
        for folder in [&empty, &temporary] {
            let left: Vec<_> = std::fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.file_name())).collect();
            assert!(left.is_empty(), "{left:?} in {}", folder.display());
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_sandbox_without_samples_or_worker_is_empty() {
    with_sandbox(async |world| {
        let sandbox = Sandbox::start(world, &["--ephemeral", "--no-sample", "--no-worker", "-o", "json"]);
        let (url, token) = sandbox.for_scripts().await;
        let api = orchestrator_tests::Api::new(&url, &token);
        let workers = api.admin().list_workers(orchestrator_tests::pb::ListWorkersRequest {}).await?.into_inner();
        let triggers = api.triggers().list(orchestrator_tests::pb::ListTriggersRequest::default()).await?.into_inner();
        assert!(workers.workers.is_empty() && triggers.triggers.is_empty());
        assert!(sandbox.interrupt().await.success());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn robots_of_a_sandbox_that_is_killed_end_with_it() {
    with_sandbox(async |world| {
        let sandbox = Sandbox::start(world, &["--ephemeral", "--no-sample", "-o", "json"]);
        let (url, _) = sandbox.for_scripts().await;
        let ledger = world.ledger("started");
        let robot = world.shell("robot", &format!("{}\nsleep 1000", ledger.add("$job_id")));
        let robot = robot.display().to_string();
        let create = ["trigger", "create", "single", "robot", "--process", "robot", "--path", &robot, "--url", &url];
        sandbox.cli(world, &create).await.ok();
        let job = ledger.is_written().await;
        assert!(!world.processes_of(&job).is_empty());
        sandbox.kill_9();
        world.no_process_of(&job, seconds(5)).await;
        Ok(())
    })
    .await;
}
