//! Children that leave the group, the environment, or the family.

use std::time::{Duration, Instant};

use orchestrator_core::id::JobId;
use orchestrator_worker::process::{Children, FoundBy, SweptProcess};

use crate::world::{World, eventually, is_alive, parent_of};

/// Stops the robot once `names` hold process ids, and says how the first of those processes was found.
async fn stop_with(world: &World, script: &str, names: &[&str]) -> Option<FoundBy> {
    let mut process = world.bash(script);
    let mut pids = Vec::new();
    for name in names {
        pids.push(world.pid_in(name).await);
    }
    let start = Instant::now();
    let stopped = process.stop(Duration::ZERO).await;
    assert!(start.elapsed() < Duration::from_secs(1), "took {:?}", start.elapsed());
    assert!(!pids.iter().any(|pid| is_alive(*pid)), "{stopped:?}");
    stopped.sweep.killed.iter().find(|killed| killed.identity.pid == pids[0]).map(|killed| killed.found_by)
}

#[tokio::test]
async fn a_child_in_its_own_session_is_killed() {
    let world = World::new().await;
    let script = "setsid bash -c 'trap \"\" TERM; echo $$ > child; while :; do sleep 1; done' & wait";
    assert_eq!(stop_with(&world, script, &["child"]).await, Some(FoundBy::Cookie));
}

#[tokio::test]
async fn a_daemon_of_a_double_fork_is_killed() {
    let world = World::new().await;
    let script =
        "(setsid bash -c '(bash -c \"echo \\$\\$ > daemon; while :; do sleep 1; done\" &) ; exit 0' &); sleep 600";
    assert_eq!(stop_with(&world, script, &["daemon"]).await, Some(FoundBy::Cookie));
}

#[tokio::test]
async fn a_child_that_sheds_its_environment_is_killed_with_its_own_children() {
    // Alone, because the end of another job may kill it first: it looks like an orphan once its parent is gone.
    let world = World::alone().await;
    let script =
        "setsid env -i PATH=\"$PATH\" bash -c 'sleep 600 & echo $! > grandchild; echo $$ > child; wait' & wait";
    assert_eq!(stop_with(&world, script, &["child", "grandchild"]).await, Some(FoundBy::Descent));
}

#[tokio::test]
async fn a_daemon_that_passes_on_the_jobs_id_alone_is_killed() {
    let world = World::new().await;
    let script =
        "(setsid env -u ORCHESTRATOR_JOB_GRANT bash -c 'echo $$ > daemon; while :; do sleep 1; done' &); sleep 600";
    assert_eq!(stop_with(&world, script, &["daemon"]).await, Some(FoundBy::Cookie));
}

#[tokio::test]
async fn a_child_that_was_seen_before_it_shed_its_family_is_killed() {
    let world = World::alone().await;
    // Another job that runs keeps it from being taken for an orphan of this one.
    let mut other = world.bash_for(JobId::generate(), "sleep 600");
    let mut process = world.bash(
        "(setsid env -i PATH=\"$PATH\" bash -c 'echo $$ > child; exec sleep 600' & while [ ! -e go ]; do sleep 0.01; done) &
        wait; sleep 600",
    );
    let child = world.pid_in("child").await;
    let strays = world.launcher.observe();
    assert_eq!(strays.iter().filter(|seen| seen.processes.iter().any(|seen| seen.pid == child)).count(), 1);
    world.write("go", "");
    eventually("its parent is gone", || parent_of(child) == std::process::id()).await;
    let stopped = process.stop(Duration::ZERO).await;
    assert!(!is_alive(child), "{stopped:?}");
    other.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn a_child_in_another_group_of_the_session_is_killed() {
    let world = World::new().await;
    let script = "set -m; bash -c 'echo $$ > child; while :; do sleep 1; done' & wait";
    assert_eq!(stop_with(&world, script, &["child"]).await, Some(FoundBy::Cookie));
}

#[tokio::test]
async fn what_a_robot_leaves_behind_at_its_own_end_is_killed() {
    let world = World::new().await;
    let mut process = world.bash("setsid bash -c 'echo $$ > child; exec sleep 600' & while [ ! -s child ]; do :; done");
    process.wait().await.unwrap();
    let child = world.pid_in("child").await;
    assert!(is_alive(child));
    let sweep = process.sweep(Children::Kill).await;
    assert!(!is_alive(child));
    let of_child = |killed: &&SweptProcess| killed.identity.pid == child;
    assert_eq!(sweep.killed.iter().find(of_child).map(|killed| killed.found_by), Some(FoundBy::Cookie));
}

#[tokio::test]
async fn a_daemon_that_executes_itself_over_and_over_is_killed() {
    let world = World::new().await;
    // While it does, it bears no cookie; another job that runs keeps it from being taken for an orphan of this one.
    let mut other = world.bash_for(JobId::generate(), "sleep 600");
    world.write("again.sh", "[ -s daemon ] || echo $$ > daemon; exec bash again.sh\n");
    let mut process = world.bash("setsid bash again.sh & while [ ! -s daemon ]; do :; done");
    process.wait().await.unwrap();
    let daemon = world.pid_in("daemon").await;
    let sweep = process.sweep(Children::Kill).await;
    assert!(!is_alive(daemon), "{sweep:?}");
    other.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn a_robot_that_keeps_starting_daemons_is_killed_with_all_of_them() {
    let world = World::new().await;
    let mut process = world.bash(
        "for i in $(seq 40); do setsid bash -c \"echo \\$\\$ > daemon\\$0; exec sleep 600\" $i & done; echo $$ > ready; wait",
    );
    world.pid_in("ready").await;
    let first = world.pid_in("daemon1").await;
    let stopped = process.stop(Duration::ZERO).await;
    assert_eq!(stopped.sweep.survivors, []);
    let started = (1..=40).filter_map(|i| std::fs::read_to_string(world.path(&format!("daemon{i}"))).ok());
    let alive: Vec<u32> = started.filter_map(|text| text.trim().parse().ok()).filter(|pid| is_alive(*pid)).collect();
    assert_eq!((alive, is_alive(first)), (vec![], false));
}
