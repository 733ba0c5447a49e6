//! Waiting for what must come, without sleeping for a time that might be enough.

use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Looks until `look` succeeds, and returns what it saw.
///
/// # Panics
///
/// When it does not succeed in time; says what it saw last.
pub async fn eventually<T>(what: &str, within: Duration, mut look: impl AsyncFnMut() -> Result<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        match look().await {
            Ok(seen) => return seen,
            Err(error) => assert!(Instant::now() < deadline, "{what}: not within {within:?}; at last: {error:#}"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Looks again and again for some time, and fails when something ever ceases to hold: for what must *not* happen.
///
/// # Panics
///
/// When `look` fails once.
pub async fn holds_for(what: &str, time: Duration, mut look: impl AsyncFnMut() -> Result<()>) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        if let Err(error) = look().await {
            panic!("{what}: ceased to hold: {error:#}");
        }
        tokio::time::sleep(PAUSE).await;
    }
}
