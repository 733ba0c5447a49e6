//! Comparing and hashing passwords, away from the threads that answer, a few at a time: each takes 19 MiB and a core.

use std::time::Duration;

use orchestrator_core::secret::{NewPassword, PasswordHash, Plaintext};
use tokio::sync::{Semaphore, SemaphorePermit};
use tonic::{Code, Status};

use crate::status::{self, Refusal, reason};

/// At once.
const PLACES: usize = 2;
/// How long one waits for a place.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most who wait: what comes after them would not get a place in time.
const MOST_WAITING: usize = 64;
/// No password is longer in bytes; longer texts are not worth the work.
const MOST_BYTES: usize = 1024;

#[derive(Debug)]
pub(super) struct Hashing {
    places: Semaphore,
    waiting: Semaphore,
}

impl Default for Hashing {
    fn default() -> Self {
        Self { places: Semaphore::new(PLACES), waiting: Semaphore::new(MOST_WAITING) }
    }
}

impl Hashing {
    /// Whether the password is the one that was hashed.
    pub(super) async fn compare(&self, hash: PasswordHash, password: Plaintext) -> Result<bool, Status> {
        let _place = self.place().await?;
        let is_too_long = password.expose().len() > MOST_BYTES;
        let password = if is_too_long { Plaintext::new(String::new()) } else { password };
        let compared = tokio::task::spawn_blocking(move || hash.is_of(&password)).await;
        compared.map(|is_it| is_it && !is_too_long).map_err(|error| status::internal(&error))
    }

    /// The hash of a new password.
    pub(super) async fn hash(&self, password: NewPassword) -> Result<PasswordHash, Status> {
        let _place = self.place().await?;
        let hashed = tokio::task::spawn_blocking(move || password.hash()).await;
        let hashed = hashed.map_err(|error| status::internal(&error))?;
        hashed.map_err(|error| status::internal(&error))
    }

    async fn place(&self) -> Result<SemaphorePermit<'_>, Status> {
        let _waiting = self.waiting.try_acquire().map_err(|_| busy())?;
        match tokio::time::timeout(PATIENCE, self.places.acquire()).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err(busy()),
        }
    }
}

fn busy() -> Status {
    let message = "too many people are signing in at the moment; try again";
    Refusal::new(Code::ResourceExhausted, reason::OVERLOADED, message).retry_after(PATIENCE).status()
}
