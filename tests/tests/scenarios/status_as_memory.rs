//! Robots that use the status of an element as their memory between runs.

use anyhow::Result;
use orchestrator_tests::{NewTrigger, World, on_both_databases};

on_both_databases!(what_a_robot_sets_in_progress_waits_for_its_next_run);

/// Orders an invoice for each new case and leaves it in progress; a later run finishes what was ordered. It takes one more, and
/// forgets it.
const ROBOT: &str = r#"
from OpenOrchestrator.database.queues import QueueStatus
from OpenOrchestrator.orchestrator_connection.connection import OrchestratorConnection
robot = OrchestratorConnection.create_connection_from_args()
for case in robot.get_queue_elements("cases", status=QueueStatus.IN_PROGRESS):
    assert case.message == "ordered", case
    robot.set_queue_element_status(case.id, QueueStatus.DONE, "sent")
for _ in range(2):
    case = robot.get_next_queue_element("cases")
    if case:
        robot.set_queue_element_status(case.id, QueueStatus.IN_PROGRESS, "ordered")
robot.get_next_queue_element("cases")
"#;

async fn what_a_robot_sets_in_progress_waits_for_its_next_run(world: &World) -> Result<()> {
    let _worker = world.worker("robots").start().await;
    // More than one try: what the robot told of would be worked on twice.
    world.cli(&["queue", "set", "cases", "--max-attempts", "2"]).await.ok();
    world.fill("cases", 3).await;
    let robot = world.stage().file("robot.py", ROBOT);
    let statuses = async || -> Result<Vec<(String, String, bool)>> {
        let elements = world.elements("cases").await?.into_iter();
        Ok(elements.map(|each| (each.status, each.message.unwrap_or_default(), each.parked)).collect())
    };

    world.create(NewTrigger::single("first", &robot)).await;
    let first = world.first_job_of("first").await;
    assert_eq!(world.ended(&first.id).await.status, "DONE");
    let forgotten = format!("job {}", first.id);
    let after = statuses().await?;
    assert_eq!(
        after[..2],
        [("IN_PROGRESS".into(), "ordered".into(), true), ("IN_PROGRESS".into(), "ordered".into(), true)]
    );
    assert_eq!(after[2].0, "NEW");
    assert!(after[2].1.starts_with(&forgotten), "{after:?}");
    let lines = world.levels_of(&first.id).await?;
    let told = "Queue elements that the job had taken and not finished: 1 NEW again, 2 IN_PROGRESS still, as the robot set them.";
    assert_eq!(lines, [("INFO".to_owned(), told.to_owned())]);

    world.create(NewTrigger::single("second", &robot)).await;
    let second = world.first_job_of("second").await;
    assert_eq!(world.ended(&second.id).await.status, "DONE");
    let after = statuses().await?;
    assert_eq!(after[..2], [("DONE".into(), "sent".into(), false), ("DONE".into(), "sent".into(), false)]);
    assert_eq!(after[2], ("IN_PROGRESS".into(), "ordered".into(), true));
    Ok(())
}
