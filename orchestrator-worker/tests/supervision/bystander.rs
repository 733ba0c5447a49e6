//! What is not the job's is not touched.

use std::process::{Command, Stdio};
use std::time::Duration;

use orchestrator_core::id::JobId;

use crate::world::{World, is_alive};

#[tokio::test]
async fn other_processes_survive_a_kill() {
    let world = World::alone().await;
    // Looks like the robot, was started by this process, bears another job's cookie.
    let mut bystander = Command::new("sleep")
        .arg("600")
        .env("ORCHESTRATOR_JOB_ID", JobId::generate().to_string())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let mut unmarked = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap();
    let mut neighbour = world.bash_for(JobId::generate(), "sleep 600 & echo $! > neighbour; wait");
    let neighbours_child = world.pid_in("neighbour").await;
    let mut process = world.bash("setsid sleep 600 & echo $! > child; sleep 600");
    let child = world.pid_in("child").await;

    process.stop(Duration::ZERO).await;

    assert!(!is_alive(child));
    for pid in [bystander.id(), unmarked.id(), neighbour.identity().pid, neighbours_child] {
        assert!(is_alive(pid));
    }
    neighbour.stop(Duration::ZERO).await;
    for child in [&mut bystander, &mut unmarked] {
        assert!(is_alive(child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[tokio::test]
async fn exit_statuses_of_other_children_are_not_taken_away() {
    let world = World::new().await;
    let mut process = world.bash("sleep 600");
    let mut child = Command::new("false").spawn().unwrap();
    world.launcher.reap_adopted();
    process.stop(Duration::ZERO).await;
    assert_eq!(child.wait().unwrap().code(), Some(1));
}
