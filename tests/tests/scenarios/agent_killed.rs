//! An agent is killed alone, as by the OOM killer: its robots do not outlive it, so that none runs twice.

use anyhow::{Result, ensure};
use orchestrator_tests::{NewTrigger, SOON, World, eventually, on_both_databases, on_sqlite, seconds};
use tokio::time::Instant;

on_both_databases!(a_robot_whose_agent_alone_is_killed_is_dead_before_the_next_attempt_begins);
on_sqlite!(an_agent_that_is_started_at_once_after_its_death_keeps_its_new_robots);

async fn a_robot_whose_agent_alone_is_killed_is_dead_before_the_next_attempt_begins(world: &World) -> Result<()> {
    let doomed = world.worker("doomed").start().await;
    let (started, stray, twice) = (world.ledger("started"), world.ledger("stray"), world.ledger("twice"));
    // Held as long as anything of the robot lives, marked or not.
    let alone = format!("exec 9> '{}'\nflock -n 9 || {}", world.stage().path("alone").display(), twice.add("$job_id"));
    let below = world.stage().file("below.sh", format!("{}\nexec sleep 1000", stray.add("$$")));
    let below = format!("setsid env -i PATH=\"$PATH\" bash '{}' &", below.display());
    let robot = world.shell("robot", &format!("{alone}\n{}\n{below}\nsleep 1000", started.add("$job_id")));
    let trigger = NewTrigger::single("careful", &robot).started_again_when_lost();
    world.create(trigger).await;
    let first = world.running_job_of("careful").await;
    let stray = stray.is_written().await;
    let other = world.worker("other").start().await;

    doomed.kill_agent_9();
    let killed = Instant::now();
    eventually("nothing of the robot lives", SOON, async || {
        let left = world.processes_of(&first.id);
        ensure!(left.is_empty() && !is_alive(&stray), "{left:?} and the stray {stray} live: {}", is_alive(&stray));
        Ok(())
    })
    .await;
    let took = killed.elapsed();
    assert!(took < seconds(5), "it took {took:?}");
    let second = eventually("the next attempt takes over", seconds(60), async || {
        let jobs = world.jobs_of("careful").await?;
        ensure!(
            jobs.len() == 2 && jobs[0].status == "RUNNING",
            "there are {}, the last {}",
            jobs.len(),
            jobs[0].status
        );
        Ok(jobs[0].clone())
    })
    .await;
    eventually("both attempts have run", SOON, async || {
        ensure!(started.lines() == [first.id.clone(), second.id.clone()], "{:?}", started.lines());
        Ok(())
    })
    .await;
    assert_eq!((second.attempt, second.worker_name.as_str()), (2, other.name()));
    assert!(twice.lines().is_empty(), "{:?} ran beside the other", twice.lines());
    Ok(())
}

async fn an_agent_that_is_started_at_once_after_its_death_keeps_its_new_robots(world: &World) -> Result<()> {
    let worker = world.worker("here").start().await;
    let (started, gate) = (world.ledger("started"), world.gate("end"));
    let robot = world.shell("robot", &format!("{}\nsleep 1000", started.add("$job_id")));
    world.create(NewTrigger::single("old", &robot)).await;
    let old = world.running_job_of("old").await;
    started.is_written().await;
    world.create(NewTrigger::single("new", &world.patient_robot(&world.ledger("new"), &gate))).await;

    worker.kill_agent_9();
    worker.start();
    worker.is_up(world).await;
    let new = world.running_job_of("new").await;
    let old = world.ended(&old.id).await;
    assert_eq!(old.status, "FAILED", "{}", old.reason);
    assert!(world.processes_of(&old.id).is_empty());
    gate.open();
    let new = world.ended(&new.id).await;
    assert_eq!(new.status, "DONE", "{}", new.reason);
    Ok(())
}

fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
}
