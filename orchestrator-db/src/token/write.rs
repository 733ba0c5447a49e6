use std::collections::BTreeMap;

use chrono::{DurationRound, TimeDelta};
use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::TokenId;

use super::NewToken;
use crate::dialect::{Sql, on_conn, sql};
use crate::error::DbError;
use crate::tx::Tx;

const TOKEN_INSERT: Sql = sql![
    "INSERT INTO tokens
     (id, kind, name, role, hash, prefix, created_at, created_by, expires_at, user_id, address, user_agent)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
];
const TOKEN_REVOKE: Sql = sql!["UPDATE tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL"];
const TOKEN_TOUCH: Sql = sql![
    "UPDATE tokens SET last_used_at = $2
     WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)"
];

impl Tx {
    /// Stores a token. The same secret twice is a conflict.
    pub async fn token_insert(&mut self, token: &NewToken, now: Timestamp) -> Result<(), DbError> {
        on_conn!(self, |conn, dialect| {
            sqlx::query(TOKEN_INSERT.text(dialect))
                .bind(token.id.as_uuid())
                .bind(token.kind.as_str())
                .bind(token.name.as_str())
                .bind(token.role.map(orchestrator_core::identity::Role::as_str))
                .bind(token.hash.as_slice())
                .bind(&token.prefix)
                .bind(now)
                .bind(token.created_by.as_ref().map(AsRef::<str>::as_ref))
                .bind(token.expires_at)
                .bind(token.person.as_ref().map(|person| person.user.as_uuid()))
                .bind(token.person.as_ref().map(|person| person.address.as_str()))
                .bind(token.person.as_ref().map(|person| person.user_agent.as_str()))
                .execute(conn)
                .await
                .map(drop)
        })
        .map_err(DbError::in_op("token_insert"))
    }

    /// Ends a token. Whether it was still there to end: a second revocation changes nothing.
    pub async fn token_revoke(&mut self, id: TokenId, now: Timestamp) -> Result<bool, DbError> {
        on_conn!(self, |conn, dialect| {
            sqlx::query(TOKEN_REVOKE.text(dialect))
                .bind(id.as_uuid())
                .bind(now)
                .execute(conn)
                .await
                .map(|done| done.rows_affected() == 1)
        })
        .map_err(DbError::in_op("token_revoke"))
    }

    /// Notes when tokens were used, to the minute; never back in time. Called once in a while with what was gathered.
    pub async fn token_touch(&mut self, uses: &[(TokenId, Timestamp)]) -> Result<(), DbError> {
        // In the order of ids, so that two servers do not lock the same rows crosswise.
        let mut latest: BTreeMap<TokenId, Timestamp> = BTreeMap::new();
        for (id, at) in uses {
            let minute = at.duration_trunc(TimeDelta::minutes(1)).unwrap_or(*at);
            let known = latest.entry(*id).or_insert(minute);
            *known = (*known).max(minute);
        }
        for (id, minute) in latest {
            on_conn!(self, |conn, dialect| {
                sqlx::query(TOKEN_TOUCH.text(dialect)).bind(id.as_uuid()).bind(minute).execute(conn).await.map(drop)
            })
            .map_err(DbError::in_op("token_touch"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
crate::statements::statements![TOKEN_INSERT, TOKEN_REVOKE, TOKEN_TOUCH];
