//! What an agent that was killed leaves behind is killed by the next one.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use orchestrator_core::id::JobId;
use orchestrator_core::lease::LeaseToken;
use orchestrator_worker::process::{JobCookie, kill_leftovers};
use orchestrator_worker::state_file::{RunningJob, StateFile, StateFileError};

use crate::world::{World, eventually, is_alive};

fn job(job_id: JobId) -> RunningJob {
    RunningJob { job_id, lease_token: LeaseToken::new(3), process: None }
}

#[tokio::test]
async fn processes_of_the_jobs_in_the_state_file_are_killed_and_no_others() {
    let world = World::new().await;
    let path = world.path("state.json");
    let (left, foreign) = (JobId::generate(), JobId::generate());
    StateFile::open(&path).unwrap().insert(job(left)).await.unwrap();
    // As children of an agent that is gone: not started by this launcher.
    let start = |job: JobId, name: &str| {
        let script = format!("trap '' TERM; setsid sleep 600 & echo $! > {name}; wait");
        let mut command = Command::new("bash");
        command.args(["-c", &script]).env("ORCHESTRATOR_JOB_ID", job.to_string()).current_dir(world.path(""));
        command.stdin(Stdio::null()).spawn().unwrap()
    };
    let (mut robot, mut other) = (start(left, "child"), start(foreign, "other"));
    let (child, others_child) = (world.pid_in("child").await, world.pid_in("other").await);

    let state = StateFile::open(&path).unwrap();
    let cookies = state.jobs().into_iter().map(|job| JobCookie::new(job.job_id));
    let sweep = kill_leftovers(&world.launcher, cookies).await;

    assert_eq!(sweep.survivors, []);
    assert!(!is_alive(robot.id()) && !is_alive(child));
    assert!(is_alive(other.id()) && is_alive(others_child));
    kill_leftovers(&world.launcher, [JobCookie::new(foreign)]).await;
    eventually("the others are gone as well", || !is_alive(others_child)).await;
    robot.wait().unwrap();
    other.wait().unwrap();
}

#[tokio::test]
async fn the_state_file_survives_its_agent_and_only_its_owner_reads_it() {
    let world = World::new().await;
    let path = world.path("state.json");
    let state = StateFile::open(&path).unwrap();
    let jobs: Vec<RunningJob> = (0..50).map(|_| job(JobId::generate())).collect();
    let inserts = world.tasks.clone();
    for job in &jobs {
        let (state, job) = (state.clone(), job.clone());
        inserts.spawn(async move { state.insert(job).await.unwrap() });
    }
    inserts.close();
    inserts.wait().await;
    state.remove(jobs[0].job_id).await.unwrap();
    assert_eq!(StateFile::open(&path).unwrap().jobs(), jobs[1..]);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let entries = std::fs::read_dir(world.path("")).unwrap().count();
    assert_eq!(entries, 1, "no temporary file is left");
}

#[tokio::test]
async fn a_list_that_was_torn_by_a_power_failure_is_empty() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.json");
    std::fs::write(&path, "").unwrap();
    assert!(matches!(StateFile::open(&path), Err(StateFileError::Corrupt { .. })), "this system wrote it");
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1)).unwrap();
    assert!(StateFile::open(&path).unwrap().jobs().is_empty());
}

#[tokio::test]
async fn a_state_file_that_cannot_be_read_is_named() {
    let world = World::new().await;
    let path = world.write("state.json", "{\"jobs\": [{]}");
    let error = StateFile::open(&path).unwrap_err();
    assert!(matches!(error, StateFileError::Corrupt { .. }));
    assert!(error.to_string().contains("state.json"), "{error}");
}
