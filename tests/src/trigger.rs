//! Triggers to be made, in few words.

use std::path::Path;
use std::time::Duration;

use orchestrator_core::clock::Timestamp;
use orchestrator_proto::v1 as pb;
use pb::trigger::Kind;

use crate::api::{duration, to_wire};

/// A trigger that is not there yet. Not blocking and of a process with the trigger's name, unless told otherwise.
#[derive(Debug, Clone)]
pub struct NewTrigger(pb::Trigger);

impl NewTrigger {
    fn of(name: &str, path: &str, kind: Kind) -> Self {
        Self(pb::Trigger {
            name: name.to_owned(),
            process_name: name.to_owned(),
            process_path: path.to_owned(),
            is_blocking: Some(false),
            kind: Some(kind),
            ..pb::Trigger::default()
        })
    }

    /// Fires once, at once.
    pub fn single(name: &str, robot: &Path) -> Self {
        Self::of(name, &robot.to_string_lossy(), Kind::Single(pb::SingleKind { next_run: None }))
    }

    /// Fires by a cron expression in UTC.
    pub fn scheduled(name: &str, robot: &Path, cron: &str) -> Self {
        let kind = pb::ScheduledKind { cron_expr: cron.to_owned(), time_zone: "UTC".to_owned(), next_run: None };
        Self::of(name, &robot.to_string_lossy(), Kind::Scheduled(kind))
    }

    /// Fires when the queue has `min_batch_size` new elements.
    pub fn queue(name: &str, robot: &Path, queue: &str, min_batch_size: u32) -> Self {
        let kind = pb::QueueKind { queue_name: queue.to_owned(), min_batch_size, max_parallel: 1 };
        Self::of(name, &robot.to_string_lossy(), Kind::Queue(kind))
    }

    /// Fires at this instant, or for the first time at it.
    #[must_use]
    pub fn at(mut self, at: Timestamp) -> Self {
        match &mut self.0.kind {
            Some(Kind::Single(kind)) => kind.next_run = Some(to_wire(at)),
            Some(Kind::Scheduled(kind)) => kind.next_run = Some(to_wire(at)),
            Some(Kind::Queue(_)) | None => panic!("a queue trigger has no time"),
        }
        self
    }

    /// The most jobs of a queue trigger at once.
    #[must_use]
    pub fn max_parallel(mut self, count: u32) -> Self {
        let Some(Kind::Queue(kind)) = &mut self.0.kind else { panic!("only a queue trigger runs in parallel") };
        kind.max_parallel = count;
        self
    }

    /// Takes the program from a repository, at a branch or tag or what the repository has by default.
    #[must_use]
    pub fn git(mut self, url: &str, branch: Option<&str>) -> Self {
        url.clone_into(&mut self.0.process_path);
        self.0.is_git_repo = true;
        self.0.git_branch = branch.map(str::to_owned);
        self
    }

    /// Hands this to the process.
    #[must_use]
    pub fn args(mut self, args: &str) -> Self {
        self.0.process_args = Some(args.to_owned());
        self
    }

    /// Runs alone on its worker.
    #[must_use]
    pub fn blocking(mut self) -> Self {
        self.0.is_blocking = Some(true);
        self
    }

    /// Goes before those with a lower priority.
    #[must_use]
    pub fn priority(mut self, priority: i32) -> Self {
        self.0.priority = priority;
        self
    }

    /// Runs only on this worker.
    #[must_use]
    pub fn only_on(mut self, worker: &str) -> Self {
        self.0.worker_whitelist.push(worker.to_owned());
        self
    }

    /// Changes the policies.
    #[must_use]
    pub fn policies(mut self, change: impl FnOnce(&mut pb::Policies)) -> Self {
        change(self.0.policies.get_or_insert_default());
        self
    }

    /// Robots may run so long.
    #[must_use]
    pub fn timeout(self, timeout: Duration, stop_grace: Duration) -> Self {
        self.policies(|policies| {
            policies.timeout = Some(duration(timeout));
            policies.stop_grace = Some(duration(stop_grace));
        })
    }

    /// Robots stop within a second when their job is lost, and the job is tried once more.
    #[must_use]
    pub fn started_again_when_lost(self) -> Self {
        self.policies(|policies| {
            policies.stop_on_lost = true;
            policies.retry_lost = true;
            policies.max_attempts = 2;
            policies.stop_grace = Some(duration(Duration::from_secs(1)));
        })
    }

    /// Between TERM and KILL.
    #[must_use]
    pub fn kill_grace(self, grace: Duration) -> Self {
        self.policies(|policies| policies.kill_grace = Some(duration(grace)))
    }

    /// The message.
    pub fn message(self) -> pb::Trigger {
        self.0
    }
}
