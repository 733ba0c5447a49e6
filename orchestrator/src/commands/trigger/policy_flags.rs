//! Flags for a trigger's choices about failure, time and overlap.

use std::time::Duration;

use clap::Args;
use orchestrator_proto::v1 as pb;

use crate::arguments::{MissedChoice, OverlapChoice, duration, duration_to_wire};

/// What is not given has its default, or stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Policies")]
pub(crate) struct PolicyFlags {
    /// How long a robot may run, such as 90s or '1h 30m'; no limit unless given.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    timeout: Option<Duration>,
    /// Between the request to stop and the kill, at a time-out or when a worker drains. [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    stop_grace: Option<Duration>,
    /// Between TERM and KILL when a job is killed. [default: 0s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    kill_grace: Option<Duration>,
    /// Leave processes that outlive the robot alone.
    #[arg(long)]
    keep_children: bool,
    /// Kill the robot before its lease ends when its worker cannot reach the server.
    #[arg(long)]
    stop_on_lost: bool,
    /// How long a LOST job is waited for. [default: 1h]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    lost_after: Option<Duration>,
    /// How often an instant may be tried. [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_attempts: Option<u32>,
    /// Before the next attempt. [default: 0s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    retry_delay: Option<Duration>,
    /// Try again when an attempt is LOST; needs --stop-on-lost.
    #[arg(long)]
    retry_lost: bool,
    /// Failures in a row after which the trigger is held. [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_consecutive_failures: Option<u32>,
    /// When an instant is due while a job is active: skip, buffer-one, allow or allow:N. [default: buffer-one]
    #[arg(long, value_name = "CHOICE")]
    overlap: Option<OverlapChoice>,
    /// When instants passed while no server ran: once, skip, all or all:N. [default: once]
    #[arg(long, value_name = "CHOICE")]
    missed: Option<MissedChoice>,
    /// A missed instant older than this never runs; no limit unless given.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    max_lateness: Option<Duration>,
}

impl PolicyFlags {
    /// For a new trigger: nothing when every policy has its default.
    pub(super) fn of_new(&self) -> Option<pb::Policies> {
        (*self != Self::default()).then(|| self.over(pb::Policies::default()))
    }

    /// What was given, over what there is.
    pub(super) fn over(&self, mut policies: pb::Policies) -> pb::Policies {
        set(&mut policies.timeout, self.timeout);
        set(&mut policies.stop_grace, self.stop_grace);
        set(&mut policies.kill_grace, self.kill_grace);
        set(&mut policies.lost_after, self.lost_after);
        set(&mut policies.retry_delay, self.retry_delay);
        set(&mut policies.max_lateness, self.max_lateness);
        policies.keep_children |= self.keep_children;
        policies.stop_on_lost |= self.stop_on_lost;
        policies.retry_lost |= self.retry_lost;
        policies.max_attempts = self.max_attempts.unwrap_or(policies.max_attempts);
        policies.max_consecutive_failures = self.max_consecutive_failures.unwrap_or(policies.max_consecutive_failures);
        if let Some((choice, most)) = self.overlap.map(OverlapChoice::to_wire) {
            (policies.overlap, policies.overlap_most) = (choice.to_owned(), most);
        }
        if let Some((choice, most)) = self.missed.map(MissedChoice::to_wire) {
            (policies.missed, policies.missed_most) = (choice.to_owned(), most);
        }
        policies
    }
}

/// Flags that take back what an earlier choice switched on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Policies")]
pub(crate) struct ClearFlags {
    /// No limit on how long a robot may run.
    #[arg(long, conflicts_with = "timeout")]
    no_timeout: bool,
    /// Kill what outlives the robot.
    #[arg(long, conflicts_with = "keep_children")]
    no_keep_children: bool,
    /// Let a robot go on when its worker cannot reach the server. Also ends --retry-lost, which needs it.
    #[arg(long, conflicts_with_all = ["stop_on_lost", "retry_lost"])]
    no_stop_on_lost: bool,
    /// Do not try again when an attempt is LOST.
    #[arg(long, conflicts_with = "retry_lost")]
    no_retry_lost: bool,
    /// No limit on how late a missed instant may run.
    #[arg(long, conflicts_with = "max_lateness")]
    no_max_lateness: bool,
}

impl ClearFlags {
    /// Takes back what was named.
    pub(super) fn over(self, mut policies: pb::Policies) -> pb::Policies {
        if self.no_timeout {
            policies.timeout = None;
        }
        if self.no_max_lateness {
            policies.max_lateness = None;
        }
        policies.keep_children &= !self.no_keep_children;
        policies.stop_on_lost &= !self.no_stop_on_lost;
        policies.retry_lost &= !(self.no_retry_lost || self.no_stop_on_lost);
        policies
    }
}

fn set(field: &mut Option<prost_types::Duration>, given: Option<Duration>) {
    if let Some(given) = given {
        *field = Some(duration_to_wire(given));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_flags_a_new_trigger_has_the_defaults() {
        assert_eq!(PolicyFlags::default().of_new(), None);
    }

    #[test]
    fn what_was_switched_on_can_be_switched_off() {
        let second = Some(prost_types::Duration { seconds: 1, nanos: 0 });
        let old = pb::Policies {
            timeout: second,
            max_lateness: second,
            keep_children: true,
            stop_on_lost: true,
            retry_lost: true,
            ..pb::Policies::default()
        };
        assert_eq!(ClearFlags::default().over(old.clone()), old);
        let all = ClearFlags {
            no_timeout: true,
            no_keep_children: true,
            no_stop_on_lost: true,
            no_retry_lost: true,
            no_max_lateness: true,
        };
        assert_eq!(all.over(old.clone()), pb::Policies::default());
        // What needs the other goes with it.
        let lost = ClearFlags { no_stop_on_lost: true, ..ClearFlags::default() }.over(old);
        assert_eq!((lost.stop_on_lost, lost.retry_lost, lost.keep_children), (false, false, true));
    }

    #[test]
    fn what_is_given_replaces_only_that() {
        let old = pb::Policies { max_attempts: 4, overlap: "SKIP".to_owned(), ..pb::Policies::default() };
        let flags = PolicyFlags { overlap: Some(OverlapChoice::Allow(2)), ..PolicyFlags::default() };
        let new = flags.over(old);
        assert_eq!((new.max_attempts, new.overlap.as_str(), new.overlap_most), (4, "ALLOW", 2));
    }
}
