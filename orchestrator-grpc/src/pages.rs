//! Where the pages of the administrators are plugged in. The crate that draws them knows this one, not the other way
//! round.

use std::fmt;
use std::sync::Arc;

use chrono_tz::Tz;
use orchestrator_core::clock::Clock;

use crate::accounts::Accounts;
use crate::in_process::InProcess;
use crate::ticks::Ticks;

/// What pages may use of the server.
#[derive(Debug, Clone)]
pub struct Inside {
    /// The services.
    pub calls: InProcess,
    /// Signs people in and out.
    pub accounts: Accounts,
    /// Word of changes.
    pub ticks: Ticks,
    /// Where `now` comes from.
    pub clock: Arc<dyn Clock>,
    /// The zone of viewers whose browser has not said theirs.
    pub zone: Tz,
    /// Whether browsers reach the server through TLS.
    pub tls: bool,
}

/// Makes the pages when the server starts. What they make answers every request that is no call of a method, so it has a
/// fallback of its own.
#[derive(Clone)]
pub struct Pages(Arc<dyn Fn(Inside) -> axum::Router + Send + Sync>);

impl Pages {
    /// Pages that `make` makes.
    pub fn new(make: impl Fn(Inside) -> axum::Router + Send + Sync + 'static) -> Self {
        Self(Arc::new(make))
    }

    pub(crate) fn make(&self, inside: Inside) -> axum::Router {
        (self.0)(inside)
    }
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").finish_non_exhaustive()
    }
}
