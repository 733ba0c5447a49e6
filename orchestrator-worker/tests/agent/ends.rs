//! How jobs end: killed, out of time, badly.

use std::time::Duration;

use crate::fake::Trouble;
use crate::leftovers::Again;
use crate::world::{World, is_alive};

#[tokio::test]
async fn a_kill_ends_the_tree_at_once() {
    let world = World::new().await;
    let job = world.job("trap '' TERM; sleep 1000 & echo $! > $DIR/child; echo $$ > $DIR/pid; wait; sleep 1000");
    world.fake.offer(job.clone());
    let agent = world.agent().await;
    let (pid, child) = (world.written("pid").await, world.written("child").await);
    world.fake.kill_at_once(&job).await;
    assert_eq!(world.fake.ended().await.outcome, "KILLED");
    assert!(!is_alive(&pid) && !is_alive(&child));
    world.stop(agent).await;
}

#[tokio::test]
async fn a_kill_that_only_heartbeats_tell_works_as_well() {
    let world = World::new().await;
    let job = world.job("echo $$ > $DIR/pid; sleep 1000");
    world.fake.offer(job.clone());
    let agent = world.agent().await;
    world.written("pid").await;
    world.fake.kill(&job);
    assert_eq!(world.fake.ended().await.outcome, "KILLED");
    world.stop(agent).await;
}

#[tokio::test]
async fn a_job_of_which_something_survives_its_kill_says_so_while_it_is_held() {
    let world = World::new().await;
    let job = world.job("echo x > $DIR/running; exec sleep 1000");
    let cookie = world.earlier(job.job_id.parse().unwrap());
    world.fake.offer(job.clone());
    let agent = world.agent().await;
    world.written("running").await;
    let again = Again::start_many(cookie, 24);
    world.fake.kill_at_once(&job).await;
    let told = "processes of it do not end: sleep (";
    world.fake.eventually("why it is held", |fake| fake.remarks_on(&job.job_id).contains(told)).await;
    assert!(world.fake.finishes().is_empty(), "it is not over");
    let status = orchestrator_worker::status::look(&world.data()).unwrap();
    let [held] = status.jobs.as_slice() else { panic!("{status:?}") };
    assert!(held.pid.is_none() && !held.survivors.is_empty(), "what lives is told, and no dead main process: {held:?}");
    again.stop();
    assert_eq!(world.fake.ended().await.outcome, "KILLED");
    world.stop(agent).await;
}

#[tokio::test]
async fn a_kill_before_the_start_is_answered_spawns_nothing() {
    let world = World::new().await;
    let job = world.job("echo run > $DIR/runs");
    world.fake.always("start", Trouble::Silent);
    world.fake.offer(job.clone());
    let agent = world.agent().await;
    world.fake.eventually("a start", |fake| fake.count("start") == 1).await;
    world.fake.kill(&job);
    assert_eq!(world.fake.ended().await.outcome, "KILLED");
    world.fake.heal("start");
    world.stop(agent).await;
    assert!(!world.exists("runs"));
}

#[tokio::test]
async fn a_robot_that_runs_too_long_is_asked_and_then_killed() {
    let world = World::new().await;
    let mut job = world.job("trap 'echo asked > $DIR/asked' TERM; while :; do sleep 0.05; done");
    let policies = job.policies.as_mut().unwrap();
    policies.timeout = prost_types::Duration::try_from(Duration::from_millis(300)).ok();
    policies.stop_grace = prost_types::Duration::try_from(Duration::from_millis(500)).ok();
    world.fake.offer(job);
    let agent = world.agent().await;
    let end = world.fake.ended().await;
    assert_eq!(end.outcome, "TIMED_OUT");
    assert!(end.reason.contains("300ms"), "{}", end.reason);
    assert_eq!(world.written("asked").await, "asked");
    world.stop(agent).await;
}

#[tokio::test]
async fn a_failure_is_explained_by_what_the_robot_said_last() {
    let world = World::new().await;
    world.fake.always("output", Trouble::Silent);
    world.fake.offer(world.job("echo before; echo 'KeyError: invoice' >&2; exit 7"));
    let agent = world.agent().await;
    let end = world.fake.ended().await;
    assert_eq!((end.outcome.as_str(), end.exit_code), ("FAILED", Some(7)));
    assert_eq!(end.reason, "exit code 7\nKeyError: invoice");
    world.stopping.hard.cancel();
    world.stop(agent).await;
}

#[tokio::test]
async fn robots_see_nothing_of_the_agent_but_their_own_token() {
    let world = World::new().await;
    let job = world
        .job("env | grep ^ORCHESTRATOR_ | sed 's/=.*//' | sort | tr '\\n' ' '; tr '\\0' ' ' < /proc/$$/cmdline >&2");
    world.fake.offer(job);
    let agent = world.agent().await;
    world.fake.ended().await;
    assert_eq!(
        world.fake.output("STDOUT").unwrap().trim(),
        "ORCHESTRATOR_ENDPOINT ORCHESTRATOR_JOB_GRANT ORCHESTRATOR_JOB_ID ORCHESTRATOR_JOB_TOKEN"
    );
    assert!(!world.fake.output("STDERR").unwrap().contains("orc_job"), "no token among the arguments");
    world.stop(agent).await;
}
