use crate::states::named_states;

named_states!(
    /// What keeps a trigger from firing: the one fact it stores of its own.
    Hold, "trigger hold" {
        /// Nothing: it fires.
        None = "NONE",
        /// An administrator or its own robot paused it.
        Paused = "PAUSED",
        /// It failed as often in a row as its policy allows.
        Failed = "FAILED",
        /// An administrator killed it.
        Killed = "KILLED",
        /// A single trigger that has had its run.
        Done = "DONE",
    }
);

named_states!(
    /// The contract's `process_status`, for people and reports.
    TriggerStatus, "trigger status" {
        /// Waits for its next instant.
        Idle = "IDLE",
        /// A job waits for a worker.
        Queued = "QUEUED",
        /// A job is assigned, running or lost.
        Running = "RUNNING",
        /// On hold, and a job still runs.
        Pausing = "PAUSING",
        /// On hold.
        Paused = "PAUSED",
        /// The kill of a job was requested.
        Killing = "KILLING",
        /// An administrator killed it.
        Killed = "KILLED",
        /// Held after failures.
        Failed = "FAILED",
        /// A single trigger that has had its run.
        Done = "DONE",
    }
);

/// The active jobs of one trigger, as far as its status needs them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ActiveJobs {
    /// Jobs that wait for a worker.
    pub queued: u32,
    /// Jobs that are assigned, running or lost.
    pub started: u32,
    /// Active jobs whose kill was requested.
    pub kill_requested: u32,
}

impl ActiveJobs {
    /// All of them.
    pub fn total(self) -> u32 {
        self.queued + self.started
    }
}

/// What people see of a trigger: the first of killing, pausing, running, queued that applies, otherwise its hold.
pub fn shown_status(hold: Hold, jobs: ActiveJobs) -> TriggerStatus {
    if jobs.kill_requested > 0 {
        return TriggerStatus::Killing;
    }
    if jobs.started > 0 {
        return if hold == Hold::None { TriggerStatus::Running } else { TriggerStatus::Pausing };
    }
    if jobs.queued > 0 {
        return TriggerStatus::Queued;
    }
    match hold {
        Hold::None => TriggerStatus::Idle,
        Hold::Paused => TriggerStatus::Paused,
        Hold::Failed => TriggerStatus::Failed,
        Hold::Killed => TriggerStatus::Killed,
        Hold::Done => TriggerStatus::Done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jobs(queued: u32, started: u32, kill_requested: u32) -> ActiveJobs {
        ActiveJobs { queued, started, kill_requested }
    }

    #[test]
    fn the_first_rule_that_applies_is_shown() {
        use TriggerStatus as S;
        let cases = [
            (Hold::None, jobs(0, 0, 0), S::Idle),
            (Hold::None, jobs(1, 0, 0), S::Queued),
            (Hold::None, jobs(1, 1, 0), S::Running),
            (Hold::None, jobs(0, 1, 1), S::Killing),
            (Hold::Paused, jobs(0, 0, 0), S::Paused),
            (Hold::Paused, jobs(1, 0, 0), S::Queued),
            (Hold::Paused, jobs(0, 1, 0), S::Pausing),
            (Hold::Killed, jobs(0, 2, 1), S::Killing),
            (Hold::Failed, jobs(0, 0, 0), S::Failed),
            (Hold::Failed, jobs(1, 1, 0), S::Pausing),
            (Hold::Done, jobs(0, 0, 0), S::Done),
            (Hold::Done, jobs(0, 1, 0), S::Pausing),
        ];
        for (hold, active, expected) in cases {
            assert_eq!(shown_status(hold, active), expected, "{hold:?} {active:?}");
        }
    }
}
