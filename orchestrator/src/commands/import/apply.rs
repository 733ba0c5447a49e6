//! Doing what was planned, one thing after the other; each call may be repeated.

use orchestrator_proto::v1 as pb;
use prost::Message as _;

use super::plan::{Action, Item, Plan, Work};
use crate::app::App;
use crate::call::repeatable;
use crate::connection::Client;
use crate::error::{CliError, Result};
use crate::output::Progress;

/// Elements of one call: what every server takes, and few enough for progress to be seen.
const ELEMENTS: usize = 5000;
const MESSAGE_ELEMENTS: usize = 500;

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
        Work::Elements { queue, elements } => add_elements(client, &queue, elements, progress).await.map(Some),
    }
}

/// Adds those that are not there yet, each with its status: an import that was interrupted is repeated, and nobody can tell.
async fn add_elements(
    client: &Client,
    queue: &str,
    elements: Vec<pb::ImportedElement>,
    progress: &Progress,
) -> Result<String> {
    let total = elements.len();
    let mut created = 0;
    for chunk in elements.chunks(ELEMENTS) {
        let messages = messages(queue, chunk);
        let reply = repeatable(async |_| client.queues().import(tokio_stream::iter(messages.clone())).await).await?;
        created += usize::try_from(reply.created_count).unwrap_or_default();
        progress.add(chunk.len());
    }
    let there = total - created.min(total);
    Ok(if there == 0 {
        format!("{created} elements added")
    } else {
        format!("{created} elements added, {there} were here")
    })
}

fn messages(queue: &str, elements: &[pb::ImportedElement]) -> Vec<pb::ImportElementsRequest> {
    let mut messages = vec![pb::ImportElementsRequest { queue_name: queue.to_owned(), elements: Vec::new() }];
    let mut bytes = 0;
    for element in elements {
        let length = element.encoded_len();
        if bytes + length > 1 << 20 || messages.last().is_none_or(|message| message.elements.len() >= MESSAGE_ELEMENTS)
        {
            messages.push(pb::ImportElementsRequest::default());
            bytes = 0;
        }
        bytes += length;
        if let Some(message) = messages.last_mut() {
            message.elements.push(element.clone());
        }
    }
    messages
}
