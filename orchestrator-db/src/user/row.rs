use chrono::{DateTime, Utc};
use orchestrator_core::id::UserId;
use orchestrator_core::secret::PasswordHash;
use orchestrator_core::text::{ActorName, DisplayName, UserName};
use uuid::Uuid;

use super::StoredUser;
use crate::error::{Corrupt, RowAddress};

macro_rules! user_columns {
    () => {
        "id, name, display_name, role, password_hash, password_changed_at, disabled_at, created_at, created_by, changed_at,
         changed_by, last_sign_in_at"
    };
}
pub(super) use user_columns;

#[derive(sqlx::FromRow)]
pub(super) struct UserRow {
    id: Uuid,
    name: String,
    display_name: Option<String>,
    role: String,
    password_hash: Option<String>,
    password_changed_at: Option<DateTime<Utc>>,
    disabled_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    created_by: Option<String>,
    changed_at: DateTime<Utc>,
    changed_by: Option<String>,
    last_sign_in_at: Option<DateTime<Utc>>,
}

impl std::fmt::Debug for UserRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserRow").field("id", &self.id).finish_non_exhaustive()
    }
}

impl TryFrom<UserRow> for StoredUser {
    type Error = Corrupt;

    fn try_from(row: UserRow) -> Result<Self, Corrupt> {
        let at = RowAddress::new("users", row.id);
        Ok(Self {
            id: UserId::from_uuid(row.id),
            name: UserName::from_stored(row.name),
            display_name: row.display_name.map(DisplayName::from_stored),
            role: row.role.parse().map_err(at.column("role"))?,
            password: row.password_hash.map(PasswordHash::from_stored),
            password_changed_at: row.password_changed_at,
            disabled_at: row.disabled_at,
            created_at: row.created_at,
            created_by: row.created_by.map(ActorName::from_stored),
            changed_at: row.changed_at,
            changed_by: row.changed_by.map(ActorName::from_stored),
            last_sign_in_at: row.last_sign_in_at,
        })
    }
}
