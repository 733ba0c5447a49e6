use serde::{Deserialize, Serialize};

use crate::policy::Policies;
use crate::text::{TriggerName, WorkerName};
use crate::trigger::{ProcessSpec, Trigger, TriggerType};

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
        }
    }

    /// Whether a worker of this name may run it.
    pub fn may_run_on(&self, worker: &WorkerName, exclusive: bool) -> bool {
        if self.worker_whitelist.is_empty() { !exclusive } else { self.worker_whitelist.contains(worker) }
    }
}
