//! From token hashes to identities: looked up in the database, remembered for at most five seconds.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::TimeDelta;
use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::JobId;
use orchestrator_core::identity::IdentityKind;
use orchestrator_core::job::{Job, JobStatus};
use orchestrator_core::text::WorkerName;
use orchestrator_db::{Db, DbError, StoredToken};
use tonic::{Code, Status};

use super::headers::Presented;
use super::identity::{Identity, JobIdentity, User, WorkerIdentity};
use crate::status::{self, Refusal, reason};

/// How long an answer of the database is believed: so long a revocation may take.
const BELIEVED: TimeDelta = TimeDelta::seconds(5);

/// The most answers that are remembered, so that guessing tokens cannot fill the memory.
const MOST_REMEMBERED: usize = 50_000;

/// Why a token that looks like one opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closed {
    Unknown,
    Revoked,
    Expired,
    JobUnknown,
}

/// What the database said about what a request presents.
#[derive(Debug, Clone)]
struct Answer {
    /// Read before the database was asked.
    asked_at: Timestamp,
    expires_at: Option<Timestamp>,
    identity: Result<Identity, Closed>,
}

impl Answer {
    fn is_believed_at(&self, now: Timestamp) -> bool {
        // A clock that was set back must not keep an answer alive.
        (self.asked_at..self.asked_at + BELIEVED).contains(&now)
    }

    fn at(self, now: Timestamp) -> Result<Identity, Closed> {
        let identity = self.identity?;
        if self.expires_at.is_some_and(|expires_at| now >= expires_at) { Err(Closed::Expired) } else { Ok(identity) }
    }
}

/// Finds identities.
#[derive(Debug)]
pub(super) struct Tokens {
    db: Db,
    answers: Mutex<HashMap<Presented, Answer>>,
}

impl Tokens {
    pub(super) fn new(db: Db) -> Self {
        Self { db, answers: Mutex::default() }
    }

    /// Who presents this, at `now`.
    pub(super) async fn identify(&self, presented: Presented, now: Timestamp) -> Result<Identity, Status> {
        let remembered = self.remembered(presented, now);
        let answer = if let Some(answer) = remembered {
            answer
        } else {
            let answer = self.ask(presented, now).await.map_err(status::db)?;
            self.remember(presented, answer.clone(), now);
            answer
        };
        answer.at(now).map_err(Closed::status)
    }

    /// Forgets what is known about a job's token: the job may have ended.
    pub(super) fn forget_job(&self, job: JobId) {
        let is_of_job =
            |answer: &Answer| matches!(&answer.identity, Ok(Identity::Job(identity)) if identity.job_id == job);
        self.lock().retain(|_, answer| !is_of_job(answer));
    }

    /// Forgets everything: a token was revoked.
    pub(super) fn forget_all(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Presented, Answer>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remembered(&self, presented: Presented, now: Timestamp) -> Option<Answer> {
        self.lock().get(&presented).filter(|answer| answer.is_believed_at(now)).cloned()
    }

    fn remember(&self, presented: Presented, answer: Answer, now: Timestamp) {
        let mut answers = self.lock();
        if answers.len() >= MOST_REMEMBERED {
            answers.retain(|_, answer| answer.is_believed_at(now));
            if answers.len() >= MOST_REMEMBERED {
                answers.clear();
            }
        }
        answers.insert(presented, answer);
    }

    async fn ask(&self, presented: Presented, asked_at: Timestamp) -> Result<Answer, DbError> {
        let (hash, kind) = match presented {
            Presented::User(hash) => (hash, IdentityKind::User),
            Presented::Worker(hash) | Presented::Job { worker: hash, .. } => (hash, IdentityKind::Worker),
        };
        let mut tx = self.db.begin_read().await?;
        let token = tx.token_by_hash(hash.as_bytes()).await?.filter(|token| token.kind == kind);
        let expires_at = token.as_ref().and_then(|token| token.expires_at);
        let mut identity = token.ok_or(Closed::Unknown).and_then(|token| of_token(&token, asked_at));
        if let (Presented::Job { job, .. }, Ok(Identity::Worker(worker))) = (presented, &identity) {
            let found = tx.job_by_token_hash(job.as_bytes()).await?;
            identity = found.and_then(|job| of_job(job.job, &worker.name)).ok_or(Closed::JobUnknown);
        }
        Ok(Answer { asked_at, expires_at, identity })
    }
}

fn of_token(token: &StoredToken, now: Timestamp) -> Result<Identity, Closed> {
    if token.revoked_at.is_some() {
        return Err(Closed::Revoked);
    }
    if !token.is_live_at(now) {
        return Err(Closed::Expired);
    }
    match (token.kind, token.role) {
        (IdentityKind::User, Some(role)) => {
            Ok(Identity::User(User { name: token.name.clone(), role, token_id: token.id }))
        }
        (IdentityKind::Worker, _) => {
            let name = WorkerName::from_stored(token.name.as_str().to_owned());
            Ok(Identity::Worker(WorkerIdentity { name, token_id: token.id }))
        }
        // A user without a role may do nothing, and tokens of jobs are kept with their job.
        (IdentityKind::User, None) | (IdentityKind::Job, _) => Err(Closed::Unknown),
    }
}

/// The identity of a job that runs, or may still run, on this worker.
fn of_job(job: Job, worker: &WorkerName) -> Option<Identity> {
    let is_held = matches!(job.state.status(), JobStatus::Running | JobStatus::Lost)
        && job.superseded_by.is_none()
        && job.worker_name.as_ref() == Some(worker);
    is_held.then(|| {
        Identity::Job(JobIdentity {
            job_id: job.id,
            trigger_id: job.trigger_id,
            trigger_name: job.trigger_name,
            process_name: job.process_name,
            worker_name: worker.clone(),
        })
    })
}

impl Closed {
    fn status(self) -> Status {
        let (reason, message) = match self {
            Self::Unknown => (reason::TOKEN_UNKNOWN, "nobody has this token"),
            Self::Revoked => (reason::TOKEN_REVOKED, "the token was revoked"),
            Self::Expired => (reason::TOKEN_EXPIRED, "the token has expired"),
            Self::JobUnknown => {
                (reason::JOB_TOKEN_UNKNOWN, "the job token belongs to no job that this worker holds; the job has ended")
            }
        };
        Refusal::new(Code::Unauthenticated, reason, message).status()
    }
}
