//! Whose tokens have read the server's figures, for the time when the database cannot be asked.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::TimeDelta;
use orchestrator_core::clock::Timestamp;

use super::headers::Presented;

/// For how long after the database last knew a token its owner still reads figures without it.
const BELIEVED: TimeDelta = TimeDelta::days(1);

/// The most that are remembered: whoever scrapes is among the few that come again.
const MOST: usize = 100;

/// Until when each is believed.
#[derive(Debug, Default)]
pub(super) struct Readers(Mutex<HashMap<Presented, Timestamp>>);

impl Readers {
    /// The database has just said that this token, which ends at `expires_at`, may read.
    pub(super) fn note(&self, presented: Presented, expires_at: Option<Timestamp>, now: Timestamp) {
        let until = now + BELIEVED;
        let until = expires_at.map_or(until, |expires_at| expires_at.min(until));
        let mut readers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() >= MOST {
            readers.retain(|_, until| now < *until);
        }
        if readers.len() < MOST || readers.contains_key(&presented) {
            readers.insert(presented, until);
        }
    }

    /// The database has just said that this token may not read.
    pub(super) fn forget(&self, presented: &Presented) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(presented);
    }

    /// A token has ended somewhere, and it may be one of these: each shows itself again with the next look.
    pub(super) fn forget_all(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Whether it may read, as far as is known without the database.
    pub(super) fn knows(&self, presented: &Presented, now: Timestamp) -> bool {
        let readers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        readers.get(presented).is_some_and(|until| now < *until)
    }
}

#[cfg(test)]
mod tests {
    use orchestrator_core::secret::{ApiToken, TokenKind};

    use super::*;

    #[test]
    fn a_reader_is_believed_for_a_day_and_never_after_its_token_ends_or_is_refused() {
        let now = Timestamp::UNIX_EPOCH;
        let of = || Presented::User(ApiToken::generate(TokenKind::User).unwrap().hash());
        let (lasting, ending, revoked) = (of(), of(), of());
        let readers = Readers::default();
        readers.note(lasting, None, now);
        readers.note(ending, Some(now + TimeDelta::minutes(1)), now);
        readers.note(revoked, None, now);
        readers.forget(&revoked);
        assert!(readers.knows(&lasting, now + TimeDelta::hours(23)) && !readers.knows(&lasting, now + BELIEVED));
        assert!(readers.knows(&ending, now) && !readers.knows(&ending, now + TimeDelta::minutes(1)));
        assert!(!readers.knows(&revoked, now) && !readers.knows(&of(), now));
    }

    #[test]
    fn nobody_is_believed_after_the_word_that_a_token_has_ended() {
        let (now, readers) = (Timestamp::UNIX_EPOCH, Readers::default());
        let reader = Presented::User(ApiToken::generate(TokenKind::User).unwrap().hash());
        readers.note(reader, None, now);
        readers.forget_all();
        assert!(!readers.knows(&reader, now));
    }

    #[test]
    fn so_many_readers_are_remembered_and_those_who_were_stay() {
        let now = Timestamp::UNIX_EPOCH;
        let of = || Presented::User(ApiToken::generate(TokenKind::User).unwrap().hash());
        let first = of();
        let readers = Readers::default();
        readers.note(first, None, now);
        for _ in 0..2 * MOST {
            readers.note(of(), None, now);
        }
        assert!(readers.knows(&first, now));
        assert_eq!(readers.0.lock().unwrap().len(), MOST);
    }
}
