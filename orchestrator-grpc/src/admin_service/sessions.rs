//! Sessions of browsers and command lines, and links that begin one.

use std::collections::HashMap;

use orchestrator_core::actor::Actor;
use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{SignInId, TokenId, UserId};
use orchestrator_core::identity::Role;
use orchestrator_core::secret::SignInSecret;
use orchestrator_db::{DbError, Hint, NewSignInLink, Tx};
use orchestrator_proto::convert::{self, timestamp};
use orchestrator_proto::v1;
use serde_json::json;
use tonic::{Code, Status};

use super::{show, users};
use crate::accounts::{Accounts, KEPT, LINK_LIFETIME, link_path};
use crate::audit;
use crate::auth::User;
use crate::authorize::role_too_low;
use crate::status::{self, Refusal, reason};
use crate::transaction::in_transaction;

/// Makes a link that signs a user in once. Its secret is in the answer, and nowhere else.
pub(super) async fn create_link(
    accounts: &Accounts,
    actor: &Actor,
    user: &str,
) -> Result<v1::CreateSignInLinkResponse, Status> {
    let key = convert::key("user", user).map_err(status::decode)?;
    let secret = SignInSecret::generate().map_err(|error| status::internal(&error))?;
    let now = accounts.scheduler().now();
    let expires_at = now + LINK_LIFETIME;
    let user = in_transaction!(accounts.scheduler(), |tx| {
        let user = tx.user_find(&key).await?;
        if user.disabled_at.is_some() {
            let message = format!("user '{}' is disabled; enable it first", user.name);
            return Err(Refusal::new(Code::FailedPrecondition, reason::ILLEGAL_TRANSITION, message).status().into());
        }
        let link = NewSignInLink {
            hash: *secret.hash().as_bytes(),
            user: user.id,
            created_by: Some(actor.name.clone()),
            expires_at,
        };
        tx.sign_in_link_insert(&link, now, now - KEPT).await?;
        let after = json!({ "expires_at": expires_at });
        tx.audit_insert(&[audit::row(actor, "user.create_link", audit::USER, &user.name, (None, Some(after)))], now)
            .await?;
        Ok((user, Vec::new()))
    })?;
    Ok(v1::CreateSignInLinkResponse {
        user: Some(show::user(&user)),
        path: link_path(&secret),
        expires_at: Some(timestamp(expires_at)),
    })
}

/// Live sessions of the caller, of another user, or of everyone.
pub(super) async fn list(
    accounts: &Accounts,
    caller: &User,
    message: &v1::ListSessionsRequest,
) -> Result<v1::ListSessionsResponse, Status> {
    let whose = if message.all {
        if caller.role < Role::Admin {
            return Err(role_too_low(Role::Admin, caller.role));
        }
        None
    } else {
        Some(users::target(accounts, caller, &message.user).await?)
    };
    let now = accounts.scheduler().now();
    let mut tx = accounts.scheduler().db().begin_read().await.map_err(status::db)?;
    let listed = tx.browser_session_list(whose.as_ref().map(|user| user.id), now, accounts.seen_after(now)).await;
    let listed = listed.map_err(status::db)?;
    let tokens = tx.token_list_of_people(whose.as_ref().map(|user| user.id), now).await.map_err(status::db)?;
    let users = match whose {
        Some(user) => vec![user],
        None => tx.user_list().await.map_err(status::db)?.rows,
    };
    let names: HashMap<UserId, String> = users.into_iter().map(|user| (user.id, user.name.into_string())).collect();
    let name_of = |user: UserId| names.get(&user).cloned().unwrap_or_default();
    let of_browsers = listed.rows.into_iter().map(|session| {
        let (current, name) = (caller.session() == Some(session.id), name_of(session.user));
        show::session(session, name, current)
    });
    let of_commands = tokens.rows.into_iter().filter_map(|token| {
        let (current, user) = (caller.token() == Some(token.id), token.person.as_ref()?.user);
        show::session_of_token(token, name_of(user), current)
    });
    Ok(v1::ListSessionsResponse { sessions: of_browsers.chain(of_commands).collect() })
}

/// Ends sessions of the caller, or as an administrator of another user. How many there were.
pub(super) async fn end(
    accounts: &Accounts,
    caller: &User,
    actor: &Actor,
    message: &v1::EndSessionsRequest,
) -> Result<u32, Status> {
    let only: Option<SignInId> = convert::optional_id("session", &message.session).map_err(status::decode)?;
    let user = users::target(accounts, caller, &message.user).await?;
    let stays = message.keep_current.then_some(caller);
    let now = accounts.scheduler().now();
    let ended = in_transaction!(accounts.scheduler(), |tx| {
        let ended = match only {
            Some(id) => u64::from(end_one(tx, id, user.id, now).await?),
            None => end_all(tx, user.id, stays, now).await?,
        };
        if ended == 0 {
            return Ok((0, Vec::new()));
        }
        let before = json!({ "sessions": ended, "session": only });
        let row = audit::row(actor, "user.end_sessions", audit::USER, &user.name, (Some(before), None));
        tx.audit_insert(&[row], now).await?;
        Ok((ended, vec![Hint::Tokens]))
    })?;
    accounts.forget_sessions();
    Ok(u32::try_from(ended).unwrap_or(u32::MAX))
}

/// Ends one session of a user: that of a browser, or the token of a command line.
async fn end_one(tx: &mut Tx, id: SignInId, user: UserId, now: Timestamp) -> Result<bool, DbError> {
    if tx.browser_session_end(id, user, now).await? {
        return Ok(true);
    }
    tx.token_revoke_of_person(TokenId::from_uuid(id.as_uuid()), user, now).await
}

/// Ends all sessions of a user, of browsers and command lines, but that of a caller. How many there were.
pub(super) async fn end_all(tx: &mut Tx, user: UserId, but: Option<&User>, now: Timestamp) -> Result<u64, DbError> {
    let of_browsers = tx.browser_session_end_of_user(user, but.and_then(User::session), now).await?;
    let of_commands = tx.token_revoke_all_of_person(user, but.and_then(User::token), now).await?;
    Ok(of_browsers + of_commands)
}
