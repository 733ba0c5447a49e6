use orchestrator_proto::v1;

use crate::error::PageError;
use crate::link::encoded;
use crate::status::{Badge, badge, word};
use crate::text::{short_id, shortened, shown_in_line};
use crate::times::Stamp;
use crate::viewer::Viewer;

/// A trigger that waits longer than this for a server that looks at it is overdue; see `GetStatus`.
const OVERDUE_AFTER: i64 = 10;

/// A trigger as lists show it.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: String,
    /// The end of the id, which tells rows of one day apart.
    pub(super) short_id: String,
    pub(super) name: String,
    pub(super) link: String,
    pub(super) priority: i32,
    pub(super) kind: String,
    /// The expression, the queue, or nothing.
    pub(super) rule: String,
    pub(super) status: Badge,
    pub(super) process: String,
    pub(super) last_run: Stamp,
    pub(super) next_run: Stamp,
    pub(super) is_overdue: bool,
    pub(super) is_held: bool,
    /// It is held, and would run again if it were not: no run of it comes.
    pub(super) is_on_hold: bool,
    /// Jobs of it run, or may.
    pub(super) is_active: bool,
}

impl Row {
    pub(super) fn new(trigger: v1::Trigger, viewer: &Viewer) -> Self {
        let next_run = viewer.stamp(trigger.next_run);
        let is_held = trigger.hold != "NONE";
        let is_active = matches!(trigger.status.as_str(), "RUNNING" | "QUEUED" | "PAUSING" | "KILLING");
        let rule = match &trigger.kind {
            Some(v1::trigger::Kind::Scheduled(kind)) => kind.cron_expr.clone(),
            Some(v1::trigger::Kind::Queue(kind)) => format!("{} \u{2265} {}", kind.queue_name, kind.min_batch_size),
            Some(v1::trigger::Kind::Single(_)) | None => String::new(),
        };
        Self {
            short_id: short_id(&trigger.id),
            name: shown_in_line(&trigger.name),
            link: format!("/triggers/{}", encoded(&trigger.id)),
            priority: trigger.priority,
            kind: word(&trigger.r#type),
            rule: shortened(&rule, 40),
            status: badge(&trigger.status),
            process: shown_in_line(&trigger.process_name),
            last_run: viewer.stamp(trigger.last_run),
            is_overdue: !is_held && trigger.status == "IDLE" && next_run.is_past_by(OVERDUE_AFTER),
            next_run,
            is_on_hold: is_held && trigger.hold != "DONE",
            is_held,
            is_active,
            id: trigger.id,
        }
    }
}

/// The trigger that an address names.
pub(super) async fn find(viewer: &Viewer, trigger: &str) -> Result<v1::Trigger, PageError> {
    let request = v1::GetTriggerRequest { trigger: trigger.to_owned() };
    Ok(viewer.triggers()?.get(request).await?.into_inner().trigger.unwrap_or_default())
}
