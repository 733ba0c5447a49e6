//! People: signing in with a password or a link, the sessions of their browsers and command lines, and what limits guessing.
//!
//! Invariants:
//!
//! * a password is compared with something as slow to compare, whether the user exists or not, and the answer is the same;
//! * signing in makes a new session; ending sessions is told to every server, and counts there within five seconds;
//! * only hashes of passwords, sessions and links are stored.

mod command_line;
mod cookie;
mod first_admin;
mod hashing;
mod sandbox;
mod sessions;
mod sign_in;
mod throttle;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use orchestrator_core::actor::{Actor, ActorKind};
use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{SignInId, UserId};
use orchestrator_core::identity::Role;
use orchestrator_core::text::{ActorName, DisplayName, UserName};
use orchestrator_scheduler::Scheduler;

use hashing::Hashing;
use sessions::Sessions;
use throttle::Throttle;

pub(crate) use command_line::COMMAND_LINE;
pub use cookie::SessionCookie;
pub use first_admin::FirstAdmin;
pub(crate) use sandbox::link_path;

/// How long a link that signs in once is good for.
pub const LINK_LIFETIME: Duration = Duration::from_mins(10);

/// How long ended sessions and links are kept before they are forgotten.
pub(crate) const KEPT: TimeDelta = TimeDelta::days(30);

/// How sessions of browsers end.
#[derive(Debug, Clone, Copy)]
pub struct AccountOptions {
    /// A session that is not used for so long is over.
    pub idle: Duration,
    /// A session is over after so long, however busy.
    pub longest: Duration,
    /// What a command line got when its user signed in is over after so long.
    pub command_line: Duration,
    /// Whether browsers reach the server by https only, by its own TLS or a proxy's: cookies are then sent over nothing else.
    pub secure_cookies: bool,
}

impl Default for AccountOptions {
    fn default() -> Self {
        Self {
            idle: Duration::from_hours(8),
            longest: Duration::from_hours(24),
            command_line: Duration::from_hours(30 * 24),
            secure_cookies: false,
        }
    }
}

/// Who asks to be signed in.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// Where the browser is.
    pub address: IpAddr,
    /// What it calls itself.
    pub user_agent: String,
}

/// A user with a live session; on every request of a page that carries its cookie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The session.
    pub session: SignInId,
    /// The user.
    pub user: UserId,
    /// The user's name.
    pub name: UserName,
    /// What the user is called.
    pub display_name: Option<DisplayName>,
    /// What the user may do.
    pub role: Role,
    /// Whether there is a password, or the user came by a link and has none yet.
    pub has_password: bool,
    /// When the session ends at the latest.
    pub expires_at: Timestamp,
}

impl SignedIn {
    /// Who the audit trail names.
    pub fn actor(&self) -> Actor {
        Actor::new(ActorKind::User, ActorName::from_stored(self.name.as_str().to_owned()))
    }

    /// What pages call the user.
    pub fn shown_name(&self) -> &str {
        self.display_name.as_ref().map_or(self.name.as_str(), DisplayName::as_str)
    }
}

/// On requests of pages whose cookie opens nothing any more: the session is over, or there never was one.
#[derive(Debug, Clone, Copy)]
pub struct SessionOver;

/// The handle on which people are signed in and out. Cheap to clone.
#[derive(Clone)]
pub struct Accounts {
    inner: Arc<Inner>,
}

struct Inner {
    scheduler: Scheduler,
    options: AccountOptions,
    sessions: Sessions,
    throttle: Throttle,
    hashing: Hashing,
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").field("options", &self.inner.options).finish_non_exhaustive()
    }
}

impl Accounts {
    /// Accounts in the scheduler's database.
    pub fn new(scheduler: Scheduler, options: AccountOptions) -> Self {
        let sessions = Sessions::new(scheduler.db().clone(), delta(options.idle));
        let inner = Inner { scheduler, options, sessions, throttle: Throttle::default(), hashing: Hashing::default() };
        Self { inner: Arc::new(inner) }
    }

    /// How sessions end.
    pub fn options(&self) -> AccountOptions {
        self.inner.options
    }

    pub(crate) fn scheduler(&self) -> &Scheduler {
        &self.inner.scheduler
    }

    /// Not seen since then: over.
    pub(crate) fn seen_after(&self, now: Timestamp) -> Timestamp {
        now - delta(self.inner.options.idle)
    }

    /// Forgets what is remembered of sessions: some were ended.
    pub(crate) fn forget_sessions(&self) {
        self.inner.sessions.forget_all();
    }
}

/// A span of the options; one that no calendar holds is as good as for ever.
fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::days(36_500))
}
