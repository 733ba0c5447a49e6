//! The session with the server: made by registering, over when another registration takes its place.

use std::time::Duration;

use orchestrator_core::id::{InstanceId, JobId, SessionId};
use orchestrator_core::lease::{HEARTBEAT, LEASE, LeaseToken};
use orchestrator_proto::v1;
use tokio::sync::{Mutex, watch};

use super::call::{Failure, failure, pauses, reason};
use super::contact::Contact;
use super::held::{HeldJobs, Order};
use super::lease::{LeaseEnd, Sent};
use super::options::{AgentOptions, Client};

/// The longest one try to register may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A registration that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) lease: Duration,
    pub(crate) heartbeat: Duration,
    pub(crate) worker_name: String,
}

/// Registers, and again when it has to.
#[derive(Debug)]
pub(crate) struct Sessions {
    client: Client,
    instance: InstanceId,
    slots: u32,
    exclusive: bool,
    current: watch::Sender<Option<Session>>,
    pub(crate) contact: Contact,
    registering: Mutex<()>,
}

impl Sessions {
    pub(crate) fn new(client: Client, instance: InstanceId, options: &AgentOptions) -> Self {
        let (current, _) = watch::channel(None);
        Self {
            client,
            instance,
            slots: options.slots,
            exclusive: options.exclusive,
            current,
            contact: Contact::with(&options.server),
            registering: Mutex::new(()),
        }
    }

    /// The session that stands; waits for one.
    pub(crate) async fn current(&self) -> Session {
        let mut seen = self.current.subscribe();
        loop {
            if let Some(session) = seen.borrow_and_update().clone() {
                return session;
            }
            if seen.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits until another session than this one stands.
    pub(crate) async fn replaced(&self, known: SessionId) {
        let is_other = |session: &Option<Session>| session.as_ref().is_some_and(|session| session.id != known);
        // The sender lives as long as this.
        let _ = self.current.subscribe().wait_for(is_other).await;
    }

    /// Registers for the first time. A refusal is final; a server that is away is waited for.
    pub(crate) async fn begin(&self, held: &HeldJobs) -> Result<Session, tonic::Status> {
        let mut pauses = pauses();
        loop {
            match self.register(held).await {
                Ok(session) => return Ok(session),
                Err(status) if failure(&status) == Failure::Away => {
                    self.contact.is_bad(&status);
                    tokio::time::sleep(pauses.next().unwrap_or(HEARTBEAT)).await;
                }
                Err(status) => return Err(status),
            }
        }
    }

    /// Registers again after `over` has ended, unless somebody else has done so already.
    pub(crate) async fn renew(&self, over: SessionId, held: &HeldJobs) {
        let _one = self.registering.lock().await;
        if self.current.borrow().as_ref().is_some_and(|session| session.id != over) {
            return;
        }
        let mut vacancy = Vacancy { sessions: self, left: self.current.send_replace(None) };
        let mut pauses = pauses();
        loop {
            match self.register(held).await {
                Ok(_) => {
                    vacancy.left = None;
                    return;
                }
                Err(status) => {
                    self.contact.is_bad(&status);
                    if reason(&status).as_deref() == Some("WORKER_NAME_TAKEN") {
                        // The server has ended what this worker held when the other one registered.
                        held.order_held(Order::Gone);
                    }
                    tokio::time::sleep(pauses.next().unwrap_or(HEARTBEAT)).await;
                }
            }
        }
    }

    async fn register(&self, held: &HeldJobs) -> Result<Session, tonic::Status> {
        let sent = Sent::now();
        let listed = held.list();
        let mut request = tonic::Request::new(v1::RegisterRequest {
            instance_id: self.instance.to_string(),
            slots: self.slots,
            exclusive: self.exclusive,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            held: listed.iter().copied().map(pair).collect(),
            labels: std::collections::HashMap::new(),
        });
        request.set_timeout(PATIENCE);
        let answer = self.client.clone().register(request).await?.into_inner();
        let id = answer.session_id.parse().map_err(|error| tonic::Status::internal(format!("session_id: {error}")))?;
        let session = Session {
            id,
            lease: duration(answer.lease.as_ref(), LEASE),
            heartbeat: duration(answer.heartbeat_interval.as_ref(), HEARTBEAT),
            worker_name: answer.worker_name,
        };
        let gone = pairs(&answer.gone);
        for (job, token) in &gone {
            held.order(*job, *token, Order::Gone);
        }
        let kept: Vec<_> = listed.into_iter().filter(|pair| !gone.contains(pair)).collect();
        held.renewed(&kept, LeaseEnd::after(sent, session.lease));
        self.current.send_replace(Some(session.clone()));
        self.contact.is_well();
        Ok(session)
    }
}

/// While no session stands. Who stops trying puts the old one back, so that whoever finds it to be over tries again; else all
/// others would wait for one for ever.
struct Vacancy<'a> {
    sessions: &'a Sessions,
    left: Option<Session>,
}

impl Drop for Vacancy<'_> {
    fn drop(&mut self) {
        if let Some(left) = self.left.take() {
            self.sessions.current.send_if_modified(|current| {
                let is_vacant = current.is_none();
                if is_vacant {
                    *current = Some(left);
                }
                is_vacant
            });
        }
    }
}

/// A job and its token, as messages carry them.
pub(crate) fn pair((job, token): (JobId, LeaseToken)) -> v1::HeldJob {
    v1::HeldJob { job_id: job.to_string(), lease_token: token.value() }
}

/// Jobs and their tokens from messages; what cannot be read is left out.
pub(crate) fn pairs(held: &[v1::HeldJob]) -> Vec<(JobId, LeaseToken)> {
    held.iter().filter_map(|held| Some((held.job_id.parse().ok()?, LeaseToken::new(held.lease_token)))).collect()
}

/// A duration from a message.
pub(crate) fn duration(given: Option<&prost_types::Duration>, default: Duration) -> Duration {
    given.and_then(|given| Duration::try_from(*given).ok()).unwrap_or(default)
}
