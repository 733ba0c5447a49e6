//! What worker agents do.

use std::future::ready;
use std::pin::pin;
use std::time::Duration;

use orchestrator_core::id::{JobId, RequestId};
use orchestrator_core::job::{JobStatus, Outcome};
use orchestrator_core::text::Reason;
use orchestrator_db::Grant;
use orchestrator_scheduler::{
    Claim, ClaimError, Condition, FinishError, FinishReport, FinishRequest, HeartbeatAnswer, StartError, Started,
};

use super::{Agent, World};

impl World {
    pub(crate) fn ask(agent: &Agent, free_slots: u32) -> Claim {
        Claim {
            worker: agent.name.clone(),
            session: agent.session,
            free_slots,
            wait: Duration::from_secs(25),
            request: RequestId::generate(),
            repeat: false,
        }
    }

    /// Asks, lets the engine look, and takes what there is.
    pub(crate) async fn try_claim(&self, claim: Claim) -> Result<Vec<Grant>, ClaimError> {
        let mut asking = pin!(self.server.claim_jobs(claim));
        let early = tokio::select! { biased; answer = &mut asking => Some(answer), () = ready(()) => None };
        let answer = if let Some(answer) = early {
            answer
        } else {
            while self.tick().await.more {}
            tokio::select! { biased; answer = asking => answer, () = ready(()) => Ok(Vec::new()) }
        };
        for grant in answer.iter().flatten() {
            self.note_token(grant);
        }
        self.check().await;
        answer
    }

    fn note_token(&self, grant: &Grant) {
        let before = self.tokens.lock().unwrap().insert(grant.job.id, grant.lease.token);
        assert!(before.is_none_or(|before| before < grant.lease.token), "I3: a token was granted twice");
    }

    pub(crate) async fn claim(&self, agent: &Agent, free_slots: u32) -> Vec<Grant> {
        self.try_claim(Self::ask(agent, free_slots)).await.unwrap()
    }

    /// Claims the one job there is.
    pub(crate) async fn claim_one(&self, agent: &Agent) -> Grant {
        self.claim(agent, 1).await.pop().expect("there is a job to claim")
    }

    pub(crate) async fn try_start(&self, agent: &Agent, grant: &Grant) -> Result<Started, StartError> {
        let hash = grant.job.id.as_uuid().into_bytes();
        let hash = [&hash[..], &grant.lease.token.value().to_le_bytes()].concat();
        let (job, token) = (grant.job.id, grant.lease.token);
        let started = self.server.start_job(&agent.name, agent.session, job, token, &hash, None).await;
        self.check().await;
        started
    }

    pub(crate) async fn start(&self, agent: &Agent, grant: &Grant) {
        self.try_start(agent, grant).await.unwrap();
    }

    /// Claims and starts.
    pub(crate) async fn run(&self, agent: &Agent) -> Grant {
        let grant = self.claim_one(agent).await;
        self.start(agent, &grant).await;
        grant
    }

    pub(crate) fn report(agent: &Agent, grant: &Grant, report: FinishReport) -> FinishRequest {
        FinishRequest {
            worker: agent.name.clone(),
            job: grant.job.id,
            token: grant.lease.token,
            report,
            exit_code: None,
            reason: None,
            ended_at: None,
        }
    }

    pub(crate) async fn try_finish(
        &self,
        agent: &Agent,
        grant: &Grant,
        outcome: Outcome,
    ) -> Result<JobStatus, FinishError> {
        let finished = self.server.finish_job(Self::report(agent, grant, FinishReport::Ended(outcome))).await;
        self.check().await;
        finished
    }

    pub(crate) async fn finish(&self, agent: &Agent, grant: &Grant, outcome: Outcome) {
        self.try_finish(agent, grant, outcome).await.unwrap();
    }

    pub(crate) async fn hand_back(&self, agent: &Agent, grant: &Grant, reason: &str) -> Result<JobStatus, FinishError> {
        let mut request = Self::report(agent, grant, FinishReport::NeverStarted);
        request.reason = Some(Reason::cut(reason));
        let handed_back = self.server.finish_job(request).await;
        self.check().await;
        handed_back
    }

    pub(crate) async fn beat(&self, agent: &Agent, held: &[&Grant]) -> HeartbeatAnswer {
        let held: Vec<_> = held.iter().map(|grant| (grant.job.id, grant.lease.token)).collect();
        let answer = self.server.heartbeat(&agent.name, agent.session, &held, Condition::default()).await.unwrap();
        self.check().await;
        answer
    }

    /// An administrator has the worker take nothing new.
    pub(crate) async fn drain(&self, agent: &Agent) {
        let mut tx = self.db.begin_write().await.unwrap();
        assert!(tx.worker_set_drain(&agent.name, true).await.unwrap());
        tx.commit().await.unwrap();
    }

    /// The worker says that its machine can start nothing, or that it can again.
    pub(crate) async fn is_troubled(&self, agent: &Agent, held: &[&Grant], trouble: Option<&str>) {
        let held: Vec<_> = held.iter().map(|grant| (grant.job.id, grant.lease.token)).collect();
        let condition = Condition { trouble: trouble.map(Reason::cut), ..Condition::default() };
        self.server.heartbeat(&agent.name, agent.session, &held, condition).await.unwrap();
        self.check().await;
    }

    /// Runs the trigger's next job to its end.
    pub(crate) async fn run_to(&self, agent: &Agent, outcome: Outcome) -> JobId {
        let grant = self.run(agent).await;
        self.finish(agent, &grant, outcome).await;
        grant.job.id
    }
}
