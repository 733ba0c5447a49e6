//! Jobs of developers: a user's own program, off any worker, that calls as the robot of a job does.
//!
//! All of them hang on one trigger that is hidden from the beginning. Each is running from the moment it is made until its
//! program says that it has ended, it is begun anew, killed, has not called for an hour, or its user is deleted.

use std::time::Duration;

use orchestrator_core::actor::Actor;
use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{JobId, RequestId, SessionId, TokenId, TriggerId};
use orchestrator_core::job::{Job, JobOrigin, JobSnapshot, Outcome};
use orchestrator_core::policy::Policies;
use orchestrator_core::secret::TokenHash;
use orchestrator_core::text::{ProcessArgs, ProcessName, ProcessPath, Reason, TriggerName, WorkerName};
use orchestrator_core::trigger::{ProcessSpec, TriggerDraft, TriggerKind};
use orchestrator_db::{Assign, DbError, Hint, JobStart, LockedJob, NewJob, StoredTrigger, Tx};
use serde_json::json;

use crate::audit::of_job;
use crate::decide::{manual_instant, progress_of};
use crate::end::Ended;
use crate::finish::lock_with_trigger;
use crate::scheduler::Scheduler;
use crate::transaction::in_transaction;

/// How long a development job lives without a call.
const IDLE: Duration = Duration::from_hours(1);

/// How much of that time a call must find gone before it is worth a write.
const WORTH_RENEWING: Duration = Duration::from_mins(1);

/// The trigger of all development jobs.
pub const DEVELOPMENT_TRIGGER: TriggerId =
    TriggerId::from_uuid(uuid::Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_00de_7e10));

/// What stands in the place of the worker's name.
const WORKER: &str = "<development>";
/// What jobs show as their trigger's name.
const SHOWN: &str = "development";
/// The hidden trigger's own name: free for others, as it is deleted at once.
const HIDDEN: &str = "development (hidden)";

/// How a development job ends.
#[derive(Debug, Clone)]
pub struct DevelopmentEnd {
    /// Which one.
    pub job: JobId,
    /// What it comes to.
    pub outcome: Outcome,
    /// Of its program, when that is known.
    pub exit_code: Option<i32>,
    /// Why it ended as it did.
    pub reason: Option<Reason>,
}

impl Scheduler {
    /// Makes the development job of a user's token, and ends the one it had.
    pub async fn begin_development(
        &self,
        actor: &Actor,
        token: TokenId,
        process: ProcessName,
        args: Option<ProcessArgs>,
    ) -> Result<Job, DbError> {
        self.make_development_trigger().await?;
        let hash = TokenHash::of_development(token);
        in_transaction!(self, |tx| {
            let now = self.now();
            let stored = tx.trigger_lock(&[DEVELOPMENT_TRIGGER]).await?.into_iter().next();
            let stored = stored.ok_or_else(|| DbError::not_found("trigger", DEVELOPMENT_TRIGGER))?;
            let mut hints = Vec::new();
            if let Some(before) = tx.job_by_token_hash(hash.as_bytes()).await? {
                let (trigger, before) = lock_with_trigger(tx, before.job.id).await?;
                let reason = Reason::cut("a new development job was begun with the same token");
                hints.extend(end_development(tx, &trigger, &before, Outcome::Done, &reason, now).await?);
            }
            let id = start(tx, &stored, snapshot(process.clone(), args.clone()), hash, now).await?;
            let after = json!({ "process": process, "process_args": args });
            tx.audit_insert(&[of_job(actor, "development.begin", id, None, Some(after))], now).await?;
            hints.push(Hint::Job { id });
            Ok::<_, DbError>((tx.job_get(id).await?, hints))
        })
    }

    /// The development job of a user's token, where it has one; it lives for another hour.
    pub async fn development_job(&self, token: TokenId) -> Result<Option<Job>, DbError> {
        let hash = TokenHash::of_development(token);
        let found = self.db().begin_read().await?.job_by_token_hash(hash.as_bytes()).await?;
        let Some(found) = found else { return Ok(None) };
        let now = self.now();
        if found.lease_expires_at.is_some_and(|expires_at| expires_at > now + IDLE - WORTH_RENEWING) {
            return Ok(Some(found.job));
        }
        let (Some(worker), Some(session)) = (&found.job.worker_name, found.session_id) else {
            return Ok(Some(found.job));
        };
        let held = [(found.job.id, found.lease_token)];
        let renewed: bool = in_transaction!(self, |tx| {
            let renewed = tx.job_renew(worker, session, &held, now + IDLE).await?;
            Ok::<_, DbError>((!renewed.is_empty(), Vec::new()))
        })?;
        Ok(renewed.then_some(found.job))
    }

    /// Ends the development job of a user's token, as its program has ended. None when the token's job is not (any more)
    /// this one.
    pub async fn finish_development(&self, token: TokenId, end: DevelopmentEnd) -> Result<Option<Job>, DbError> {
        let hash = TokenHash::of_development(token);
        let found = self.db().begin_read().await?.job_by_token_hash(hash.as_bytes()).await?;
        if found.is_none_or(|found| found.job.id != end.job) {
            return Ok(None);
        }
        in_transaction!(self, |tx| {
            let (trigger, job) = lock_with_trigger(tx, end.job).await?;
            let hints = write_end(tx, &trigger, &job, &end, self.now()).await?;
            Ok::<_, DbError>((Some(tx.job_get(end.job).await?), hints))
        })
    }

    /// The hidden trigger, made by whoever needs it first.
    async fn make_development_trigger(&self) -> Result<(), DbError> {
        match self.db().begin_read().await?.trigger_get(DEVELOPMENT_TRIGGER).await {
            Err(DbError::NotFound { .. }) => {}
            found => return found.map(drop),
        }
        let draft = TriggerDraft {
            name: TriggerName::from_stored(HIDDEN.to_owned()),
            process: process(ProcessName::from_stored(SHOWN.to_owned()), None),
            kind: TriggerKind::Single { next_run: None },
            is_blocking: false,
            priority: 0,
            worker_whitelist: Vec::new(),
            policies: Policies::default(),
        };
        let made: Result<(), DbError> = in_transaction!(self, |tx| {
            let now = self.now();
            tx.trigger_insert(DEVELOPMENT_TRIGGER, &draft, None, now).await?;
            tx.trigger_mark_deleted(DEVELOPMENT_TRIGGER, now).await?;
            Ok::<_, DbError>(((), Vec::new()))
        });
        match made {
            // Another server was faster.
            Err(DbError::Conflict { .. }) => Ok(()),
            made => made,
        }
    }
}

/// Ends the development job of a token that is deleted, where it has one, in the transaction that deletes it: nobody can
/// call for it any more.
pub async fn end_development_of(tx: &mut Tx, token: TokenId, now: Timestamp) -> Result<Vec<Hint>, DbError> {
    let hash = TokenHash::of_development(token);
    let Some(found) = tx.job_by_token_hash(hash.as_bytes()).await? else { return Ok(Vec::new()) };
    let (trigger, job) = lock_with_trigger(tx, found.job.id).await?;
    end_development(tx, &trigger, &job, Outcome::Killed, &Reason::cut("its user was deleted"), now).await
}

/// Whether a job is a developer's.
pub(crate) fn is_development(trigger: &StoredTrigger) -> bool {
    trigger.trigger.id == DEVELOPMENT_TRIGGER
}

/// Ends a development job: nobody else will tell its end.
pub(crate) async fn end_development(
    tx: &mut Tx,
    trigger: &StoredTrigger,
    job: &LockedJob,
    outcome: Outcome,
    reason: &Reason,
    now: Timestamp,
) -> Result<Vec<Hint>, DbError> {
    let end = DevelopmentEnd { job: job.job.id, outcome, exit_code: None, reason: Some(reason.clone()) };
    write_end(tx, trigger, job, &end, now).await
}

async fn write_end(
    tx: &mut Tx,
    trigger: &StoredTrigger,
    job: &LockedJob,
    end: &DevelopmentEnd,
    now: Timestamp,
) -> Result<Vec<Hint>, DbError> {
    let (outcome, reason) = (end.outcome, end.reason.as_ref());
    if !tx.job_finish(end.job, job.lease_token, outcome, end.exit_code, reason, now).await? {
        return Ok(Vec::new());
    }
    Ended { trigger, job, outcome, reason: reason.map(Reason::as_str), now, robot_unknown: true }.settle(tx).await
}

/// Why a job that did not call ends.
pub(crate) fn idle() -> Reason {
    Reason::cut("the development job has not called for an hour")
}

fn process(name: ProcessName, args: Option<ProcessArgs>) -> ProcessSpec {
    ProcessSpec {
        name,
        path: ProcessPath::from_stored(SHOWN.to_owned()),
        args,
        is_git_repo: false,
        git_branch: None,
        entry_point: None,
    }
}

fn snapshot(name: ProcessName, args: Option<ProcessArgs>) -> JobSnapshot {
    JobSnapshot {
        trigger_name: TriggerName::from_stored(SHOWN.to_owned()),
        trigger_type: orchestrator_core::trigger::TriggerType::Single,
        own_args: args.is_some(),
        process: process(name, args),
        is_blocking: false,
        priority: 0,
        worker_whitelist: Vec::new(),
        policies: Policies::default(),
        origin: JobOrigin::Manual,
        hold: orchestrator_core::trigger::Hold::None,
    }
}

/// Inserts a job and takes it through all that comes before running. No worker ever sees it queued.
async fn start(
    tx: &mut Tx,
    stored: &StoredTrigger,
    snapshot: JobSnapshot,
    hash: TokenHash,
    now: Timestamp,
) -> Result<JobId, DbError> {
    let scheduled_at = manual_instant(now, stored);
    let mut progress = progress_of(stored);
    progress.last_scheduled_at = Some(scheduled_at);
    tx.trigger_save_progress(&[progress]).await?;
    let id = JobId::generate();
    let new = NewJob {
        id,
        trigger_id: DEVELOPMENT_TRIGGER,
        scheduled_at,
        attempt: 1,
        not_before: None,
        origin_request: None,
        snapshot,
    };
    tx.job_insert(&[new], now).await?;
    let (worker, session) = (WorkerName::from_stored(WORKER.to_owned()), SessionId::generate());
    let assign = Assign { job: id, worker: worker.clone(), session, request: RequestId::generate() };
    let grant = tx.job_assign(&[assign], now, now + IDLE).await?.into_iter().next();
    let grant = grant.ok_or_else(|| DbError::not_updated("job", id))?;
    let token_hash = hash.as_bytes().to_vec();
    let call = JobStart { worker, session, job: id, token: grant.lease.token, token_hash, commit: None };
    if tx.jobs_start(&[call], now, now + IDLE).await?.is_empty() {
        return Err(DbError::not_updated("job", id));
    }
    tx.trigger_refresh_status(&[DEVELOPMENT_TRIGGER]).await?;
    Ok(id)
}
