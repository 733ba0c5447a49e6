//! The robots of examples/, as they are, under a real worker.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use orchestrator_tests::{NewTrigger, World, on_both_databases, on_sqlite, program, seconds};

on_both_databases!(invoices_are_loaded_and_handled_by_python_robots);
on_sqlite!(
    invoices_are_handled_by_a_shell_robot,
    invoices_are_handled_by_a_rust_robot,
    a_python_robot_that_cannot_go_on_fails_its_element_and_its_job,
);

fn example(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name);
    path.canonicalize().expect("the example is there")
}

async fn prepare(world: &World) {
    world.cli(&["constant", "set", "Invoice limit", "1000"]).await.ok();
    world.cli_with(&["credential", "set", "Invoice system", "--username", "robot"], "s3cret\n", &[]).await.ok();
}

/// What the machines of large organizations have: a proxy for all that is asked. Robots must not ask it for their worker, which
/// would hand it their token.
fn proxy() -> impl Iterator<Item = (String, String)> {
    ["http_proxy", "HTTP_PROXY", "ALL_PROXY"].into_iter().map(|name| (name.to_owned(), "http://127.0.0.1:9".to_owned()))
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

async fn invoices_are_loaded_and_handled_by_python_robots(world: &World) -> Result<()> {
    prepare(world).await;
    let _worker = world.worker("robots").variables(proxy()).start().await;
    let load = example("python/load_invoices/main.py");
    let lines = done(world, "load", &load, r#"{"count": 12}"#).await?;
    assert_eq!(lines, ["Robot started", "Added 12 invoices, 0 were there; the limit is 1000", "Robot finished"]);
    let lines = done(world, "load again", &load, r#"{"count": 12}"#).await?;
    ensure!(lines[1].starts_with("Added 0 invoices, 12 were there"), "{lines:?}");

    let lines = done(world, "handle", &example("python/handle_invoices/main.py"), "").await?;
    are_handled(world).await?;
    // Invoice 7 crashes the system once: the robot starts over with the same element.
    ensure!(lines.iter().any(|line| line.contains("Error 1 of 3: The system crashed at invoice-7")), "{lines:?}");
    ensure!(lines.iter().any(|line| line == "Handled 12 invoices"), "{lines:?}");
    let seventh = world.elements("Invoices").await?.remove(6);
    assert_eq!((seventh.message(), seventh.attempt), ("Paid, receipt invoice-7/700", 1));
    Ok(())
}

async fn a_python_robot_that_cannot_go_on_fails_its_element_and_its_job(world: &World) -> Result<()> {
    prepare(world).await;
    world.cli(&["constant", "set", "Invoice limit", "no number"]).await.ok();
    fill(world).await;
    let _worker = world.worker("robots").variables(proxy()).start().await;
    world.create(NewTrigger::single("handle", &example("python/handle_invoices/main.py"))).await;
    let job = world.ended_job_of("handle").await;
    assert_eq!((job.status.as_str(), job.exit_code), ("FAILED", Some(1)));
    let elements = world.elements("Invoices").await?;
    assert_eq!((elements[0].status.as_str(), elements[0].message()), ("FAILED", "The robot gave up, see its log"));
    ensure!(elements[1..].iter().all(|element| element.status == "NEW"), "{elements:?}");
    Ok(())
}

async fn invoices_are_handled_by_a_shell_robot(world: &World) -> Result<()> {
    prepare(world).await;
    fill(world).await;
    let _worker = world.worker("robots").variables(proxy()).start().await;
    let lines = done(world, "shell", &example("shell/main.sh"), "a \"quoted\" argument").await?;
    assert_eq!(lines, ["shell begins with 'a \"quoted\" argument'", "shell handled 12 invoices"]);
    are_handled(world).await
}

async fn invoices_are_handled_by_a_rust_robot(world: &World) -> Result<()> {
    prepare(world).await;
    fill(world).await;
    let _worker = world.worker("robots").variables(proxy()).start().await;
    let lines = done(world, "rust", &program("orchestrator-example-robot"), "November").await?;
    assert_eq!(lines, ["rust begins with 'November'", "rust handled 12 invoices"]);
    are_handled(world).await
}
