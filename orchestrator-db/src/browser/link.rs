use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::UserId;
use orchestrator_core::text::ActorName;
use uuid::Uuid;

use crate::dialect::{Sql, sql};
use crate::error::DbError;
use crate::rows::{execute, fetch_scalars};
use crate::tx::Tx;

/// A link to store.
#[derive(Debug, Clone)]
pub struct NewSignInLink {
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
    /// Whom it signs in.
    pub user: UserId,
    /// Who made it; `None` for the server itself.
    pub created_by: Option<ActorName>,
    /// From when on it is refused.
    pub expires_at: Timestamp,
}

const LINK_INSERT: Sql = sql![
    "INSERT INTO sign_in_links (id, hash, user_id, created_at, created_by, expires_at) VALUES ($1, $2, $3, $4, $5, $6)"
];
const LINK_USER: Sql =
    sql!["SELECT user_id FROM sign_in_links WHERE hash = $1 AND used_at IS NULL AND expires_at > $2"];
/// The one statement that both looks and marks: of two browsers one gets the row.
const LINK_TAKE: Sql = sql![
    "UPDATE sign_in_links SET used_at = $2 WHERE hash = $1 AND used_at IS NULL AND expires_at > $2 RETURNING user_id"
];
const LINK_CANCEL: Sql = sql!["UPDATE sign_in_links SET used_at = $2 WHERE user_id = $1 AND used_at IS NULL"];
const LINK_PRUNE: Sql = sql!["DELETE FROM sign_in_links WHERE user_id = $1 AND expires_at < $2"];

impl Tx {
    /// Stores a link, and forgets those of its user that ended before `prune_before`.
    pub async fn sign_in_link_insert(
        &mut self,
        link: &NewSignInLink,
        now: Timestamp,
        prune_before: Timestamp,
    ) -> Result<(), DbError> {
        execute!(self, "sign_in_link_prune", LINK_PRUNE, [link.user.as_uuid(), prune_before])?;
        execute!(
            self,
            "sign_in_link_insert",
            LINK_INSERT,
            [
                UserId::generate().as_uuid(),
                link.hash.as_slice(),
                link.user.as_uuid(),
                now,
                link.created_by.as_ref().map(ActorName::as_str),
                link.expires_at,
            ]
        )
        .map(drop)
    }

    /// Whom a link would sign in at `now`, if it still does.
    pub async fn sign_in_link_user(&mut self, hash: &[u8; 32], now: Timestamp) -> Result<Option<UserId>, DbError> {
        let users = fetch_scalars!(self, "sign_in_link_user", LINK_USER, as Uuid, [hash.as_slice(), now])?;
        Ok(users.first().copied().map(UserId::from_uuid))
    }

    /// Uses a link up: whom it signs in, if nobody was faster and it has not expired.
    pub async fn sign_in_link_take(&mut self, hash: &[u8; 32], now: Timestamp) -> Result<Option<UserId>, DbError> {
        let users = fetch_scalars!(self, "sign_in_link_take", LINK_TAKE, as Uuid, [hash.as_slice(), now])?;
        Ok(users.first().copied().map(UserId::from_uuid))
    }

    /// Makes the unused links of a user useless.
    pub async fn sign_in_link_cancel(&mut self, user: UserId, now: Timestamp) -> Result<u64, DbError> {
        execute!(self, "sign_in_link_cancel", LINK_CANCEL, [user.as_uuid(), now])
    }
}

#[cfg(test)]
crate::statements::statements![LINK_INSERT, LINK_USER, LINK_TAKE, LINK_CANCEL, LINK_PRUNE];
