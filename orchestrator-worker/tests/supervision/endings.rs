//! How a robot's own end is seen.

use std::time::{Duration, Instant};

use orchestrator_worker::process::{Children, Exit, LaunchSpec, SpawnError, Sweep};

use crate::world::{World, eventually, exists, is_alive};

#[tokio::test]
async fn the_exit_code_is_reported() {
    let world = World::new().await;
    let mut process = world.bash("exit 7");
    assert_eq!(process.wait().await.unwrap(), Exit::Code(7));
    assert_eq!(process.wait().await.unwrap(), Exit::Code(7), "asking again gives the same answer");
    assert_eq!(process.sweep(Children::Kill).await.survivors, []);
    assert!(!exists(process.identity().pid), "its exit status is collected");
}

#[tokio::test]
async fn the_signal_that_ended_a_robot_is_reported() {
    let world = World::new().await;
    let mut process = world.bash("kill -SEGV $$");
    assert_eq!(process.wait().await.unwrap(), Exit::Signal(11));
    process.sweep(Children::Kill).await;
}

#[tokio::test]
async fn the_end_is_seen_although_a_child_holds_the_pipes() {
    let world = World::new().await;
    let mut process = world.bash("sleep 600 & echo $! > child; exit 3");
    assert_eq!(process.wait().await.unwrap(), Exit::Code(3));
    let child = world.pid_in("child").await;
    process.sweep(Children::Kill).await;
    assert!(!is_alive(child));
}

#[tokio::test]
async fn a_hundred_robots_that_end_at_once_are_all_seen() {
    let world = World::new().await;
    let mut processes: Vec<_> = (0..100).map(|code| world.bash(&format!("exit {code}"))).collect();
    for (code, process) in processes.iter_mut().enumerate() {
        assert_eq!(process.wait().await.unwrap(), Exit::Code(i32::try_from(code).unwrap()));
        process.sweep(Children::Kill).await;
    }
}

#[tokio::test]
async fn children_go_on_if_they_are_to_be_kept() {
    let world = World::alone().await;
    let mut process = world.bash("sleep 600 & echo $! > child; setsid sleep 600 & echo $! > other");
    process.wait().await.unwrap();
    let (child, other) = (world.pid_in("child").await, world.pid_in("other").await);
    assert_eq!(process.sweep(Children::Keep).await, Sweep::default());
    drop(process);
    assert!(is_alive(child) && is_alive(other));
    kill_kept(&world, [child, other]).await;
}

/// Ends the kept children by their cookie, as the next agent would.
async fn kill_kept(world: &World, pids: [u32; 2]) {
    crate::leftovers::kill_marked(world, world.job).await;
    assert!(!pids.iter().any(|pid| is_alive(*pid)));
}

#[tokio::test]
async fn dropping_a_process_kills_its_group() {
    let world = World::new().await;
    let process = world.bash("sleep 600 & echo $! > child; wait");
    let (child, main) = (world.pid_in("child").await, process.identity().pid);
    drop(process);
    eventually("both are gone", || !is_alive(child) && !is_alive(main)).await;
}

#[tokio::test]
async fn adopted_orphans_that_end_while_the_robot_runs_are_collected() {
    let world = World::new().await;
    // The orphan ends at once, and nobody asks for its exit status.
    let mut process = world.bash("(setsid bash -c 'echo $$ > orphan' &); sleep 600");
    let orphan = world.pid_in("orphan").await;
    let launcher = world.launcher.clone();
    eventually("the orphan is collected", || {
        launcher.reap_adopted();
        !exists(orphan)
    })
    .await;
    process.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn a_robot_gets_none_of_the_workers_own_settings() {
    let world = World::new().await;
    let mut spec = world.spec(world.job, &["bash", "-c", "env > seen; test -n \"$PATH\""]);
    spec.set_env("ORCHESTRATOR_JOB_TOKEN", "for this robot");
    let mut process = world.launcher.spawn(&spec).unwrap();
    assert!(process.wait().await.unwrap().is_success());
    process.sweep(Children::Kill).await;
    let seen = std::fs::read_to_string(world.path("seen")).unwrap();
    let mut ours: Vec<&str> = seen.lines().filter(|line| line.starts_with("ORCHESTRATOR_")).collect();
    ours.sort_unstable();
    assert_eq!(
        ours,
        [
            format!("ORCHESTRATOR_JOB_GRANT={}", world.cookie(world.job).grant()),
            format!("ORCHESTRATOR_JOB_ID={}", world.job),
            "ORCHESTRATOR_JOB_TOKEN=for this robot".to_owned()
        ]
    );
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    let world = World::new().await;
    let missing: LaunchSpec = world.spec(world.job, &["/no/such/interpreter"]);
    let error = world.launcher.spawn(&missing).unwrap_err();
    assert!(error.to_string().contains("/no/such/interpreter"), "{error}");
    let mut nowhere = world.spec(world.job, &["true"]);
    nowhere.cwd = Some("/no/such/folder".into());
    assert!(matches!(world.launcher.spawn(&nowhere), Err(SpawnError::NoFolder { .. })));
}

#[tokio::test]
async fn a_sweep_that_finds_nothing_is_quick() {
    let world = World::new().await;
    let mut process = world.bash("true");
    process.wait().await.unwrap();
    let start = Instant::now();
    process.sweep(Children::Kill).await;
    assert!(start.elapsed() < Duration::from_secs(1));
}
