//! Whether there is a queue of some name: it has elements, settings or a trigger. Names are typed, and queues come into being
//! by being used.

use orchestrator_proto::v1 as pb;
use tonic::Code;

use crate::app::App;
use crate::arguments::{Paging, pages};
use crate::connection::Client;
use crate::error::{CliError, Result, closest};
use crate::output::Single as _;

/// The queue; refused where there is none.
pub(super) async fn get(client: &Client, name: &str) -> Result<pb::GetQueueResponse> {
    let request = pb::GetQueueRequest { queue_name: name.to_owned() };
    Ok(client.queues().get_queue(request).await?.into_inner())
}

/// As [`get`], without the answer around it.
pub(super) async fn find(client: &Client, name: &str) -> Result<pb::Queue> {
    Ok(get(client, name).await?.get()?.clone())
}

/// Queues, page by page, and where the rest of them begins.
pub(super) async fn list(client: &Client, paging: &Paging<0>) -> Result<pb::ListQueuesResponse> {
    let (queues, next_cursor) = pages(paging, async |page| {
        let request = pb::ListQueuesRequest { page: Some(page), ..pb::ListQueuesRequest::default() };
        let reply = client.queues().list_queues(request).await?.into_inner();
        Ok((reply.queues, reply.next_cursor))
    })
    .await?;
    Ok(pb::ListQueuesResponse { queues, next_cursor })
}

/// Every queue.
pub(crate) async fn all(client: &Client) -> Result<Vec<pb::Queue>> {
    Ok(list(client, &Paging { limit: None, cursor: String::new() }).await?.queues)
}

/// Nothing was found in a queue: that is an answer where the queue is known, and a mistake where it is not.
pub(super) async fn expect(client: &Client, name: &str) -> Result {
    match get(client, name).await {
        // An older server cannot tell.
        Err(CliError::Refused(refusal)) if refusal.kind == Code::Unimplemented => Ok(()),
        answer => answer.map(drop),
    }
}

/// A queue that comes into being now.
#[derive(Debug)]
pub(super) struct NewQueue {
    name: String,
    nearest: Option<String>,
}

impl NewQueue {
    /// Says so, with the name that may have been meant.
    pub(super) fn tell(&self, app: &App) {
        let nearest = self.nearest.as_ref().map(|nearest| format!(" Did you mean \"{nearest}\"?"));
        app.printer.note(&format!("Queue \"{}\" is new.{}", self.name, nearest.unwrap_or_default()));
    }
}

/// Whether what follows makes the queue.
pub(super) async fn is_new(client: &Client, name: &str) -> Result<Option<NewQueue>> {
    match get(client, name).await {
        Err(CliError::Refused(refusal)) if refusal.kind == Code::NotFound => {}
        // What is wrong otherwise, the call that matters tells.
        _ => return Ok(None),
    }
    let queues = all(client).await?;
    let nearest = closest(name, queues.iter().map(|queue| queue.queue_name.as_str())).map(str::to_owned);
    Ok(Some(NewQueue { name: name.to_owned(), nearest }))
}
