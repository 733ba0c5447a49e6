//! Queues and their elements.

pub(crate) mod bulk;
mod depth;
pub(crate) mod element;
pub(crate) mod elements;
pub(crate) mod export;
pub(crate) mod hold;
pub(crate) mod import;
pub(crate) mod list;
mod past;
pub(crate) mod settings;

use orchestrator_proto::v1;
use tonic::Code;

use crate::error::PageError;
use crate::link::encoded;
use crate::viewer::Viewer;

/// Where queues live.
const PATH: &str = "/queues";

/// The path of a queue's elements.
fn queue_path(queue: &str) -> String {
    format!("{PATH}/{}", encoded(queue))
}

/// A queue as it stands; one of which nothing is known is empty.
async fn known(viewer: &Viewer, queue: &str) -> Result<v1::Queue, PageError> {
    let request = v1::GetQueueRequest { queue_name: queue.to_owned() };
    match viewer.queues()?.get_queue(request).await {
        Ok(answer) => Ok(answer.into_inner().queue.unwrap_or_default()),
        Err(status) if status.code() == Code::NotFound => Ok(v1::Queue::default()),
        Err(status) => Err(status.into()),
    }
}

/// The names of all queues.
pub(crate) async fn names(viewer: &Viewer) -> Result<Vec<String>, PageError> {
    let mut names = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = Some(v1::Page { limit: 1000, cursor });
        let request = v1::ListQueuesRequest { page, ..v1::ListQueuesRequest::default() };
        let answer = viewer.queues()?.list_queues(request).await?.into_inner();
        names.extend(answer.queues.into_iter().map(|queue| queue.queue_name));
        cursor = answer.next_cursor;
        if cursor.is_empty() {
            return Ok(names);
        }
    }
}
