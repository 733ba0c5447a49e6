//! The robots of examples/, as they are, under a real worker.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use orchestrator_tests::{NewTrigger, World, on_sqlite, program, seconds};

on_sqlite!(invoices_are_handled_by_a_shell_robot, invoices_are_handled_by_a_rust_robot,);

fn example(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name);
    path.canonicalize().expect("the example is there")
}

async fn prepare(world: &World) {
    world.cli(&["constant", "set", "Invoice limit", "1000"]).await.ok();
    world.cli_with(&["credential", "set", "Invoice system", "--username", "robot"], "s3cret\n", &[]).await.ok();
}

/// Runs a robot to its end, and returns its lines in the log.
async fn done(world: &World, name: &str, robot: &Path, args: &str) -> Result<Vec<String>> {
    world.create(NewTrigger::single(name, robot).args(args)).await;
    let job = world.first_job_of(name).await;
    // The shell robot starts several programs for each element.
    let job = world.ended_within(&job.id, seconds(90)).await;
    ensure!(job.status == "DONE", "it is {}: {}", job.status, job.reason);
    world.log_of(&job.id).await
}

/// Twelve invoices of which two are over the limit of 1000, handled.
async fn are_handled(world: &World) -> Result<()> {
    let elements = world.elements("Invoices").await?;
    assert_eq!(elements.len(), 12);
    for element in elements {
        let number: u32 = element.reference().trim_start_matches("invoice-").parse()?;
        let expected = if number > 10 { "FAILED" } else { "DONE" };
        assert_eq!(element.status, expected, "{number}: {}", element.message());
        ensure!(number <= 10 || element.message().contains("limit"), "{}", element.message());
    }
    Ok(())
}

/// Adds invoices as the linear robot does.
async fn fill(world: &World) {
    for number in 1..=12 {
        let (reference, data) =
            (format!("invoice-{number}"), format!(r#"{{"number": "invoice-{number}", "amount": {number}00}}"#));
        let add = ["queue", "element", "add", "Invoices", "--reference", &reference, "--data", &data];
        world.cli(&add).await.ok();
    }
}

async fn invoices_are_handled_by_a_shell_robot(world: &World) -> Result<()> {
    prepare(world).await;
    fill(world).await;
    let _worker = world.worker("robots").start().await;
    let lines = done(world, "shell", &example("shell/main.sh"), "a \"quoted\" argument").await?;
    assert_eq!(lines, ["shell begins with 'a \"quoted\" argument'", "shell handled 12 invoices"]);
    are_handled(world).await
}

async fn invoices_are_handled_by_a_rust_robot(world: &World) -> Result<()> {
    prepare(world).await;
    fill(world).await;
    let _worker = world.worker("robots").start().await;
    let lines = done(world, "rust", &program("orchestrator-example-robot"), "November").await?;
    assert_eq!(lines, ["rust begins with 'November'", "rust handled 12 invoices"]);
    are_handled(world).await
}
