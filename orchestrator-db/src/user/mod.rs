//! People who sign in.

mod row;
mod write;

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::UserId;
use orchestrator_core::identity::Role;
use orchestrator_core::secret::PasswordHash;
use orchestrator_core::text::{ActorName, DisplayName, UserName};

use crate::dialect::{Sql, sql};
use crate::error::{Corrupt, DbError, Readable};
use crate::rows::{fetch, fetch_scalars};
use crate::tx::Tx;

use row::{UserRow, user_columns};

/// A person to store.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The id.
    pub id: UserId,
    /// The name to sign in with.
    pub name: UserName,
    /// What the person is called.
    pub display_name: Option<DisplayName>,
    /// What the person may do.
    pub role: Role,
    /// The password; without one only links sign in.
    pub password: Option<PasswordHash>,
    /// Who made it.
    pub created_by: Option<ActorName>,
}

/// A person as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredUser {
    /// The id.
    pub id: UserId,
    /// The name to sign in with.
    pub name: UserName,
    /// What the person is called.
    pub display_name: Option<DisplayName>,
    /// What the person may do.
    pub role: Role,
    /// The password; without one only links sign in.
    pub password: Option<PasswordHash>,
    /// When the password was set.
    pub password_changed_at: Option<Timestamp>,
    /// Since when the person may not sign in.
    pub disabled_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: Option<ActorName>,
    /// When it was changed last.
    pub changed_at: Timestamp,
    /// Who changed it last.
    pub changed_by: Option<ActorName>,
    /// When the person signed in last.
    pub last_sign_in_at: Option<Timestamp>,
}

impl StoredUser {
    /// Whether the person is an administrator who may sign in.
    pub fn is_live_admin(&self) -> bool {
        self.role == Role::Admin && self.disabled_at.is_none()
    }
}

const USER_BY_ID: Sql = sql!["SELECT " [columns user_columns] " FROM users WHERE id = $1"];
const USER_BY_KEY: Sql = sql!["SELECT " [columns user_columns] " FROM users WHERE name_key = $1"];
const USER_LOCK: Sql = sql!["SELECT " [columns user_columns] " FROM users WHERE id = $1" [for_update]];
const USER_LIST: Sql = sql!["SELECT " [columns user_columns] " FROM users ORDER BY name_key"];
const USER_LOCK_ADMINS: Sql =
    sql!["SELECT id FROM users WHERE role = 'ADMIN' AND disabled_at IS NULL ORDER BY id"[for_update]];
const USER_ANY_ADMIN: Sql = sql!["SELECT EXISTS (SELECT 1 FROM users WHERE role = 'ADMIN' AND disabled_at IS NULL)"];
const USER_ANY_ADMIN_WITH_PASSWORD: Sql = sql![
    "SELECT EXISTS
     (SELECT 1 FROM users WHERE role = 'ADMIN' AND disabled_at IS NULL AND password_hash IS NOT NULL)"
];

impl Tx {
    /// The user with this id, if there is one.
    pub async fn user_by_id(&mut self, id: UserId) -> Result<Option<StoredUser>, DbError> {
        let rows = fetch!(self, "user_by_id", USER_BY_ID, table "users" key "id" as UserRow, [id.as_uuid()])?;
        one(rows)
    }

    /// The user whose name, without its case, is this, if there is one.
    pub async fn user_by_name(&mut self, name: &str) -> Result<Option<StoredUser>, DbError> {
        let key = UserName::key_of(name);
        let rows = fetch!(self, "user_by_name", USER_BY_KEY, table "users" key "id" as UserRow, [key])?;
        one(rows)
    }

    /// The user with this id or name.
    pub async fn user_find(&mut self, key: &str) -> Result<StoredUser, DbError> {
        let by_name = self.user_by_name(key).await?;
        let found = match (by_name, key.parse::<UserId>()) {
            (None, Ok(id)) => self.user_by_id(id).await?,
            (found, _) => found,
        };
        found.ok_or_else(|| DbError::not_found("user", key))
    }

    /// As [`Tx::user_by_id`], and nobody else changes the user until the transaction ends.
    pub async fn user_lock(&mut self, id: UserId) -> Result<StoredUser, DbError> {
        let rows = fetch!(self, "user_lock", USER_LOCK, table "users" key "id" as UserRow, [id.as_uuid()])?;
        one(rows)?.ok_or_else(|| DbError::not_found("user", id))
    }

    /// All users by name.
    pub async fn user_list(&mut self) -> Result<Readable<StoredUser>, DbError> {
        let rows = fetch!(self, "user_list", USER_LIST, table "users" key "id" as UserRow, [])?;
        Ok(Readable::collect(rows.into_iter().map(|row| row.and_then(StoredUser::try_from))))
    }

    /// The administrators who may sign in; none of them stops being one before the transaction ends. Lock these before any
    /// one user, so that two changes do not wait for each other.
    pub async fn user_lock_admins(&mut self) -> Result<Vec<UserId>, DbError> {
        let ids = fetch_scalars!(self, "user_lock_admins", USER_LOCK_ADMINS, as uuid::Uuid, [])?;
        Ok(ids.into_iter().map(UserId::from_uuid).collect())
    }

    /// Whether some administrator may sign in.
    pub async fn user_any_admin(&mut self) -> Result<bool, DbError> {
        Ok(fetch_scalars!(self, "user_any_admin", USER_ANY_ADMIN, as bool, [])?.contains(&true))
    }

    /// Whether some administrator may sign in with a password.
    pub async fn user_any_admin_with_password(&mut self) -> Result<bool, DbError> {
        let any = fetch_scalars!(self, "user_any_admin_with_password", USER_ANY_ADMIN_WITH_PASSWORD, as bool, [])?;
        Ok(any.contains(&true))
    }
}

fn one(mut rows: Vec<Result<UserRow, Corrupt>>) -> Result<Option<StoredUser>, DbError> {
    Ok(rows.pop().transpose()?.map(StoredUser::try_from).transpose()?)
}

#[cfg(test)]
crate::statements::statements![
    USER_BY_ID,
    USER_BY_KEY,
    USER_LOCK,
    USER_LIST,
    USER_LOCK_ADMINS,
    USER_ANY_ADMIN,
    USER_ANY_ADMIN_WITH_PASSWORD; write
];
