//! Doing what was planned, one thing after the other; each call may be repeated.

use orchestrator_core::queue::ElementStatus;
use orchestrator_proto::v1 as pb;
use prost::Message as _;
use tonic::{Code, Status};

use super::plan::{Action, Item, NewElement, Plan, Work};
use crate::app::App;
use crate::call::repeatable;
use crate::connection::Client;
use crate::error::{CliError, Result};
use crate::output::Progress;

/// Elements of one call: what every server takes, and few enough for progress to be seen.
const ELEMENTS: usize = 5000;
const MESSAGE_ELEMENTS: usize = 500;
/// Changes of status of one call.
const STATUSES: usize = 500;

/// Does it. The plan that comes back says what became of each thing.
pub(super) async fn apply(app: &App, client: &Client, plan: Plan) -> Result<Plan> {
    let progress = Progress::new("Importing", plan.changes(), app.printer.is_for_people());
    let mut done = Plan::default();
    for mut item in plan.items {
        let size = item.size();
        match one(client, std::mem::take(&mut item.work), &progress).await {
            Ok(note) => {
                if let Some(note) = note {
                    item.note = note;
                }
            }
            // What the server refuses is told of that one thing; that it is gone ends the import.
            Err(CliError::Refused(refusal)) if refusal.is_about_the_request() => {
                item.action = Action::Fail;
                item.note = format!("{} [{}]", refusal.message, refusal.reason);
            }
            Err(error) => return Err(error),
        }
        progress.add(size);
        done.items.push(item);
    }
    Ok(done)
}

impl Item {
    /// What of it is counted when it is done; elements are counted on their way.
    fn size(&self) -> usize {
        match self.work {
            Work::None | Work::Elements { .. } => 0,
            _ => 1,
        }
    }
}

async fn one(client: &Client, work: Work, progress: &Progress) -> Result<Option<String>> {
    match work {
        Work::None => Ok(None),
        Work::Constant(request) => {
            client.constants().set(request).await?;
            Ok(None)
        }
        Work::Credential { name, username, password } => {
            let request = pb::SetCredentialRequest {
                name,
                username,
                password: password.0.as_str().to_owned(),
                create_only: false,
            };
            client.credentials().set(request).await?;
            Ok(None)
        }
        Work::Trigger { trigger, paused } => {
            let request = |repeat| pb::CreateTriggerRequest { trigger: Some((*trigger).clone()), repeat, paused };
            repeatable(async |repeat| client.triggers().create(request(repeat)).await).await?;
            Ok(None)
        }
        Work::Elements { queue, elements } if elements.iter().any(NewElement::is_not_new) => {
            let resume = pause(client, &queue).await?;
            let added = add_elements(client, &queue, elements, progress).await?;
            if !resume {
                return Ok(Some(format!(
                    "{added}; the queue stays paused, as it was: orchestrator queue resume \"{queue}\""
                )));
            }
            client.queues().resume(pb::ResumeQueueRequest { queue_name: queue }).await?;
            Ok(Some(added))
        }
        Work::Elements { queue, elements } => add_elements(client, &queue, elements, progress).await.map(Some),
    }
}

/// Adds those that are not there yet, and gives them their status.
async fn add_elements(client: &Client, queue: &str, elements: Vec<NewElement>, progress: &Progress) -> Result<String> {
    let total = elements.len();
    let mut created = 0;
    for chunk in elements.chunks(ELEMENTS) {
        let messages = messages(queue, chunk);
        // Always a repetition: what an earlier import added is left alone.
        let reply =
            repeatable(async |_| client.queues().bulk_create(tokio_stream::iter(messages.clone())).await).await?;
        created += usize::try_from(reply.created_count).unwrap_or_default();
        set_statuses(client, chunk).await?;
        progress.add(chunk.len());
    }
    let there = total - created.min(total);
    Ok(if there == 0 {
        format!("{created} elements added")
    } else {
        format!("{created} elements added, {there} were here")
    })
}

impl NewElement {
    fn change(&self) -> pb::SetElementStatusRequest {
        pb::SetElementStatusRequest {
            element: self.element.id.clone(),
            status: self.status.to_string(),
            message: self.message.clone(),
            lease_token: None,
        }
    }

    fn is_not_new(&self) -> bool {
        self.status != ElementStatus::New
    }
}

/// Nobody may claim an element between its creation and its status: what was done would be done again. Whether the queue
/// is to be resumed afterwards.
async fn pause(client: &Client, queue: &str) -> Result<bool> {
    let get = pb::GetQueueRequest { queue_name: queue.to_owned() };
    match client.queues().get_queue(get).await {
        // One that an interrupted import left paused stays so; the administrator resumes it.
        Ok(there) if there.get_ref().queue.as_ref().is_some_and(|queue| queue.paused) => return Ok(false),
        Ok(_) => {}
        Err(status) if status.code() == Code::NotFound => {
            // A queue without elements exists once something is set for it.
            let settings = pb::UpdateQueueSettingsRequest { queue_name: queue.to_owned(), max_attempts: 1 };
            client.queues().update_settings(settings).await?;
        }
        Err(status) => return Err(status.into()),
    }
    client.queues().pause(pb::PauseQueueRequest { queue_name: queue.to_owned() }).await?;
    Ok(true)
}

/// Gives elements their status, a few hundred with one call. What was here before with another status is not among them, and
/// what is new cannot have been claimed: the queue is paused.
async fn set_statuses(client: &Client, elements: &[NewElement]) -> Result {
    let elements: Vec<&NewElement> = elements.iter().filter(|element| element.is_not_new()).collect();
    for chunk in elements.chunks(STATUSES) {
        let request = pb::SetElementStatusesRequest { changes: chunk.iter().map(|new| new.change()).collect() };
        let reply = client.queues().set_statuses(request).await?.into_inner();
        if let Some(refused) = reply.results.into_iter().find(|result| !result.error_code.is_empty()) {
            return Err(Status::failed_precondition(format!("{}: {}", refused.element, refused.error_message)).into());
        }
    }
    Ok(())
}

fn messages(queue: &str, elements: &[NewElement]) -> Vec<pb::BulkCreateRequest> {
    let mut messages: Vec<pb::BulkCreateRequest> =
        vec![pb::BulkCreateRequest { queue_name: queue.to_owned(), elements: Vec::new(), repeat: true }];
    let mut bytes = 0;
    for new in elements {
        let length = new.element.encoded_len();
        if bytes + length > 1 << 20 || messages.last().is_none_or(|message| message.elements.len() >= MESSAGE_ELEMENTS)
        {
            messages.push(pb::BulkCreateRequest::default());
            bytes = 0;
        }
        bytes += length;
        if let Some(message) = messages.last_mut() {
            message.elements.push(new.element.clone());
        }
    }
    messages
}
