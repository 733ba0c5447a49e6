//! A worker renews exactly the leases it lists, and learns what to do about them.

use std::collections::HashSet;

use orchestrator_core::id::{JobId, SessionId};
use orchestrator_core::lease::{LEASE, LeaseToken};
use orchestrator_core::text::{Reason, WorkerName};
use orchestrator_db::{DbError, Hint, Holder, Renewed, Tx, WorkerBeat};

use crate::beats::Beat;
use crate::lane::Lane;
use crate::scheduler::Scheduler;
use crate::transaction::in_transaction;

/// What a worker says of itself with a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Condition {
    /// It takes nothing new and ends when it is empty.
    pub draining: bool,
    /// Why its machine can start nothing for now.
    pub trouble: Option<Reason>,
}

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

/// Where heartbeats of workers that hold jobs meet.
pub(crate) type Renewals = Lane<Holder, Result<Vec<Renewed>, HeartbeatError>>;

impl Scheduler {
    /// Renews the listed leases. A worker that holds nothing costs no statement: its beat is written with all others',
    /// once a second.
    pub async fn heartbeat(
        &self,
        worker: &WorkerName,
        session: SessionId,
        held: &[(JobId, LeaseToken)],
        condition: Condition,
    ) -> Result<HeartbeatAnswer, HeartbeatError> {
        if self.beats().is_over(session) {
            return Err(HeartbeatError::SessionOver);
        }
        self.tenancies().is_used(worker, session);
        let Condition { draining, trouble } = condition;
        let beat = Beat { session, at: self.now(), draining, trouble };
        self.beats().note(worker.clone(), beat.clone());
        if self.beats().is_news(session, beat.trouble.is_some()) {
            self.write_news(worker, &beat).await?;
        }
        let mut answer = HeartbeatAnswer { drain: self.beats().is_draining(worker), ..HeartbeatAnswer::default() };
        if held.is_empty() {
            return Ok(answer);
        }
        let holder = Holder { worker: worker.clone(), session, held: held.to_vec() };
        let renewed = self.renewals().ask(holder, |holders| self.renew_all(holders)).await?;
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

    /// Writes a beat at once: what the worker hands back next is to go to another one, or what waits may go to it again.
    async fn write_news(&self, worker: &WorkerName, beat: &Beat) -> Result<(), DbError> {
        in_transaction!(self, |tx| {
            tx.worker_beat(&[row(worker, beat)]).await?;
            Ok::<_, DbError>(((), vec![Hint::Worker { name: worker.as_str().to_owned() }, Hint::Jobs]))
        })
    }

    /// Renews leases in one transaction; where that fails, each worker's in one of its own.
    async fn renew_all(&self, holders: Vec<Holder>) -> Vec<Result<Vec<Renewed>, HeartbeatError>> {
        let error = match self.renew_together(&holders).await {
            Ok(answers) => return answers,
            Err(error) => error,
        };
        if let Some(answers) = holders.iter().map(|_| error.for_another().map(|error| Err(error.into()))).collect() {
            return answers;
        }
        if holders.len() == 1 {
            return vec![Err(error.into())];
        }
        let mut answers = Vec::with_capacity(holders.len());
        for holder in holders {
            let alone = self.renew_together(&[holder]).await;
            answers.extend(alone.unwrap_or_else(|error| vec![Err(error.into())]));
        }
        answers
    }

    async fn renew_together(&self, holders: &[Holder]) -> Result<Vec<Result<Vec<Renewed>, HeartbeatError>>, DbError> {
        in_transaction!(self, |tx| {
            let renewed = tx.job_renew_all(holders, self.now() + LEASE).await?;
            let found = renewed.iter().filter(|renewed| renewed.was_lost);
            let hints = found.map(|renewed| Hint::Job { id: renewed.job }).collect();
            let mut answers = Vec::with_capacity(holders.len());
            for holder in holders {
                // A worker may list what others hold; that is not its own.
                let is_own = |it: &&Renewed| {
                    it.worker == holder.worker
                        && it.session == holder.session
                        && holder.held.contains(&(it.job, it.token))
                };
                let own: Vec<Renewed> = renewed.iter().filter(is_own).cloned().collect();
                let is_over = own.len() < holder.held.len() && is_over(tx, holder).await?;
                // "Gone" would have the agent kill robots that its own next session has taken over.
                answers.push(if is_over { Err(HeartbeatError::SessionOver) } else { Ok(own) });
            }
            Ok::<_, DbError>((answers, hints))
        })
    }

    /// Writes the beats that were gathered, and learns whose session is over and who is to drain.
    pub(crate) async fn flush_beats(&self) -> Result<(), DbError> {
        let beats = self.beats().take();
        if beats.is_empty() {
            return Ok(());
        }
        let rows: Vec<WorkerBeat> = beats.iter().map(|(worker, beat)| row(worker, beat)).collect();
        let (over, draining): (Vec<WorkerName>, _) = in_transaction!(self, |tx| {
            let over = tx.worker_beat(&rows).await?;
            Ok::<_, DbError>(((over, tx.workers_draining().await?), Vec::new()))
        })?;
        self.beats().set_draining(draining);
        let over: HashSet<WorkerName> = over.into_iter().collect();
        let ended = beats.iter().filter(|(worker, _)| over.contains(worker)).map(|(_, beat)| beat.session);
        self.beats().end_sessions(ended);
        Ok(())
    }
}

fn row(worker: &WorkerName, beat: &Beat) -> WorkerBeat {
    let Beat { session, at, draining, trouble } = beat.clone();
    WorkerBeat { worker: worker.clone(), session, at, draining, trouble }
}

/// Whether another registration took the place of this one.
async fn is_over(tx: &mut Tx, holder: &Holder) -> Result<bool, DbError> {
    let standing = tx.worker_standing(&holder.worker).await?;
    Ok(standing.is_none_or(|standing| standing.session_id != holder.session))
}
