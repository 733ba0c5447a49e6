//! How long a lease holds, as far as this machine can tell.

use std::time::{Duration, Instant};

use orchestrator_core::clock::{Clock, SystemClock, Timestamp};

/// Until when a lease holds, on whichever of the two clocks has advanced further: a machine that slept has lost it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LeaseEnd {
    monotonic: Instant,
    wall: Timestamp,
}

impl LeaseEnd {
    /// A lease counted from the moment its call was sent.
    pub(crate) fn after(sent: Sent, lease: Duration) -> Self {
        Self { monotonic: sent.monotonic + lease, wall: sent.wall + lease }
    }

    /// Of a grant: its answer may have waited for long, so the first renewal is the first to be exact.
    pub(crate) fn unknown() -> Self {
        Self::after(Sent::now(), Duration::ZERO)
    }

    /// How long it still holds.
    pub(crate) fn left(&self) -> Duration {
        let wall = (self.wall - SystemClock.now()).to_std().unwrap_or(Duration::ZERO);
        self.monotonic.saturating_duration_since(Instant::now()).min(wall)
    }

    /// Takes the other end if it is the later one; whether it was.
    pub(crate) fn extend_to(&mut self, other: Self) -> bool {
        let is_later = other.monotonic > self.monotonic;
        if is_later {
            *self = other;
        }
        is_later
    }
}

/// When a call was sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    monotonic: Instant,
    wall: Timestamp,
}

impl Sent {
    pub(crate) fn now() -> Self {
        Self { monotonic: Instant::now(), wall: SystemClock.now() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_over_when_either_clock_says_so() {
        let now = Sent::now();
        let hour = Duration::from_hours(1);
        assert!(LeaseEnd::after(now, hour).left() > hour / 2);
        // The machine slept: only the wall clock went on.
        let slept = Sent { wall: now.wall - 2 * hour, ..now };
        assert_eq!(LeaseEnd::after(slept, hour).left(), Duration::ZERO);
        // The wall clock was set back: only the monotonic one tells the truth.
        let set_back = Sent { wall: now.wall + 2 * hour, ..now };
        assert!(LeaseEnd::after(set_back, hour).left() <= hour);
    }

    #[test]
    fn an_earlier_end_does_not_shorten_a_lease() {
        let now = Sent::now();
        let (short, long) = (Duration::from_secs(1), Duration::from_secs(100));
        let mut lease = LeaseEnd::after(now, long);
        assert!(!lease.extend_to(LeaseEnd::after(now, short)));
        assert!(lease.left() > short);
        assert!(lease.extend_to(LeaseEnd::after(now, 2 * long)));
        assert!(lease.left() > long);
    }
}
