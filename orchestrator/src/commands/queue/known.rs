//! Whether there is a queue of some name: it has elements, settings or a trigger. Names are typed, and queues come into being
//! by being used.

use orchestrator_proto::v1 as pb;
use tonic::Code;

use crate::app::App;
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
    let queues = client.queues().list_queues(pb::ListQueuesRequest::default()).await?.into_inner().queues;
    let nearest = closest(name, queues.iter().map(|queue| queue.queue_name.as_str())).map(str::to_owned);
    Ok(Some(NewQueue { name: name.to_owned(), nearest }))
}
