//! Kill: quick, whole, and with exactly one end.

use anyhow::{Result, ensure};
use orchestrator_tests::{
    NewTrigger, SOON, World, eventually, instant, on_both_databases, on_sqlite, pb, rounds, seconds,
};

on_both_databases!(a_kill_leaves_no_process_after_a_second, a_kill_as_the_robot_ends_gives_exactly_one_end,);
on_sqlite!(
    a_killed_trigger_is_held_and_its_waiting_jobs_are_cancelled,
    a_robot_gets_the_grace_that_its_trigger_names,
    a_lost_job_that_is_killed_ends_killed,
);

async fn a_kill_leaves_no_process_after_a_second(world: &World) -> Result<()> {
    let _worker = world.worker("here").slots(2).start().await;
    let (ledger, gate) = (world.ledger("started"), world.gate("bystander"));
    world.create(NewTrigger::single("bystander", &world.patient_robot(&ledger, &gate))).await;
    let bystander = world.running_job_of("bystander").await;
    let robot = world.python(
        "robot",
        "import signal\n\
         signal.signal(signal.SIGTERM, signal.SIG_IGN)\n\
         children = [\n\
         \x20   subprocess.Popen(['bash', '-c', \"trap '' TERM; while true; do sleep 1; done\"]),\n\
         \x20   subprocess.Popen(['sleep', '1000'], start_new_session=True),\n\
         \x20   subprocess.Popen(['bash', '-c', '(setsid sleep 1000 &) ; sleep 1000']),\n\
         ]\n\
         print('all are there', flush=True)\n\
         while True: sys.stderr.write('x' * 10_000); time.sleep(0.1)",
    );
    world.create(NewTrigger::single("stubborn", &robot)).await;
    let job = world.running_job_of("stubborn").await;
    eventually("the whole tree is there", SOON, async || {
        let count = world.processes_of(&job.id).len();
        ensure!(world.output(&job.id).await?.stdout == "all are there\n" && count >= 6, "{count} processes");
        Ok(())
    })
    .await;
    world.cli(&["job", "kill", &job.id, "--yes"]).await.ok();
    world.no_process_of(&job.id, seconds(1) + std::time::Duration::from_millis(500)).await;
    let job = world.ended(&job.id).await;
    assert_eq!(job.status, "KILLED", "{}", job.reason);
    assert_eq!(world.job(&bystander.id).await?.status, "RUNNING", "nobody else is touched");
    gate.open();
    assert_eq!(world.ended(&bystander.id).await.status, "DONE");
    Ok(())
}

async fn a_kill_as_the_robot_ends_gives_exactly_one_end(world: &World) -> Result<()> {
    let _worker = world.worker("here").slots(4).start().await;
    for round in 0..rounds() * 4 {
        let name = format!("race {round}");
        let gate = world.gate(&name);
        let end = if round % 2 == 0 { "exit 0" } else { "exit 1" };
        let robot = world.shell(&name, &format!("{}\n{end}", gate.wait()));
        let trigger = NewTrigger::scheduled(&name, &robot, "0 0 1 1 *");
        world.create(trigger).await;
        let job = world.run_now(&name).await;
        world.job_becomes(&job.id, "RUNNING", SOON).await;
        gate.open();
        // Everything from before the end is noticed to after it is recorded.
        tokio::time::sleep(std::time::Duration::from_millis(u64::from(round) * 7 % 60)).await;
        match world.api().jobs().kill(pb::KillJobRequest { job: job.id.clone() }).await {
            Ok(_) => {}
            Err(status) => assert_eq!(status.code(), tonic::Code::FailedPrecondition, "{status:?}"),
        }
        let ended = world.ended(&job.id).await;
        let possible = if round % 2 == 0 { ["DONE", "KILLED"] } else { ["FAILED", "KILLED"] };
        assert!(possible.contains(&ended.status.as_str()), "{ended:#?}");
        orchestrator_tests::holds_for("the end stays", std::time::Duration::from_millis(200), async || {
            let now = world.job(&job.id).await?;
            ensure!((&now.status, now.end_time) == (&ended.status, ended.end_time), "{now:#?}");
            Ok(())
        })
        .await;
    }
    Ok(())
}

async fn a_killed_trigger_is_held_and_its_waiting_jobs_are_cancelled(world: &World) -> Result<()> {
    let _worker = world.worker("here").start().await;
    let robot = world.shell("robot", "sleep 1000");
    world.create(NewTrigger::scheduled("many", &robot, "0 0 1 1 *")).await;
    let running = world.run_now("many").await;
    world.job_becomes(&running.id, "RUNNING", SOON).await;
    let waiting = world.run_now("many").await;
    let said = world.cli(&["trigger", "kill", "many", "--yes", "-o", "json"]).await.ok().json();
    assert_eq!((&said["killedJobs"], &said["cancelledJobs"]), (&1.into(), &1.into()), "{said}");
    assert_eq!(world.ended(&running.id).await.status, "KILLED");
    assert_eq!(world.ended(&waiting.id).await.status, "CANCELLED");
    let trigger = world.trigger_becomes("many", "KILLED", SOON).await;
    assert_eq!(trigger.consecutive_failures, 0);
    world.cli(&["trigger", "enable", "many"]).await.ok();
    world.trigger_becomes("many", "IDLE", SOON).await;
    Ok(())
}

async fn a_robot_gets_the_grace_that_its_trigger_names(world: &World) -> Result<()> {
    let _worker = world.worker("here").start().await;
    let robot = world.shell("robot", "trap 'echo saved; exit 0' TERM\necho ready\nwhile true; do sleep 0.05; done");
    world.create(NewTrigger::single("polite", &robot).kill_grace(seconds(10))).await;
    let job = world.running_job_of("polite").await;
    eventually("it is ready", SOON, async || {
        ensure!(world.output(&job.id).await?.stdout == "ready\n", "it is not");
        Ok(())
    })
    .await;
    let asked = world.now();
    world.cli(&["job", "kill", &job.id, "--yes"]).await.ok();
    let job = world.ended(&job.id).await;
    assert_eq!((job.status.as_str(), world.output(&job.id).await?.stdout.as_str()), ("KILLED", "ready\nsaved\n"));
    assert!(instant(job.end_time) - asked < chrono::Duration::seconds(5), "it need not use its grace up");
    Ok(())
}

async fn a_lost_job_that_is_killed_ends_killed(world: &World) -> Result<()> {
    let worker = world.worker("here").start().await;
    world.create(NewTrigger::single("gone", &world.shell("robot", "sleep 1000"))).await;
    let job = world.running_job_of("gone").await;
    worker.kill_9();
    world.job_becomes(&job.id, "LOST", seconds(19)).await;
    world.cli(&["job", "kill", &job.id, "--yes"]).await.ok();
    assert_eq!(world.ended(&job.id).await.status, "KILLED");
    worker.start();
    worker.is_up(world).await;
    world.no_process_of(&job.id, seconds(1)).await;
    assert_eq!(world.job(&job.id).await?.status, "KILLED");
    Ok(())
}
