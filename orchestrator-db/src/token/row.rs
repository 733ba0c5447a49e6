use chrono::{DateTime, Utc};
use orchestrator_core::id::{TokenId, UserId};
use orchestrator_core::text::ActorName;
use uuid::Uuid;

use super::{StoredToken, TokenOfPerson};
use crate::error::{Corrupt, RowAddress};

macro_rules! token_columns {
    () => {
        "id, kind, name, role, prefix, created_at, created_by, expires_at, revoked_at, last_used_at, user_id, address,
         user_agent"
    };
}
pub(super) use token_columns;

#[derive(Debug, sqlx::FromRow)]
pub(super) struct TokenRow {
    id: Uuid,
    kind: String,
    name: String,
    role: Option<String>,
    prefix: String,
    created_at: DateTime<Utc>,
    created_by: Option<String>,
    expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
    user_id: Option<Uuid>,
    address: Option<String>,
    user_agent: Option<String>,
}

impl TryFrom<TokenRow> for StoredToken {
    type Error = Corrupt;

    fn try_from(row: TokenRow) -> Result<Self, Corrupt> {
        let at = RowAddress::new("tokens", row.id);
        Ok(Self {
            id: TokenId::from_uuid(row.id),
            kind: row.kind.parse().map_err(at.column("kind"))?,
            name: ActorName::from_stored(row.name),
            role: row.role.map(|role| role.parse()).transpose().map_err(at.column("role"))?,
            prefix: row.prefix,
            created_at: row.created_at,
            created_by: row.created_by.map(ActorName::from_stored),
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            last_used_at: row.last_used_at,
            person: row.user_id.map(|user| TokenOfPerson {
                user: UserId::from_uuid(user),
                address: row.address.unwrap_or_default(),
                user_agent: row.user_agent.unwrap_or_default(),
            }),
        })
    }
}

/// A token with the hash of its secret.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct HashedRow {
    hash: Vec<u8>,
    #[sqlx(flatten)]
    token: TokenRow,
}

impl HashedRow {
    pub(super) fn read(self) -> Result<([u8; 32], StoredToken), Corrupt> {
        let at = RowAddress::new("tokens", self.token.id);
        let hash = <[u8; 32]>::try_from(self.hash.as_slice()).map_err(at.column("hash"))?;
        Ok((hash, self.token.try_into()?))
    }
}
