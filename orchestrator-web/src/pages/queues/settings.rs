//! What is set for a queue.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use orchestrator_proto::v1;

use super::{PATH, queue_path};
use crate::chrome::Chrome;
use crate::error::PageError;
use crate::form::{Fields, Form};
use crate::input::{Faults, Input};
use crate::text::shown_in_line;
use crate::viewer::Viewer;

#[derive(Debug, Template)]
#[template(path = "queues/settings.html", blocks = ["dialog"])]
struct Page {
    chrome: Chrome,
    queue: String,
    path: String,
    max_attempts: Input,
    general: Vec<String>,
}

impl Page {
    fn new(viewer: &Viewer, queue: &str, fields: &Fields, faults: &Faults) -> Self {
        Self {
            chrome: viewer.chrome(PATH, format!("Settings of {}", shown_in_line(queue))),
            queue: shown_in_line(queue),
            path: queue_path(queue),
            max_attempts: Input::new("max_attempts", "Tries per element", fields, faults).kind("number").hint(
                "1 to 100. What a job still holds when it ends is abandoned at the last try, and new again before it.",
            ),
            general: faults.general.clone(),
        }
    }
}

/// `GET /queues/{queue}/settings`
pub(crate) async fn ask(viewer: Viewer, Path(queue): Path<String>) -> Result<Response, PageError> {
    let known = super::known(&viewer, &queue).await?;
    let mut fields = Fields::default();
    fields.set("max_attempts", &known.max_attempts.max(1).to_string());
    let page = Page::new(&viewer, &queue, &fields, &Faults::default());
    viewer.dialog(&page, Page::as_dialog)
}

/// `POST /queues/{queue}/settings`
pub(crate) async fn change(viewer: Viewer, Path(queue): Path<String>, Form(form): Form) -> Result<Response, PageError> {
    let mut faults = Faults::default();
    let Ok(max_attempts) = form.trimmed("max_attempts").parse() else {
        faults.add("max_attempts", format!("“{}” is no number from 1 to 100", form.text("max_attempts")));
        return viewer.refused_form(&Page::new(&viewer, &queue, &form, &faults), Page::as_dialog);
    };
    let request = v1::UpdateQueueSettingsRequest { queue_name: queue.clone(), max_attempts };
    match viewer.queues()?.update_settings(request).await {
        Ok(_) => viewer.done(&format!("Queue “{queue}” was changed."), &queue_path(&queue)),
        Err(status) => {
            faults.refuse(&status.into(), &["max_attempts"]);
            viewer.refused_form(&Page::new(&viewer, &queue, &form, &faults), Page::as_dialog)
        }
    }
}
