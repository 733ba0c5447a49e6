//! A worker asks for jobs and waits until some fit.

use std::time::Duration;

use orchestrator_core::id::{RequestId, SessionId};
use orchestrator_core::text::WorkerName;
use orchestrator_db::{DbError, Grant};

use crate::scheduler::Scheduler;
use crate::transaction::Contended;
use crate::waiting::WaitingClaim;

/// The longest a claim may wait for its answer.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(25);

/// A worker's request for jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Who asks.
    pub worker: WorkerName,
    /// Its current registration.
    pub session: SessionId,
    /// Slots that are held free for the answer.
    pub free_slots: u32,
    /// How long to wait for a job; cut to 25 s.
    pub wait: Duration,
    /// Made by the caller.
    pub request: RequestId,
    /// The caller lost the answer of the same call.
    pub repeat: bool,
}

/// Why a claim was refused.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// The worker is not registered, or a newer session took this one's place.
    #[error("this worker's session is over; register again")]
    SessionOver,
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl Contended for ClaimError {
    fn is_contention(&self) -> bool {
        matches!(self, Self::Db(error) if error.is_contention())
    }
}

impl Scheduler {
    /// Waits until jobs fit the worker and grants them; an empty answer when none came up in time. The same request
    /// again gives the same grants, as long as they stand.
    pub async fn claim_jobs(&self, claim: Claim) -> Result<Vec<Grant>, ClaimError> {
        if self.beats().is_over(claim.session) {
            return Err(ClaimError::SessionOver);
        }
        self.tenancies().is_used(&claim.worker, claim.session);
        if claim.repeat {
            // In a box: ten thousand workers wait in this call, and each would keep room for it.
            let grants = Box::pin(self.granted_before(&claim)).await?;
            if !grants.is_empty() {
                return Ok(grants);
            }
        }
        let waiting = WaitingClaim {
            worker: claim.worker,
            session: claim.session,
            free_slots: claim.free_slots,
            request: claim.request,
            repeat: claim.repeat,
        };
        let (place, mut answer) = self.waiting().add(waiting);
        self.signals().claim_came();
        match tokio::time::timeout(claim.wait.min(LONGEST_WAIT), &mut answer).await {
            Ok(Ok(answer)) => answer,
            // The server is shutting down.
            Ok(Err(_)) => Ok(Vec::new()),
            Err(_) => place.leave(&mut answer).await.unwrap_or_else(|| Ok(Vec::new())),
        }
    }

    /// What the same call was granted when it was made before.
    async fn granted_before(&self, claim: &Claim) -> Result<Vec<Grant>, DbError> {
        let mut tx = self.db().begin_read().await?;
        tx.job_grants_of_request(&claim.worker, claim.request).await
    }
}
