//! Tokens that people got by signing in at the command line: they end with the sessions of their user.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{TokenId, UserId};
use uuid::Uuid;

use super::StoredToken;
use super::row::{TokenRow, token_columns};
use crate::dialect::{Sql, on_conn, sql};
use crate::error::{DbError, Readable};
use crate::rows::execute;
use crate::tx::Tx;

/// Whose token it is, and from where it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenOfPerson {
    /// The person.
    pub user: UserId,
    /// Where the person was.
    pub address: String,
    /// With what program.
    pub user_agent: String,
}

const LIST_OF_PEOPLE: Sql = sql!["SELECT " [columns token_columns] " FROM tokens
     WHERE user_id IS NOT NULL AND revoked_at IS NULL AND expires_at > $1 ORDER BY id DESC"];
const LIST_OF_PERSON: Sql = sql!["SELECT " [columns token_columns] " FROM tokens
     WHERE user_id = $2 AND revoked_at IS NULL AND expires_at > $1 ORDER BY id DESC"];
const REVOKE_OF_PERSON: Sql =
    sql!["UPDATE tokens SET revoked_at = $3 WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL AND expires_at > $3"];
const REVOKE_ALL_OF_PERSON: Sql = sql![
    "UPDATE tokens SET revoked_at = $3 WHERE user_id = $1 AND id <> $2 AND revoked_at IS NULL AND expires_at > $3"
];
const FORGET_OF_PERSON: Sql = sql!["DELETE FROM tokens WHERE user_id = $1 AND expires_at < $2"];

impl Tx {
    /// Live tokens of people, newest first: of all, or of one.
    pub async fn token_list_of_people(
        &mut self,
        user: Option<UserId>,
        now: Timestamp,
    ) -> Result<Readable<StoredToken>, DbError> {
        let rows: Vec<TokenRow> = on_conn!(self, |conn, dialect| {
            match user {
                None => sqlx::query_as(LIST_OF_PEOPLE.text(dialect)).bind(now).fetch_all(conn).await,
                Some(user) => {
                    sqlx::query_as(LIST_OF_PERSON.text(dialect)).bind(now).bind(user.as_uuid()).fetch_all(conn).await
                }
            }
        })
        .map_err(DbError::in_op("token_list_of_people"))?;
        Ok(Readable::collect(rows.into_iter().map(StoredToken::try_from)))
    }

    /// Ends one token of a person. Whether it was still there to end.
    pub async fn token_revoke_of_person(&mut self, id: TokenId, user: UserId, now: Timestamp) -> Result<bool, DbError> {
        let ended = execute!(self, "token_revoke_of_person", REVOKE_OF_PERSON, [id.as_uuid(), user.as_uuid(), now])?;
        Ok(ended == 1)
    }

    /// Ends all tokens of a person, or all but one. How many there were.
    pub async fn token_revoke_all_of_person(
        &mut self,
        user: UserId,
        but: Option<TokenId>,
        now: Timestamp,
    ) -> Result<u64, DbError> {
        let but = but.map_or_else(Uuid::nil, TokenId::as_uuid);
        execute!(self, "token_revoke_all_of_person", REVOKE_ALL_OF_PERSON, [user.as_uuid(), but, now])
    }

    /// Forgets the tokens of a person that expired before `before`.
    pub async fn token_forget_of_person(&mut self, user: UserId, before: Timestamp) -> Result<(), DbError> {
        execute!(self, "token_forget_of_person", FORGET_OF_PERSON, [user.as_uuid(), before]).map(drop)
    }
}

#[cfg(test)]
crate::statements::statements![
    LIST_OF_PEOPLE,
    LIST_OF_PERSON,
    REVOKE_OF_PERSON,
    REVOKE_ALL_OF_PERSON,
    FORGET_OF_PERSON
];
