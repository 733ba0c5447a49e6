//! Since when this server has been able to decide. Its duty begins anew when the database was away or the clock stepped:
//! what was due before was missed by all, and what seems to have expired may only not have been renewed.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use orchestrator_core::clock::Timestamp;
use orchestrator_core::lease::{HEARTBEAT, LEASE};
use orchestrator_db::DbError;

/// A clock that has moved so much differently from the monotonic one has been stepped, or the machine slept.
const MOST_STEP: chrono::Duration = chrono::Duration::seconds(1);

/// Steps that together are more than this make what was watched for before worthless. Half of what the backstop for robots
/// that run too long waits beyond their limit.
const MOST_STEPPED: chrono::Duration = chrono::Duration::seconds(15);

/// What keeps a server from its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    /// It does not answer, or what it answers is of no use.
    NoAnswer,
    /// It answers and takes no writes: a standby, or one that was made read-only.
    NoWrites,
    /// It answers and its disk takes no more.
    DiskFull,
}

impl Outage {
    /// What a failed call tells of it.
    pub(crate) fn of(error: &DbError) -> Self {
        if error.is_disk_full() {
            Self::DiskFull
        } else if error.is_read_only() {
            Self::NoWrites
        } else {
            Self::NoAnswer
        }
    }

    /// Its name between programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoAnswer => "NO_ANSWER",
            Self::NoWrites => "NO_WRITES",
            Self::DiskFull => "DISK_FULL",
        }
    }
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAnswer => "the database does not answer",
            Self::NoWrites => "the database takes no writes (a standby, or read-only)",
            Self::DiskFull => "the database's disk is full",
        })
    }
}

#[derive(Debug)]
struct State {
    since: Timestamp,
    /// Since when spans of the clock have been spans of time.
    watching_since: Timestamp,
    /// How far the clock has stepped since then.
    stepped: chrono::Duration,
    /// The database failed, and what failed has not succeeded since.
    outage: Option<Outage>,
    last: Option<(Timestamp, Instant)>,
    /// The clock stepped, and was not compared with the database's since.
    is_unsure: bool,
    /// What was planned may have been planned by a clock that was ahead, and was not looked at since.
    plans_are_suspect: bool,
}

impl State {
    /// How far the clock moved beyond the monotonic one since both were read last.
    fn step_to(&mut self, now: Timestamp, instant: Instant) -> chrono::Duration {
        let Some((then, at)) = self.last.replace((now, instant)) else { return chrono::Duration::zero() };
        // Two loops may come in either order.
        let real = match instant.checked_duration_since(at) {
            Some(real) => chrono::Duration::from_std(real).unwrap_or(chrono::Duration::MAX),
            None => -chrono::Duration::from_std(at - instant).unwrap_or(chrono::Duration::MAX),
        };
        let step = now - then - real;
        if step.abs() <= MOST_STEP {
            return chrono::Duration::zero();
        }
        self.stepped += step.abs();
        self.plans_are_suspect |= step < chrono::Duration::zero();
        if self.stepped > MOST_STEPPED {
            (self.watching_since, self.stepped) = (now, chrono::Duration::zero());
        }
        step
    }
}

/// Shared by all loops: whichever notices first speaks for all.
#[derive(Debug)]
pub(crate) struct Duty(Mutex<State>);

impl Duty {
    pub(crate) fn begun_at(now: Timestamp) -> Self {
        Self(Mutex::new(State {
            since: now,
            watching_since: now,
            stepped: chrono::Duration::zero(),
            outage: None,
            last: None,
            is_unsure: false,
            plans_are_suspect: true,
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn since(&self) -> Timestamp {
        self.state().since
    }

    /// Whether leases have been on watch long enough that their expiry means something.
    pub(crate) fn may_rescue(&self, now: Timestamp) -> bool {
        let state = self.state();
        state.outage.is_none() && now >= state.since + LEASE
    }

    /// Since when this server has watched a clock that did not step: a job that seems to have run for longer may have begun
    /// seconds ago. Unlike the duty it goes on while the database is away.
    pub(crate) fn watching_since(&self) -> Timestamp {
        self.state().watching_since
    }

    /// Compares the clock with the monotonic one. Called by every loop before it acts.
    pub(crate) fn observe(&self, now: Timestamp, instant: Instant) {
        let mut state = self.state();
        let step = state.step_to(now, instant);
        if !step.is_zero() {
            tracing::warn!(step.seconds = step.num_seconds(), "the clock stepped; nothing is rescued for one lease");
            state.since = now;
            state.is_unsure = true;
        }
    }

    /// Whether the clock stepped, and nobody has set it right since.
    pub(crate) fn is_unsure_of_time(&self) -> bool {
        self.state().is_unsure
    }

    /// The clock was compared with the database's: it is now, whatever it was taken for before.
    pub(crate) fn is_sure_of_time(&self, now: Timestamp, instant: Instant) {
        let mut state = self.state();
        state.step_to(now, instant);
        (state.since, state.is_unsure) = (now, false);
    }

    /// Whether a clock that was ahead may have planned something: the clock went back, or this server has just started. Told
    /// once.
    pub(crate) fn suspects_plans(&self) -> bool {
        std::mem::take(&mut self.state().plans_are_suspect)
    }

    /// What was suspected is still to be looked at.
    pub(crate) fn still_suspects_plans(&self) {
        self.state().plans_are_suspect = true;
    }

    /// What kept this server from the database when it was needed last.
    pub(crate) fn outage(&self) -> Option<Outage> {
        self.state().outage
    }

    /// The database seems to be back: what is decided from here on is decided by a server that comes from an outage. Whether it
    /// is over shows when something has been decided.
    pub(crate) fn tries_again(&self, now: Timestamp) {
        self.state().since = now;
    }

    /// The database did what was asked of it, after so long.
    pub(crate) fn answered(&self, now: Timestamp, took: std::time::Duration) {
        let mut state = self.state();
        if state.outage.take().is_some() {
            tracing::info!("the database is back; nothing is rescued for one lease");
            state.since = now;
        } else if took > HEARTBEAT {
            tracing::warn!(took.seconds = took.as_secs(), "the database was stuck; nothing is rescued for one lease");
            state.since = now;
        }
    }

    /// The database failed so. True when that is news.
    pub(crate) fn failed(&self, outage: Outage) -> bool {
        self.state().outage.replace(outage) != Some(outage)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::{TimeZone as _, Utc};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Utc.timestamp_opt(1_800_000_000 + second, 0).unwrap()
    }

    #[test]
    fn nothing_is_rescued_within_one_lease_of_the_start() {
        let duty = Duty::begun_at(at(0));
        assert!(!duty.may_rescue(at(14)));
        assert!(duty.may_rescue(at(15)));
    }

    #[test]
    fn a_clock_that_goes_with_the_monotonic_one_interrupts_nothing() {
        let (duty, start) = (Duty::begun_at(at(0)), Instant::now());
        duty.observe(at(0), start);
        duty.observe(at(100), start + Duration::from_millis(99_500));
        // The other loop was faster.
        duty.observe(at(99), start + Duration::from_millis(98_600));
        assert_eq!(duty.since(), at(0));
    }

    #[test]
    fn a_step_of_the_clock_begins_the_duty_anew() {
        for (seen, real) in [(3600, 1), (-3600, 1), (10, 3610)] {
            let (duty, start) = (Duty::begun_at(at(0)), Instant::now());
            duty.observe(at(0), start);
            duty.observe(at(seen), start + Duration::from_secs(real));
            assert_eq!(duty.since(), at(seen), "{seen} s by the clock, {real} s in truth");
        }
    }

    #[test]
    fn what_was_watched_before_a_step_of_the_clock_counts_for_nothing() {
        let (duty, start) = (Duty::begun_at(at(0)), Instant::now());
        duty.observe(at(0), start);
        duty.observe(at(3601), start + Duration::from_secs(1));
        assert_eq!(duty.watching_since(), at(3601));
        // The database says that it was a mistake.
        duty.is_sure_of_time(at(2), start + Duration::from_secs(2));
        assert_eq!(duty.watching_since(), at(2));
    }

    #[test]
    fn plans_are_suspect_at_the_start_and_after_the_clock_went_back() {
        let (duty, start) = (Duty::begun_at(at(0)), Instant::now());
        duty.observe(at(0), start);
        assert!(duty.suspects_plans() && !duty.suspects_plans(), "told once");
        duty.observe(at(3600), start + Duration::from_secs(1));
        assert!(!duty.suspects_plans(), "what is due now was planned before");
        duty.observe(at(2), start + Duration::from_secs(2));
        assert!(duty.suspects_plans());
        duty.still_suspects_plans();
        assert!(duty.suspects_plans(), "the look failed");
    }

    #[test]
    fn small_steps_of_the_clock_are_added_up() {
        let (duty, start) = (Duty::begun_at(at(0)), Instant::now());
        let seen: Vec<_> = (0..=4)
            .map(|n| {
                duty.observe(at(n * 65), start + Duration::from_secs(u64::try_from(n).unwrap() * 60));
                duty.watching_since()
            })
            .collect();
        assert_eq!(seen, [at(0), at(0), at(0), at(0), at(260)]);
    }

    #[test]
    fn a_database_that_was_away_begins_the_duty_anew_and_is_told_once() {
        let duty = Duty::begun_at(at(0));
        assert!(duty.failed(Outage::NoAnswer));
        assert!(!duty.failed(Outage::NoAnswer));
        assert!(duty.failed(Outage::NoWrites), "it is up again as a standby");
        duty.tries_again(at(90));
        assert_eq!((duty.outage(), duty.since()), (Some(Outage::NoWrites), at(90)));
        assert!(!duty.may_rescue(at(200)), "an outage that is not over yet");
        duty.answered(at(100), Duration::ZERO);
        assert_eq!(duty.since(), at(100));
        assert!(!duty.may_rescue(at(114)));
        duty.answered(at(200), Duration::ZERO);
        assert_eq!(duty.since(), at(100));
    }

    #[test]
    fn a_database_that_was_stuck_begins_the_duty_anew() {
        let duty = Duty::begun_at(at(0));
        duty.answered(at(60), Duration::from_secs(20));
        assert_eq!(duty.since(), at(60));
    }
}
