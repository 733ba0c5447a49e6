//! Which worker gets which job, and when.

use anyhow::{Result, ensure};
use orchestrator_tests::{
    NewTrigger, SOON, World, eventually, holds_for, instant, on_both_databases, on_sqlite, seconds,
};

on_both_databases!(a_blocking_job_runs_alone_and_does_not_starve, a_whitelist_and_an_exclusive_worker_are_kept_to,);
on_sqlite!(
    higher_priority_goes_first_then_single_before_scheduled_before_queue,
    a_hundred_triggers_due_at_once_run_on_a_hundred_slots,
    a_server_that_stops_lets_go_of_its_workers_at_once,
);

async fn a_blocking_job_runs_alone_and_does_not_starve(world: &World) -> Result<()> {
    let _worker = world.worker("here").slots(3).start().await;
    let ledger = world.ledger("times");
    let stamp = |mark: &str| ledger.add(&format!("{mark} $process_args $(date +%s%N)"));
    let brief = world.shell("brief", &format!("{}\nsleep 0.3\n{}", stamp("begin"), stamp("end")));
    // A stream of small jobs that never lets the worker fall idle, and a blocking one in the midst of it.
    for number in 0..12 {
        let name = format!("small {number}");
        world.create(NewTrigger::single(&name, &brief).args(&name.replace(' ', "-"))).await;
        if number == 4 {
            world.create(NewTrigger::single("alone", &brief).args("alone").blocking()).await;
        }
    }
    for name in (0..12).map(|number| format!("small {number}")).chain(["alone".to_owned()]) {
        let job = world.ended_job_of(&name).await;
        assert_eq!(job.status, "DONE", "{name}: {}", job.reason);
    }
    let lines = ledger.lines();
    let began = lines.iter().position(|line| line.starts_with("begin alone")).unwrap_or_default();
    assert!(lines[began + 1].starts_with("end alone"), "nothing begins or ends beside it: {lines:#?}");
    let open = lines[..began].iter().fold(0, |open, line| if line.starts_with("begin") { open + 1 } else { open - 1 });
    assert_eq!(open, 0, "nothing runs when it begins: {lines:#?}");
    assert!(began < lines.len() - 6, "it did not have to wait for the last: {lines:#?}");
    Ok(())
}

async fn a_whitelist_and_an_exclusive_worker_are_kept_to(world: &World) -> Result<()> {
    let _common = world.worker("common").slots(2).start().await;
    let _exclusive = world.worker("exclusive").slots(2).exclusive().start().await;
    let robot = world.shell("robot", "sleep 0.2");
    for number in 0..6 {
        world.create(NewTrigger::single(&format!("any {number}"), &robot)).await;
        world.create(NewTrigger::single(&format!("named {number}"), &robot).only_on("exclusive")).await;
    }
    world.create(NewTrigger::single("elsewhere", &robot).only_on("Common")).await;
    for number in 0..6 {
        assert_eq!(world.ended_job_of(&format!("any {number}")).await.worker_name, "common");
        assert_eq!(world.ended_job_of(&format!("named {number}")).await.worker_name, "exclusive");
    }
    holds_for("a name is matched exactly", seconds(1), async || {
        let job = world.job(&world.first_job_of("elsewhere").await.id).await?;
        ensure!(job.status == "QUEUED" && !job.waiting_reason.is_empty(), "{job:#?}");
        Ok(())
    })
    .await;
    Ok(())
}

async fn higher_priority_goes_first_then_single_before_scheduled_before_queue(world: &World) -> Result<()> {
    let ledger = world.ledger("order");
    let robot = world.shell("robot", &ledger.add("$process_name"));
    world.fill("work", 1).await;
    world.create(NewTrigger::queue("queue", &robot, "work", 1)).await;
    world.first_job_of("queue").await;
    world.create(NewTrigger::scheduled("scheduled", &robot, "0 0 1 1 *").at(world.now())).await;
    world.first_job_of("scheduled").await;
    for (name, priority) in [("single", 0), ("low", -1), ("high", 5)] {
        world.create(NewTrigger::single(name, &robot).priority(priority)).await;
        world.first_job_of(name).await;
    }
    let _worker = world.worker("here").start().await;
    eventually("all have run", SOON, async || {
        let lines = ledger.lines();
        ensure!(lines.len() == 5, "{lines:?}");
        Ok(())
    })
    .await;
    assert_eq!(ledger.lines(), ["high", "single", "scheduled", "queue", "low"]);
    Ok(())
}

async fn a_hundred_triggers_due_at_once_run_on_a_hundred_slots(world: &World) -> Result<()> {
    let _worker = world.worker("here").slots(100).start().await;
    let due = world.in_ms(4000);
    for number in 0..100 {
        world.create(NewTrigger::single(&format!("number {number}"), "/bin/true".as_ref()).at(due)).await;
    }
    ensure!(world.now() < due, "the machine is too slow: the triggers were made too late");
    let jobs = eventually("all are done", seconds(15), async || {
        let jobs = world.jobs_of("").await?;
        let done = jobs.iter().filter(|job| job.status == "DONE").count();
        ensure!(done == 100, "{done} are done");
        Ok(jobs)
    })
    .await;
    let last = jobs.iter().map(|job| instant(job.start_time) - due).max().unwrap_or_default();
    assert!(last < chrono::Duration::seconds(5), "the last was started {last} late");
    Ok(())
}

async fn a_server_that_stops_lets_go_of_its_workers_at_once(world: &World) -> Result<()> {
    let worker = world.worker("here").slots(2).start().await;
    let (ledger, gate) = (world.ledger("started"), world.gate("end"));
    world.create(NewTrigger::single("runs", &world.patient_robot(&ledger, &gate))).await;
    let job = world.running_job_of("runs").await;
    let asked = world.now();
    world.server().stop().await;
    let took = world.now() - asked;
    assert!(took < chrono::Duration::seconds(5), "long polls and streams end at once, but it took {took}");
    world.server().start().await;
    worker.is_up(world).await;
    gate.open();
    assert_eq!(world.ended(&job.id).await.status, "DONE");
    Ok(())
}
