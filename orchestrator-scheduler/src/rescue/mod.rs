//! What was lost is found: leases that ran out, lost jobs that nobody answers for, robots that run too long, workers that
//! fell silent, claims of elements that expired.

mod ahead;
mod expired;
mod lost;
mod overtime;

use orchestrator_core::chain::Chain;
use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::JobId;
use orchestrator_core::lease::LEASE;
use orchestrator_db::{DbError, Hint, LockedJob};

pub(crate) use self::ahead::MOST_AHEAD;
pub(crate) use self::lost::{EndOfLost, end_lost, outcome_of_lost};
pub(crate) use self::overtime::was_overtime;
use crate::end::hints_of_new;
use crate::scheduler::Scheduler;
use crate::transaction::in_transaction;

/// Jobs that one look takes on at most; there is another look at once where there may be more.
const BATCH: u32 = 200;

/// Looks that follow each other at once, at most: other work of this server wants its turn.
const MOST_LOOKS: usize = 50;

/// Lost jobs that one look looks at. They are few, and most of them only wait.
const MOST_LOST: u32 = 5_000;

/// What one look found and did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RescueSummary {
    /// Assigned jobs that went back to the queue.
    pub requeued: usize,
    /// Running jobs that became LOST.
    pub lost: usize,
    /// Lost jobs that ended.
    pub ended: usize,
    /// Lost attempts that the next attempt took over from.
    pub superseded: usize,
    /// Jobs whose kill was requested because they ran too long.
    pub overtime: usize,
    /// Workers that fell silent.
    pub silent_workers: usize,
}

impl Scheduler {
    /// Looks once. Nothing is rescued within one lease of the start of duty: the leases of a worker that is there are
    /// renewed by then.
    pub async fn rescue(&self, now: Timestamp) -> Result<RescueSummary, DbError> {
        // Beats are written whether or not anything may be rescued: once in a look, for all workers.
        self.flush_beats().await?;
        self.lower_what_is_ahead(now).await?;
        let mut summary = RescueSummary::default();
        if !self.duty().may_rescue(now) {
            return Ok(summary);
        }
        for _ in 0..MOST_LOOKS {
            let before = summary.clone();
            let found = self.look(now).await?;
            self.rescue_found(&found, now, &mut summary).await?;
            // What can never be rescued would be found again and again.
            if !found.may_be_more() || summary == before {
                break;
            }
        }
        summary.silent_workers = self.mark_silent_workers(now).await?;
        self.expire_claims(now).await?;
        Ok(summary)
    }

    /// Finds, without keeping locks, what seems to need rescue. Each is looked at again under its locks.
    async fn look(&self, now: Timestamp) -> Result<Found, DbError> {
        let mut tx = self.db().begin_write().await?;
        let ids = |jobs: Vec<LockedJob>| jobs.into_iter().map(|job| job.job.id).collect::<Vec<_>>();
        let expired = tx.job_lock_expired(now, BATCH).await?;
        let lost = tx.job_lock_lost(MOST_LOST).await?;
        let lost = ids(lost.into_iter().filter(|job| lost::may_be_resolved(job, now)).collect());
        let overtime = ids(tx.job_lock_overtime(now, BATCH, |job| self.has_watched(job, now)).await?);
        tx.rollback().await?;
        Ok(Found { expired, lost, overtime })
    }

    async fn rescue_found(&self, found: &Found, now: Timestamp, summary: &mut RescueSummary) -> Result<(), DbError> {
        self.rescue_expired(&found.expired, now, summary).await?;
        for job in &found.lost {
            let done = self.resolve_lost(*job, now, summary).await;
            pass_over_bad(*job, done)?;
        }
        for job in &found.overtime {
            let done = self.stop_overtime(*job, now, summary).await;
            pass_over_bad(*job, done)?;
        }
        Ok(())
    }

    async fn mark_silent_workers(&self, now: Timestamp) -> Result<usize, DbError> {
        let silent: usize = in_transaction!(self, |tx| {
            let silent = tx.worker_mark_lost(now - LEASE).await?;
            for worker in &silent {
                tx.worker_release_reservations(worker).await?;
            }
            let hints = if silent.is_empty() { Vec::new() } else { vec![Hint::Jobs] };
            Ok::<_, DbError>((silent.len(), hints))
        })?;
        Ok(silent)
    }

    /// Lets go of elements that were claimed outside of a job and whose lease has run out.
    async fn expire_claims(&self, now: Timestamp) -> Result<(), DbError> {
        for _ in 0..MOST_LOOKS {
            let expired: usize = in_transaction!(self, |tx| {
                let expired = tx.element_expire_claims(now, BATCH).await?;
                Ok::<_, DbError>((expired.len(), hints_of_new(&expired)))
            })?;
            if expired < BATCH as usize {
                break;
            }
        }
        Ok(())
    }
}

/// What one look found.
#[derive(Debug)]
struct Found {
    expired: Vec<LockedJob>,
    lost: Vec<JobId>,
    overtime: Vec<JobId>,
}

impl Found {
    /// Whether another look may find what this one had no room for.
    fn may_be_more(&self) -> bool {
        self.expired.len().max(self.overtime.len()) >= BATCH as usize
    }
}

/// One job that cannot be dealt with must not keep the others from being rescued.
fn pass_over_bad(job: JobId, done: Result<(), DbError>) -> Result<(), DbError> {
    match done {
        Err(error) if !error.is_transient() => {
            tracing::error!(%job, error = %Chain(&error), "a job cannot be rescued");
            Ok(())
        }
        done => done,
    }
}
