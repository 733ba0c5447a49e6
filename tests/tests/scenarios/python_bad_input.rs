//! What a Python robot does wrong, or meets, and what its exceptions tell it to do.

use anyhow::{Context as _, Result, ensure};
use orchestrator_tests::{NewTrigger, SOON, World, eventually, on_both_databases, on_sqlite, seconds};

on_both_databases!(bad_values_are_exceptions_that_say_what_to_do);
on_sqlite!(
    what_outlives_its_job_is_told_to_end,
    a_robot_whose_environment_was_dropped_is_told_what_is_missing,
    a_robot_that_is_given_no_arguments_says_so_in_the_reason,
    a_server_that_is_gone_for_good_becomes_an_exception,
    a_worker_that_is_gone_becomes_an_exception,
);

/// Calls that must fail, each with its kind and its words.
const WRONG: &str = r#"
import json, re, sys, uuid
from OpenOrchestrator import errors
from OpenOrchestrator.orchestrator_connection.connection import OrchestratorConnection, QueueStatus
robot = OrchestratorConnection.create_connection_from_args()

def fails(kind, words, call):
    try:
        call()
    except kind as error:
        # What was not stored is nothing that a robot may take for a mistake in what it reads.
        assert kind is ValueError or not isinstance(error, ValueError), error
        assert re.search(words, str(error)), (words, str(error))
        return error
    raise AssertionError(f"no {kind} for {words}")

mine = robot.create_queue_element("q", "mine")
fails(errors.DataError, "data is 3000 characters long; the limit is 2000", lambda: robot.create_queue_element("q", data="x" * 3000))
error = fails(errors.DataError, "reference is 101 characters long; the limit is 100", lambda: robot.bulk_create_queue_elements("q", ["x" * 101], [None]))
assert (error.metadata["field"], error.metadata["limit"], error.metadata["length"]) == ("reference", "100", "101"), error.metadata
fails(errors.DataError, "NUL character at position 1", lambda: robot.create_queue_element("q", data="a\0b"))
fails(errors.DataError, "half of a character", lambda: robot.update_constant("Limit", "\udce6"))
fails(ValueError, "constant 'Nobody' does not exist", lambda: robot.get_constant("Nobody"))
fails(ValueError, "", lambda: robot.get_constant("x" * 3000))
fails(ValueError, "constant 'Nobody' does not exist", lambda: robot.update_constant("Nobody", "x"))
fails(ValueError, "credential 'Nobody' does not exist", lambda: robot.get_credential("Nobody"))
fails(ValueError, "credential 'Nobody' does not exist", lambda: robot.update_credential("Nobody", "x", "y"))
fails(errors.DataError, "the limit is 1000", lambda: robot.update_constant("Limit", "x" * 1001))
fails(ValueError, "no status.*QueueStatus.DONE", lambda: robot.set_queue_element_status(mine.id, "FINISHED"))
fails(ValueError, "is no id", lambda: robot.set_queue_element_status("42", QueueStatus.DONE))
fails(ValueError, "does not exist", lambda: robot.set_queue_element_status(uuid.uuid4(), QueueStatus.DONE))
fails(ValueError, "does not exist", lambda: robot.delete_queue_element(uuid.uuid4()))
fails(errors.DataError, "queue_name", lambda: robot.create_queue_element("x" * 101))
fails(errors.TooLargeError, "limit", lambda: robot.create_queue_element("q", data="x" * 50_000_000))
held = robot.get_queue_elements("held")[0]
fails(errors.ElementHeldError, "job.*get_next_queue_element", lambda: robot.set_queue_element_status(held.id, QueueStatus.DONE))
fails(errors.ElementHeldError, "job", lambda: robot.delete_queue_element(held.id))
robot.log_error("l" * 3000 + "\0" + "\udce6" + "x" * 9000)
robot.set_queue_element_status(mine.id, QueueStatus.FAILED, "m" * 3000)
print("all were refused")
"#;

async fn bad_values_are_exceptions_that_say_what_to_do(world: &World) -> Result<()> {
    let _worker = world.worker("robots").slots(2).start().await;
    world.cli(&["constant", "set", "Limit", "9"]).await.ok();
    world.fill("held", 1).await;
    // Another job holds the one element.
    let gate = world.gate("held");
    let holder = world.stage().file(
        "holder.py",
        format!(
            "import os, time\nfrom OpenOrchestrator.orchestrator_connection.connection import OrchestratorConnection as C\n\
             C.create_connection_from_args().get_next_queue_element('held')\n{}\n",
            gate.wait_in_python()
        ),
    );
    world.create(NewTrigger::single("holder", &holder)).await;
    eventually("the element is held", SOON, async || {
        ensure!(world.queue("held").await?.in_progress_count == 1, "it is not");
        Ok(())
    })
    .await;
    let robot = world.stage().file("wrong.py", WRONG);
    world.create(NewTrigger::single("wrong", &robot)).await;
    let job = world.first_job_of("wrong").await;
    let ended = world.ended_within(&job.id, seconds(60)).await;
    assert_eq!(ended.status, "DONE", "{}", ended.reason);
    gate.open();
    let elements = world.elements("q").await?;
    assert_eq!(elements.len(), 1, "nothing that was refused was stored: {elements:#?}");
    let message = elements[0].message.as_deref().context("there is a message")?;
    assert!(message.chars().count() <= 1000 && message.contains("characters cut"), "{message}");
    let line = world.log_of(&job.id).await?.pop().context("there is a line")?;
    assert!(line.chars().count() <= 8000 && line.contains("\u{fffd}\\udce6x"), "{line}");
    Ok(())
}

async fn what_outlives_its_job_is_told_to_end(world: &World) -> Result<()> {
    let _worker = world.worker("robots").start().await;
    let heard = world.stage().path("heard");
    let (gate, begun) = (world.gate("ended"), world.stage().path("begun"));
    let body = format!(
        r#"
import os, subprocess, sys, time
from OpenOrchestrator import errors
from OpenOrchestrator.orchestrator_connection.connection import OrchestratorConnection
if "child" not in sys.argv:
    subprocess.Popen([sys.executable, __file__, *sys.argv[1:], "child"], start_new_session=True)
    while not os.path.exists('{begun}'): time.sleep(0.02)
    sys.exit(0)
robot = OrchestratorConnection.create_connection_from_args()
robot.log_info("in time")
open('{begun}', "w").close()
{gate}
try:
    robot.log_info("too late")
except errors.JobEndedError as error:
    with open('{heard}' + ".new", "w") as file: file.write(str(error))
    os.rename('{heard}' + ".new", '{heard}')
"#,
        begun = begun.display(),
        heard = heard.display(),
        gate = gate.wait_in_python()
    );
    let robot = world.stage().file("outlives.py", body);
    world.create(NewTrigger::single("outlives", &robot).policies(|policies| policies.keep_children = true)).await;
    let job = world.ended_job_of("outlives").await;
    assert_eq!(job.status, "DONE", "{}", job.reason);
    gate.open();
    let said = eventually("the child has heard", SOON, async || Ok(std::fs::read_to_string(&heard)?)).await;
    assert!(said.contains("end"), "{said}");
    assert_eq!(world.log_of(&job.id).await?, ["in time"]);
    Ok(())
}

async fn a_robot_whose_environment_was_dropped_is_told_what_is_missing(world: &World) -> Result<()> {
    let _worker = world.worker("robots").start().await;
    let robot = world.stage().file(
        "dropped.py",
        r#"
import os, subprocess, sys
if "child" not in sys.argv:
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH")}
    sys.exit(subprocess.run([sys.executable, __file__, *sys.argv[1:], "child"], env=kept).returncode)
from OpenOrchestrator.orchestrator_connection.connection import OrchestratorConnection
OrchestratorConnection.create_connection_from_args().log_info("who am I?")
"#,
    );
    world.create(NewTrigger::single("dropped", &robot)).await;
    let job = world.ended_job_of("dropped").await;
    assert_eq!(job.status, "FAILED");
    for word in ["NotConfiguredError", "there is no token", "ORCHESTRATOR_JOB_TOKEN"] {
        assert!(job.reason.contains(word), "no {word:?} in {}", job.reason);
    }
    Ok(())
}

async fn a_robot_that_is_given_no_arguments_says_so_in_the_reason(world: &World) -> Result<()> {
    let _worker = world.worker("robots").start().await;
    let robot = world.stage().file(
        "forgetful.py",
        r#"
import subprocess, sys
if "-c" not in sys.argv:
    code = "from OpenOrchestrator.orchestrator_connection.connection import OrchestratorConnection as C; C.create_connection_from_args()"
    sys.exit(subprocess.run([sys.executable, "-c", code]).returncode)
"#,
    );
    world.create(NewTrigger::single("forgetful", &robot)).await;
    let job = world.ended_job_of("forgetful").await;
    assert_eq!(job.status, "FAILED");
    for word in ["WrongArgumentsError", "4 to 6 arguments", "got 0", "sys.argv[1:]"] {
        assert!(job.reason.contains(word), "no {word:?} in {}", job.reason);
    }
    Ok(())
}

/// What the exception tells a robot that calls again after this harm.
async fn exception_after(world: &World, call: &str, harm: impl FnOnce()) -> String {
    let (begun, heard, gate) = (world.stage().path("begun"), world.stage().path("heard"), world.gate("harm"));
    let body = format!(
        r#"
import os, sys, time
from OpenOrchestrator import errors
from OpenOrchestrator.orchestrator_connection.connection import OrchestratorConnection
robot = OrchestratorConnection.create_connection_from_args()
robot._session.patience = 2
{call}
open('{begun}', "w").close()
{gate}
try:
    {call}
except errors.OrchestratorError as error:
    with open('{heard}' + ".new", "w") as file: file.write(f"{{type(error).__name__}} {{error.reason}}: {{error}}")
    os.rename('{heard}' + ".new", '{heard}')
"#,
        begun = begun.display(),
        heard = heard.display(),
        gate = gate.wait_in_python()
    );
    let robot = world.stage().file("patient.py", body);
    world.create(NewTrigger::single("patient", &robot)).await;
    eventually("the robot has begun", SOON, async || Ok(std::fs::metadata(&begun)?)).await;
    harm();
    gate.open();
    eventually("the robot has heard", SOON, async || Ok(std::fs::read_to_string(&heard)?)).await
}

async fn a_server_that_is_gone_for_good_becomes_an_exception(world: &World) -> Result<()> {
    let configuration = "allowed_paths = [\"/\"]\nrobot_patience_seconds = 1\n";
    let _worker = world.worker("robots").configured(configuration).start().await;
    let said = exception_after(world, "robot.get_next_queue_element('q')", || world.server().kill_9()).await;
    for words in ["UnavailableError SERVER_AWAY", "the orchestrator server has not answered", "Try again later"] {
        assert!(said.contains(words), "no {words:?} in {said}");
    }
    // So that the world can tell what happened, and end.
    world.server().start().await;
    Ok(())
}

async fn a_worker_that_is_gone_becomes_an_exception(world: &World) -> Result<()> {
    let worker = world.worker("robots").start().await;
    let said = exception_after(world, "robot.log_info('is anybody there?')", || worker.kill_9()).await;
    for words in ["UnavailableError", "the worker at http://127.0.0.1:", "does not answer", "Is it running?"] {
        assert!(said.contains(words), "no {words:?} in {said}");
    }
    Ok(())
}
