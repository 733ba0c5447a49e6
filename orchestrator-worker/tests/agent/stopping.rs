//! Ends of the agent: the first signal lets robots end well, the second does not.

use crate::fake::{Call, Trouble};
use crate::world::{World, is_alive};

#[tokio::test]
async fn the_first_signal_gives_robots_their_grace() {
    let world = World::new().await;
    let script = "trap 'echo saved; exit 0' TERM; echo x > $DIR/running; while :; do sleep 0.05; done";
    world.fake.offer(world.job(script));
    let agent = world.agent().await;
    world.written("running").await;
    world.stop(agent).await;
    assert_eq!(world.fake.ended().await.outcome, "DONE");
    assert_eq!(world.fake.output("STDOUT").as_deref(), Some("saved\n"));
    let is_leave = |call: &Call| matches!(call, Call::Leave).then_some(());
    assert_eq!(world.fake.calls(is_leave).len(), 1, "it says good-bye");
    assert_eq!(world.fake.count("claim"), 1, "nothing new was asked for");
}

#[tokio::test]
async fn the_second_signal_kills() {
    let world = World::new().await;
    let script = "trap 'echo x > $DIR/asked' TERM; echo $$ > $DIR/pid; while :; do sleep 0.05; done";
    world.fake.offer(world.job(script));
    let agent = world.agent().await;
    let pid = world.written("pid").await;
    world.stopping.soft.cancel();
    world.written("asked").await;
    assert!(is_alive(&pid), "the grace has only begun");
    world.stopping.hard.cancel();
    agent.ended().await;
    let end = world.fake.ended().await;
    assert_eq!((end.outcome.as_str(), is_alive(&pid)), ("FAILED", false));
}

#[tokio::test]
async fn a_job_that_was_not_started_is_handed_back() {
    let world = World::new().await;
    world.fake.always("start", Trouble::Silent);
    world.fake.offer(world.job("echo run > $DIR/runs"));
    let agent = world.agent().await;
    world.fake.eventually("a start", |fake| fake.count("start") == 1).await;
    world.stop(agent).await;
    assert_eq!(world.fake.ended().await.outcome, "NEVER_STARTED");
    assert!(!world.exists("runs"));
}

#[tokio::test]
async fn the_second_signal_ends_the_agent_while_the_server_is_away() {
    let world = World::new().await;
    world.fake.offer(world.job("trap '' TERM; echo $$ > $DIR/pid; while :; do sleep 0.05; done"));
    let agent = world.agent().await;
    let pid = world.written("pid").await;
    world.fake.go_away();
    world.stopping.soft.cancel();
    world.stopping.hard.cancel();
    agent.ended().await;
    assert!(!is_alive(&pid));
}
