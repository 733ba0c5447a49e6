//! The first administrator's token, on a database that has none.

use std::path::Path;

use orchestrator_core::actor::Actor;
use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::TokenId;
use orchestrator_core::identity::{IdentityKind, Role};
use orchestrator_core::secret::{ApiToken, TokenKind};
use orchestrator_core::text::ActorName;
use orchestrator_db::{AuditRow, Db, NewToken, Tx};
use serde_json::json;

use super::error::ServingError;
use crate::secret_file;

/// The file with the first administrator's token, in the data folder.
pub(crate) const ADMIN_TOKEN_FILE: &str = "admin.token";

/// Writes an administrator's token to the data folder when the database has no administrator. True when it did.
pub(super) async fn ensure(db: &Db, folder: &Path, now: Timestamp) -> Result<bool, ServingError> {
    let mut tx = db.begin_write().await?;
    // Servers that start together on an empty database.
    tx.token_lock_first_admin().await?;
    if tx.token_any_admin(now).await? {
        tx.rollback().await?;
        return Ok(false);
    }
    let token = insert(&mut tx, IdentityKind::User, "admin", Some(Role::Admin), now).await?;
    // The file first: a token that nobody can read would lock everyone out.
    write(&folder.join(ADMIN_TOKEN_FILE), &token)?;
    tx.commit().await?;
    Ok(true)
}

/// Makes a token and writes it to a file that only its owner may read.
pub(crate) async fn make_token(
    db: &Db,
    kind: IdentityKind,
    name: &str,
    role: Option<Role>,
    file: &Path,
    now: Timestamp,
) -> Result<ApiToken, ServingError> {
    let mut tx = db.begin_write().await?;
    let token = insert(&mut tx, kind, name, role, now).await?;
    write(file, &token)?;
    tx.commit().await?;
    Ok(token)
}

async fn insert(
    tx: &mut Tx,
    kind: IdentityKind,
    name: &str,
    role: Option<Role>,
    now: Timestamp,
) -> Result<ApiToken, ServingError> {
    let secret_kind = match kind {
        IdentityKind::User => TokenKind::User,
        IdentityKind::Worker => TokenKind::Worker,
        IdentityKind::Job => TokenKind::Job,
    };
    let token = ApiToken::generate(secret_kind)?;
    let new = NewToken {
        id: TokenId::generate(),
        kind,
        name: ActorName::from_stored(name.to_owned()),
        role,
        hash: *token.hash().as_bytes(),
        prefix: token.prefix(),
        created_by: None,
        expires_at: None,
        person: None,
    };
    tx.token_insert(&new, now).await?;
    let audit = AuditRow {
        actor: Actor::system(),
        action: "token.create",
        subject_kind: "token",
        subject: new.id.to_string(),
        before: None,
        after: Some(json!({ "kind": kind, "name": name, "role": role, "prefix": new.prefix })),
    };
    tx.audit_insert(&[audit], now).await?;
    Ok(token)
}

fn write(file: &Path, token: &ApiToken) -> Result<(), ServingError> {
    secret_file::replace(file, &format!("{}\n", token.expose())).map_err(|source| ServingError::File {
        action: "write",
        path: file.to_owned(),
        source,
    })
}
