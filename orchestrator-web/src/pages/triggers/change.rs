//! What operators do with a trigger.

use axum::extract::Path;
use axum::response::Response;
use orchestrator_core::trigger::Hold;
use orchestrator_proto::v1;

use crate::error::PageError;
use crate::viewer::Viewer;

const BACK: &str = "/triggers";

/// `POST /triggers/{trigger}/enable`
pub(crate) async fn enable(viewer: Viewer, Path(trigger): Path<String>) -> Result<Response, PageError> {
    let request = v1::EnableTriggerRequest { trigger, next_run: None };
    let trigger = viewer.triggers()?.enable(request).await?.into_inner().trigger.unwrap_or_default();
    let name = &trigger.name;
    let message = if is_over(&trigger) {
        format!(
            "Trigger \u{201c}{name}\u{201d} is not paused any more. It has had its run and does not run again; to repeat it, Run now."
        )
    } else {
        format!("Trigger \u{201c}{name}\u{201d} is enabled.")
    };
    viewer.done(&message, BACK)
}

/// Whether a trigger that was enabled has nothing to fire for: a single one that was paused after its run.
pub(super) fn is_over(enabled: &v1::Trigger) -> bool {
    enabled.hold != Hold::None.as_str()
}

/// `POST /triggers/{trigger}/disable`
pub(crate) async fn disable(viewer: Viewer, Path(trigger): Path<String>) -> Result<Response, PageError> {
    let answer = viewer.triggers()?.disable(v1::DisableTriggerRequest { trigger }).await?.into_inner();
    let name = answer.trigger.unwrap_or_default().name;
    let cancelled = match answer.cancelled_jobs {
        0 => String::new(),
        1 => " One waiting job was cancelled.".to_owned(),
        count => format!(" {count} waiting jobs were cancelled."),
    };
    viewer.done(&format!("Trigger \u{201c}{name}\u{201d} is disabled.{cancelled}"), BACK)
}
