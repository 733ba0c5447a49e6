//! `orchestrator-worker run`: a robot on a developer's desk, as a development job.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use orchestrator_tests::{SOON, Said, World, on_both_databases, on_sqlite, pb, program};

on_both_databases!(a_robot_on_a_desk_works_as_under_a_worker);
on_sqlite!(
    a_robot_that_is_not_there_is_told_before_a_token_is_asked_for,
    the_robots_exit_code_and_output_are_the_programs,
    a_repository_is_checked_out_and_left_clean,
    a_robot_that_asks_who_it_is_hears_of_the_same_job,
    what_a_robot_writes_while_the_server_is_away_is_delivered_before_the_program_ends,
    a_robot_gets_time_to_end_when_the_program_is_told_to_stop,
    what_cannot_be_run_is_told,
);

/// Runs `orchestrator-worker run` as an operator.
async fn desk(world: &World, arguments: &[&str]) -> Said {
    let token = world.token_of("USER", &format!("developer of {}", arguments.join(" ")), "OPERATOR").await;
    let url = world.server().url();
    let command = [&["run", "--server", &url], arguments].concat();
    world.run_program(&program("orchestrator-worker"), &command, &[("ORCHESTRATOR_TOKEN", &token)]).await
}

async fn a_robot_on_a_desk_works_as_under_a_worker(world: &World) -> Result<()> {
    world.cli(&["constant", "set", "limit", "ten"]).await.ok();
    world.fill("work", 2).await;
    let robot = world.stage().file(
        "robot.py",
        r#"
import os, sys
from OpenOrchestrator.database.queues import QueueStatus
from OpenOrchestrator.orchestrator_connection.connection import OrchestratorConnection

connection = OrchestratorConnection.create_connection_from_args()
assert "orc_user" not in " ".join(sys.argv) + " ".join(os.environ.values()), "the robot gets the developer's own token"
connection.log_info(f"{connection.process_name} {connection.process_arguments} {connection.get_constant('limit').value}")
element = connection.get_next_queue_element("work")
connection.set_queue_element_status(element.id, QueueStatus.DONE, "well")
connection.get_next_queue_element("work")
print(connection.job_id)
"#,
    );
    let said = desk(world, &["--name", "Payroll", "--args", "a \"b\" ø", &robot.to_string_lossy()]).await;
    let said = said.ok();
    let job = said.stdout.trim();
    let told = "Queue elements that the job had taken and not finished: 1 ABANDONED.";
    assert_eq!(world.log_of(job).await?, ["Payroll a \"b\" ø ten", told]);
    let elements = world.elements("work").await?;
    let statuses: Vec<&str> = elements.iter().map(|element| element.status.as_str()).collect();
    assert_eq!((statuses, elements[0].job_id.as_str()), (vec!["DONE", "ABANDONED"], job));
    let ended = world.job(job).await?;
    assert_eq!((ended.status.as_str(), ended.exit_code, ended.process_name.as_str()), ("DONE", Some(0), "Payroll"));
    Ok(())
}

async fn the_robots_exit_code_and_output_are_the_programs(world: &World) -> Result<()> {
    let robot = world.shell("robot", "echo out; echo err >&2; pwd; exit 7");
    let said = desk(world, &[&robot.to_string_lossy()]).await;
    assert_eq!(said.code, Some(7), "{said}");
    let folder = robot.parent().context("a folder")?.canonicalize()?;
    assert_eq!(said.stdout, format!("out\n{}\n", folder.display()));
    ensure!(said.stderr.contains("err\n"), "{said}");
    let job = world.jobs_of("").await?.pop().context("a job")?;
    assert_eq!((job.status.as_str(), job.exit_code, job.reason.as_str()), ("FAILED", Some(7), "exit code 7"));
    Ok(())
}

async fn a_repository_is_checked_out_and_left_clean(world: &World) -> Result<()> {
    let repository = world.repository("robots");
    repository.commit(&[("main.py", "import sys\nprint(sys.argv[1], sys.argv[4])\n")]);
    let said = desk(world, &["--args", "x", &repository.url()]).await.ok();
    assert_eq!(said.stdout, "robots x\n");
    Ok(())
}

async fn a_robot_that_asks_who_it_is_hears_of_the_same_job(world: &World) -> Result<()> {
    let robot = world.python(
        "robot",
        r#"
context = get("GetContext")
assert (context["jobId"], context["processName"], context["processArgs"]) == (job_id, "robot", "x"), context
assert get("GetContext") == context
get("Log", logs=[{"logLevel": "INFO", "logMessage": "still mine"}])
print(job_id)
"#,
    );
    let said = desk(world, &["--args", "x", &robot.to_string_lossy()]).await.ok();
    let jobs = world.jobs_of("").await?;
    assert_eq!(jobs.iter().map(|job| job.id.as_str()).collect::<Vec<_>>(), [said.stdout.trim()]);
    assert_eq!(world.log_of(said.stdout.trim()).await?, ["still mine"]);
    Ok(())
}

async fn what_a_robot_writes_while_the_server_is_away_is_delivered_before_the_program_ends(
    world: &World,
) -> Result<()> {
    let (begun, written, gate) = (world.ledger("begun"), world.ledger("written"), world.gate("away"));
    let body = format!(
        r#"
get("CreateQueueElement", queueName="made", element={{"reference": "before"}})
{begun}
{wait}
for number in range(20):
    get("Log", logs=[{{"logLevel": "INFO", "logMessage": str(number)}}])
get("CreateQueueElement", queueName="made", element={{"reference": "after"}})
{written}
"#,
        begun = begun.add_in_python("job_id"),
        written = written.add_in_python("'written'"),
        wait = gate.wait_in_python(),
    );
    let robot = world.python("robot", &body).display().to_string();
    let outage = async {
        let job = begun.is_written().await;
        world.server().stop().await;
        gate.open();
        written.is_written().await;
        world.no_process_of(&job, SOON).await;
        world.server().start().await;
        job
    };
    let arguments = [robot.as_str()];
    let (said, job) = tokio::join!(desk(world, &arguments), outage);
    said.ok();
    let expected: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    assert_eq!(world.log_of(&job).await?, expected);
    let made = world.elements("made").await?;
    assert_eq!(made.iter().map(pb::QueueElement::reference).collect::<Vec<_>>(), ["before", "after"]);
    Ok(())
}

async fn a_robot_gets_time_to_end_when_the_program_is_told_to_stop(world: &World) -> Result<()> {
    let begun = world.stage().path("begun");
    let body = format!(
        "trap 'echo asked to stop; exit 3' TERM\ntouch '{begun}'\nwhile :; do sleep 0.05; done",
        begun = begun.display()
    );
    let robot = world.shell("robot", &body);
    let stopped = format!(
        "\"$@\" & until [ -e '{begun}' ]; do sleep 0.02; done\nkill -TERM $!\nwait $!",
        begun = begun.display()
    );
    let token = world.token_of("USER", "ada", "OPERATOR").await;
    let (url, worker) = (world.server().url(), program("orchestrator-worker").display().to_string());
    let command = ["-c", &stopped, "bash", &worker, "run", "--server", &url, &robot.to_string_lossy()];
    let said = world.run_program(Path::new("bash"), &command, &[("ORCHESTRATOR_TOKEN", &token)]).await;
    assert_eq!((said.code, said.stdout.as_str()), (Some(3), "asked to stop\n"), "{said}");
    Ok(())
}

async fn what_cannot_be_run_is_told(world: &World) -> Result<()> {
    let said = desk(world, &["no/such/robot.py"]).await;
    assert_eq!(said.code, Some(1));
    ensure!(said.stderr.contains("neither a file that exists nor the URL of a git repository"), "{said}");
    assert!(world.jobs_of("").await?.is_empty());
    let repository = world.repository("robots");
    repository.commit(&[("main.py", "")]);
    let said = desk(world, &["--branch", "nowhere", &repository.url()]).await;
    ensure!(said.code == Some(1) && said.stderr.contains("nowhere"), "{said}");
    let job = world.jobs_of("").await?.pop().context("a job")?;
    ensure!(job.status == "FAILED" && job.reason.contains("nowhere"), "{job:#?}");
    let robot = world.shell("robot", "true");
    let viewer = world.token_of("USER", "viewer", "VIEWER").await;
    let url = world.server().url();
    let command = ["run", "--server", &url, &robot.to_string_lossy()];
    let said = world.run_program(&program("orchestrator-worker"), &command, &[("ORCHESTRATOR_TOKEN", &viewer)]).await;
    ensure!(said.code == Some(1) && said.stderr.contains("did not begin a development job"), "{said}");
    Ok(())
}

async fn a_robot_that_is_not_there_is_told_before_a_token_is_asked_for(world: &World) -> Result<()> {
    let said = world.run_program(&program("orchestrator-worker"), &["run", "nothing.py"], &[]).await;
    assert_eq!(said.code, Some(1), "{said}");
    assert!(said.stderr.contains("neither a file that exists nor the URL of a git repository"), "{said}");
    assert!(!said.stderr.contains("no token"), "{said}");
    Ok(())
}
