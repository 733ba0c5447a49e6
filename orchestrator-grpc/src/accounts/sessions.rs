//! From a cookie to the user: looked up in the database, remembered for at most five seconds.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::TimeDelta;
use orchestrator_core::clock::Timestamp;
use orchestrator_core::secret::{SignInSecret, TokenHash};
use orchestrator_db::{Db, DbError};

use super::{Accounts, SignedIn};

/// How long an answer of the database is believed: so long the end of a session may take on another server.
const BELIEVED: TimeDelta = TimeDelta::seconds(5);
/// The most answers that are remembered, so that guessing cannot fill the memory.
const MOST_REMEMBERED: usize = 10_000;
/// When a session was used is kept to this.
const GRAIN: TimeDelta = TimeDelta::minutes(1);

#[derive(Debug, Clone)]
struct Answer {
    /// Read before the database was asked.
    asked_at: Timestamp,
    live: Option<Live>,
}

#[derive(Debug, Clone)]
struct Live {
    signed_in: SignedIn,
    idle_at: Timestamp,
}

impl Answer {
    fn is_believed_at(&self, now: Timestamp) -> bool {
        // A clock that was set back must not keep an answer alive.
        (self.asked_at..self.asked_at + BELIEVED).contains(&now)
    }

    fn at(self, now: Timestamp) -> Option<SignedIn> {
        self.live.filter(|live| now < live.idle_at && now < live.signed_in.expires_at).map(|live| live.signed_in)
    }
}

#[derive(Debug)]
pub(super) struct Sessions {
    db: Db,
    idle: TimeDelta,
    answers: Mutex<HashMap<TokenHash, Answer>>,
}

impl Sessions {
    pub(super) fn new(db: Db, idle: TimeDelta) -> Self {
        Self { db, idle, answers: Mutex::default() }
    }

    pub(super) fn forget_all(&self) {
        self.lock().clear();
    }

    async fn identify(&self, secret: &SignInSecret, now: Timestamp) -> Result<Option<SignedIn>, DbError> {
        let hash = secret.hash();
        let remembered = self.lock().get(&hash).filter(|answer| answer.is_believed_at(now)).cloned();
        if let Some(answer) = remembered {
            return Ok(answer.at(now));
        }
        let answer = Answer { asked_at: now, live: self.ask(&hash, now).await? };
        self.remember(hash, answer.clone(), now);
        Ok(answer.at(now))
    }

    async fn ask(&self, hash: &TokenHash, now: Timestamp) -> Result<Option<Live>, DbError> {
        let mut tx = self.db.begin_read().await?;
        let Some(session) = tx.browser_session_by_hash(hash.as_bytes()).await? else { return Ok(None) };
        if !session.is_live_at(now, self.idle) {
            return Ok(None);
        }
        let user = tx.user_by_id(session.user).await?.filter(|user| user.disabled_at.is_none());
        drop(tx);
        let Some(user) = user else { return Ok(None) };
        let seen_at = if now - session.last_seen_at >= GRAIN {
            self.touch(session.id, now).await;
            now
        } else {
            session.last_seen_at
        };
        let signed_in = SignedIn {
            session: session.id,
            user: user.id,
            has_password: user.password.is_some(),
            name: user.name,
            display_name: user.display_name,
            role: user.role,
            expires_at: session.expires_at,
        };
        Ok(Some(Live { signed_in, idle_at: seen_at + self.idle }))
    }

    /// A stamp that cannot be written, on a full disk for one, keeps nobody out.
    async fn touch(&self, session: orchestrator_core::id::SignInId, now: Timestamp) {
        let written = async {
            let mut tx = self.db.begin_write().await?;
            tx.browser_session_touch(session, now).await?;
            tx.commit().await
        };
        if let Err(error) = written.await {
            tracing::warn!(%error, "when a session was used could not be written");
        }
    }

    fn remember(&self, hash: TokenHash, answer: Answer, now: Timestamp) {
        let mut answers = self.lock();
        if answers.len() >= MOST_REMEMBERED {
            answers.retain(|_, answer| answer.is_believed_at(now));
            if answers.len() >= MOST_REMEMBERED {
                answers.clear();
            }
        }
        answers.insert(hash, answer);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TokenHash, Answer>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Accounts {
    /// Whose session this is the cookie of, if it is live.
    pub(crate) async fn identify(&self, cookie: &str) -> Result<Option<SignedIn>, DbError> {
        let Some(secret) = SignInSecret::parse(cookie) else { return Ok(None) };
        self.inner.sessions.identify(&secret, self.scheduler().now()).await
    }
}
