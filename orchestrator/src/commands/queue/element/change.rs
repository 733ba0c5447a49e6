//! `queue element set-status`, `retry` and `delete`.

use orchestrator_core::queue::ElementStatus;
use orchestrator_proto::v1 as pb;

use crate::app::App;
use crate::error::Result;
use crate::output::Single as _;

pub(super) async fn set_status(
    app: &App,
    element: String,
    status: ElementStatus,
    message: Option<String>,
    lease_token: Option<i64>,
) -> Result {
    let request = pb::SetElementStatusRequest { element, status: status.to_string(), message, lease_token };
    let reply = app.connect().await?.queues().set_status(request).await?.into_inner();
    let element = reply.get()?;
    app.printer.done(&reply, &element.id, &format!("Element {} is {}.", element.id, element.status))
}

pub(super) async fn retry(app: &App, elements: Vec<String>) -> Result {
    let request = pb::RetryElementsRequest { elements };
    let reply = app.connect().await?.queues().retry(request).await?.into_inner();
    let count = reply.retried_count;
    app.printer.done(&reply, &count.to_string(), &format!("Elements that are new again: {count}."))
}

pub(super) async fn delete(app: &App, element: String) -> Result {
    let question = if app.asks() { question(app, &element).await? } else { format!("Delete element {element}?") };
    app.confirm(&question)?;
    let request = pb::DeleteElementRequest { element: element.clone() };
    let reply = app.connect().await?.queues().delete(request).await?.into_inner();
    app.printer.done(&reply, &element, &format!("Element {element} is deleted."))
}

/// Names what would be deleted.
async fn question(app: &App, element: &str) -> Result<String> {
    let request = pb::GetElementRequest { element: element.to_owned() };
    let reply = app.connect().await?.queues().get(request).await?.into_inner();
    let element = reply.get()?;
    Ok(format!("Delete element {} of queue \"{}\", which is {}?", element.id, element.queue_name, element.status))
}
