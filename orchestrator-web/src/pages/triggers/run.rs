//! Running a trigger now, once, with its arguments or others.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use orchestrator_proto::v1;

use super::view::find;
use crate::chrome::Chrome;
use crate::error::PageError;
use crate::flash::Flash;
use crate::form::Form;
use crate::link::encoded;
use crate::text::{short_id, shown_in_line};
use crate::viewer::Viewer;

#[derive(Debug, Template)]
#[template(path = "triggers/run.html", blocks = ["dialog"])]
struct Page {
    chrome: Chrome,
    name: String,
    action: String,
    is_held: bool,
    args: String,
    refusal: Option<Flash>,
}

impl Page {
    fn new(viewer: &Viewer, trigger: v1::Trigger) -> Self {
        let name = shown_in_line(&trigger.name);
        Self {
            chrome: viewer.chrome("/triggers", format!("Run {name}")),
            name,
            action: format!("/triggers/{}/run", encoded(&trigger.id)),
            is_held: trigger.hold != "NONE",
            args: trigger.process_args.unwrap_or_default(),
            refusal: None,
        }
    }
}

/// `GET /triggers/{trigger}/run`
pub(crate) async fn ask(viewer: Viewer, Path(trigger): Path<String>) -> Result<Response, PageError> {
    let page = Page::new(&viewer, find(&viewer, &trigger).await?);
    viewer.dialog(&page, Page::as_dialog)
}

/// `POST /triggers/{trigger}/run`
pub(crate) async fn run(viewer: Viewer, Path(trigger): Path<String>, Form(form): Form) -> Result<Response, PageError> {
    let trigger = find(&viewer, &trigger).await?;
    let args = form.text("args").to_owned();
    let own = trigger.process_args.as_deref().unwrap_or_default();
    // A job without arguments of its own takes a later edit of the trigger's while it waits.
    let process_args = (args != own).then(|| args.clone());
    let request = v1::RunNowRequest { trigger: trigger.id.clone(), process_args, call: None };
    match viewer.triggers()?.run_now(request).await {
        Ok(answer) => {
            let job = answer.into_inner().job.unwrap_or_default();
            let message = format!("Job {} of \u{201c}{}\u{201d} waits for a worker.", short_id(&job.id), trigger.name);
            viewer.done(&message, "/triggers")
        }
        Err(status) if !viewer.by_script && status.code() == tonic::Code::InvalidArgument => {
            let refusal = Some(Flash::refusal(&status.into()));
            viewer.refused(&Page { args, refusal, ..Page::new(&viewer, trigger) })
        }
        Err(status) => Err(status.into()),
    }
}
