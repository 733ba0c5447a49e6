//! A Python program on a developer's laptop: no worker, a user's token, a development job.

use anyhow::{Context as _, Result, ensure};
use orchestrator_tests::{World, eventually, on_both_databases, on_sqlite, pb, seconds};

on_both_databases!(a_program_on_a_laptop_works_as_a_robot_does);
on_sqlite!(
    passwords_and_changes_are_for_administrators_and_the_refusal_says_what_to_do,
    a_token_that_is_none_says_what_to_do,
    the_next_program_with_a_token_ends_the_job_before,
);

/// How every program on a laptop begins.
const CONNECT: &str = r#"
import os
from OpenOrchestrator import errors
from OpenOrchestrator.database.queues import QueueStatus
from OpenOrchestrator.orchestrator_connection.connection import OrchestratorConnection
def connect():
    return OrchestratorConnection("Laptop", os.environ["SERVER"], os.environ["TOKEN"], "på \"én\"")
connection = connect()
"#;

fn program(body: &str) -> String {
    format!("{CONNECT}{body}\n")
}

/// The development jobs, newest first.
async fn jobs(world: &World) -> Result<Vec<pb::Job>> {
    let jobs = world.jobs_of("").await?;
    ensure!(jobs.iter().all(|job| job.worker_name == "<development>"), "{jobs:#?}");
    Ok(jobs)
}

async fn constant_and_credential(world: &World) {
    world.cli(&["constant", "set", "Limit", "9"]).await.ok();
    world.cli_with(&["credential", "set", "Mail", "--username", "ada"], "pässword 1\n", &[]).await.ok();
}

async fn a_program_on_a_laptop_works_as_a_robot_does(world: &World) -> Result<()> {
    constant_and_credential(world).await;
    let admin = world.token_of("USER", "ada", "ADMIN").await;
    let body = program(
        r#"
connection.log_info("begins")
assert connection.get_constant("Limit").value == "9"
connection.update_constant("Limit", "10")
mail = connection.get_credential("Mail")
assert (mail.username, mail.password) == ("ada", "pässword 1"), mail
connection.update_credential("Mail", "eve", "pässword 2")
connection.create_queue_element("Work", "first", "{}")
connection.bulk_create_queue_elements("Work", ["second", "third"], [None, "data"])
element = connection.get_next_queue_element("Work")
assert element.reference == "first", element
connection.set_queue_element_status(element.id, QueueStatus.DONE, "well")
held = connection.get_next_queue_element("Work")
connection.delete_queue_element(connection.get_queue_elements("Work", status=QueueStatus.NEW)[0].id)
assert connection.is_trigger_pausing() is False
connection.log_error("ends")
"#,
    );
    world.on_a_laptop(&body, &admin).await.ok();

    let job = jobs(world).await?.pop().context("there is no job")?;
    assert_eq!((job.status.as_str(), job.process_name.as_str()), ("RUNNING", "Laptop"));
    assert_eq!((job.trigger_name.as_str(), job.process_args()), ("development", "på \"én\""));
    let lines = world.levels_of(&job.id).await?;
    let lines: Vec<_> = lines.iter().map(|(level, line)| (level.as_str(), line.as_str())).collect();
    assert_eq!(lines, [("INFO", "begins"), ("ERROR", "ends")]);
    let elements = world.elements("Work").await?;
    let shown: Vec<_> = elements.iter().map(|each| (each.reference(), each.status.as_str(), each.message())).collect();
    assert_eq!(shown, [("first", "DONE", "well"), ("second", "IN_PROGRESS", "")]);
    assert!(elements.iter().all(|element| element.job_id == job.id), "{elements:#?}");
    assert_eq!(world.cli(&["constant", "get", "Limit"]).await.ok().stdout, "10\n");
    let mail = world.cli(&["credential", "get", "Mail", "--reveal", "-o", "json"]).await.ok().json();
    assert_eq!((&mail["credential"]["username"], &mail["password"]), (&"eve".into(), &"pässword 2".into()));
    // People see it where they see all jobs.
    let listed = world.cli(&["job", "list"]).await.ok();
    ensure!(listed.stdout.contains("Laptop"), "{listed}");
    Ok(())
}

async fn passwords_and_changes_are_for_administrators_and_the_refusal_says_what_to_do(world: &World) -> Result<()> {
    constant_and_credential(world).await;
    let operator = world.token_of("USER", "ada", "OPERATOR").await;
    let body = program(
        r#"
assert connection.get_constant("Limit").value == "9"
for call in [
    lambda: connection.get_credential("Mail"),
    lambda: connection.update_credential("Mail", "eve", "x"),
    lambda: connection.update_constant("Limit", "10"),
]:
    try:
        call()
    except errors.NotAllowedError as error:
        assert error.reason == "ROLE_TOO_LOW", error.reason
        for words in ["without a worker", "ADMIN", "OPERATOR", "run the robot on a worker", "token create user NAME --role admin"]:
            assert words in str(error), (words, str(error))
    else:
        raise AssertionError("it was allowed")
# The job goes on.
connection.log_info("went on")
"#,
    );
    world.on_a_laptop(&body, &operator).await.ok();
    assert_eq!(world.cli(&["constant", "get", "Limit"]).await.ok().stdout, "9\n");
    let job = jobs(world).await?.pop().context("there is no job")?;
    assert_eq!(world.log_of(&job.id).await?, ["went on"]);

    // A viewer does not even begin.
    let viewer = world.token_of("USER", "guest", "VIEWER").await;
    let said = world.on_a_laptop(&program("connection.log_info('x')"), &viewer).await;
    said.refused(
        1,
        &["NotAllowedError", "needs the role OPERATOR", "VIEWER", "token create user NAME --role operator"],
    );
    assert_eq!(jobs(world).await?.len(), 1);
    Ok(())
}

async fn a_token_that_is_none_says_what_to_do(world: &World) -> Result<()> {
    let log = program("connection.log_info('x')");
    let brief = world.cli(&["token", "create", "user", "brief", "--lifetime", "1s", "-o", "json"]).await.ok().json();
    let brief = brief["secret"].as_str().context("a token")?.to_owned();
    eventually("it expires", seconds(10), async || {
        let said = world.cli_with(&["trigger", "list"], "", &[("ORCHESTRATOR_TOKEN", &brief)]).await;
        ensure!(said.code == Some(4), "{said}");
        Ok(())
    })
    .await;
    let another = "token create user NAME --role operator";
    world.on_a_laptop(&log, &brief).await.refused(1, &["NotAllowedError", "has expired", another]);

    // Of another server.
    let stranger = World::start(orchestrator_tests::Database::Sqlite).await;
    let unknown = stranger.token_of("USER", "ada", "ADMIN").await;
    world.on_a_laptop(&log, &unknown).await.refused(1, &["NotAllowedError", "nobody has this token", another]);
    let cut = &unknown[..unknown.len() - 4];
    world.on_a_laptop(&log, cut).await.refused(1, &["NotAllowedError", "not a whole token", "copy it again"]);
    world.on_a_laptop(&log, "").await.refused(1, &["NotConfiguredError", "third argument is a user token", another]);
    assert!(jobs(world).await?.is_empty());
    Ok(())
}

async fn the_next_program_with_a_token_ends_the_job_before(world: &World) -> Result<()> {
    world.fill("Work", 1).await;
    let operator = world.token_of("USER", "ada", "OPERATOR").await;
    let body = program("connection.get_next_queue_element('Work')\nconnect().log_info('first')");
    world.on_a_laptop(&body, &operator).await.ok();
    let first = &jobs(world).await?[0];
    assert_eq!(world.elements("Work").await?[0].job_id, first.id, "a second connection takes nothing away");
    assert_eq!(world.log_of(&first.id).await?, ["first"], "it is the same job");
    world.on_a_laptop(&program("connection.log_info('second')"), &operator).await.ok();
    let jobs = jobs(world).await?;
    let statuses: Vec<_> = jobs.iter().map(|job| job.status.as_str()).collect();
    assert_eq!(statuses, ["RUNNING", "DONE"]);
    assert!(jobs[1].reason.contains("same token"), "{}", jobs[1].reason);
    assert_eq!(world.elements("Work").await?[0].status, "ABANDONED", "what it held is given up");
    assert_eq!(world.log_of(&jobs[0].id).await?, ["second"]);
    Ok(())
}
