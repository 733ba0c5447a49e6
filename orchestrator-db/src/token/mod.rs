//! API tokens of users and workers. Only the hash of a secret is stored; tokens of jobs are kept with their job.

mod person;
mod row;
mod write;

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::TokenId;
use orchestrator_core::identity::{IdentityKind, Role};
use orchestrator_core::text::ActorName;

use sqlx::types::Json;

use crate::dialect::{Sql, on_conn, sql};
use crate::error::{Corrupt, DbError, Readable};
use crate::lists::hex;
use crate::rows::fetch_scalars;
use crate::tx::Tx;

pub use person::TokenOfPerson;
use row::{HashedRow, TokenRow, token_columns};

/// A token to store.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Its id.
    pub id: TokenId,
    /// Whose calls it is for.
    pub kind: IdentityKind,
    /// The person, script or worker that holds it.
    pub name: ActorName,
    /// What it may do, for users.
    pub role: Option<Role>,
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
    /// What lists show in place of the secret.
    pub prefix: String,
    /// Who made it.
    pub created_by: Option<ActorName>,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
    /// The person who got it by signing in; nobody in particular where an administrator made it.
    pub person: Option<TokenOfPerson>,
}

/// A token as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredToken {
    /// Its id.
    pub id: TokenId,
    /// Whose calls it is for.
    pub kind: IdentityKind,
    /// The person, script or worker that holds it.
    pub name: ActorName,
    /// What it may do, for users.
    pub role: Option<Role>,
    /// What lists show in place of the secret.
    pub prefix: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: Option<ActorName>,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was used last, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// The person who got it by signing in; nobody in particular where an administrator made it.
    pub person: Option<TokenOfPerson>,
}

impl StoredToken {
    /// Whether it is accepted at `now`.
    pub fn is_live_at(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|expires_at| now < expires_at)
    }
}

const TOKEN_BY_HASH: Sql = sql!["SELECT " [columns token_columns] " FROM tokens WHERE hash = $1"];
const TOKENS_BY_HASH: Sql = sql!["SELECT hash, " [columns token_columns] " FROM tokens WHERE hash "
    [only sqlite "IN (SELECT unhex(value) FROM json_each($1))"]
    [only postgres "= ANY(ARRAY(SELECT decode(value, 'hex') FROM jsonb_array_elements_text($1)))"]];
const TOKEN_LIST: Sql = sql!["SELECT " [columns token_columns] " FROM tokens
     WHERE $1 OR (revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)) ORDER BY name, id"];
const TOKEN_FIND: Sql = sql!["SELECT " [columns token_columns] " FROM tokens
     WHERE name = $1 OR prefix = $1 OR prefix = $2 OR id = $3 ORDER BY id"];
const TOKEN_ANY_ADMIN: Sql = sql![
    "SELECT EXISTS (SELECT 1 FROM tokens WHERE role = 'ADMIN' AND revoked_at IS NULL
        AND (expires_at IS NULL OR expires_at > $1))"
];

// Whoever comes second waits, and then sees what the first has written.
const TOKEN_LOCK_FIRST: Sql = sql![
    [only sqlite "SELECT ''"]
    [only postgres "SELECT CAST(pg_advisory_xact_lock(hashtextextended('orchestrator first administrator', 0)) AS TEXT)"]
];

impl Tx {
    /// The token with this hash, live or not.
    pub async fn token_by_hash(&mut self, hash: &[u8]) -> Result<Option<StoredToken>, DbError> {
        let row: Option<TokenRow> = on_conn!(self, |conn, dialect| {
            sqlx::query_as(TOKEN_BY_HASH.text(dialect)).bind(hash).fetch_optional(conn).await
        })
        .map_err(DbError::in_op("token_by_hash"))?;
        Ok(row.map(StoredToken::try_from).transpose()?)
    }

    /// The tokens with these hashes, live or not; those that nothing has are left out, and so are rows that cannot be read,
    /// after a log line.
    pub async fn tokens_by_hash(&mut self, hashes: &[[u8; 32]]) -> Result<Vec<([u8; 32], StoredToken)>, DbError> {
        let hashes: Vec<String> = hashes.iter().map(|hash| hex(hash)).collect();
        let rows: Vec<HashedRow> = on_conn!(self, |conn, dialect| {
            sqlx::query_as(TOKENS_BY_HASH.text(dialect)).bind(Json(&hashes)).fetch_all(conn).await
        })
        .map_err(DbError::in_op("tokens_by_hash"))?;
        Ok(Readable::collect(rows.into_iter().map(HashedRow::read)).rows)
    }

    /// Tokens by name: the live ones, or also those that were revoked or have expired.
    pub async fn token_list(&mut self, include_ended: bool, now: Timestamp) -> Result<Readable<StoredToken>, DbError> {
        let rows: Vec<TokenRow> = on_conn!(self, |conn, dialect| {
            sqlx::query_as(TOKEN_LIST.text(dialect)).bind(include_ended).bind(now).fetch_all(conn).await
        })
        .map_err(DbError::in_op("token_list"))?;
        Ok(Readable::collect(rows.into_iter().map(StoredToken::try_from)))
    }

    /// The token with this id, this prefix, or this name. Where several have the name, the one that is live at `now`.
    pub async fn token_find(&mut self, key: &str, now: Timestamp) -> Result<StoredToken, DbError> {
        let id = key.parse::<TokenId>().ok().map(TokenId::as_uuid);
        let rows: Vec<TokenRow> = on_conn!(self, |conn, dialect| {
            sqlx::query_as(TOKEN_FIND.text(dialect)).bind(key).bind(format!("{key}…")).bind(id).fetch_all(conn).await
        })
        .map_err(DbError::in_op("token_find"))?;
        let found: Vec<StoredToken> = rows.into_iter().map(StoredToken::try_from).collect::<Result<_, Corrupt>>()?;
        pick(found, key, now)
    }

    /// Lets one server at a time look for an administrator and make the first one, until its transaction ends. SQLite has one
    /// writer at a time anyway.
    pub async fn token_lock_first_admin(&mut self) -> Result<(), DbError> {
        fetch_scalars!(self, "token_lock_first_admin", TOKEN_LOCK_FIRST, as String, []).map(drop)
    }

    /// Whether some token of an administrator is live.
    pub async fn token_any_admin(&mut self, now: Timestamp) -> Result<bool, DbError> {
        on_conn!(self, |conn, dialect| {
            sqlx::query_scalar(TOKEN_ANY_ADMIN.text(dialect)).bind(now).fetch_one(conn).await
        })
        .map_err(DbError::in_op("token_any_admin"))
    }
}

/// The one token among those that fit: the only one, or the only live one.
fn pick(mut found: Vec<StoredToken>, key: &str, now: Timestamp) -> Result<StoredToken, DbError> {
    if found.len() > 1 {
        found.retain(|token| token.is_live_at(now));
        if found.len() != 1 {
            return Err(DbError::Ambiguous { what: "token", key: key.to_owned() });
        }
    }
    found.pop().ok_or_else(|| DbError::not_found("token", key))
}

#[cfg(test)]
crate::statements::statements![TOKEN_BY_HASH, TOKENS_BY_HASH, TOKEN_LIST, TOKEN_FIND, TOKEN_LOCK_FIRST, TOKEN_ANY_ADMIN; person, write];
