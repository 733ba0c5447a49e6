//! From token hashes to identities: looked up in the database, remembered for at most five seconds.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::TimeDelta;
use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::JobId;
use orchestrator_core::identity::IdentityKind;
use orchestrator_core::job::{Job, JobStatus};
use orchestrator_core::secret::TokenHash;
use orchestrator_core::text::WorkerName;
use orchestrator_db::{Db, DbError, StoredToken};
use tonic::{Code, Status};

use super::headers::Presented;
use super::identity::{Identity, JobIdentity, KnownBy, User, WorkerIdentity};
use crate::status::{self, Refusal, reason};

/// How long an answer of the database is believed: so long a revocation may take.
const BELIEVED: TimeDelta = TimeDelta::seconds(5);

/// From this age on an answer is read again, together with all others that are in use: a worker that only sends heartbeats
/// costs no statement of its own.
const RENEWED: TimeDelta = TimeDelta::seconds(3);

/// For so many renewals an answer is kept that nobody asked for again.
const RENEWALS: u8 = 2;

/// The most answers that are remembered, so that guessing tokens cannot fill the memory.
const MOST_REMEMBERED: usize = 50_000;

/// Why a token that looks like one opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closed {
    Unknown,
    Revoked,
    Expired,
    JobUnknown,
}

/// What the database said about what a request presents.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// Read before the database was asked.
    asked_at: Timestamp,
    /// How often it is still renewed unless someone asks for it.
    renewals: u8,
    pub(super) expires_at: Option<Timestamp>,
    identity: Result<Identity, Closed>,
}

impl Answer {
    fn is_believed_at(&self, now: Timestamp) -> bool {
        // A clock that was set back must not keep an answer alive.
        (self.asked_at..self.asked_at + BELIEVED).contains(&now)
    }

    /// Whose it is, unless it has ended.
    pub(super) fn at(self, now: Timestamp) -> Result<Identity, Closed> {
        let identity = self.identity?;
        if self.expires_at.is_some_and(|expires_at| now >= expires_at) { Err(Closed::Expired) } else { Ok(identity) }
    }
}

/// What is remembered.
#[derive(Debug, Default)]
struct Answers {
    by_token: HashMap<Presented, Answer>,
    /// The changes of tokens that had been heard of when it was empty last.
    changes: u64,
}

/// Finds identities.
#[derive(Debug)]
pub(super) struct Tokens {
    db: Db,
    answers: Mutex<Answers>,
    /// Grows whenever a token may have ended: what was remembered before is worth nothing then.
    changes: Arc<AtomicU64>,
}

impl Tokens {
    pub(super) fn new(db: Db, changes: Arc<AtomicU64>) -> Self {
        Self { db, answers: Mutex::default(), changes }
    }

    /// Who presents this, at `now`.
    pub(super) async fn identify(&self, presented: Presented, now: Timestamp) -> Result<Identity, Status> {
        self.answer(presented, now).await.map_err(status::db)?.at(now).map_err(Closed::status)
    }

    /// What the database says about this, or said a moment ago.
    pub(super) async fn answer(&self, presented: Presented, now: Timestamp) -> Result<Answer, DbError> {
        let changes = match self.remembered(presented, now) {
            Ok(answer) => return Ok(answer),
            Err(changes) => changes,
        };
        // In a box, as everything that calls rarely do: every call carries what it holds in place.
        let answer = Box::pin(self.ask(presented, now)).await?;
        self.remember(presented, answer.clone(), now, changes);
        Ok(answer)
    }

    /// Forgets what is known about a job's token: the job may have ended.
    pub(super) fn forget_job(&self, job: JobId) {
        let is_of_job =
            |answer: &Answer| matches!(&answer.identity, Ok(Identity::Job(identity)) if identity.job_id == job);
        self.answers().by_token.retain(|_, answer| !is_of_job(answer));
    }

    /// Forgets everything: word of what may have ended was lost.
    pub(super) fn forget_all(&self) {
        self.answers().by_token.clear();
    }

    /// What is remembered, without what a change of tokens has made doubtful.
    fn answers(&self) -> MutexGuard<'_, Answers> {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = self.changes.load(Ordering::Acquire);
        if answers.changes != changes {
            answers.by_token.clear();
            answers.changes = changes;
        }
        answers
    }

    /// What is remembered of a token; else the changes of tokens until now, for [`Self::remember`].
    fn remembered(&self, presented: Presented, now: Timestamp) -> Result<Answer, u64> {
        let mut answers = self.answers();
        let changes = answers.changes;
        let answer = answers.by_token.get_mut(&presented).filter(|answer| answer.is_believed_at(now)).ok_or(changes)?;
        answer.renewals = RENEWALS;
        Ok(answer.clone())
    }

    /// Reads the answers about workers' own tokens again that are in use and will soon be too old, all at once.
    pub(super) async fn renew(&self, now: Timestamp) -> Result<(), DbError> {
        let old: Vec<(Presented, TokenHash, Timestamp)> = self
            .answers()
            .by_token
            .iter()
            .filter(|(_, answer)| answer.renewals > 0 && answer.is_believed_at(now) && now >= answer.asked_at + RENEWED)
            .filter_map(|(presented, answer)| match presented {
                Presented::Worker(hash) => Some((*presented, *hash, answer.asked_at)),
                Presented::User(_) | Presented::Job { .. } => None,
            })
            .collect();
        if old.is_empty() {
            return Ok(());
        }
        let hashes: Vec<[u8; 32]> = old.iter().map(|(_, hash, _)| *hash.as_bytes()).collect();
        let mut tx = self.db.begin_read().await?;
        let found: HashMap<[u8; 32], StoredToken> = tx.tokens_by_hash(&hashes).await?.into_iter().collect();
        let mut answers = self.answers();
        for (presented, hash, seen) in old {
            // What was forgotten, or asked for anew, meanwhile may have been revoked after this look.
            let Some(answer) = answers.by_token.get_mut(&presented).filter(|answer| answer.asked_at == seen) else {
                continue;
            };
            let kind = presented.kind();
            let token = found.get(hash.as_bytes()).filter(|token| token.kind == kind);
            *answer = Answer {
                asked_at: now,
                renewals: answer.renewals - 1,
                expires_at: token.and_then(|token| token.expires_at),
                identity: token.ok_or(Closed::Unknown).and_then(|token| of_token(token, now)),
            };
        }
        Ok(())
    }

    /// Remembers an answer, unless a token has ended since so many changes: it may be this one.
    fn remember(&self, presented: Presented, answer: Answer, now: Timestamp, changes: u64) {
        let mut answers = self.answers();
        if answers.changes != changes {
            return;
        }
        let answers = &mut answers.by_token;
        if answers.len() >= MOST_REMEMBERED {
            answers.retain(|_, answer| answer.is_believed_at(now));
            if answers.len() >= MOST_REMEMBERED {
                answers.clear();
            }
        }
        answers.insert(presented, answer);
    }

    async fn ask(&self, presented: Presented, asked_at: Timestamp) -> Result<Answer, DbError> {
        let kind = presented.kind();
        let (Presented::User(hash) | Presented::Worker(hash) | Presented::Job { worker: hash, .. }) = presented;
        let mut tx = self.db.begin_read().await?;
        let token = tx.token_by_hash(hash.as_bytes()).await?.filter(|token| token.kind == kind);
        let expires_at = token.as_ref().and_then(|token| token.expires_at);
        let mut identity = token.ok_or(Closed::Unknown).and_then(|token| of_token(&token, asked_at));
        if let (Presented::Job { job, .. }, Ok(Identity::Worker(worker))) = (presented, &identity) {
            let found = tx.job_by_token_hash(job.as_bytes()).await?;
            identity = found.and_then(|job| of_job(job.job, &worker.name)).ok_or(Closed::JobUnknown);
        }
        Ok(Answer { asked_at, renewals: RENEWALS, expires_at, identity })
    }
}

impl Presented {
    /// Whose token it is, or whose token comes with it.
    fn kind(&self) -> IdentityKind {
        match self {
            Self::User(_) => IdentityKind::User,
            Self::Worker(_) | Self::Job { .. } => IdentityKind::Worker,
        }
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
            let by = KnownBy::Token { id: token.id, person: token.person.as_ref().map(|person| person.user) };
            Ok(Identity::User(User { name: token.name.clone(), role, by }))
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
            developer: None,
        })
    })
}

impl Closed {
    pub(super) fn status(self) -> Status {
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

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use orchestrator_core::id::TokenId;
    use orchestrator_core::secret::{ApiToken, TokenKind};
    use orchestrator_core::text::ActorName;
    use orchestrator_db::{DbOptions, NewToken};

    use super::*;

    fn at(second: i64) -> Timestamp {
        DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
    }

    struct World {
        tokens: Tokens,
        id: TokenId,
        presented: Presented,
        _folder: tempfile::TempDir,
    }

    impl World {
        async fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let db =
                Db::open(&DbOptions::new(format!("sqlite:{}", folder.path().join("t.db").display()))).await.unwrap();
            let (id, secret) = (TokenId::generate(), ApiToken::generate(TokenKind::Worker).unwrap());
            let token = NewToken {
                id,
                kind: IdentityKind::Worker,
                name: ActorName::parse("w").unwrap(),
                role: None,
                hash: *secret.hash().as_bytes(),
                prefix: "orc_worker_x…".to_owned(),
                created_by: None,
                expires_at: None,
                person: None,
            };
            let mut tx = db.begin_write().await.unwrap();
            tx.token_insert(&token, at(0)).await.unwrap();
            tx.commit().await.unwrap();
            let tokens = Tokens::new(db, Arc::default());
            Self { tokens, id, presented: Presented::Worker(secret.hash()), _folder: folder }
        }

        async fn revoke(&self) {
            let mut tx = self.tokens.db.begin_write().await.unwrap();
            tx.token_revoke(self.id, at(0)).await.unwrap();
            tx.commit().await.unwrap();
        }

        /// Whether the answer of the database is still remembered.
        fn is_remembered(&self, second: i64) -> bool {
            self.tokens.remembered(self.presented, at(second)).is_ok()
        }
    }

    #[tokio::test]
    async fn a_worker_that_is_heard_of_every_five_seconds_never_asks_the_database_itself() {
        let world = World::new().await;
        world.tokens.identify(world.presented, at(0)).await.unwrap();
        for second in 1..60 {
            world.tokens.renew(at(second)).await.unwrap();
            assert!(second % 5 != 0 || world.is_remembered(second), "second {second}");
        }
    }

    #[tokio::test]
    async fn an_answer_that_nobody_asks_for_is_not_kept_for_ever() {
        let world = World::new().await;
        world.tokens.identify(world.presented, at(0)).await.unwrap();
        for second in 1..20 {
            world.tokens.renew(at(second)).await.unwrap();
        }
        assert!(!world.is_remembered(20));
    }

    #[tokio::test]
    async fn what_was_remembered_of_a_token_is_worth_nothing_from_the_word_of_its_end_on() {
        let world = World::new().await;
        world.tokens.identify(world.presented, at(0)).await.unwrap();
        world.revoke().await;
        world.tokens.changes.fetch_add(1, Ordering::Release);
        assert!(world.tokens.identify(world.presented, at(1)).await.is_err());
    }

    #[tokio::test]
    async fn an_answer_from_before_the_end_of_a_token_is_not_remembered_after_it() {
        let world = World::new().await;
        let changes = world.tokens.remembered(world.presented, at(0)).unwrap_err();
        let answer = world.tokens.ask(world.presented, at(0)).await.unwrap();
        world.tokens.changes.fetch_add(1, Ordering::Release);
        world.tokens.remember(world.presented, answer, at(0), changes);
        assert!(!world.is_remembered(0));
    }

    #[tokio::test]
    async fn a_renewal_finds_what_was_revoked() {
        let world = World::new().await;
        world.tokens.identify(world.presented, at(0)).await.unwrap();
        world.revoke().await;
        world.tokens.renew(at(3)).await.unwrap();
        assert!(world.tokens.identify(world.presented, at(3)).await.is_err());
    }
}
