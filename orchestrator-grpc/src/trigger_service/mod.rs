//! Administration of triggers.

mod change;
mod hold_cause;
mod planned;
mod preview;
mod queue_wait;

use orchestrator_core::clock::Timestamp;
use orchestrator_core::trigger::{Trigger, TriggerDraft, TriggerKind};
use orchestrator_db::{Decision, OVERDUE_AFTER, TriggerFilter, TriggerSort};
use orchestrator_proto::convert::{self, DecodeError, DraftContext};
use orchestrator_proto::v1;
use orchestrator_proto::v1::trigger_service_server::TriggerService;
use orchestrator_scheduler::{QueueUse, Scheduler};
use tonic::{Request, Response, Status};

use crate::auth::identity;
use crate::page::{count, given, page, searched};
use crate::status;

/// The service.
#[derive(Debug, Clone)]
pub(crate) struct Triggers {
    scheduler: Scheduler,
}

impl Triggers {
    pub(crate) fn new(scheduler: Scheduler) -> Self {
        Self { scheduler }
    }

    /// The live trigger that a person means.
    async fn find(&self, text: &str) -> Result<Trigger, Status> {
        let key = convert::key("trigger", text).map_err(status::decode)?;
        let mut tx = self.scheduler.db().begin_read().await.map_err(status::db)?;
        tx.trigger_find(&key).await.map_err(status::db)
    }

    fn draft(&self, message: v1::Trigger, existing: Option<&Trigger>) -> Result<TriggerDraft, DecodeError> {
        let context = DraftContext { limits: self.scheduler.limits(), zone: self.scheduler.zone(), existing };
        convert::draft(message, context)
    }

    /// The same for the queue that is meant, in the spelling that its elements have.
    async fn watching(&self, mut draft: TriggerDraft) -> Result<TriggerDraft, Status> {
        if let TriggerKind::Queue { queue_name, .. } = &mut draft.kind {
            *queue_name = self.scheduler.queue_meant(queue_name.clone(), QueueUse::Make).await.map_err(status::db)?;
        }
        Ok(draft)
    }
}

#[tonic::async_trait]
impl TriggerService for Triggers {
    async fn create(
        &self,
        request: Request<v1::CreateTriggerRequest>,
    ) -> Result<Response<v1::CreateTriggerResponse>, Status> {
        let actor = identity(&request)?.actor();
        let v1::CreateTriggerRequest { trigger, repeat, paused } = request.into_inner();
        let message = convert::required("trigger", trigger).map_err(status::decode)?;
        let id = new_id(&message.id, repeat).map_err(status::decode)?;
        let draft = self.watching(self.draft(message, None).map_err(status::decode)?).await?;
        let created = if paused {
            self.scheduler.create_paused_trigger(&actor, id, draft, repeat).await
        } else {
            self.scheduler.create_trigger(&actor, id, draft, repeat).await
        };
        let trigger = created.map_err(status::trigger)?;
        Ok(Response::new(v1::CreateTriggerResponse { trigger: Some(convert::trigger(&trigger)) }))
    }

    async fn get(&self, request: Request<v1::GetTriggerRequest>) -> Result<Response<v1::GetTriggerResponse>, Status> {
        let key = convert::key("trigger", &request.get_ref().trigger).map_err(status::decode)?;
        let mut tx = self.scheduler.db().begin_read().await.map_err(status::db)?;
        let trigger = tx.trigger_find(&key).await.map_err(status::db)?;
        let trail = change::trail(&mut tx, trigger.id).await.map_err(status::db)?;
        let queue_wait = queue_wait::of(&mut tx, &trigger, self.scheduler.now()).await.map_err(status::db)?;
        let hold_cause = hold_cause::of(&mut tx, &trigger, &trail).await.map_err(status::db)?;
        let shown = v1::Trigger { queue_wait, hold_cause, ..convert::trigger(&trigger) };
        Ok(Response::new(v1::GetTriggerResponse { trigger: Some(shown), last_change: change::latest(&trail) }))
    }

    async fn list(
        &self,
        request: Request<v1::ListTriggersRequest>,
    ) -> Result<Response<v1::ListTriggersResponse>, Status> {
        let message = request.into_inner();
        let page = page(message.page.clone()).map_err(status::decode)?;
        let filter = filter(message, self.scheduler.now()).map_err(status::decode)?;
        let mut tx = self.scheduler.db().begin_read().await.map_err(status::db)?;
        let (triggers, next) = tx.trigger_list(&filter, &page).await.map_err(status::db)?;
        Ok(Response::new(v1::ListTriggersResponse {
            triggers: triggers.rows.iter().map(convert::trigger).collect(),
            next_cursor: next.unwrap_or_default(),
        }))
    }

    async fn update(
        &self,
        request: Request<v1::UpdateTriggerRequest>,
    ) -> Result<Response<v1::UpdateTriggerResponse>, Status> {
        let actor = identity(&request)?.actor();
        let message = convert::required("trigger", request.into_inner().trigger).map_err(status::decode)?;
        let existing = self.find(&message.id).await?;
        let read_at = convert::optional_instant("updated_at", message.updated_at).map_err(status::decode)?;
        let draft = self.watching(self.draft(message, Some(&existing)).map_err(status::decode)?).await?;
        let updated = self.scheduler.update_trigger(&actor, existing.id, draft, read_at).await;
        let trigger = updated.map_err(status::trigger)?;
        Ok(Response::new(v1::UpdateTriggerResponse { trigger: Some(convert::trigger(&trigger)) }))
    }

    async fn delete(
        &self,
        request: Request<v1::DeleteTriggerRequest>,
    ) -> Result<Response<v1::DeleteTriggerResponse>, Status> {
        let actor = identity(&request)?.actor();
        let id = self.find(&request.get_ref().trigger).await?.id;
        let deleted = self.scheduler.delete_trigger(&actor, id).await.map_err(status::trigger)?;
        Ok(Response::new(v1::DeleteTriggerResponse {
            cancelled_jobs: count(deleted.cancelled),
            running_jobs: deleted.running,
        }))
    }

    async fn enable(
        &self,
        request: Request<v1::EnableTriggerRequest>,
    ) -> Result<Response<v1::EnableTriggerResponse>, Status> {
        let actor = identity(&request)?.actor();
        let message = request.into_inner();
        let next_run = convert::optional_instant("next_run", message.next_run).map_err(status::decode)?;
        let id = self.find(&message.trigger).await?.id;
        let trigger = self.scheduler.enable_trigger(&actor, id, next_run).await.map_err(status::trigger)?;
        Ok(Response::new(v1::EnableTriggerResponse { trigger: Some(convert::trigger(&trigger)) }))
    }

    async fn disable(
        &self,
        request: Request<v1::DisableTriggerRequest>,
    ) -> Result<Response<v1::DisableTriggerResponse>, Status> {
        let actor = identity(&request)?.actor();
        let id = self.find(&request.get_ref().trigger).await?.id;
        let disabled = self.scheduler.disable_trigger(&actor, id).await.map_err(status::trigger)?;
        Ok(Response::new(v1::DisableTriggerResponse {
            trigger: Some(convert::trigger(&disabled.trigger)),
            cancelled_jobs: count(disabled.cancelled),
        }))
    }

    async fn run_now(&self, request: Request<v1::RunNowRequest>) -> Result<Response<v1::RunNowResponse>, Status> {
        let actor = identity(&request)?.actor();
        let message = request.into_inner();
        let (call, repeat) = convert::call(message.call).map_err(status::decode)?;
        let limit = self.scheduler.limits().process_args;
        let args = convert::process_args(message.process_args, limit).map_err(status::decode)?;
        let id = self.find(&message.trigger).await?.id;
        let job = self.scheduler.run_now(&actor, id, args, call, repeat).await.map_err(status::trigger)?;
        Ok(Response::new(v1::RunNowResponse { job: Some(convert::job(&job, None)) }))
    }

    async fn kill(
        &self,
        request: Request<v1::KillTriggerRequest>,
    ) -> Result<Response<v1::KillTriggerResponse>, Status> {
        let actor = identity(&request)?.actor();
        let id = self.find(&request.get_ref().trigger).await?.id;
        let killed = self.scheduler.kill_trigger(&actor, id).await.map_err(status::trigger)?;
        Ok(Response::new(v1::KillTriggerResponse {
            trigger: Some(convert::trigger(&killed.trigger)),
            killed_jobs: count(killed.killed),
            cancelled_jobs: count(killed.cancelled),
        }))
    }

    async fn preview_schedule(
        &self,
        request: Request<v1::PreviewScheduleRequest>,
    ) -> Result<Response<v1::PreviewScheduleResponse>, Status> {
        let message = request.into_inner();
        let wanted = preview::Wanted::read(&message, self.scheduler.now()).map_err(status::decode)?;
        if message.trigger.is_empty() {
            let kind = preview::expression(&message, self.scheduler.zone()).map_err(status::decode)?;
            return Ok(Response::new(preview::of(&kind, wanted)));
        }
        let trigger = self.find(&message.trigger).await?;
        let mut tx = self.scheduler.db().begin_read().await.map_err(status::db)?;
        let trail = change::trail(&mut tx, trigger.id).await.map_err(status::db)?;
        let hold_cause = hold_cause::of(&mut tx, &trigger, &trail).await.map_err(status::db)?;
        let hold = trigger.hold.as_str().to_owned();
        Ok(Response::new(v1::PreviewScheduleResponse { hold, hold_cause, ..preview::of(&trigger.kind, wanted) }))
    }

    async fn list_decisions(
        &self,
        request: Request<v1::ListDecisionsRequest>,
    ) -> Result<Response<v1::ListDecisionsResponse>, Status> {
        let message = request.into_inner();
        let page = page(message.page).map_err(status::decode)?;
        let trigger = match given(message.trigger) {
            Some(key) => Some(self.find(&key).await?.id),
            None => None,
        };
        let mut tx = self.scheduler.db().begin_read().await.map_err(status::db)?;
        let (decisions, next) = tx.decision_list(trigger, &page).await.map_err(status::db)?;
        Ok(Response::new(v1::ListDecisionsResponse {
            decisions: decisions.into_iter().map(decision).collect(),
            next_cursor: next.unwrap_or_default(),
        }))
    }

    async fn list_planned_runs(
        &self,
        request: Request<v1::ListPlannedRunsRequest>,
    ) -> Result<Response<v1::ListPlannedRunsResponse>, Status> {
        let wanted = planned::Wanted::read(request.get_ref(), self.scheduler.now()).map_err(status::decode)?;
        let mut tx = self.scheduler.db().begin_read().await.map_err(status::db)?;
        Ok(Response::new(planned::list(&mut tx, &wanted).await.map_err(status::db)?))
    }
}

/// The id that the caller made, which a repeated call must have, or a new one.
fn new_id(text: &str, repeat: bool) -> Result<orchestrator_core::id::TriggerId, DecodeError> {
    match convert::optional_id("trigger.id", text)? {
        Some(id) => Ok(id),
        None if repeat => Err(DecodeError::Missing { field: "trigger.id" }),
        None => Ok(orchestrator_core::id::TriggerId::generate()),
    }
}

fn filter(message: v1::ListTriggersRequest, now: Timestamp) -> Result<TriggerFilter, DecodeError> {
    Ok(TriggerFilter {
        search: searched("search", message.search)?,
        status: given(message.status).map(|text| convert::name("status", &text)).transpose()?,
        sort: sort(&message.sort)?,
        descending: message.descending,
        due_before: message.overdue.then(|| now - OVERDUE_AFTER),
        trigger_type: given(message.r#type).map(|text| convert::name("type", &text)).transpose()?,
    })
}

fn decision(decision: Decision) -> v1::Decision {
    v1::Decision {
        id: decision.id.to_string(),
        trigger_id: decision.trigger_id.to_string(),
        scheduled_at: Some(convert::timestamp(decision.scheduled_at)),
        decided_at: Some(convert::timestamp(decision.decided_at)),
        decision: decision.decision.to_string(),
        reason: decision.reason,
    }
}

fn sort(name: &str) -> Result<TriggerSort, DecodeError> {
    match name {
        "" | "NAME" => Ok(TriggerSort::Name),
        "PRIORITY" => Ok(TriggerSort::Priority),
        "STATUS" => Ok(TriggerSort::Status),
        "PROCESS" => Ok(TriggerSort::Process),
        "LAST_RUN" => Ok(TriggerSort::LastRun),
        "NEXT_RUN" => Ok(TriggerSort::NextRun),
        _ => {
            let expected = "NAME, PRIORITY, STATUS, PROCESS, LAST_RUN or NEXT_RUN";
            Err(DecodeError::Form { field: "sort", expected })
        }
    }
}
