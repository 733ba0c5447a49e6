//! The watchdog: robots of an agent that was killed alone are killed at once, and no others.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use orchestrator_core::id::JobId;
use orchestrator_core::lease::LeaseToken;
use orchestrator_worker::agent::{AgentError, WATCHDOG_NAME};
use orchestrator_worker::process::{Grant, JobCookie, LaunchSpec, Launcher, RunningProcess};
use orchestrator_worker::state_file::RunningJob;
use orchestrator_worker::status;
use tokio::time::timeout;

use crate::world::{World, is_alive};

fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_orchestrator-worker"))
}

/// A watchdog whose agent is the test.
struct Watchdog {
    process: Child,
    life_line: ChildStdin,
}

impl Watchdog {
    fn start(world: &World) -> Self {
        File::create(world.data().join("agent.lock")).expect("a lock");
        let mut command = Command::new(program());
        command.arg0(WATCHDOG_NAME).current_dir(world.data()).stdin(Stdio::piped());
        let mut process = command.spawn().expect("a watchdog");
        let life_line = process.stdin.take().expect("a pipe");
        Self { process, life_line }
    }

    /// Its agent dies.
    fn agent_dies(self) {
        let Self { mut process, life_line } = self;
        drop(life_line);
        assert!(process.wait().expect("it ends").success());
    }
}

/// A robot that does not end by itself.
fn robot(cookie: JobCookie) -> RunningProcess {
    let mut spec = LaunchSpec::new("sleep", cookie);
    spec.args = vec!["1000".into()];
    Launcher::new().expect("a launcher").spawn(&spec).expect("it starts")
}

fn runs(robot: &RunningProcess) -> bool {
    is_alive(&robot.identity().pid.to_string())
}

/// The watchdog that an agent tells of.
fn watchdog_of(world: &World) -> Option<u32> {
    status::look(&world.data()).expect("a folder").agent.and_then(|agent| agent.watchdog)
}

fn kill(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw).expect("a process id");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it is there");
}

#[tokio::test]
async fn robots_of_an_agent_that_died_are_killed_and_those_of_other_grants_are_not() {
    let world = World::new().await;
    let started = world.earlier(JobId::generate());
    let granted = JobCookie::new(JobId::generate(), started.grant());
    let next = Grant { lease_token: LeaseToken::new(2), ..started.grant() };
    let robots = [robot(started), robot(granted), robot(JobCookie::new(started.job(), next))];
    world.lists(RunningJob::started(started, &robots[0])).await;
    // Its robot was started in the moment of the death: nobody noted its process.
    world.lists(RunningJob::granted(granted)).await;
    Watchdog::start(&world).agent_dies();
    assert_eq!(robots.each_ref().map(runs), [false, false, true]);
    assert_eq!(world.listed(), [], "nothing is left to do for the next agent");
}

#[tokio::test]
async fn nothing_is_killed_while_an_agent_has_the_folder() {
    let world = World::new().await;
    let cookie = world.earlier(JobId::generate());
    let robot = robot(cookie);
    world.lists(RunningJob::started(cookie, &robot)).await;
    let watchdog = Watchdog::start(&world);
    let agent = File::open(world.data().join("agent.lock")).unwrap();
    agent.lock().unwrap();
    watchdog.agent_dies();
    assert!(runs(&robot));
    assert_eq!(world.listed(), [cookie.job()]);
}

#[tokio::test]
async fn an_agent_that_starts_waits_for_the_watchdog_of_the_one_before() {
    let world = World::new().await;
    std::fs::create_dir_all(world.data()).unwrap();
    let lock = File::create(world.data().join("agent.lock")).unwrap();
    lock.lock_shared().unwrap();
    let mut starting = Box::pin(world.try_agent());
    assert!(timeout(Duration::from_millis(300), &mut starting).await.is_err());
    assert_eq!(world.fake.count("register"), 0);
    lock.unlock().unwrap();
    starting.await.expect("an agent");
    lock.lock().unwrap();
    assert!(matches!(world.try_agent().await, Err(AgentError::Installation(_))), "an agent is not waited for");
}

#[tokio::test]
async fn a_watchdog_that_was_killed_is_replaced_and_ends_with_its_agent() {
    let mut world = World::new().await;
    world.watchdog = Some(program());
    world.fake.offer(world.job("echo x > $DIR/running; while [ ! -e $DIR/end ]; do sleep 0.02; done"));
    let agent = world.agent().await;
    let first = watchdog_of(&world).expect("a watchdog");
    world.written("running").await;
    kill(first);
    let is_another = |world: &World| watchdog_of(world).is_some_and(|pid| pid != first);
    world.fake.eventually("another watchdog", |_| is_another(&world)).await;
    world.write("end");
    assert_eq!(world.fake.ended().await.outcome, "DONE");
    let second = watchdog_of(&world).expect("a watchdog");
    assert!(is_alive(&second.to_string()), "it is not what the robot left");
    world.stop(agent).await;
    assert_eq!(world.fake.output("SYSTEM").as_deref(), Some(""), "nor is it reported as such");
    assert!(!is_alive(&second.to_string()));
}
