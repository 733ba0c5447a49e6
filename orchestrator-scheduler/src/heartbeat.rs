//! A worker renews exactly the leases it lists, and learns what to do about them.

use orchestrator_core::id::{JobId, SessionId};
use orchestrator_core::lease::{LEASE, LeaseToken};
use orchestrator_core::text::WorkerName;
use orchestrator_db::{DbError, Hint, Renewed};

use crate::beats::Beat;
use crate::scheduler::Scheduler;
use crate::transaction::{Contended, in_transaction};

/// What a heartbeat is answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeartbeatAnswer {
    /// Jobs to kill.
    pub kills: Vec<(JobId, LeaseToken)>,
    /// Listed jobs that the worker does not hold any more.
    pub gone: Vec<(JobId, LeaseToken)>,
    /// Listed jobs whose trigger is on hold.
    pub pausing: Vec<JobId>,
    /// The worker is to take nothing new.
    pub drain: bool,
}

/// Why a heartbeat was refused.
#[derive(Debug, thiserror::Error)]
pub enum HeartbeatError {
    /// Another registration took this session's place.
    #[error("this worker's session is over; register again")]
    SessionOver,
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl Contended for HeartbeatError {
    fn is_contention(&self) -> bool {
        matches!(self, Self::Db(error) if error.is_contention())
    }
}

impl Scheduler {
    /// Renews the listed leases. A worker that holds nothing costs no statement: its beat is written with all others',
    /// once a second.
    pub async fn heartbeat(
        &self,
        worker: &WorkerName,
        session: SessionId,
        held: &[(JobId, LeaseToken)],
        draining: bool,
    ) -> Result<HeartbeatAnswer, HeartbeatError> {
        if self.beats().is_over(session) {
            return Err(HeartbeatError::SessionOver);
        }
        self.beats().note(worker.clone(), Beat { session, at: self.now(), draining });
        let mut answer = HeartbeatAnswer { drain: self.beats().is_draining(worker), ..HeartbeatAnswer::default() };
        if held.is_empty() {
            return Ok(answer);
        }
        let renewed: Result<Vec<Renewed>, HeartbeatError> = in_transaction!(self, |tx| {
            let renewed = tx.job_renew(worker, session, held, self.now() + LEASE).await?;
            // "Gone" would have the agent kill robots that its own next session has taken over.
            if renewed.len() < held.len() && tx.worker_standing(worker).await?.is_none_or(|it| it.session_id != session)
            {
                return Err(HeartbeatError::SessionOver);
            }
            let found = renewed.iter().filter(|renewed| renewed.was_lost);
            let hints = found.map(|renewed| Hint::Job { id: renewed.job }).collect();
            Ok((renewed, hints))
        });
        let renewed = renewed?;
        for (job, token) in held {
            match renewed.iter().find(|renewed| renewed.job == *job && renewed.token == *token) {
                None => answer.gone.push((*job, *token)),
                Some(renewed) => {
                    if renewed.kill_requested {
                        answer.kills.push((*job, *token));
                    }
                    if renewed.pausing {
                        answer.pausing.push(*job);
                    }
                }
            }
        }
        Ok(answer)
    }

    /// Writes the beats that were gathered, and learns whose session is over and who is to drain.
    pub(crate) async fn flush_beats(&self) -> Result<(), DbError> {
        let beats = self.beats().take();
        if beats.is_empty() {
            return Ok(());
        }
        let rows: Vec<_> =
            beats.iter().map(|(worker, beat)| (worker.clone(), beat.session, beat.at, beat.draining)).collect();
        let (over, draining): (Vec<WorkerName>, _) = in_transaction!(self, |tx| {
            let over = tx.worker_beat(&rows).await?;
            let draining = tx.worker_loads().await?;
            let draining = draining.into_iter().filter(|load| load.drain_requested).map(|load| load.name).collect();
            Ok::<_, DbError>(((over, draining), Vec::new()))
        })?;
        self.beats().set_draining(draining);
        let ended = beats.iter().filter(|(worker, _)| over.contains(worker)).map(|(_, beat)| beat.session);
        self.beats().end_sessions(ended);
        Ok(())
    }
}
