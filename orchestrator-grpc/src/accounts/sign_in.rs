//! Signing in and out.

use orchestrator_core::actor::{Actor, ActorKind};
use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{SignInId, UserId};
use orchestrator_core::secret::{NewPassword, PasswordHash, Plaintext, SignInSecret};
use orchestrator_core::text::{ActorName, UserName};
use orchestrator_db::{Hint, NewBrowserSession, StoredUser, Tx};
use serde_json::json;
use tonic::{Code, Status};

use super::throttle::Taken;
use super::{Accounts, KEPT, SessionCookie, SignedIn, Visitor, delta};
use crate::audit;
use crate::status::{self, Refusal, reason};
use crate::transaction::{Failure, in_transaction};

/// As much of a browser's own name as is kept.
const MOST_OF_USER_AGENT: usize = 200;

/// How someone signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Password,
    Link,
    Token,
}

impl Method {
    fn as_str(self) -> &'static str {
        match self {
            Self::Password => "PASSWORD",
            Self::Link => "LINK",
            Self::Token => "TOKEN",
        }
    }
}

/// A session that is to be stored, and the secret for its cookie.
pub(super) struct Begun {
    secret: SignInSecret,
    id: SignInId,
}

impl Accounts {
    /// Signs in with a password. Refusals do not tell whether there is such a user.
    pub async fn sign_in(&self, name: &str, password: Plaintext, visitor: &Visitor) -> Result<SessionCookie, Status> {
        let (user, taken) = self.check_password(name, password, visitor).await?;
        let begun = Begun::new()?;
        let now = self.scheduler().now();
        let signed_in = in_transaction!(self.scheduler(), |tx| {
            let current = unchanged(tx, &user).await?;
            self.begin(tx, &current, &begun, Method::Password, visitor, now).await?;
            Ok(((), vec![Hint::Access]))
        });
        signed_in?;
        self.give_back(&taken);
        Ok(self.cookie(&begun.secret))
    }

    /// The user of this name, where this is the password and the user may sign in. What the try took is to be given back
    /// once the user is signed in.
    pub(super) async fn check_password(
        &self,
        name: &str,
        password: Plaintext,
        visitor: &Visitor,
    ) -> Result<(StoredUser, Taken), Status> {
        let key = UserName::key_of(name);
        // No user has such a name, and no database takes NUL.
        let is_name = UserName::parse(&key).is_ok();
        let taken = self.take(Some(if is_name { &key } else { "" }), Some(visitor))?;
        let user = if is_name { self.find(&key).await? } else { None };
        let known = user.as_ref().filter(|user| user.disabled_at.is_none()).and_then(|user| user.password.clone());
        let hash = known.clone().unwrap_or_else(PasswordHash::of_nobody);
        let is_right = self.inner.hashing.compare(hash, password).await? && known.is_some();
        match user.filter(|_| is_right) {
            Some(user) => Ok((user, taken)),
            None => Err(self.refuse_sign_in(&key, is_name, visitor).await),
        }
    }

    /// The try was no failure.
    pub(super) fn give_back(&self, taken: &Taken) {
        self.inner.throttle.give_back(taken);
    }

    /// Whom a link would sign in, if it still does. Changes nothing.
    pub async fn link_user(&self, link: &str) -> Result<Option<UserName>, Status> {
        let Some(secret) = SignInSecret::parse(link) else { return Ok(None) };
        let mut tx = self.scheduler().db().begin_read().await.map_err(status::db)?;
        let id = tx.sign_in_link_user(secret.hash().as_bytes(), self.scheduler().now()).await.map_err(status::db)?;
        let Some(id) = id else { return Ok(None) };
        let user = tx.user_by_id(id).await.map_err(status::db)?;
        Ok(user.filter(|user| user.disabled_at.is_none()).map(|user| user.name))
    }

    /// Signs in with a link, which is used up by it.
    pub async fn redeem_link(&self, link: &str, visitor: &Visitor) -> Result<SessionCookie, Status> {
        let taken = self.take(None, Some(visitor))?;
        let secret = SignInSecret::parse(link).ok_or_else(link_over)?;
        let begun = Begun::new()?;
        let now = self.scheduler().now();
        in_transaction!(self.scheduler(), |tx| {
            let id = tx.sign_in_link_take(secret.hash().as_bytes(), now).await?.ok_or_else(link_over)?;
            let user = tx.user_lock(id).await?;
            if user.disabled_at.is_some() {
                return Err(link_over().into());
            }
            self.begin(tx, &user, &begun, Method::Link, visitor, now).await?;
            Ok(((), vec![Hint::Access]))
        })?;
        self.give_back(&taken);
        Ok(self.cookie(&begun.secret))
    }

    /// Ends a session: that of the browser that asks.
    pub async fn sign_out(&self, who: &SignedIn) -> Result<(), Status> {
        let now = self.scheduler().now();
        in_transaction!(self.scheduler(), |tx| {
            if !tx.browser_session_end(who.session, who.user, now).await? {
                return Ok(((), Vec::new()));
            }
            let row = audit::row(&who.actor(), "user.sign_out", audit::USER, &who.name, (None, None));
            tx.audit_insert(&[row], now).await?;
            Ok(((), vec![Hint::Tokens]))
        })?;
        self.forget_sessions();
        Ok(())
    }

    /// Whether this is the user's password; guesses are limited as at sign-in.
    pub(crate) async fn is_password(&self, user: &StoredUser, password: Plaintext) -> Result<bool, Status> {
        let Some(hash) = user.password.clone() else { return Ok(false) };
        let taken = self.take(Some(&user.name.key()), None)?;
        let is_it = self.inner.hashing.compare(hash, password).await?;
        if is_it {
            self.give_back(&taken);
        }
        Ok(is_it)
    }

    /// The hash of a password that keeps to the rules.
    pub(crate) async fn hash_password(&self, password: NewPassword) -> Result<PasswordHash, Status> {
        self.inner.hashing.hash(password).await
    }

    pub(super) fn take(&self, account: Option<&str>, visitor: Option<&Visitor>) -> Result<Taken, Status> {
        let address = visitor.map(|visitor| visitor.address);
        let taken = self.inner.throttle.take(account, address, self.scheduler().now());
        taken.map_err(|wait| {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            tracing::warn!(address = ?address, wait.seconds = seconds, "too many failed sign-ins");
            let message = format!("too many failed sign-ins; try again in {seconds} s");
            Refusal::new(Code::ResourceExhausted, reason::SIGN_IN_TOO_OFTEN, message).retry_after(wait).status()
        })
    }

    async fn find(&self, key: &str) -> Result<Option<StoredUser>, Status> {
        let mut tx = self.scheduler().db().begin_read().await.map_err(status::db)?;
        tx.user_by_name(key).await.map_err(status::db)
    }

    /// Stores a session for a user, with its rows of the trail.
    pub(super) async fn begin(
        &self,
        tx: &mut Tx,
        user: &StoredUser,
        begun: &Begun,
        method: Method,
        visitor: &Visitor,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let session = NewBrowserSession {
            id: begun.id,
            hash: *begun.secret.hash().as_bytes(),
            user: user.id,
            method: method.as_str(),
            expires_at: now + delta(self.options().longest),
            address: visitor.address.to_canonical().to_string(),
            user_agent: printable(&visitor.user_agent),
        };
        tx.browser_session_insert(&session, now, now - KEPT).await?;
        tx.user_signed_in(user.id, now).await?;
        let actor = Actor::new(ActorKind::User, ActorName::from_stored(user.name.as_str().to_owned()));
        let after = json!({ "method": session.method, "address": session.address, "user_agent": session.user_agent });
        let row = audit::row(&actor, "user.sign_in", audit::USER, &user.name, (None, Some(after)));
        tx.audit_insert(&[row], now).await?;
        Ok(())
    }

    /// Notes a failed sign-in and makes its refusal. A row is written whether there is such a user or not, so that both
    /// take as long; the name is kept only when it is a user's: what people type there by mistake is their password.
    async fn refuse_sign_in(&self, key: &str, is_name: bool, visitor: &Visitor) -> Status {
        let now = self.scheduler().now();
        let written: Result<UserId, Status> = async {
            in_transaction!(self.scheduler(), |tx| {
                let user = if is_name { tx.user_by_name(key).await? } else { None };
                let subject = user.as_ref().map_or("(unknown name)", |user| user.name.as_str());
                let after = json!({ "address": visitor.address.to_canonical().to_string() });
                let documents = (None, Some(after));
                let row = audit::row(&Actor::system(), "user.sign_in_failed", audit::USER, subject, documents);
                tx.audit_insert(&[row], now).await?;
                Ok((user.map_or_else(UserId::generate, |user| user.id), Vec::new()))
            })
        }
        .await;
        match written {
            Ok(_) => refused(),
            Err(error) => error,
        }
    }
}

impl Begun {
    pub(super) fn new() -> Result<Self, Status> {
        let secret = SignInSecret::generate().map_err(|error| status::internal(&error))?;
        Ok(Self { secret, id: SignInId::generate() })
    }

    pub(super) fn secret(&self) -> &SignInSecret {
        &self.secret
    }
}

/// The user again, locked, unless it was disabled or got another password since that was compared.
pub(super) async fn unchanged(tx: &mut Tx, user: &StoredUser) -> Result<StoredUser, Failure> {
    let current = tx.user_lock(user.id).await?;
    if current.disabled_at.is_some() || current.password != user.password {
        return Err(refused().into());
    }
    Ok(current)
}

fn refused() -> Status {
    let message = "name or password is wrong, or the user may not sign in";
    Refusal::new(Code::Unauthenticated, reason::SIGN_IN_REFUSED, message).status()
}

fn link_over() -> Status {
    let message =
        "this link has been used, has expired, or was never one; ask for a new one: orchestrator user link NAME";
    Refusal::new(Code::Unauthenticated, reason::SIGN_IN_LINK_OVER, message).status()
}

/// A browser may call itself anything.
pub(super) fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MOST_OF_USER_AGENT).collect()
}
