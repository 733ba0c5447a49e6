//! Jobs that come before their instant: everything is made ready, and the robot begins when it comes.

use std::time::{Duration, Instant};

use orchestrator_core::clock::{Clock as _, SystemClock};
use orchestrator_proto::v1;

use crate::world::World;

/// A job whose instant comes so much later than its assignment.
fn before_its_instant(world: &World, script: &str, milliseconds: u64) -> v1::Assignment {
    let start_after = prost_types::Duration::try_from(Duration::from_millis(milliseconds)).ok();
    v1::Assignment { start_after, ..world.job(script) }
}

#[tokio::test]
async fn a_robot_that_was_made_ready_begins_at_its_instant_and_not_before() {
    let world = World::new().await;
    // Before the assignment is sent, from which the worker counts.
    let instant = SystemClock.now() + Duration::from_millis(1500);
    world.fake.offer(before_its_instant(&world, "date +%s%N > $DIR/began", 1500));
    let agent = world.agent().await;
    world.fake.eventually("a start", |fake| fake.count("start") == 1).await;
    assert!(SystemClock.now() < instant && !world.exists("began"), "leave is asked for before the instant");
    let began: i64 = world.written("began").await.parse().expect("nanoseconds");
    let early = instant.timestamp_nanos_opt().expect("before 2262") - began;
    assert!(early <= 0, "{early} ns early");
    assert_eq!(world.fake.ended().await.outcome, "DONE");
    world.stop(agent).await;
}

#[tokio::test]
async fn a_kill_before_the_instant_keeps_the_robot_from_beginning() {
    let world = World::new().await;
    let job = before_its_instant(&world, "echo run > $DIR/runs", 10_000);
    world.fake.offer(job.clone());
    let agent = world.agent().await;
    let asked = Instant::now();
    world.fake.eventually("a start", |fake| fake.count("start") == 1).await;
    world.fake.kill_at_once(&job).await;
    assert_eq!(world.fake.ended().await.outcome, "KILLED");
    assert!(asked.elapsed() < Duration::from_secs(10), "nobody waited for the instant");
    assert!(!world.exists("runs"));
    world.stop(agent).await;
}
