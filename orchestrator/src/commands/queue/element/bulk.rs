//! `queue element bulk`: the same for every element that a filter finds.

use clap::{Args, Subcommand};
use orchestrator_core::queue::ElementStatus;
use orchestrator_proto::v1 as pb;
use serde_json::json;

use super::super::known;
use super::list::Filter;
use crate::app::App;
use crate::arguments::{Paging, element_status, pages};
use crate::connection::Client;
use crate::error::{CliError, Result};
use crate::output::{Progress, printable, stdout_line};

/// Elements of one call to retry.
const RETRIED: usize = 1000;
/// How many are shown of what would be changed.
const SHOWN: usize = 20;

#[derive(Debug, Args)]
pub(crate) struct BulkArgs {
    #[command(flatten)]
    filter: Filter,
    /// Only tell what would be changed; the exit code is 8 when something would.
    #[arg(long, global = true)]
    dry_run: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Makes those that have ended new again.
    Retry,
    /// Sets the status of all of them.
    SetStatus {
        /// New, in-progress, done, failed or abandoned.
        #[arg(value_parser = element_status)]
        status: ElementStatus,
        /// Why, for people.
        #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
        message: Option<String>,
    },
    /// Deletes all of them for good.
    Delete,
}

impl Verb {
    /// Completes "… 12 elements of queue".
    fn word(&self) -> String {
        match self {
            Self::Retry => "Retry".to_owned(),
            Self::SetStatus { status, .. } => format!("Set to {status}"),
            Self::Delete => "Delete".to_owned(),
        }
    }

    /// Whether it would do anything to the element.
    fn applies_to(&self, element: &pb::QueueElement) -> bool {
        match self {
            Self::Retry => matches!(element.status.as_str(), "DONE" | "FAILED" | "ABANDONED"),
            Self::SetStatus { status, .. } => element.status != status.as_str(),
            Self::Delete => true,
        }
    }
}

pub(super) async fn bulk(app: &App, args: BulkArgs) -> Result {
    let BulkArgs { filter, dry_run, verb } = args;
    let client = app.connect().await?;
    let queue = filter.queue.clone();
    let found = all(&client, app, filter).await?;
    if found.is_empty() {
        known::expect(&client, &queue).await?;
    }
    let wanted: Vec<pb::QueueElement> = found.into_iter().filter(|element| verb.applies_to(element)).collect();
    let question = format!("{} {} elements of queue \"{queue}\"?", verb.word(), wanted.len());
    if wanted.is_empty() {
        app.printer.note("No element is found that this would change.");
    } else if dry_run {
        return plan(app, &verb, &queue, wanted);
    } else {
        app.confirm(&question)?;
    }
    let total = wanted.len();
    let changed = change(app, &client, &verb, wanted).await?;
    let left = total - changed;
    let rest = if left == 0 {
        String::new()
    } else {
        format!(" {left} were changed by others meanwhile, or are held by a job, and left alone.")
    };
    let sentence = format!("{changed} elements of queue \"{queue}\" are changed.{rest}");
    app.printer.own(&json!({ "changed": changed, "left": left }), || changed.to_string(), || printable(&sentence))
}

async fn all(client: &Client, app: &App, filter: Filter) -> Result<Vec<pb::QueueElement>> {
    let request = filter.into_request(app.now);
    let (elements, _) = pages(&Paging::<0> { limit: Some(0), cursor: String::new() }, async |page| {
        let request = pb::ListElementsRequest { page: Some(page), ..request.clone() };
        let reply = client.queues().list(request).await?.into_inner();
        Ok((reply.elements, reply.next_cursor))
    })
    .await?;
    Ok(elements)
}

fn plan(app: &App, verb: &Verb, queue: &str, mut elements: Vec<pb::QueueElement>) -> Result {
    let total = elements.len();
    if app.printer.is_for_people() {
        elements.truncate(SHOWN);
    }
    app.printer.list(&pb::ListElementsResponse { elements, next_cursor: String::new() })?;
    if app.printer.is_for_people() && total > SHOWN {
        stdout_line(&format!("… and {} more", total - SHOWN))?;
    }
    Err(CliError::WouldChange { what: format!("{}: {total} elements of queue \"{queue}\"", verb.word()) })
}

/// How many were changed. One that someone else changed or holds meanwhile is left alone.
async fn change(app: &App, client: &Client, verb: &Verb, elements: Vec<pb::QueueElement>) -> Result<usize> {
    let progress = Progress::new("Changing", elements.len(), app.printer.is_for_people());
    let mut changed = 0;
    if let Verb::Retry = verb {
        for chunk in elements.chunks(RETRIED) {
            let ids = chunk.iter().map(|element| element.id.clone()).collect();
            let reply = client.queues().retry(pb::RetryElementsRequest { elements: ids }).await?.into_inner();
            changed += usize::try_from(reply.retried_count).unwrap_or_default();
            progress.add(chunk.len());
        }
        return Ok(changed);
    }
    for element in elements {
        let id = element.id;
        let done = match verb {
            Verb::SetStatus { status, message } => {
                let (status, message) = (status.to_string(), message.clone());
                let request = pb::SetElementStatusRequest { element: id, status, message, lease_token: None };
                client.queues().set_status(request).await.map(drop)
            }
            Verb::Delete | Verb::Retry => {
                client.queues().delete(pb::DeleteElementRequest { element: id }).await.map(drop)
            }
        };
        match done.map_err(CliError::from) {
            Ok(()) => changed += 1,
            Err(CliError::Refused(refusal)) if refusal.is_about_the_request() => {}
            Err(error) => return Err(error),
        }
        progress.add(1);
    }
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_would_be_changed_is_counted() {
        let element = |status: &str| pb::QueueElement { status: status.to_owned(), ..pb::QueueElement::default() };
        assert!(Verb::Retry.applies_to(&element("FAILED")) && !Verb::Retry.applies_to(&element("NEW")));
        let set = Verb::SetStatus { status: ElementStatus::Done, message: None };
        assert!(set.applies_to(&element("NEW")) && !set.applies_to(&element("DONE")));
        assert!(Verb::Delete.applies_to(&element("IN_PROGRESS")));
    }
}
