//! `queue element list` and `show`.

use clap::Args;
use orchestrator_core::clock::Timestamp;
use orchestrator_core::queue::ElementStatus;
use orchestrator_proto::v1 as pb;

use super::super::known;
use crate::app::App;
use crate::arguments::{Bound, Paging, element_status, pages};
use crate::error::Result;

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    filter: Filter,
    /// Newest first.
    #[arg(long)]
    newest_first: bool,
    #[command(flatten)]
    paging: Paging,
}

/// Which elements of a queue.
#[derive(Debug, Args)]
pub(super) struct Filter {
    /// The queue.
    pub(super) queue: String,
    /// Only elements of this status. May be repeated.
    #[arg(long = "status", value_name = "STATUS", value_parser = element_status)]
    statuses: Vec<ElementStatus>,
    /// Only elements with exactly this reference.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    reference: Option<String>,
    /// Only elements with this text in reference, data or message.
    #[arg(long, value_name = "TEXT", default_value_t, hide_default_value = true, allow_hyphen_values = true)]
    search: String,
    /// Not created before this time, as 8h (so long ago), '2026-11-22 12:00' or 2026-11-22T11:00:00Z.
    #[arg(long, value_name = "TIME")]
    since: Option<Bound>,
    /// Not created after this time.
    #[arg(long, value_name = "TIME")]
    until: Option<Bound>,
}

impl Filter {
    pub(super) fn into_request(self, now: Timestamp) -> pb::ListElementsRequest {
        pb::ListElementsRequest {
            queue_name: self.queue,
            page: None,
            reference: self.reference,
            statuses: self.statuses.iter().map(ToString::to_string).collect(),
            created_from: self.since.map(|at| at.resolve(now)),
            created_to: self.until.map(|at| at.resolve(now)),
            search: self.search,
            newest_first: false,
        }
    }
}

pub(super) async fn list(app: &App, args: ListArgs) -> Result {
    let client = app.connect().await?;
    let request = pb::ListElementsRequest { newest_first: args.newest_first, ..args.filter.into_request(app.now) };
    let (elements, next_cursor) = pages(&args.paging, async |page| {
        let request = pb::ListElementsRequest { page: Some(page), ..request.clone() };
        let reply = client.queues().list(request).await?.into_inner();
        Ok((reply.elements, reply.next_cursor))
    })
    .await?;
    if elements.is_empty() {
        known::expect(&client, &request.queue_name).await?;
    }
    app.printer.list(&pb::ListElementsResponse { elements, next_cursor })
}

pub(super) async fn show(app: &App, element: String) -> Result {
    let request = pb::GetElementRequest { element };
    let reply = app.connect().await?.queues().get(request).await?.into_inner();
    app.printer.single(&reply)
}
