//! Killing and deleting a trigger, after a question.

use std::fmt::Write as _;

use axum::extract::Path;
use axum::response::Response;
use orchestrator_proto::v1;

use super::view::find;
use crate::error::PageError;
use crate::link::encoded;
use crate::pages::confirm::Question;
use crate::text::shown_in_line;
use crate::viewer::Viewer;

async fn ask(viewer: &Viewer, trigger: &str, verb: &str, consequence: &str) -> Result<Response, PageError> {
    let trigger = find(viewer, trigger).await?;
    let name = shown_in_line(&trigger.name);
    let link = format!("/triggers/{}", encoded(&trigger.id));
    viewer.ask(Question {
        tab: "/triggers",
        text: format!("{verb} \u{201c}{name}\u{201d}?"),
        consequence: consequence.to_owned(),
        action: format!("{link}/{}", verb.to_lowercase()),
        submit: format!("{verb} trigger {name}"),
        back: link,
    })
}

/// `GET /triggers/{trigger}/kill`
pub(crate) async fn ask_kill(viewer: Viewer, Path(trigger): Path<String>) -> Result<Response, PageError> {
    let consequence = "Its running jobs are killed with everything they started, waiting ones are cancelled, and nothing of \
                       it starts until someone enables it.";
    ask(&viewer, &trigger, "Kill", consequence).await
}

/// `POST /triggers/{trigger}/kill`
pub(crate) async fn kill(viewer: Viewer, Path(trigger): Path<String>) -> Result<Response, PageError> {
    let answer = viewer.triggers()?.kill(v1::KillTriggerRequest { trigger }).await?.into_inner();
    let trigger = answer.trigger.unwrap_or_default();
    let message = format!(
        "Trigger \u{201c}{}\u{201d}: {} being killed, {} cancelled.",
        trigger.name,
        counted(answer.killed_jobs),
        counted(answer.cancelled_jobs)
    );
    viewer.done(&message, &format!("/triggers/{}", encoded(&trigger.id)))
}

/// `GET /triggers/{trigger}/delete`
pub(crate) async fn ask_delete(viewer: Viewer, Path(trigger): Path<String>) -> Result<Response, PageError> {
    let consequence = "It is gone at once and its waiting jobs are cancelled. What runs goes on to its end. Its jobs and \
                       logs are kept.";
    ask(&viewer, &trigger, "Delete", consequence).await
}

/// `POST /triggers/{trigger}/delete`
pub(crate) async fn delete(viewer: Viewer, Path(trigger): Path<String>) -> Result<Response, PageError> {
    let name = find(&viewer, &trigger).await?.name;
    let answer = viewer.triggers()?.delete(v1::DeleteTriggerRequest { trigger }).await?.into_inner();
    let mut message = format!("Trigger \u{201c}{name}\u{201d} was deleted.");
    if answer.cancelled_jobs > 0 {
        // Writing to a string cannot fail.
        let _ = write!(message, " {} cancelled.", counted(answer.cancelled_jobs));
    }
    if answer.running_jobs > 0 {
        let _ = write!(message, " {} still running.", counted(answer.running_jobs));
    }
    Ok(viewer.moved_with("/triggers", &message))
}

fn counted(jobs: u32) -> String {
    if jobs == 1 { "1 job".to_owned() } else { format!("{jobs} jobs") }
}
