use serde::{Deserialize, Serialize};

use crate::policy::Policies;
use crate::states::named_states;
use crate::text::{TriggerName, WorkerName};
use crate::trigger::{Hold, ProcessSpec, Trigger, TriggerType};

named_states!(
    /// What made a job.
    JobOrigin, "job origin" {
        /// The trigger's own schedule, instant or queue.
        Trigger = "TRIGGER",
        /// Someone's "run now" or retry, which never touches the trigger's hold or its count of failures.
        Manual = "MANUAL",
    }
);

fn no_hold() -> Hold {
    Hold::None
}

fn by_trigger() -> JobOrigin {
    JobOrigin::Trigger
}

/// What a job runs and how, copied from its trigger: later edits do not touch a job that was assigned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSnapshot {
    /// The trigger's name.
    pub trigger_name: TriggerName,
    /// The trigger's kind, which ranks single before scheduled before queue.
    pub trigger_type: TriggerType,
    /// What runs.
    pub process: ProcessSpec,
    /// Runs alone on its worker.
    pub is_blocking: bool,
    /// Higher goes first.
    pub priority: i32,
    /// Workers it may run on.
    pub worker_whitelist: Vec<WorkerName>,
    /// Choices about failure and time.
    pub policies: Policies,
    /// What made the job.
    #[serde(default = "by_trigger")]
    pub origin: JobOrigin,
    /// Whether the arguments were given for this one job, so that an edit of the trigger leaves them alone.
    #[serde(default)]
    pub own_args: bool,
    /// The hold that the trigger was under when the job was made: its robot is to finish early only for a later one.
    #[serde(default = "no_hold")]
    pub hold: Hold,
}

impl JobSnapshot {
    /// What a job of this trigger runs now.
    pub fn of(trigger: &Trigger) -> Self {
        Self {
            trigger_name: trigger.name.clone(),
            trigger_type: trigger.kind.trigger_type(),
            process: trigger.process.clone(),
            is_blocking: trigger.is_blocking,
            priority: trigger.priority,
            worker_whitelist: trigger.worker_whitelist.clone(),
            policies: trigger.policies.clone(),
            origin: JobOrigin::Trigger,
            own_args: false,
            hold: trigger.hold,
        }
    }

    /// Whether a worker of this name may run it.
    pub fn may_run_on(&self, worker: &WorkerName, exclusive: bool) -> bool {
        if self.worker_whitelist.is_empty() { !exclusive } else { self.worker_whitelist.contains(worker) }
    }
}
