//! Leases: a claim with an expiry, and the fencing token that every later call presents.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// How long a lease holds after it was granted or renewed.
pub const LEASE: Duration = Duration::from_secs(15);

/// How often a worker renews its leases.
pub const HEARTBEAT: Duration = Duration::from_secs(5);

/// The fencing value of a grant. The counter of a job or element only ever grows, whatever resets the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeaseToken(i64);

impl LeaseToken {
    /// Wraps a counter value that was stored or received.
    pub const fn new(value: i64) -> Self {
        Self(value)
    }

    /// The counter's value.
    pub const fn value(self) -> i64 {
        self.0
    }
}

impl fmt::Display for LeaseToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A claim that expires by itself unless it is renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// What later calls present.
    pub token: LeaseToken,
    /// From when on the holder may be taken for gone.
    pub expires_at: Timestamp,
}

impl Lease {
    /// Whether the lease still holds at `now`. An expiry that equals `now` has passed.
    pub fn holds_at(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }
}
