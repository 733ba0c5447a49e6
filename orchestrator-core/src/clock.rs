//! Time as a value: the instant type and the clocks that hand it out.
//!
//! Nothing below the composition root reads a clock by itself. A [`Clock`] is a field of the two long-lived actors (the
//! scheduler and the worker agent); everything they call takes the instant as an argument.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Duration, SubsecRound, Utc};

/// An instant in UTC, with microsecond precision (what both databases keep).
pub type Timestamp = DateTime<Utc>;

/// Cuts an instant to the microsecond, so that what is compared equals what was stored.
pub fn truncate(at: Timestamp) -> Timestamp {
    at.trunc_subsecs(6)
}

/// Where `now` comes from.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The current instant, cut to the microsecond.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        truncate(Utc::now())
    }
}

/// A clock that stands still until it is told to move, for tests.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<Mutex<Timestamp>>);

impl ManualClock {
    /// A clock that shows `now`.
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(truncate(now))))
    }

    /// Moves the clock by `by`, which may be negative.
    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now += by;
    }

    /// Sets the clock to `now`.
    pub fn set(&self, now: Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = truncate(now);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
