//! Whether the server answers: said once when it stops, once when it answers again, and heard by all who wait for it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tonic::Status;

use super::call::{Failure, failure, said, way_to_server};

/// How the server is, as registrations and heartbeats find it.
#[derive(Debug)]
pub(crate) struct Contact {
    /// The address.
    server: String,
    trouble: Mutex<Option<Trouble>>,
    /// Counts how often the server has come back.
    returns: watch::Sender<u64>,
    lost: watch::Sender<bool>,
}

#[derive(Debug)]
struct Trouble {
    since: Instant,
    kind: Failure,
}

impl Default for Contact {
    fn default() -> Self {
        Self {
            server: String::new(),
            trouble: Mutex::default(),
            returns: watch::channel(0).0,
            lost: watch::channel(false).0,
        }
    }
}

impl Contact {
    /// With the server at an address.
    pub(crate) fn with(server: &str) -> Self {
        Self { server: server.to_owned(), ..Self::default() }
    }

    fn trouble(&self) -> MutexGuard<'_, Option<Trouble>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The server answered as it should.
    pub(crate) fn is_well(&self) {
        if let Some(trouble) = self.trouble().take() {
            tracing::info!(after_s = trouble.since.elapsed().as_secs(), "the server answers again");
            self.returns.send_modify(|count| *count += 1);
            self.lost.send_replace(false);
        }
    }

    /// A call failed. Said once for each outage, and again when it is trouble of another kind; words may differ each time.
    pub(crate) fn is_bad(&self, status: &Status) {
        let (kind, words) = (failure(status), said(status));
        let mut trouble = self.trouble();
        if trouble.as_ref().is_some_and(|known| known.kind == kind) {
            return;
        }
        if kind == Failure::Away {
            let next = way_to_server(&self.server, &words);
            tracing::warn!(error = words, next, "the server does not answer; robots go on, and it is tried again");
        } else {
            tracing::error!(error = words, "the server refuses this worker; robots go on, and it is tried again");
        }
        let since = trouble.as_ref().map_or_else(Instant::now, |known| known.since);
        *trouble = Some(Trouble { since, kind });
        self.lost.send_replace(true);
    }

    /// Whether the last that was heard of the server was trouble.
    pub(crate) fn is_lost(&self) -> bool {
        self.trouble().is_some()
    }

    /// Tells when that changes.
    pub(crate) fn watch(&self) -> watch::Receiver<bool> {
        self.lost.subscribe()
    }

    /// Waits for so long, or until the server has come back.
    pub(crate) async fn pause(&self, longest: Duration) {
        let mut returns = self.returns.subscribe();
        // The sender lives as long as this.
        let _ = tokio::time::timeout(longest, returns.changed()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_pause_ends_when_the_server_is_back() {
        let contact = Contact::default();
        contact.is_bad(&Status::unavailable("gone"));
        assert!(contact.is_lost());
        let began = tokio::time::Instant::now();
        tokio::join!(contact.pause(Duration::from_hours(1)), async { contact.is_well() });
        assert_eq!((began.elapsed(), contact.is_lost()), (Duration::ZERO, false));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_was_never_away_wakes_nobody() {
        let contact = Contact::default();
        let began = tokio::time::Instant::now();
        tokio::join!(contact.pause(Duration::from_secs(9)), async { contact.is_well() });
        assert_eq!(began.elapsed(), Duration::from_secs(9));
    }
}
