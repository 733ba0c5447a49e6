use orchestrator_core::actor::{Actor, ActorKind};
use orchestrator_core::id::{JobId, SignInId, TokenId, TriggerId, UserId};
use orchestrator_core::identity::{IdentityKind, Role};
use orchestrator_core::job::Job;
use orchestrator_core::text::{ActorName, ProcessName, TriggerName, WorkerName};
use tonic::{Code, Request, Status};

use crate::accounts::SignedIn;
use crate::status::{Refusal, reason};

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// A person or a script of theirs.
    User(User),
    /// A worker agent.
    Worker(WorkerIdentity),
    /// A running job, through its worker.
    Job(JobIdentity),
}

/// A user, as far as calls need one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name of the token, or of the person.
    pub name: ActorName,
    /// What it may do.
    pub role: Role,
    /// What it was known by.
    pub by: KnownBy,
}

/// What a user was known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownBy {
    /// A token.
    Token {
        /// The token.
        id: TokenId,
        /// The person who got it by signing in; nobody in particular where an administrator made it.
        person: Option<UserId>,
    },
    /// The session of a person's browser. Only pages have it.
    Session {
        /// The session.
        id: SignInId,
        /// The person.
        user: UserId,
    },
}

impl User {
    /// The person, where it is one.
    pub fn person(&self) -> Option<UserId> {
        match self.by {
            KnownBy::Session { user, .. } => Some(user),
            KnownBy::Token { person, .. } => person,
        }
    }

    /// The session of the browser that calls, where it is one.
    pub fn session(&self) -> Option<SignInId> {
        match self.by {
            KnownBy::Session { id, .. } => Some(id),
            KnownBy::Token { .. } => None,
        }
    }

    /// The token that calls, where it is one.
    pub fn token(&self) -> Option<TokenId> {
        match self.by {
            KnownBy::Token { id, .. } => Some(id),
            KnownBy::Session { .. } => None,
        }
    }
}

impl From<&SignedIn> for Identity {
    fn from(who: &SignedIn) -> Self {
        let by = KnownBy::Session { id: who.session, user: who.user };
        Self::User(User { name: ActorName::from_stored(who.name.as_str().to_owned()), role: who.role, by })
    }
}

/// A worker agent; its name is the one its token is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerIdentity {
    /// Its name.
    pub name: WorkerName,
    /// The token.
    pub token_id: TokenId,
}

/// A running job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobIdentity {
    /// The job.
    pub job_id: JobId,
    /// The trigger that made it.
    pub trigger_id: TriggerId,
    /// The trigger's name when the job was made.
    pub trigger_name: TriggerName,
    /// What runs.
    pub process_name: ProcessName,
    /// The worker that holds the job and forwards its calls.
    pub worker_name: WorkerName,
    /// The user who calls, where this is a development job.
    pub developer: Option<User>,
}

impl JobIdentity {
    /// The development job of a user.
    pub(crate) fn of_developer(job: Job, user: &User) -> Self {
        Self {
            job_id: job.id,
            trigger_id: job.trigger_id,
            trigger_name: job.trigger_name,
            process_name: job.process_name,
            worker_name: job.worker_name.unwrap_or_else(|| WorkerName::from_stored(String::new())),
            developer: Some(user.clone()),
        }
    }
}

impl Identity {
    /// Its kind, as the wire names it.
    pub fn kind(&self) -> IdentityKind {
        match self {
            Self::User(_) => IdentityKind::User,
            Self::Worker(_) => IdentityKind::Worker,
            Self::Job(_) => IdentityKind::Job,
        }
    }

    /// Its name: of the token, the worker, or the job's process.
    pub fn name(&self) -> &str {
        match self {
            Self::User(user) => user.name.as_str(),
            Self::Worker(worker) => worker.name.as_str(),
            Self::Job(job) => job.process_name.as_str(),
        }
    }

    /// Who the audit trail names.
    pub fn actor(&self) -> Actor {
        if let Self::Job(JobIdentity { developer: Some(user), .. }) = self {
            return Actor::new(ActorKind::User, user.name.clone());
        }
        let kind = match self {
            Self::User(_) => ActorKind::User,
            Self::Worker(_) => ActorKind::Worker,
            Self::Job(_) => ActorKind::Job,
        };
        Actor::new(kind, ActorName::from_stored(self.name().to_owned()))
    }

    /// The user, where only users may call. The authorization table has refused the others before; this is the type's
    /// word for it.
    pub fn user(&self) -> Result<&User, Status> {
        match self {
            Self::User(user) => Ok(user),
            Self::Worker(_) | Self::Job(_) => Err(not_meant("users")),
        }
    }

    /// The worker, where only workers may call.
    pub fn worker(&self) -> Result<&WorkerIdentity, Status> {
        match self {
            Self::Worker(worker) => Ok(worker),
            Self::User(_) | Self::Job(_) => Err(not_meant("workers")),
        }
    }

    /// The job, where only jobs may call.
    pub fn job(&self) -> Result<&JobIdentity, Status> {
        match self {
            Self::Job(job) => Ok(job),
            Self::User(_) | Self::Worker(_) => Err(not_meant("running jobs")),
        }
    }
}

/// Who calls. An error where the authentication layer did not run, which refuses the call.
pub fn identity<T>(request: &Request<T>) -> Result<&Identity, Status> {
    request
        .extensions()
        .get::<Identity>()
        .ok_or_else(|| Refusal::new(Code::Unauthenticated, reason::TOKEN_MISSING, "this call needs a token").status())
}

fn not_meant(whom: &str) -> Status {
    Refusal::new(Code::PermissionDenied, reason::WRONG_CALLER, format!("this is for {whom}")).status()
}
