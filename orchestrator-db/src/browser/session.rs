use chrono::{DateTime, Utc};
use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{SignInId, UserId};
use uuid::Uuid;

use crate::dialect::{Sql, sql};
use crate::error::{DbError, Readable};
use crate::rows::{execute, fetch};
use crate::tx::Tx;

/// A session to store.
#[derive(Debug, Clone)]
pub struct NewBrowserSession {
    /// The id.
    pub id: SignInId,
    /// SHA-256 of the cookie's secret.
    pub hash: [u8; 32],
    /// Whose it is.
    pub user: UserId,
    /// How the user signed in: `PASSWORD`, `LINK` or `TOKEN`.
    pub method: &'static str,
    /// From when on it is refused, however busy.
    pub expires_at: Timestamp,
    /// Where the browser is.
    pub address: String,
    /// What the browser calls itself.
    pub user_agent: String,
}

/// A session as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrowserSession {
    /// The id.
    pub id: SignInId,
    /// Whose it is.
    pub user: UserId,
    /// How the user signed in.
    pub method: String,
    /// When.
    pub created_at: Timestamp,
    /// When it was used last, to the minute.
    pub last_seen_at: Timestamp,
    /// From when on it is refused, however busy.
    pub expires_at: Timestamp,
    /// When it was ended.
    pub ended_at: Option<Timestamp>,
    /// Where the browser was.
    pub address: String,
    /// What the browser called itself.
    pub user_agent: String,
}

impl BrowserSession {
    /// Whether it is accepted at `now`, when sessions that were not used for `idle` are not.
    pub fn is_live_at(&self, now: Timestamp, idle: chrono::TimeDelta) -> bool {
        self.ended_at.is_none() && now < self.expires_at && now < self.last_seen_at + idle
    }
}

macro_rules! session_columns {
    () => {
        "id, user_id, method, created_at, last_seen_at, expires_at, ended_at, address, user_agent"
    };
}

const SESSION_INSERT: Sql = sql![
    "INSERT INTO sessions (id, hash, user_id, method, created_at, last_seen_at, expires_at, address, user_agent)
     VALUES ($1, $2, $3, $4, $5, $5, $6, $7, $8)"
];
const SESSION_BY_HASH: Sql = sql!["SELECT " [columns session_columns] " FROM sessions WHERE hash = $1"];
const SESSION_LIST: Sql = sql!["SELECT " [columns session_columns] " FROM sessions
     WHERE ended_at IS NULL AND expires_at > $1 AND last_seen_at > $2 ORDER BY id DESC"];
const SESSION_LIST_OF_USER: Sql = sql!["SELECT " [columns session_columns] " FROM sessions
     WHERE user_id = $3 AND ended_at IS NULL AND expires_at > $1 AND last_seen_at > $2 ORDER BY id DESC"];
const SESSION_TOUCH: Sql = sql!["UPDATE sessions SET last_seen_at = $2 WHERE id = $1 AND last_seen_at < $2"];
const SESSION_END: Sql =
    sql!["UPDATE sessions SET ended_at = $3 WHERE id = $1 AND user_id = $2 AND ended_at IS NULL AND expires_at > $3"];
const SESSION_END_OF_USER: Sql =
    sql!["UPDATE sessions SET ended_at = $3 WHERE user_id = $1 AND id <> $2 AND ended_at IS NULL AND expires_at > $3"];
const SESSION_PRUNE: Sql = sql!["DELETE FROM sessions WHERE user_id = $1 AND expires_at < $2"];

#[derive(Debug, sqlx::FromRow)]
struct SessionRow {
    id: Uuid,
    user_id: Uuid,
    method: String,
    created_at: DateTime<Utc>,
    last_seen_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
    address: String,
    user_agent: String,
}

impl From<SessionRow> for BrowserSession {
    fn from(row: SessionRow) -> Self {
        Self {
            id: SignInId::from_uuid(row.id),
            user: UserId::from_uuid(row.user_id),
            method: row.method,
            created_at: row.created_at,
            last_seen_at: row.last_seen_at,
            expires_at: row.expires_at,
            ended_at: row.ended_at,
            address: row.address,
            user_agent: row.user_agent,
        }
    }
}

impl Tx {
    /// Stores a session, and forgets those of its user that expired before `prune_before`.
    pub async fn browser_session_insert(
        &mut self,
        session: &NewBrowserSession,
        now: Timestamp,
        prune_before: Timestamp,
    ) -> Result<(), DbError> {
        execute!(self, "browser_session_prune", SESSION_PRUNE, [session.user.as_uuid(), prune_before])?;
        execute!(
            self,
            "browser_session_insert",
            SESSION_INSERT,
            [
                session.id.as_uuid(),
                session.hash.as_slice(),
                session.user.as_uuid(),
                session.method,
                now,
                session.expires_at,
                &session.address,
                &session.user_agent,
            ]
        )
        .map(drop)
    }

    /// The session with this hash, live or not.
    pub async fn browser_session_by_hash(&mut self, hash: &[u8; 32]) -> Result<Option<BrowserSession>, DbError> {
        let mut rows = fetch!(self, "browser_session_by_hash", SESSION_BY_HASH,
            table "sessions" key "id" as SessionRow, [hash.as_slice()])?;
        Ok(rows.pop().transpose()?.map(BrowserSession::from))
    }

    /// Sessions that are live at `now`, newest first: all, or those of one user. Those not seen since `seen_after` are not
    /// live any more.
    pub async fn browser_session_list(
        &mut self,
        user: Option<UserId>,
        now: Timestamp,
        seen_after: Timestamp,
    ) -> Result<Readable<BrowserSession>, DbError> {
        let rows = match user {
            None => fetch!(self, "browser_session_list", SESSION_LIST,
                table "sessions" key "id" as SessionRow, [now, seen_after])?,
            Some(user) => fetch!(self, "browser_session_list", SESSION_LIST_OF_USER,
                table "sessions" key "id" as SessionRow, [now, seen_after, user.as_uuid()])?,
        };
        Ok(Readable::collect(rows.into_iter().map(|row| row.map(BrowserSession::from))))
    }

    /// Notes that a session was used; never back in time.
    pub async fn browser_session_touch(&mut self, id: SignInId, now: Timestamp) -> Result<(), DbError> {
        execute!(self, "browser_session_touch", SESSION_TOUCH, [id.as_uuid(), now]).map(drop)
    }

    /// Ends one session of a user. Whether it was still there to end.
    pub async fn browser_session_end(&mut self, id: SignInId, user: UserId, now: Timestamp) -> Result<bool, DbError> {
        let ended = execute!(self, "browser_session_end", SESSION_END, [id.as_uuid(), user.as_uuid(), now])?;
        Ok(ended == 1)
    }

    /// Ends all sessions of a user, or all but one. How many there were.
    pub async fn browser_session_end_of_user(
        &mut self,
        user: UserId,
        but: Option<SignInId>,
        now: Timestamp,
    ) -> Result<u64, DbError> {
        let but = but.map_or_else(Uuid::nil, SignInId::as_uuid);
        execute!(self, "browser_session_end_of_user", SESSION_END_OF_USER, [user.as_uuid(), but, now])
    }
}

#[cfg(test)]
crate::statements::statements![
    SESSION_INSERT,
    SESSION_BY_HASH,
    SESSION_LIST,
    SESSION_LIST_OF_USER,
    SESSION_TOUCH,
    SESSION_END,
    SESSION_END_OF_USER,
    SESSION_PRUNE
];
