//! What an agent finds on its machine: robots of the one before it, robots of another, and what belongs to no job.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use orchestrator_tests::{NewTrigger, SOON, World, eventually, on_sqlite, seconds};

on_sqlite!(
    a_robot_that_has_cleared_its_environment_is_killed_by_the_next_agent,
    a_stale_list_of_jobs_kills_no_robot_of_another_agent,
    what_a_container_starts_beside_its_agent_is_left_alone,
);

fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
}

/// Kills a process however the scenario ends: it bears no mark by which the world would find it.
struct Unmarked(String);

impl Drop for Unmarked {
    fn drop(&mut self) {
        let pid = self.0.parse().ok().and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid.filter(|_| is_alive(&self.0)) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

async fn a_robot_that_has_cleared_its_environment_is_killed_by_the_next_agent(world: &World) -> Result<()> {
    let worker = world.worker("here").start().await;
    let (main, stray) = (world.ledger("main"), world.ledger("stray"));
    // The main process bears nothing, and below it is one that leaves its group as well.
    let inner = format!("{}\nsetsid bash -c '{}; exec sleep 1000' &\nwait", main.add("$$"), stray.add("$$"));
    let inner = world.stage().file("inner.sh", inner);
    let robot = world.shell("robot", &format!("exec env -i PATH=\"$PATH\" bash '{}'", inner.display()));
    world.create(NewTrigger::scheduled("robot", &robot, "* * * * *").at(world.now())).await;
    let job = world.running_job_of("robot").await;
    let robot = [Unmarked(main.is_written().await), Unmarked(stray.is_written().await)];
    assert!(world.processes_of(&job.id).is_empty(), "it bears no cookie");

    worker.kill_9();
    assert!(robot.iter().all(|process| is_alive(&process.0)), "the robot goes on without its agent");
    worker.start();
    worker.is_up(world).await;
    let job = world.ended(&job.id).await;
    assert_eq!(job.status, "FAILED", "{}", job.reason);
    assert!(!robot.iter().any(|process| is_alive(&process.0)), "its job is over, so nothing of it is left");
    Ok(())
}

async fn a_stale_list_of_jobs_kills_no_robot_of_another_agent(world: &World) -> Result<()> {
    let stale = world.worker("stale").start().await;
    stale.kill_9();
    let other = world.worker("other").start().await;
    let (ledger, gate) = (world.ledger("started"), world.gate("end"));
    world.create(NewTrigger::single("robot", &world.patient_robot(&ledger, &gate))).await;
    let job = world.running_job_of("robot").await;
    ledger.is_written().await;
    let installation = std::fs::read_to_string(stale.data().join("instance"))?;
    // It was granted the job once and never started it; the job went back and was granted to the other one.
    for entry in [
        format!(r#"{{"job_id":"{}","lease_token":1,"process":null}}"#, job.id),
        format!(r#"{{"job_id":"{}","lease_token":1,"process":null,"installation":"{}"}}"#, job.id, installation.trim()),
    ] {
        list(&stale.data(), &entry)?;
        stale.start();
        eventually("it has dealt with its list", SOON, async || {
            let left = std::fs::read_to_string(stale.data().join("jobs.json"))?;
            ensure!(!left.contains(&job.id), "{left}");
            Ok(())
        })
        .await;
        assert!(!world.processes_of(&job.id).is_empty(), "the other agent's robot was killed for {entry}");
        stale.kill_9();
    }
    gate.open();
    let job = world.ended(&job.id).await;
    assert_eq!((job.status.as_str(), job.worker_name.as_str()), ("DONE", other.name()), "{}", job.reason);
    Ok(())
}

fn list(data: &Path, entry: &str) -> Result<()> {
    std::fs::write(data.join("jobs.json"), format!(r#"{{"jobs":[{entry}]}}"#)).context("the list is written")
}

async fn what_a_container_starts_beside_its_agent_is_left_alone(world: &World) -> Result<()> {
    let (ledger, gate, runs) = (world.ledger("stranger"), world.gate("end"), world.gate("runs"));
    // As what somebody starts in the container with `docker exec` while a robot runs: its parent ends, and the agent adopts it.
    let stranger = format!("setsid env -i PATH=\"$PATH\" bash -c '{}; exec sleep 1000' &", ledger.add("$$"));
    let stranger = world.stage().file("stranger.sh", stranger);
    let beside = format!("{}; bash '{}'; exit", runs.wait(), stranger.display());
    let _worker = world.worker("here").beside(&beside).start().await;
    world.create(NewTrigger::single("robot", &world.shell("robot", &gate.wait()))).await;
    let job = world.running_job_of("robot").await;
    eventually("the robot runs", SOON, async || {
        ensure!(!world.processes_of(&job.id).is_empty(), "it does not");
        Ok(())
    })
    .await;
    runs.open();
    let stranger = Unmarked(ledger.is_written().await);
    gate.open();
    let job = world.ended_within(&job.id, seconds(20)).await;
    assert_eq!(job.status, "DONE", "{}", job.reason);
    assert!(is_alive(&stranger.0), "it was never below the robot");
    eventually("it is told in the job's output", SOON, async || {
        let output = world.output(&job.id).await?;
        let told = format!("sleep ({})", stranger.0);
        ensure!(output.system.contains(&told), "{output:?}");
        Ok(())
    })
    .await;
    Ok(())
}
