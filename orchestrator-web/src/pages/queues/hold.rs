//! Holding a queue, and letting it go on.

use axum::extract::Path;
use axum::response::Response;
use orchestrator_proto::v1;

use super::queue_path;
use crate::error::PageError;
use crate::viewer::Viewer;

/// `POST /queues/{queue}/pause`
pub(crate) async fn pause(viewer: Viewer, Path(queue): Path<String>) -> Result<Response, PageError> {
    viewer.queues()?.pause(v1::PauseQueueRequest { queue_name: queue.clone() }).await?;
    let message = format!("Queue \u{201c}{queue}\u{201d} is paused: nothing of it is handed out.");
    viewer.done(&message, &queue_path(&queue))
}

/// `POST /queues/{queue}/resume`
pub(crate) async fn resume(viewer: Viewer, Path(queue): Path<String>) -> Result<Response, PageError> {
    viewer.queues()?.resume(v1::ResumeQueueRequest { queue_name: queue.clone() }).await?;
    viewer.done(&format!("Queue \u{201c}{queue}\u{201d} goes on."), &queue_path(&queue))
}
