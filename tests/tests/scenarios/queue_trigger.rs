//! A queue trigger fires when there is enough work, and its robots take elements.

use anyhow::{Context as _, Result, ensure};
use orchestrator_tests::{NewTrigger, SOON, World, eventually, holds_for, on_both_databases, pb, seconds};

on_both_databases!(
    a_queue_trigger_fires_at_its_batch_size_and_its_robot_works_the_queue_off,
    what_a_failing_robot_held_is_abandoned,
    a_queue_trigger_runs_a_repository_and_in_parallel,
);

const WORKER_OFF: &str = "\
while True:
    elements = call('QueueService/Claim', queueName=process_args).get('elements')
    if not elements: break
    for element in elements:
        print(element['reference'], element['status'])
        call('QueueService/SetStatus', element=element['id'], status='DONE', message='paid')";

async fn a_queue_trigger_fires_at_its_batch_size_and_its_robot_works_the_queue_off(world: &World) -> Result<()> {
    let _worker = world.worker("here").start().await;
    let robot = world.python("robot", WORKER_OFF);
    world.create(NewTrigger::queue("invoices", &robot, "bills", 3).args("bills")).await;
    world.fill("bills", 2).await;
    holds_for("two elements are too few", seconds(2), async || {
        ensure!(world.jobs_of("invoices").await?.is_empty(), "there is a job");
        Ok(())
    })
    .await;
    world.fill("bills", 1).await;
    let job = world.ended_job_of("invoices").await;
    assert_eq!(job.status, "DONE", "{}", job.reason);
    assert_eq!(world.output(&job.id).await?.stdout, "0 IN_PROGRESS\n1 IN_PROGRESS\n0 IN_PROGRESS\n");
    let queue = world.queue("bills").await?;
    assert_eq!((queue.new_count, queue.in_progress_count, queue.done_count), (0, 0, 3));
    for element in world.elements("bills").await? {
        assert_eq!((element.status.as_str(), element.message()), ("DONE", "paid"));
        assert!(element.start_date.is_some() && element.end_date.is_some());
    }
    assert_eq!(world.jobs_of("invoices").await?.len(), 1);
    Ok(())
}

async fn what_a_failing_robot_held_is_abandoned(world: &World) -> Result<()> {
    let worker = world.fake_worker("fake", 1).await;
    world.create(NewTrigger::single("careless", &world.shell("robot", "exit 1"))).await;
    world.fill("bills", 3).await;
    let job = worker.claim(1, seconds(5)).await?.remove(0);
    let robot = worker.start(&job).await?;
    let first = robot.claim("bills", call(1)).await?.context("an element")?;
    let second = robot.claim("bills", call(2)).await?.context("an element")?;
    assert_eq!((first.job_id.as_str(), first.status.as_str()), (job.job_id.as_str(), "IN_PROGRESS"));
    let request = pb::SetElementStatusRequest {
        element: second.id,
        status: "DONE".to_owned(),
        ..pb::SetElementStatusRequest::default()
    };
    robot.calls().set_queue_element_status(request).await?;
    assert_eq!(worker.finish(&job, "FAILED").await?, "FAILED");
    let statuses: Vec<String> = world.elements("bills").await?.into_iter().map(|element| element.status).collect();
    assert_eq!(statuses, ["ABANDONED", "DONE", "NEW"]);
    Ok(())
}

fn call(number: u8) -> pb::Call {
    pb::Call { request_id: format!("00000000-0000-4000-8000-0000000000{number:02}"), repeat: false }
}

async fn a_queue_trigger_runs_a_repository_and_in_parallel(world: &World) -> Result<()> {
    let _worker = world.worker("here").slots(4).start().await;
    let gate = world.gate("together");
    let repository = world.repository("robots");
    let text = World::python_text(&format!("{}\n{WORKER_OFF}", gate.wait_in_python()));
    let commit = repository.commit(&[("main.py", &text)]);
    let trigger = NewTrigger::queue("parallel", "".as_ref(), "bills", 2).max_parallel(3);
    world.create(trigger.git(&repository.url(), None).args("bills")).await;
    world.fill("bills", 20).await;
    eventually("three robots run at once", SOON, async || {
        let running = world.jobs_of("parallel").await?.iter().filter(|job| job.status == "RUNNING").count();
        ensure!(running == 3, "{running} run");
        Ok(())
    })
    .await;
    assert_eq!(world.jobs_of("parallel").await?.len(), 3);
    gate.open();
    eventually("the queue is worked off", SOON, async || {
        let queue = world.queue("bills").await?;
        ensure!(queue.done_count == 20, "{} are done", queue.done_count);
        Ok(())
    })
    .await;
    for job in world.jobs_of("parallel").await? {
        assert_eq!(world.ended(&job.id).await.commit, commit);
    }
    Ok(())
}
