//! Lines of the log that thousands of callers would cause at once.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long the same is not told again.
const PAUSE: Duration = Duration::from_secs(10);

/// Tells something at most once in ten seconds, and how often it was kept back since.
#[derive(Debug)]
pub(super) struct Seldom(Mutex<Option<Told>>);

#[derive(Debug)]
struct Told {
    at: Instant,
    kept_back: u64,
}

impl Seldom {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Where it is to be told now: how often it was kept back since the last time.
    pub(super) fn tell(&self, now: Instant) -> Option<u64> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(told) = last.as_mut().filter(|told| now.saturating_duration_since(told.at) < PAUSE) {
            told.kept_back += 1;
            return None;
        }
        let kept_back = last.as_ref().map_or(0, |told| told.kept_back);
        *last = Some(Told { at: now, kept_back: 0 });
        Some(kept_back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_many_is_told_at_once_and_the_rest_are_counted() {
        let (seldom, start) = (Seldom::new(), Instant::now());
        assert_eq!(seldom.tell(start), Some(0));
        assert_eq!(seldom.tell(start), None);
        assert_eq!(seldom.tell(start + Duration::from_millis(9_999)), None);
        assert_eq!(seldom.tell(start + PAUSE), Some(2));
        assert_eq!(seldom.tell(start + PAUSE * 3), Some(0));
    }
}
