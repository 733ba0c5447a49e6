//! Making and changing people who may sign in.

use orchestrator_core::actor::Actor;
use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::UserId;
use orchestrator_core::identity::Role;
use orchestrator_core::secret::{NewPassword, PasswordHash, PasswordRefused, Plaintext};
use orchestrator_core::text::{ActorName, DisplayName, UserName};
use orchestrator_db::{Hint, NewUser, StoredUser, Tx};
use orchestrator_proto::convert::{self, DecodeError};
use orchestrator_proto::v1;
use orchestrator_scheduler::end_development_of;
use serde_json::{Value, json};
use tonic::{Code, Status};

use super::{sessions, show};
use crate::accounts::Accounts;
use crate::audit;
use crate::auth::User;
use crate::authorize::role_too_low;
use crate::status::{self, Refusal, reason};
use crate::transaction::{Failure, in_transaction};

/// Makes a user.
pub(super) async fn create(
    accounts: &Accounts,
    actor: &Actor,
    message: v1::CreateUserRequest,
) -> Result<v1::User, Status> {
    let decoded = |error: DecodeError| status::decode(error);
    let name = UserName::parse(message.name.trim()).map_err(|error| decoded(error.into()))?;
    let role: Role = convert::name("role", &message.role).map_err(decoded)?;
    let display_name = display_name(&message.display_name)?;
    let password = match message.password {
        text if text.is_empty() => None,
        text => Some(hash(accounts, name.as_str(), text).await?),
    };
    let now = accounts.scheduler().now();
    let by = Some(actor.name.clone());
    let new = NewUser { id: UserId::generate(), name, display_name, role, password, created_by: by };
    let stored = in_transaction!(accounts.scheduler(), |tx| {
        if tx.user_by_name(new.name.as_str()).await?.is_some() {
            return Err(status::name_exists("user", new.name.as_str()).into());
        }
        tx.user_insert(&new, now).await.map_err(|error| status::created("user", &new.name, error))?;
        let stored = tx.user_lock(new.id).await?;
        let row = audit::row(actor, "user.create", audit::USER, &stored.name, (None, Some(document(&stored))));
        tx.audit_insert(&[row], now).await?;
        Ok((stored, vec![Hint::Access]))
    })?;
    Ok(show::user(&stored))
}

/// What a user is called from now on: nothing in particular, where it is the name.
struct Called(Option<DisplayName>);

/// What of a user is to change.
struct Edit {
    role: Option<Role>,
    called: Option<Called>,
    disabled: Option<bool>,
    expected: Option<Timestamp>,
}

impl Edit {
    fn read(message: &v1::UpdateUserRequest) -> Result<Self, Status> {
        let role = message.role.as_deref().map(|role| convert::name("role", role)).transpose();
        Ok(Self {
            role: role.map_err(status::decode)?,
            called: message.display_name.as_deref().map(display_name).transpose()?.map(Called),
            disabled: message.disabled,
            expected: convert::optional_instant("changed_at", message.changed_at).map_err(status::decode)?,
        })
    }

    fn apply(&self, before: &StoredUser, by: &ActorName, now: Timestamp) -> StoredUser {
        let mut after = before.clone();
        if let Some(role) = self.role {
            after.role = role;
        }
        if let Some(Called(name)) = &self.called {
            after.display_name.clone_from(name);
        }
        match self.disabled {
            Some(true) => after.disabled_at = before.disabled_at.or(Some(now)),
            Some(false) => after.disabled_at = None,
            None => {}
        }
        if after != *before {
            (after.changed_at, after.changed_by) = (now, Some(by.clone()));
        }
        after
    }
}

/// Changes a user. Sessions of one who is disabled or gets another role end.
pub(super) async fn update(
    accounts: &Accounts,
    actor: &Actor,
    message: v1::UpdateUserRequest,
) -> Result<v1::User, Status> {
    let key = convert::key("user", &message.user).map_err(status::decode)?;
    let edit = Edit::read(&message)?;
    let now = accounts.scheduler().now();
    let after = in_transaction!(accounts.scheduler(), |tx| {
        // All administrators first, then the one user: two who demote each other do not both succeed.
        let admins = tx.user_lock_admins().await?;
        let id = tx.user_find(&key).await?.id;
        let before = tx.user_lock(id).await?;
        if edit.expected.is_some_and(|expected| expected != before.changed_at) {
            return Err(changed_meanwhile(&before).into());
        }
        let after = edit.apply(&before, &actor.name, now);
        if after == before {
            return Ok((after, Vec::new()));
        }
        if before.is_live_admin() && !after.is_live_admin() && admins.iter().all(|admin| *admin == id) {
            return Err(last_admin(&before.name).into());
        }
        tx.user_update(&after).await?;
        let row = audit::row(
            actor,
            action(&before, &after),
            audit::USER,
            &after.name,
            (Some(document(&before)), Some(document(&after))),
        );
        tx.audit_insert(&[row], now).await?;
        let mut hints = vec![Hint::Access];
        if after.role != before.role || after.disabled_at != before.disabled_at {
            end_all(tx, id, None, now).await?;
            hints.push(Hint::Tokens);
        }
        Ok((after, hints))
    })?;
    accounts.forget_sessions();
    Ok(show::user(&after))
}

/// Deletes a user with everything by which it could sign in, and ends its development jobs. What it did and made keeps its
/// name.
pub(super) async fn delete(
    accounts: &Accounts,
    caller: &User,
    actor: &Actor,
    message: &v1::DeleteUserRequest,
) -> Result<v1::DeleteUserResponse, Status> {
    let key = convert::key("user", &message.user).map_err(status::decode)?;
    let now = accounts.scheduler().now();
    let (before, ended) = in_transaction!(accounts.scheduler(), |tx| {
        // In the order of `update`.
        let admins = tx.user_lock_admins().await?;
        let id = tx.user_find(&key).await?.id;
        let before = tx.user_lock(id).await?;
        if caller.person() == Some(id) && !message.oneself {
            return Err(oneself(&before.name).into());
        }
        if before.is_live_admin() && admins.iter().all(|admin| *admin == id) {
            return Err(last_admin(&before.name).into());
        }
        let mut hints = vec![Hint::Access, Hint::Tokens];
        for token in tx.token_list_of_people(Some(id), now).await?.rows {
            hints.extend(end_development_of(tx, token.id, now).await?);
        }
        let ended = sessions::end_all(tx, id, None, now).await?;
        tx.user_delete(id).await?;
        let row = audit::row(actor, "user.delete", audit::USER, &before.name, (Some(document(&before)), None));
        tx.audit_insert(&[row], now).await?;
        Ok(((before, ended), hints))
    })?;
    accounts.forget_sessions();
    Ok(v1::DeleteUserResponse {
        user: Some(show::user(&before)),
        ended_sessions: u32::try_from(ended).unwrap_or(u32::MAX),
    })
}

fn action(before: &StoredUser, after: &StoredUser) -> &'static str {
    match (before.disabled_at, after.disabled_at) {
        (None, Some(_)) => "user.disable",
        (Some(_), None) => "user.enable",
        _ => "user.update",
    }
}

/// Sets a password: the caller's own, or as an administrator another user's.
pub(super) async fn set_password(
    accounts: &Accounts,
    caller: &User,
    actor: &Actor,
    message: v1::SetPasswordRequest,
) -> Result<v1::User, Status> {
    let v1::SetPasswordRequest { user, password, old_password } = message;
    let old_password = Plaintext::new(old_password);
    let target = target(accounts, caller, &user).await?;
    let is_own = caller.person() == Some(target.id);
    if is_own && target.password.is_some() && !accounts.is_password(&target, old_password).await? {
        return Err(Refusal::new(Code::PermissionDenied, reason::WRONG_PASSWORD, "the old password is wrong")
            .in_field("old_password")
            .status());
    }
    let password = hash(accounts, target.name.as_str(), password).await?;
    let now = accounts.scheduler().now();
    let stays = is_own.then_some(caller);
    let after = in_transaction!(accounts.scheduler(), |tx| {
        let before = tx.user_lock(target.id).await?;
        if is_own && before.password != target.password {
            return Err(changed_meanwhile(&before).into());
        }
        tx.user_set_password(target.id, &password, &actor.name, now).await?;
        let after = tx.user_lock(target.id).await?;
        let documents = (Some(document(&before)), Some(document(&after)));
        tx.audit_insert(&[audit::row(actor, "user.set_password", audit::USER, &after.name, documents)], now).await?;
        end_all(tx, target.id, stays, now).await?;
        Ok((after, vec![Hint::Tokens]))
    })?;
    accounts.forget_sessions();
    Ok(show::user(&after))
}

/// The user a call is about: the caller where none is named, anyone for administrators.
pub(super) async fn target(accounts: &Accounts, caller: &User, key: &str) -> Result<StoredUser, Status> {
    let mut tx = accounts.scheduler().db().begin_read().await.map_err(status::db)?;
    if key.is_empty() {
        let person = caller.person().ok_or_else(token_is_nobody)?;
        let found = tx.user_by_id(person).await.map_err(status::db)?;
        return found.ok_or_else(token_is_nobody);
    }
    let key = convert::key("user", key).map_err(status::decode)?;
    if caller.role >= Role::Admin {
        return tx.user_find(&key).await.map_err(status::db);
    }
    // Whether another user exists is not told to those who may not know.
    let found = tx.user_find(&key).await.ok().filter(|user| caller.person() == Some(user.id));
    found.ok_or_else(|| role_too_low(Role::Admin, caller.role))
}

fn token_is_nobody() -> Status {
    let message = "name a user: this token belongs to no user, so it has no password and no sessions of its own";
    Refusal::new(Code::InvalidArgument, reason::INVALID_FIELD, message).in_field("user").status()
}

/// Ends a user's sessions but that of a caller, and the links that were not used.
async fn end_all(tx: &mut Tx, user: UserId, but: Option<&User>, now: Timestamp) -> Result<(), Failure> {
    sessions::end_all(tx, user, but, now).await?;
    tx.sign_in_link_cancel(user, now).await?;
    Ok(())
}

async fn hash(accounts: &Accounts, name: &str, password: String) -> Result<PasswordHash, Status> {
    accounts.hash_password(NewPassword::parse(name, password).map_err(|error| refused(&error))?).await
}

/// A password that does not keep to the rules.
fn refused(error: &PasswordRefused) -> Status {
    Refusal::new(Code::InvalidArgument, reason::INVALID_FIELD, error.to_string()).in_field("password").status()
}

fn display_name(text: &str) -> Result<Option<DisplayName>, Status> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    DisplayName::parse(text.trim()).map(Some).map_err(|error| status::decode(error.into()))
}

fn changed_meanwhile(user: &StoredUser) -> Status {
    let by = user.changed_by.as_ref().map_or("the server", ActorName::as_str);
    let at = user.changed_at.format("%Y-%m-%d %H:%M:%S UTC");
    let message = format!("user '{}' was changed by {by} at {at}, after it was read; read it again", user.name);
    Refusal::new(Code::Aborted, reason::CHANGED_MEANWHILE, message).with("changed_by", by).status()
}

fn oneself(name: &UserName) -> Status {
    let message = format!("user '{name}' is you; say so (oneself) if you mean it");
    Refusal::new(Code::FailedPrecondition, reason::ONESELF, message).with("name", name).status()
}

fn last_admin(name: &UserName) -> Status {
    let message =
        format!("user '{name}' is the last administrator who may sign in; make another one an administrator first");
    Refusal::new(Code::FailedPrecondition, reason::LAST_ADMIN, message).with("name", name).status()
}

/// A user as the audit keeps it: of the password only whether there is one, and since when.
pub(crate) fn document(user: &StoredUser) -> Value {
    json!({
        "display_name": user.display_name,
        "role": user.role,
        "disabled": user.disabled_at.is_some(),
        "password": user.password.as_ref().map(|_| "***"),
        "password_changed_at": user.password_changed_at,
    })
}
