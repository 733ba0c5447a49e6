//! The first administrator with a password, made by whoever holds an administrator's token.

use orchestrator_core::actor::{Actor, ActorKind};
use orchestrator_core::id::UserId;
use orchestrator_core::identity::{IdentityKind, Role};
use orchestrator_core::secret::{ApiToken, NewPassword};
use orchestrator_core::text::UserName;
use orchestrator_db::{Hint, NewUser, StoredToken};
use tonic::{Code, Status};

use super::sign_in::{Begun, Method};
use super::{Accounts, SessionCookie, Visitor};
use crate::admin_service::user_document;
use crate::audit;
use crate::status::{self, Refusal, reason};
use crate::transaction::in_transaction;

/// Who is to become the first administrator.
#[derive(Debug)]
pub struct FirstAdmin<'a> {
    /// An administrator's token, such as the one in `admin.token`.
    pub token: &'a str,
    /// The name to sign in with.
    pub name: UserName,
    /// The password.
    pub password: NewPassword,
}

impl Accounts {
    /// Whether no administrator can sign in with a password yet.
    pub async fn needs_first_admin(&self) -> Result<bool, Status> {
        let mut tx = self.scheduler().db().begin_read().await.map_err(status::db)?;
        tx.user_any_admin_with_password().await.map(|any| !any).map_err(status::db)
    }

    /// Makes the first administrator and signs in. A user of that name gets the password and the role.
    pub async fn create_first_admin(&self, wanted: FirstAdmin<'_>, visitor: &Visitor) -> Result<SessionCookie, Status> {
        let attempt = self.take(None, Some(visitor))?;
        let token = self.admin_token(wanted.token).await?;
        self.inner.throttle.give_back(&attempt);
        let password = self.hash_password(wanted.password).await?;
        let actor = Actor::new(ActorKind::User, token.name);
        let begun = Begun::new()?;
        let now = self.scheduler().now();
        in_transaction!(self.scheduler(), |tx| {
            if tx.user_any_admin_with_password().await? {
                return Err(not_first().into());
            }
            let before = tx.user_by_name(wanted.name.as_str()).await?;
            let id = before.as_ref().map_or_else(UserId::generate, |user| user.id);
            if let Some(mut user) = before.clone() {
                user.role = Role::Admin;
                user.disabled_at = None;
                (user.changed_at, user.changed_by) = (now, Some(actor.name.clone()));
                tx.user_update(&user).await?;
                tx.user_set_password(id, &password, &actor.name, now).await?;
            } else {
                let new = NewUser {
                    id,
                    name: wanted.name.clone(),
                    display_name: None,
                    role: Role::Admin,
                    password: Some(password.clone()),
                    created_by: Some(actor.name.clone()),
                };
                tx.user_insert(&new, now).await?;
            }
            let user = tx.user_lock(id).await?;
            let action = if before.is_some() { "user.update" } else { "user.create" };
            let documents = (before.as_ref().map(user_document), Some(user_document(&user)));
            tx.audit_insert(&[audit::row(&actor, action, audit::USER, &user.name, documents)], now).await?;
            self.begin(tx, &user, &begun, Method::Token, visitor, now).await?;
            Ok(((), vec![Hint::Access]))
        })?;
        Ok(self.cookie(begun.secret()))
    }

    async fn admin_token(&self, text: &str) -> Result<StoredToken, Status> {
        let token = ApiToken::parse(text).map_err(|error| no_admin_token(&error.to_string()))?;
        let now = self.scheduler().now();
        let mut tx = self.scheduler().db().begin_read().await.map_err(status::db)?;
        let found = tx.token_by_hash(token.hash().as_bytes()).await.map_err(status::db)?;
        found
            .filter(|token| {
                token.kind == IdentityKind::User && token.role == Some(Role::Admin) && token.is_live_at(now)
            })
            .ok_or_else(|| no_admin_token("it is not the token of an administrator, or has ended"))
    }
}

fn no_admin_token(why: &str) -> Status {
    Refusal::new(Code::Unauthenticated, reason::TOKEN_UNKNOWN, format!("this token opens nothing: {why}"))
        .in_field("token")
        .status()
}

fn not_first() -> Status {
    let message = "there is an administrator with a password already; sign in";
    Refusal::new(Code::FailedPrecondition, reason::FIRST_ADMIN_EXISTS, message).status()
}
