use orchestrator_proto::v1;

use crate::link::encoded;
use crate::status::{Badge, badge, word};
use crate::text::{shortened, shown_in_line};
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
            is_held,
            is_active,
            id: trigger.id,
        }
    }
}

/// The end of an id, as lists show it: its beginning hardly changes.
pub(super) fn short_id(id: &str) -> String {
    id.get(id.len().saturating_sub(8)..).unwrap_or(id).to_owned()
}
