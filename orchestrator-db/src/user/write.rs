use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::UserId;
use orchestrator_core::secret::PasswordHash;
use orchestrator_core::text::{ActorName, DisplayName};

use super::{NewUser, StoredUser};
use crate::dialect::{Sql, sql};
use crate::error::DbError;
use crate::rows::execute;
use crate::tx::Tx;

const USER_INSERT: Sql = sql![
    "INSERT INTO users (id, name, name_key, display_name, role, password_hash, password_changed_at, created_at, created_by,
        changed_at, changed_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $8, $9)"
];
const USER_UPDATE: Sql = sql![
    "UPDATE users SET display_name = $2, role = $3, disabled_at = $4, changed_at = $5, changed_by = $6 WHERE id = $1"
];
const USER_SET_PASSWORD: Sql = sql![
    "UPDATE users SET password_hash = $2, password_changed_at = $3, changed_at = $3, changed_by = $4 WHERE id = $1"
];
const USER_SIGNED_IN: Sql = sql!["UPDATE users SET last_sign_in_at = $2 WHERE id = $1"];

// Nothing of these is history: each is a way to sign in.
const USER_DELETE_LINKS: Sql = sql!["DELETE FROM sign_in_links WHERE user_id = $1"];
const USER_DELETE_SESSIONS: Sql = sql!["DELETE FROM sessions WHERE user_id = $1"];
const USER_DELETE_TOKENS: Sql = sql!["DELETE FROM tokens WHERE user_id = $1"];
const USER_DELETE: Sql = sql!["DELETE FROM users WHERE id = $1"];

impl Tx {
    /// Stores a user. A name that differs only in case is a conflict.
    pub async fn user_insert(&mut self, user: &NewUser, now: Timestamp) -> Result<(), DbError> {
        execute!(
            self,
            "user_insert",
            USER_INSERT,
            [
                user.id.as_uuid(),
                user.name.as_str(),
                user.name.key(),
                user.display_name.as_ref().map(DisplayName::as_str),
                user.role.as_str(),
                user.password.as_ref().map(PasswordHash::as_str),
                user.password.is_some().then_some(now),
                now,
                user.created_by.as_ref().map(ActorName::as_str),
            ]
        )
        .map(drop)
    }

    /// Writes what the user is called and may do, and whether it may sign in; `changed_at` and `changed_by` with it.
    pub async fn user_update(&mut self, user: &StoredUser) -> Result<(), DbError> {
        let changed = execute!(
            self,
            "user_update",
            USER_UPDATE,
            [
                user.id.as_uuid(),
                user.display_name.as_ref().map(DisplayName::as_str),
                user.role.as_str(),
                user.disabled_at,
                user.changed_at,
                user.changed_by.as_ref().map(ActorName::as_str),
            ]
        )?;
        if changed == 1 { Ok(()) } else { Err(DbError::not_found("user", user.id)) }
    }

    /// Gives a user another password.
    pub async fn user_set_password(
        &mut self,
        id: UserId,
        password: &PasswordHash,
        by: &ActorName,
        now: Timestamp,
    ) -> Result<(), DbError> {
        let changed = execute!(
            self,
            "user_set_password",
            USER_SET_PASSWORD,
            [id.as_uuid(), password.as_str(), now, by.as_str()]
        )?;
        if changed == 1 { Ok(()) } else { Err(DbError::not_found("user", id)) }
    }

    /// Deletes a user with its sessions, its links and the tokens that it got by signing in. What else names it has its name
    /// as a text, and keeps it.
    pub async fn user_delete(&mut self, id: UserId) -> Result<(), DbError> {
        execute!(self, "user_delete_links", USER_DELETE_LINKS, [id.as_uuid()])?;
        execute!(self, "user_delete_sessions", USER_DELETE_SESSIONS, [id.as_uuid()])?;
        execute!(self, "user_delete_tokens", USER_DELETE_TOKENS, [id.as_uuid()])?;
        let deleted = execute!(self, "user_delete", USER_DELETE, [id.as_uuid()])?;
        if deleted == 1 { Ok(()) } else { Err(DbError::not_found("user", id)) }
    }

    /// Notes that a user has signed in.
    pub async fn user_signed_in(&mut self, id: UserId, now: Timestamp) -> Result<(), DbError> {
        execute!(self, "user_signed_in", USER_SIGNED_IN, [id.as_uuid(), now]).map(drop)
    }
}

#[cfg(test)]
crate::statements::statements![
    USER_INSERT,
    USER_UPDATE,
    USER_SET_PASSWORD,
    USER_SIGNED_IN,
    USER_DELETE_LINKS,
    USER_DELETE_SESSIONS,
    USER_DELETE_TOKENS,
    USER_DELETE
];
