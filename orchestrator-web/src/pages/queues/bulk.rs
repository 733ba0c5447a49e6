//! What is done to several elements at once.

use axum::extract::Path;
use axum::response::Response;
use orchestrator_proto::v1;
use tonic::Status;

use super::queue_path;
use crate::error::{PageError, sentence};
use crate::form::Form;
use crate::viewer::Viewer;

/// `POST /queues/{queue}/bulk`: with the elements that are ticked. Each is changed on its own; those that could not be are
/// counted, with the first reason.
pub(crate) async fn act(viewer: Viewer, Path(queue): Path<String>, Form(form): Form) -> Result<Response, PageError> {
    let elements: Vec<String> = form.all("element").map(ToOwned::to_owned).collect();
    if elements.is_empty() {
        return Err(refused("no element is ticked: tick those that you mean"));
    }
    let back = queue_path(&queue);
    let mut queues = viewer.queues()?;
    let (done, faults): (usize, Vec<Status>) = match form.text("do") {
        "retry" => {
            let request = v1::RetryElementsRequest { elements };
            let answer = queues.retry(request).await?.into_inner();
            return viewer.done(&counted(answer.retried_count.unsigned_abs(), "made new again", &[]), &back);
        }
        "delete" => {
            let mut faults = Vec::new();
            let mut done = 0;
            for element in elements {
                match queues.delete(v1::DeleteElementRequest { element }).await {
                    Ok(_) => done += 1,
                    Err(status) => faults.push(status),
                }
            }
            (done, faults)
        }
        status @ ("DONE" | "FAILED") => {
            let mut faults = Vec::new();
            let mut done = 0;
            for element in elements {
                let request = v1::SetElementStatusRequest {
                    element,
                    status: status.to_owned(),
                    ..v1::SetElementStatusRequest::default()
                };
                match queues.set_status(request).await {
                    Ok(_) => done += 1,
                    Err(status) => faults.push(status),
                }
            }
            (done, faults)
        }
        other => return Err(refused(&format!("“{other}” is nothing that can be done with elements"))),
    };
    let verb = match form.text("do") {
        "delete" => "deleted",
        "DONE" => "set to done",
        _ => "set to failed",
    };
    let message = counted(done as u64, verb, &faults);
    viewer.done(&message, &back)
}

fn refused(why: &str) -> PageError {
    PageError::Refused(Status::invalid_argument(why))
}

fn counted(count: u64, verb: &str, faults: &[Status]) -> String {
    let elements = if count == 1 { "1 element was".to_owned() } else { format!("{count} elements were") };
    match faults.first() {
        None => format!("{elements} {verb}."),
        Some(first) => format!("{elements} {verb}. {} could not be: {}", faults.len(), sentence(first.message())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_done_is_counted_with_the_first_reason() {
        assert_eq!(counted(1, "deleted", &[]), "1 element was deleted.");
        let faults = [Status::failed_precondition("another job holds it"), Status::not_found("gone")];
        assert_eq!(counted(3, "deleted", &faults), "3 elements were deleted. 2 could not be: Another job holds it.");
    }
}
