//! What an agent that was killed leaves behind is killed by the next one.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use orchestrator_core::id::{InstanceId, JobId};
use orchestrator_core::lease::LeaseToken;
use orchestrator_worker::process::{
    Era, FoundBy, Grant, Identity, JobCookie, RunningProcess, Sweep, kill_leftovers, kill_survivors,
};
use orchestrator_worker::state_file::{RunningJob, StateFile, StateFileError, Survivors};

use crate::world::{Again, World, eventually, is_alive};

fn job(job_id: JobId) -> RunningJob {
    let grant = Grant { installation: InstanceId::generate(), lease_token: LeaseToken::new(3) };
    RunningJob::granted(JobCookie::new(job_id, grant))
}

/// Kills what bears the cookie of a job, as the next agent would.
pub(crate) async fn kill_marked(world: &World, job: JobId) -> Sweep {
    kill(world, &RunningJob::granted(world.cookie(job))).await
}

async fn kill(world: &World, job: &RunningJob) -> Sweep {
    kill_leftovers(&world.launcher, &job.leftover()).await
}

/// A program as a child of an agent that is gone: not started by this launcher, and in a group of its own. It has written
/// its process id into `name` when this returns.
async fn left(world: &World, name: &str, variables: &[(&str, String)]) -> Child {
    let script = format!("trap '' TERM; echo $$ > {name}; while :; do sleep 1; done");
    let mut command = Command::new("bash");
    command.args(["-c", &script]).envs(variables.iter().map(|(name, value)| (name, value)));
    command.current_dir(world.path("")).stdin(Stdio::null()).process_group(0);
    let child = command.spawn().expect("bash starts");
    world.pid_in(name).await;
    child
}

fn marks(job: JobId, grant: Grant) -> [(&'static str, String); 2] {
    [("ORCHESTRATOR_JOB_ID", job.to_string()), ("ORCHESTRATOR_JOB_GRANT", grant.to_string())]
}

/// Ends children, unless they were killed and collected already.
fn collect(children: impl IntoIterator<Item = Child>) {
    for mut child in children {
        let _ = child.kill();
        let _ = child.wait();
    }
}

#[tokio::test]
async fn processes_of_the_jobs_in_the_state_file_are_killed_and_no_others() {
    let world = World::new().await;
    let path = world.path("state.json");
    let (ours, theirs) = (world.cookie(JobId::generate()), world.cookie(JobId::generate()));
    StateFile::open(&path).unwrap().insert(RunningJob::granted(ours)).await.unwrap();
    let start = |cookie: JobCookie, name: &str| {
        let script = format!("trap '' TERM; setsid sleep 600 & echo $! > {name}; wait");
        let mut command = Command::new("bash");
        command.args(["-c", &script]).envs(marks(cookie.job(), cookie.grant())).current_dir(world.path(""));
        command.stdin(Stdio::null()).spawn().unwrap()
    };
    let (robot, other) = (start(ours, "child"), start(theirs, "other"));
    let (child, others_child) = (world.pid_in("child").await, world.pid_in("other").await);

    let listed = StateFile::open(&path).unwrap().jobs();
    let sweep = kill(&world, &listed[0]).await;

    assert_eq!((listed.len(), sweep.survivors), (1, vec![]));
    assert!(!is_alive(robot.id()) && !is_alive(child));
    assert!(is_alive(other.id()) && is_alive(others_child));
    kill_marked(&world, theirs.job()).await;
    eventually("the others are gone as well", || !is_alive(others_child)).await;
    collect([robot, other]);
}

#[tokio::test]
async fn the_same_job_under_another_grant_or_of_another_agent_is_left_alone() {
    let world = World::new().await;
    let (job, ours) = (world.job, world.cookie(world.job).grant());
    let later = Grant { lease_token: LeaseToken::new(2), ..ours };
    let elsewhere = Grant { installation: InstanceId::generate(), ..ours };
    let children = [
        left(&world, "later", &marks(job, later)).await,
        left(&world, "elsewhere", &marks(job, elsewhere)).await,
        // Of an agent that knows no grants, when this one had not yet started a robot.
        left(&world, "bare", &marks(job, ours)[..1]).await,
    ];
    // The second as the version before this one wrote it.
    let with_grant = RunningJob::granted(JobCookie::new(job, ours));
    for stale in [with_grant.clone(), RunningJob { installation: None, ..with_grant }] {
        assert_eq!(kill(&world, &stale).await, Sweep::default());
        assert!(children.iter().all(|child| is_alive(child.id())), "{stale:?}");
    }
    collect(children);
}

/// A robot that an agent started, as its state file lists it, after its main process has cleared its environment.
fn shed(world: &World, script: &str) -> (RunningProcess, RunningJob) {
    let process = world.bash(&format!("exec env -i PATH=\"$PATH\" bash -c '{script}'"));
    let listed = RunningJob::started(world.cookie(world.job), &process);
    (process, listed)
}

#[tokio::test]
async fn a_robot_without_a_cookie_is_known_by_what_was_noted_of_it() {
    let world = World::new().await;
    let script = "sleep 600 & echo $! > child; setsid sleep 600 & echo $! > other; wait";
    let (_process, listed) = shed(&world, script);
    let (child, other) = (world.pid_in("child").await, world.pid_in("other").await);
    let main = listed.process.unwrap().pid;
    let sweep = kill(&world, &listed).await;
    assert!(![main, child, other].into_iter().any(is_alive), "{sweep:?}");
    let found = |pid| sweep.killed.iter().find(|killed| killed.identity.pid == pid).map(|killed| killed.found_by);
    assert_eq!(found(main), Some(FoundBy::Record));
}

#[tokio::test]
async fn what_a_dead_robot_left_without_a_cookie_is_known_by_what_was_seen_of_it_and_not_by_a_number() {
    let world = World::alone().await;
    let script = "sleep 600 & echo $! > child; setsid sleep 600 & echo $! > stray; wait";
    let (mut process, listed) = shed(&world, script);
    let (child, stray) = (world.pid_in("child").await, world.pid_in("stray").await);
    let seen = world.launcher.observe().into_iter().find(|seen| seen.cookie == world.cookie(world.job)).unwrap();
    let main = rustix::process::Pid::from_raw(process.identity().pid.try_into().unwrap()).unwrap();
    rustix::process::kill_process(main, rustix::process::Signal::KILL).unwrap();
    process.wait().await.unwrap();
    // Its exit status is collected, as after the agent's end, and its id is free.
    rustix::process::waitid(rustix::process::WaitId::Pid(main), rustix::process::WaitIdOptions::EXITED).unwrap();

    // The number of its group may be somebody else's by now.
    let sweep = kill(&world, &listed).await;
    assert!(is_alive(child) && is_alive(stray), "{sweep:?}");
    let survivors = Survivors { era: Era::current(), processes: seen.processes[..1].to_vec() };
    let rest = seen.processes[1..].to_vec();
    let sweep = kill(&world, &RunningJob { strays: rest, survivors: Some(survivors), ..listed }).await;
    assert!(!is_alive(child) && !is_alive(stray), "{sweep:?}");
}

#[tokio::test]
async fn a_process_is_not_killed_for_having_the_id_of_a_noted_one() {
    let world = World::new().await;
    let stranger = left(&world, "stranger", &[]).await;
    let own = Identity { pid: stranger.id(), started: started(stranger.id()) };
    let noted = RunningJob { process: Some(own), era: Some(Era::current()), ..job(world.job) };
    let another_start = Identity { started: own.started - 1, ..own };
    let another_era: Era = serde_json::from_str("\"before the machine was started anew\"").unwrap();
    for stale in [
        RunningJob { process: Some(another_start), strays: vec![another_start], ..noted.clone() },
        RunningJob { strays: vec![own], era: Some(another_era), ..noted.clone() },
        // Seconds of the wall clock, as the version before this one wrote them: the clock was set an hour ahead since.
        RunningJob { process: Some(Identity { started: wall(own) - 3600, ..own }), era: None, ..noted.clone() },
    ] {
        assert_eq!(kill(&world, &stale).await, Sweep::default());
        assert!(is_alive(stranger.id()), "{stale:?}");
    }
    // The same, were it the one.
    kill(&world, &noted).await;
    assert!(!is_alive(stranger.id()));
    collect([stranger]);
}

#[tokio::test]
async fn a_list_of_the_version_before_is_understood() {
    let world = World::new().await;
    let robot = left(&world, "robot", &[]).await;
    let bare = left(&world, "bare", &[("ORCHESTRATOR_JOB_ID", world.job.to_string())]).await;
    let started = wall(Identity { pid: robot.id(), started: started(robot.id()) });
    let text = format!(
        r#"{{"jobs":[{{"job_id":"{}","lease_token":3,"process":{{"pid":{},"started":{started}}}}}]}}"#,
        world.job,
        robot.id()
    );
    let listed = StateFile::open(world.write("jobs.json", &text)).unwrap().jobs();
    kill(&world, &listed[0]).await;
    assert!(!is_alive(robot.id()) && !is_alive(bare.id()));
    collect([robot, bare]);
}

#[tokio::test]
async fn what_is_started_again_and_again_is_a_survivor() {
    let world = World::new().await;
    let cookie = world.cookie(world.job);
    let again = Again::start(cookie);
    let listed = RunningJob::granted(cookie);
    assert!(!kill(&world, &listed).await.survivors.is_empty());
    assert!(!kill_survivors(&world.launcher, &listed.leftover()).await.survivors.is_empty());
    again.stop();
    assert_eq!(kill(&world, &listed).await.survivors, []);
}

/// The field of `/proc/PID/stat` that counts clock ticks since the machine started.
fn started(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it is there");
    let after_name = stat.rsplit_once(')').expect("a name").1;
    after_name.split_whitespace().nth(19).and_then(|ticks| ticks.parse().ok()).expect("its start")
}

/// The same start by the wall clock, in seconds.
fn wall(identity: Identity) -> u64 {
    let stat = std::fs::read_to_string("/proc/stat").expect("it is there");
    let boot = stat.lines().find_map(|line| line.strip_prefix("btime "));
    let boot: u64 = boot.and_then(|boot| boot.trim().parse().ok()).expect("the machine's start");
    boot + identity.started / rustix::param::clock_ticks_per_second()
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
