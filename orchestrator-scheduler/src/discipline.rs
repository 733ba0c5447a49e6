//! One clock for all servers: each keeps its own with the database's.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use orchestrator_core::clock::{Clock, Timestamp, truncate};
use orchestrator_db::{Db, DbError};

/// Clocks that are further apart than this are told about.
const WARN_OFFSET: chrono::Duration = chrono::Duration::seconds(1);

/// Further apart than this, a server does not decide what is due.
pub(crate) const MOST_OFFSET: chrono::Duration = chrono::Duration::seconds(30);

/// A difference smaller than this is noise of the measurement; following it would make instants go back and forth.
const NOISE: chrono::Duration = chrono::Duration::milliseconds(50);

/// The machine's clock, corrected by its offset from the database's.
#[derive(Debug)]
pub struct DisciplinedClock {
    own: Arc<dyn Clock>,
    /// Our clock minus the database's, in microseconds.
    offset: AtomicI64,
}

impl DisciplinedClock {
    /// A clock that is not corrected yet.
    pub fn new(own: Arc<dyn Clock>) -> Self {
        Self { own, offset: AtomicI64::new(0) }
    }

    /// Our clock minus the database's, as it is corrected for.
    pub fn offset(&self) -> chrono::Duration {
        chrono::Duration::microseconds(self.offset.load(Ordering::Acquire))
    }

    /// Measures the offset and corrects for it from now on.
    pub async fn discipline(&self, db: &Db) -> Result<(), DbError> {
        let asked = self.own.now();
        let Some(theirs) = db.clock().await? else { return Ok(()) };
        let answered = self.own.now();
        let offset = asked + (answered - asked) / 2 - theirs;
        if (offset - self.offset()).abs() < NOISE {
            return Ok(());
        }
        self.offset.store(offset.num_microseconds().unwrap_or(0), Ordering::Release);
        if offset.abs() > MOST_OFFSET {
            tracing::error!(
                offset.ms = offset.num_milliseconds(),
                "this machine's clock is more than 30 s off the database's: nothing is scheduled here until it is set right"
            );
        } else if offset.abs() > WARN_OFFSET {
            tracing::warn!(
                offset.ms = offset.num_milliseconds(),
                "this machine's clock is off the database's; corrected"
            );
        }
        Ok(())
    }
}

impl Clock for DisciplinedClock {
    fn now(&self) -> Timestamp {
        truncate(self.own.now() - self.offset())
    }
}
