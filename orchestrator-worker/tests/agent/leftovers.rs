//! What an earlier agent left running: it is cleared away before this one registers, or else the job is not over.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use orchestrator_core::id::{InstanceId, JobId};
use orchestrator_core::lease::LeaseToken;
use orchestrator_proto::v1;
use orchestrator_worker::process::{Grant, JobCookie, LaunchSpec, Launcher};
use orchestrator_worker::state_file::{RunningJob, StateFile};

use crate::fake::Trouble;
use crate::world::{World, is_alive};

impl World {
    fn list(&self) -> PathBuf {
        self.data().join("jobs.json")
    }

    /// What the processes of a job bear that an earlier agent of this folder ran.
    pub(crate) fn earlier(&self, job: JobId) -> JobCookie {
        std::fs::create_dir_all(self.data()).expect("a folder");
        let installation = InstanceId::generate();
        std::fs::write(self.data().join("instance"), installation.to_string()).expect("an identity");
        JobCookie::new(job, Grant { installation, lease_token: LeaseToken::new(1) })
    }

    pub(crate) async fn lists(&self, job: RunningJob) {
        StateFile::open(self.list()).expect("a list").insert(job).await.expect("it is written");
    }

    pub(crate) fn listed(&self) -> Vec<JobId> {
        StateFile::open(self.list()).expect("a list").jobs().into_iter().map(|job| job.job_id).collect()
    }
}

/// Programs marked as a job's, which somebody starts again whenever they have ended. More than one, so that some run while
/// another is started.
pub(crate) struct Again(Vec<Child>);

impl Again {
    pub(crate) fn start(cookie: JobCookie) -> Self {
        Self::start_many(cookie, 4)
    }

    /// So many that one lives at each look, for a sweep that takes one empty look for the end.
    pub(crate) fn start_many(cookie: JobCookie, count: usize) -> Self {
        let mark = format!("ORCHESTRATOR_JOB_ID={} ORCHESTRATOR_JOB_GRANT={}", cookie.job(), cookie.grant());
        let script = format!("while :; do {mark} sleep 1000; done 2> /dev/null");
        let start = || Command::new("bash").args(["-c", &script]).stdin(Stdio::null()).spawn().expect("bash starts");
        Self((0..count).map(|_| start()).collect())
    }

    /// Starts them no more; the last ones still have to be ended.
    pub(crate) fn stop(self) {
        drop(self);
    }
}

/// A scenario that fails leaves none behind.
impl Drop for Again {
    fn drop(&mut self) {
        for keeper in &mut self.0 {
            keeper.kill().and_then(|()| keeper.wait()).expect("nobody else ends it");
        }
    }
}

fn holds(held: &[v1::HeldJob], job: JobId) -> bool {
    held.iter().any(|held| held.job_id == job.to_string() && held.lease_token == 1)
}

#[tokio::test]
async fn what_a_killed_agent_left_is_gone_before_the_next_one_registers() {
    let world = World::new().await;
    let cookie = world.earlier(JobId::generate());
    world.lists(RunningJob::granted(cookie)).await;
    let mut spec = LaunchSpec::new("sleep", cookie);
    spec.args = vec!["1000".into()];
    let left = Launcher::new().unwrap().spawn(&spec).unwrap();
    let pid = left.identity().pid.to_string();
    // Seen at the moment of registration.
    world.fake.always("register", Trouble::Silent);
    let registered = async {
        world.fake.eventually("a registration", |fake| fake.count("register") == 1).await;
        assert!(!is_alive(&pid));
        world.stopping.soft.cancel();
    };
    let (agent, ()) = tokio::join!(world.try_agent(), registered);
    assert!(agent.is_err() && world.listed().is_empty());
    assert!(world.fake.registrations()[0].held.is_empty());
}

#[tokio::test]
async fn a_job_of_which_something_survives_is_held_until_that_is_gone_and_other_jobs_are_taken() {
    let world = World::with_slots(2).await;
    let job = JobId::generate();
    let cookie = world.earlier(job);
    world.lists(RunningJob::granted(cookie)).await;
    let again = Again::start(cookie);
    world.fake.offer(world.job("echo other"));
    let agent = world.agent().await;
    assert!(holds(&world.fake.registrations()[0].held, job), "the server must not end it");
    world.fake.eventually("a heartbeat with it", |fake| fake.beats().iter().any(|held| holds(held, job))).await;
    let told = "processes of it do not end: sleep (";
    world.fake.eventually("why it is held", |fake| fake.remarks_on(&job.to_string()).contains(told)).await;
    let other = world.fake.ended().await;
    assert_eq!((other.outcome.as_str(), other.job_id == job.to_string()), ("DONE", false));
    assert!(world.listed().contains(&job));

    again.stop();
    world.fake.eventually("its end", |fake| fake.finishes().len() == 2).await;
    let end = world.fake.finishes().remove(1);
    assert_eq!((end.job_id, end.outcome.as_str(), end.lease_token), (job.to_string(), "FAILED", 1));
    world.stop(agent).await;
    assert!(world.listed().is_empty());
}

#[tokio::test]
async fn a_job_of_which_something_survives_stays_listed_when_the_agent_stops() {
    let world = World::new().await;
    let cookie = world.earlier(JobId::generate());
    world.lists(RunningJob::granted(cookie)).await;
    let again = Again::start(cookie);
    let agent = world.agent().await;
    world.stop(agent).await;
    assert_eq!(world.listed(), [cookie.job()]);
    assert!(world.fake.finishes().is_empty(), "it is not over");
    again.stop();
    let left = RunningJob::granted(cookie).leftover();
    let sweep = orchestrator_worker::process::kill_leftovers(&Launcher::new().unwrap(), &left).await;
    assert_eq!(sweep.survivors, []);
}

#[tokio::test]
async fn a_job_that_the_server_has_ended_gives_its_slot_back_though_something_survives() {
    let world = World::new().await;
    let cookie = world.earlier(JobId::generate());
    world.lists(RunningJob::granted(cookie)).await;
    let again = Again::start(cookie);
    world.fake.take_away(&v1::Assignment {
        job_id: cookie.job().to_string(),
        lease_token: 1,
        ..v1::Assignment::default()
    });
    world.fake.offer(world.job("echo other"));
    let agent = world.agent().await;
    assert_eq!(world.fake.ended().await.outcome, "DONE");
    again.stop();
    world.fake.eventually("nothing is listed", |_| world.listed().is_empty()).await;
    assert_eq!(world.fake.finishes().len(), 1, "nothing is said of it");
    world.stop(agent).await;
}
