//! Stopping a robot: asked first, then killed.

use std::time::{Duration, Instant};

use orchestrator_worker::process::Exit;

use crate::world::{World, is_alive};

const LIMIT: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_robot_that_listens_ends_by_itself_within_the_grace() {
    let world = World::new().await;
    let mut process = world.bash("trap 'exit 5' TERM; echo $$ > ready; while :; do sleep 0.05; done");
    world.pid_in("ready").await;
    let start = Instant::now();
    let stopped = process.stop(Duration::from_secs(15)).await;
    assert_eq!(stopped.exit, Some(Exit::Code(5)));
    assert!(start.elapsed() < Duration::from_secs(10), "the rest of the grace is not waited for");
}

#[tokio::test]
async fn a_robot_that_ignores_term_is_killed_with_its_children() {
    let world = World::new().await;
    let mut process = world.bash(
        "trap '' TERM; for i in 1 2; do bash -c \"trap '' TERM; echo \\$\\$ > child\\$0; while :; do sleep 1; done\" $i & done
         head -c 200000 /dev/zero >&2; wait",
    );
    let children = [world.pid_in("child1").await, world.pid_in("child2").await];
    let start = Instant::now();
    let grace = Duration::from_millis(300);
    let stopped = process.stop(grace).await;
    let took = start.elapsed();
    assert_eq!(stopped.exit, Some(Exit::Signal(9)));
    assert!(took >= grace && took < grace + LIMIT, "took {took:?}");
    assert_eq!(stopped.sweep.survivors, []);
    assert!(!children.iter().any(|child| is_alive(*child)) && !is_alive(process.identity().pid));
}

#[tokio::test]
async fn without_grace_the_tree_is_gone_within_a_second() {
    let world = World::new().await;
    let mut process = world.bash("trap '' TERM; echo $$ > ready; while :; do sleep 1; done");
    world.pid_in("ready").await;
    let start = Instant::now();
    let stopped = process.stop(Duration::ZERO).await;
    assert!(start.elapsed() < LIMIT, "took {:?}", start.elapsed());
    assert!(stopped.exit.is_some() && !is_alive(process.identity().pid));
}

#[tokio::test]
async fn a_robot_that_has_ended_by_itself_keeps_its_own_exit_code() {
    let world = World::new().await;
    let mut process = world.bash("exit 4");
    process.wait().await.unwrap();
    assert_eq!(process.stop(Duration::ZERO).await.exit, Some(Exit::Code(4)));
    assert_eq!(process.stop(Duration::ZERO).await.exit, Some(Exit::Code(4)), "a second stop changes nothing");
}
