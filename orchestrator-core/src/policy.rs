//! Choices a trigger makes about failure, time and overlap.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::duration::millis;

/// What happens to an instant that is due while a job of the trigger is active.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Overlap {
    /// It is dropped, and the decision recorded.
    Skip,
    /// The latest such instant is remembered and becomes a job when the last active one ends.
    #[default]
    BufferOne,
    /// It becomes a job as long as fewer than `most` jobs are active.
    Allow {
        /// The most jobs active at once, at least 1.
        most: u32,
    },
}

/// What happens to instants that no server evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Missed {
    /// One run for the latest of them.
    #[default]
    Once,
    /// None of them runs.
    Skip,
    /// The latest `most` of them run, in order.
    All {
        /// The most instants made up for, at least 1.
        most: u32,
    },
}

/// All policies of a trigger. [`Policies::default`] is what a new trigger has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policies {
    /// How long a robot may run before it is stopped; none by default.
    #[serde(with = "millis::option")]
    pub timeout: Option<Duration>,
    /// Between the request to stop and the kill, at a time-out and when a worker drains. 10 s.
    #[serde(with = "millis")]
    pub stop_grace: Duration,
    /// Between TERM and KILL when a job is killed. 0 by default.
    #[serde(with = "millis")]
    pub kill_grace: Duration,
    /// Leave processes that outlive the robot alone.
    pub keep_children: bool,
    /// Kill the robot before its lease ends when the worker cannot reach the server.
    pub stop_on_lost: bool,
    /// How long a LOST job is waited for. 1 h.
    #[serde(with = "millis")]
    pub lost_after: Duration,
    /// Attempts per instant, at least 1. 1 by default: a job that may have run is not started again by itself.
    pub max_attempts: u32,
    /// Before the next attempt.
    #[serde(with = "millis")]
    pub retry_delay: Duration,
    /// Whether a LOST attempt may be superseded by the next one; requires `stop_on_lost`.
    pub retry_lost: bool,
    /// Failures in a row after which the trigger is held; 1 is OpenOrchestrator's behaviour. 3 by default.
    pub max_consecutive_failures: u32,
    /// Instants that are due while a job is active.
    pub overlap: Overlap,
    /// Instants that no server evaluated.
    pub missed: Missed,
    /// A missed instant older than this never runs.
    #[serde(with = "millis::option")]
    pub max_lateness: Option<Duration>,
}

impl Default for Policies {
    fn default() -> Self {
        Self {
            timeout: None,
            stop_grace: Duration::from_secs(10),
            kill_grace: Duration::ZERO,
            keep_children: false,
            stop_on_lost: false,
            lost_after: Duration::from_hours(1),
            max_attempts: 1,
            retry_delay: Duration::ZERO,
            retry_lost: false,
            max_consecutive_failures: 3,
            overlap: Overlap::default(),
            missed: Missed::default(),
            max_lateness: None,
        }
    }
}

/// A policy that cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A number or duration out of its range.
    #[error("{field} is {value}; it must be from {least} to {most}")]
    OutOfRange {
        /// The policy.
        field: &'static str,
        /// As given; durations in seconds.
        value: u64,
        /// The smallest allowed.
        least: u64,
        /// The largest allowed.
        most: u64,
    },
    /// `retry_lost` without `stop_on_lost` could run a robot twice at once.
    #[error(
        "retry_lost needs stop_on_lost: otherwise the lost robot may still be running when the next attempt starts"
    )]
    RetryLostNeedsStopOnLost,
}

impl PolicyError {
    /// The policy that was refused.
    pub fn field(&self) -> &'static str {
        match self {
            Self::OutOfRange { field, .. } => field,
            Self::RetryLostNeedsStopOnLost => "retry_lost",
        }
    }
}

const YEAR: u64 = 366 * 24 * 3600;

fn in_range(field: &'static str, value: u64, least: u64, most: u64) -> Result<(), PolicyError> {
    if (least..=most).contains(&value) { Ok(()) } else { Err(PolicyError::OutOfRange { field, value, least, most }) }
}

impl Policies {
    /// Checks ranges and what must go together.
    pub fn validate(&self) -> Result<(), PolicyError> {
        if let Some(timeout) = self.timeout {
            if timeout.is_zero() {
                return Err(PolicyError::OutOfRange { field: "timeout", value: 0, least: 1, most: YEAR });
            }
            in_range("timeout", timeout.as_secs(), 0, YEAR)?;
        }
        in_range("stop_grace", self.stop_grace.as_secs(), 0, 3600)?;
        in_range("kill_grace", self.kill_grace.as_secs(), 0, 3600)?;
        in_range("lost_after", self.lost_after.as_secs(), 1, YEAR)?;
        in_range("retry_delay", self.retry_delay.as_secs(), 0, YEAR)?;
        if let Some(max_lateness) = self.max_lateness {
            in_range("max_lateness", max_lateness.as_secs(), 0, YEAR)?;
        }
        in_range("max_attempts", self.max_attempts.into(), 1, 100)?;
        in_range("max_consecutive_failures", self.max_consecutive_failures.into(), 1, 1_000_000)?;
        if let Overlap::Allow { most } = self.overlap {
            in_range("overlap", most.into(), 1, 1000)?;
        }
        if let Missed::All { most } = self.missed {
            in_range("missed", most.into(), 1, 1000)?;
        }
        if self.retry_lost && !self.stop_on_lost {
            return Err(PolicyError::RetryLostNeedsStopOnLost);
        }
        Ok(())
    }
}

/// How long a queue trigger waits after its `failures`-th failure in a row (or fruitless run): 1 min, doubling to 1 h.
pub fn backoff_after(failures: u32) -> Duration {
    let minutes = 1_u64.checked_shl(failures.saturating_sub(1)).unwrap_or(u64::MAX).min(60);
    Duration::from_mins(minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid() {
        assert_eq!(Policies::default().validate(), Ok(()));
    }

    #[test]
    fn retrying_a_lost_job_needs_a_robot_that_stops_when_lost() {
        let policies = Policies { retry_lost: true, ..Policies::default() };
        assert_eq!(policies.validate(), Err(PolicyError::RetryLostNeedsStopOnLost));
    }

    #[test]
    fn no_attempt_at_all_is_refused_by_name() {
        let error = Policies { max_attempts: 0, ..Policies::default() }.validate().unwrap_err();
        assert_eq!(error.to_string(), "max_attempts is 0; it must be from 1 to 100");
    }

    #[test]
    fn backoff_doubles_from_a_minute_to_an_hour() {
        let minutes: Vec<u64> = [1, 2, 3, 6, 7, 8, 63, 64, 200].map(|n| backoff_after(n).as_secs() / 60).into();
        assert_eq!(minutes, [1, 2, 4, 32, 60, 60, 60, 60, 60]);
    }

    #[test]
    fn policies_survive_a_document_and_missing_fields_mean_the_default() {
        let policies = Policies {
            timeout: Some(Duration::from_millis(1500)),
            missed: Missed::All { most: 4 },
            ..Policies::default()
        };
        let text = serde_json::to_string(&policies).unwrap();
        assert_eq!(serde_json::from_str::<Policies>(&text).unwrap(), policies);
        assert_eq!(serde_json::from_str::<Policies>("{}").unwrap(), Policies::default());
    }
}
