//! How the person who started a sandbox gets into its pages.

use orchestrator_core::actor::Actor;
use orchestrator_core::id::UserId;
use orchestrator_core::identity::Role;
use orchestrator_core::secret::SignInSecret;
use orchestrator_core::text::UserName;
use orchestrator_db::{NewSignInLink, NewUser};
use serde_json::json;
use tonic::Status;

use super::{Accounts, KEPT, LINK_LIFETIME};
use crate::admin_service::user_document;
use crate::audit;
use crate::status;
use crate::transaction::in_transaction;

/// The name of a sandbox's administrator.
const ADMIN: &str = "admin";

/// Where a link leads that signs in once.
pub(crate) fn link_path(secret: &SignInSecret) -> String {
    format!("/login?t={}", secret.expose())
}

impl Accounts {
    /// A link, as path and query, that signs in the user `admin`, who is made an administrator when there is none of that
    /// name. For who may read the server's files anyway.
    pub async fn sandbox_link(&self) -> Result<String, Status> {
        let secret = SignInSecret::generate().map_err(|error| status::internal(&error))?;
        let now = self.scheduler().now();
        let system = Actor::system();
        in_transaction!(self.scheduler(), |tx| {
            let known = tx.user_by_name(ADMIN).await?;
            let is_new = known.is_none();
            let id = known.map_or_else(UserId::generate, |user| user.id);
            if is_new {
                let new = NewUser {
                    id,
                    name: UserName::from_stored(ADMIN.to_owned()),
                    display_name: None,
                    role: Role::Admin,
                    password: None,
                    created_by: None,
                };
                tx.user_insert(&new, now).await?;
                let documents = (None, Some(user_document(&tx.user_lock(id).await?)));
                tx.audit_insert(&[audit::row(&system, "user.create", audit::USER, ADMIN, documents)], now).await?;
            }
            let expires_at = now + LINK_LIFETIME;
            let hash = *secret.hash().as_bytes();
            let link = NewSignInLink { hash, user: id, created_by: None, expires_at };
            tx.sign_in_link_insert(&link, now, now - KEPT).await?;
            let after = Some(json!({ "expires_at": expires_at }));
            tx.audit_insert(&[audit::row(&system, "user.create_link", audit::USER, ADMIN, (None, after))], now).await?;
            Ok(((), Vec::new()))
        })?;
        Ok(link_path(&secret))
    }
}
