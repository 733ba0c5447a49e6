//! Leases: what is not held any more is not started, and does not go on.

use std::time::{Duration, Instant};

use tonic::Code;

use crate::fake::Trouble;
use crate::world::{World, is_alive};

#[tokio::test]
async fn a_start_that_is_refused_for_its_lease_spawns_nothing_and_says_nothing() {
    let world = World::new().await;
    world.fake.once("start", Trouble::Refused(Code::FailedPrecondition, "LEASE_LOST"));
    world.fake.offer(world.job("echo run > $DIR/runs"));
    let agent = world.agent().await;
    world.fake.eventually("another claim", |fake| fake.count("claim") == 2).await;
    world.stop(agent).await;
    assert!(!world.exists("runs") && world.fake.finishes().is_empty());
}

#[tokio::test]
async fn a_start_that_is_answered_after_the_lease_hands_the_job_back() {
    let world = World::new().await;
    let second = Duration::from_secs(1);
    world.fake.leases(15 * second, Duration::ZERO, second / 5);
    world.fake.offer(world.job("echo run > $DIR/runs"));
    let agent = world.agent().await;
    assert_eq!(world.fake.ended().await.outcome, "NEVER_STARTED");
    world.stop(agent).await;
    assert!(!world.exists("runs"));
}

#[tokio::test]
async fn a_job_that_is_taken_away_is_killed_and_no_end_is_told() {
    let world = World::new().await;
    let job = world.job("echo $$ > $DIR/pid; sleep 1000");
    world.fake.offer(job.clone());
    let agent = world.agent().await;
    let pid = world.written("pid").await;
    world.fake.take_away(&job);
    world.fake.eventually("a free slot", |fake| fake.count("claim") == 2).await;
    assert!(!is_alive(&pid) && world.fake.finishes().is_empty());
    world.stop(agent).await;
}

#[tokio::test]
async fn a_robot_that_stops_when_lost_is_killed_before_its_lease_ends() {
    let world = World::new().await;
    let lease = Duration::from_secs(4);
    world.fake.leases(lease, lease, Duration::from_millis(200));
    let mut job = world.job("echo $$ > $DIR/pid; trap '' TERM; sleep 1000 & wait; sleep 1000");
    job.policies.as_mut().unwrap().stop_on_lost = true;
    world.fake.offer(job);
    let agent = world.agent().await;
    let pid = world.written("pid").await;
    world.fake.go_away();
    // Leases renewed before this are over one lease from now at the latest.
    let latest = Instant::now() + lease;
    while is_alive(&pid) {
        assert!(Instant::now() < latest, "it outlived its lease");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.fake.come_back();
    world
        .fake
        .eventually("the end", |fake| fake.finishes().iter().any(|end| end.reason.contains("stop_on_lost")))
        .await;
    world.stop(agent).await;
}

#[tokio::test]
async fn a_robot_that_may_go_on_outlives_its_lease() {
    let world = World::new().await;
    let lease = Duration::from_millis(2500);
    world.fake.leases(lease, lease, Duration::from_millis(200));
    world.fake.offer(world.job("echo $$ > $DIR/pid; sleep 4; echo slept"));
    let agent = world.agent().await;
    world.written("pid").await;
    world.fake.go_away();
    world.fake.eventually("an end that nobody takes", |fake| fake.count("finish") > 0).await;
    world.fake.come_back();
    let refused = world.fake.count("finish");
    world.fake.eventually("the end", |fake| fake.count("finish") > refused).await;
    assert!(world.fake.finishes().iter().all(|end| end.outcome == "DONE"));
    world.fake.eventually("its output", |fake| fake.output("STDOUT").as_deref() == Some("slept\n")).await;
    world.stop(agent).await;
}
