//! A worker agent begins a session.

use std::collections::BTreeMap;

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{InstanceId, JobId, SessionId};
use orchestrator_core::job::{JobStatus, Outcome};
use orchestrator_core::lease::{LEASE, LeaseToken};
use orchestrator_core::text::{Reason, WorkerName};
use orchestrator_core::worker::{Worker, WorkerState};
use orchestrator_db::{DbError, Hint, LockedJob, NewSession, StoredTrigger, Tx};

use crate::beats::Beat;
use crate::end::Ended;
use crate::finish::{back_or_end, lock_all_with_triggers, lock_with_trigger};
use crate::scheduler::Scheduler;
use crate::transaction::{Contended, in_transaction};

/// What an agent says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The name its token is bound to.
    pub worker: WorkerName,
    /// The agent process.
    pub instance: InstanceId,
    /// Jobs it can hold at once.
    pub slots: u32,
    /// Takes only jobs that name it.
    pub exclusive: bool,
    /// Its version.
    pub version: String,
    /// Free labels.
    pub labels: BTreeMap<String, String>,
    /// Jobs whose robots still run, with their tokens.
    pub held: Vec<(JobId, LeaseToken)>,
}

/// What an agent learns when it registers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// The session that all further calls name.
    pub session: SessionId,
    /// Of the jobs it listed, those it does not hold any more.
    pub gone: Vec<(JobId, LeaseToken)>,
}

/// Why a registration was refused.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// Another agent process is alive under this name.
    #[error(
        "a worker named '{name}' is already running (last heard of at {last_heartbeat}); give this one a token of its own, or stop the other and wait 15 s"
    )]
    NameTaken {
        /// The name.
        name: WorkerName,
        /// When the other one was heard of.
        last_heartbeat: Timestamp,
    },
    /// Agents of the same installation take the name from each other.
    #[error(
        "another agent with a copy of this one's data folder is running as '{name}' (last heard of at {last_heartbeat}); stop one of them, and give each machine a worker token and a data folder of its own. After crashes in a row, wait 15 s"
    )]
    Copied {
        /// The name.
        name: WorkerName,
        /// When the other one was heard of.
        last_heartbeat: Timestamp,
    },
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// The session that a registration took the place of.
#[derive(Debug)]
struct Previous {
    session: Option<SessionId>,
    is_alive: bool,
}

impl Contended for RegisterError {
    fn is_contention(&self) -> bool {
        matches!(self, Self::Db(error) if error.is_contention())
    }
}

impl Scheduler {
    /// Begins a session. What an earlier session of this name held and the agent does not list is over: its robots were
    /// killed before the agent registered.
    pub async fn register(&self, registration: Registration) -> Result<Registered, RegisterError> {
        let registered: Result<(Registered, Previous), RegisterError> =
            in_transaction!(self, |tx| { self.register_in(tx, &registration).await });
        if let Err(RegisterError::Copied { name, .. }) = &registered {
            self.note_contested(name).await?;
        }
        let (registered, previous) = registered?;
        self.beats().end_sessions(previous.session);
        let now = self.now();
        self.tenancies().has_registered(&registration.worker, registered.session, previous.is_alive, now);
        let beat = Beat { session: registered.session, at: self.now(), draining: false, trouble: None };
        self.beats().note(registration.worker, beat);
        Ok(registered)
    }

    /// Keeps that two agents want one place, for those who look for what is wrong.
    async fn note_contested(&self, worker: &WorkerName) -> Result<(), DbError> {
        in_transaction!(self, |tx| {
            tx.worker_note_contested(worker, self.now()).await?;
            Ok::<_, DbError>(((), vec![Hint::Worker { name: worker.as_str().to_owned() }]))
        })
    }

    async fn register_in(
        &self,
        tx: &mut Tx,
        registration: &Registration,
    ) -> Result<((Registered, Previous), Vec<Hint>), RegisterError> {
        let now = self.now();
        let name = &registration.worker;
        let known = tx.worker_lock(name).await?;
        let previous = known.as_ref().map(|known| known.worker.session_id);
        let alive = known.as_ref().map(|known| &known.worker).filter(|worker| is_alive(worker, now));
        if let Some(alive) = alive {
            self.refuse_second_agent(alive, registration.instance, now)?;
        }
        let session = SessionId::generate();
        let new = NewSession {
            name: name.clone(),
            session,
            instance: registration.instance,
            slots: registration.slots,
            exclusive: registration.exclusive,
            version: registration.version.clone(),
            labels: registration.labels.clone(),
        };
        tx.worker_upsert(&new, now).await?;
        let mut hints = vec![Hint::Worker { name: name.as_str().to_owned() }, Hint::Jobs];
        let held = tx.job_ids_held_by(name).await?;
        lock_all_with_triggers(tx, &held).await?;
        for job in held {
            let (trigger, job) = lock_with_trigger(tx, job).await?;
            if !registration.held.contains(&(job.job.id, job.lease_token)) {
                hints.extend(give_up(tx, &trigger, &job, now).await?);
            }
        }
        let renewed = match previous {
            Some(previous) => tx.job_renew(name, previous, &registration.held, now + LEASE).await?,
            None => Vec::new(),
        };
        let kept: Vec<JobId> = renewed.iter().map(|renewed| renewed.job).collect();
        tx.job_move_session(&kept, session).await?;
        let gone = registration.held.iter().filter(|(job, _)| !kept.contains(job)).copied().collect();
        let previous = Previous { session: previous, is_alive: alive.is_some() };
        Ok(((Registered { session, gone }, previous), hints))
    }

    /// Refuses an agent while another one is alive under its name; not one that starts anew, unless that happens so often that
    /// they are two.
    fn refuse_second_agent(&self, alive: &Worker, instance: InstanceId, now: Timestamp) -> Result<(), RegisterError> {
        let (name, last_heartbeat) = (alive.name.clone(), alive.last_heartbeat);
        if alive.instance_id != instance {
            return Err(RegisterError::NameTaken { name, last_heartbeat });
        }
        if self.tenancies().is_contested(&name, now) {
            tracing::error!(worker.name = %name, "two agents with copies of one data folder run under one name; one of them is refused");
            return Err(RegisterError::Copied { name, last_heartbeat });
        }
        Ok(())
    }

    /// Ends a session in good order.
    pub async fn leave(&self, worker: &WorkerName, session: SessionId) -> Result<(), DbError> {
        self.flush_beats().await?;
        in_transaction!(self, |tx| {
            let mut hints = vec![Hint::Jobs];
            tx.worker_lock(worker).await?;
            let held = tx.job_ids_held_by(worker).await?;
            lock_all_with_triggers(tx, &held).await?;
            for job in held {
                let (trigger, job) = lock_with_trigger(tx, job).await?;
                // A grant whose answer the agent did not wait for any more.
                if job.session_id == Some(session) && job.job.state.status() == JobStatus::Assigned {
                    hints.extend(give_up(tx, &trigger, &job, self.now()).await?);
                }
            }
            if tx.worker_stop(worker, session).await? {
                tx.worker_release_reservations(worker).await?;
            }
            Ok::<_, DbError>(((), hints))
        })
    }
}

/// Ends what an agent no longer has: what was not started goes back to the queue, what may have run is over.
async fn give_up(tx: &mut Tx, trigger: &StoredTrigger, job: &LockedJob, now: Timestamp) -> Result<Vec<Hint>, DbError> {
    match job.job.state.status() {
        JobStatus::Assigned => {
            let reason = Reason::cut("the worker ended or started anew before it had started the job");
            back_or_end(tx, trigger, job, &reason, now).await.map(|(_, hints)| hints)
        }
        JobStatus::Running | JobStatus::Lost => {
            let reason = "the worker was restarted while the robot ran; what was left of the robot was killed";
            let outcome = if job.job.kill_requested { Outcome::Killed } else { Outcome::Failed };
            tx.job_finish(job.job.id, job.lease_token, outcome, None, Some(&Reason::cut(reason)), now).await?;
            Ended { trigger, job, outcome, reason: Some(reason), now, robot_unknown: false }.settle(tx).await
        }
        JobStatus::Queued
        | JobStatus::Done
        | JobStatus::Failed
        | JobStatus::Killed
        | JobStatus::TimedOut
        | JobStatus::Cancelled => Ok(Vec::new()),
    }
}

fn is_alive(worker: &Worker, now: Timestamp) -> bool {
    matches!(worker.state, WorkerState::Up | WorkerState::Draining) && now < worker.last_heartbeat + LEASE
}
