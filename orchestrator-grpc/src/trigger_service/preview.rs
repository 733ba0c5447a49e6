//! What a schedule will do.

use chrono_tz::Tz;
use orchestrator_core::clock::Timestamp;
use orchestrator_core::cron::{CronExpr, parse_zone};
use orchestrator_core::trigger::TriggerKind;
use orchestrator_proto::convert::{self, DecodeError};
use orchestrator_proto::v1;

/// How many instants, and after which.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    count: u32,
    after: Timestamp,
}

impl Wanted {
    pub(super) fn read(message: &v1::PreviewScheduleRequest, now: Timestamp) -> Result<Self, DecodeError> {
        if !message.trigger.is_empty() && !message.cron_expr.is_empty() {
            return Err(DecodeError::Both { field: "trigger", other: "cron_expr" });
        }
        Ok(Self {
            count: convert::limit("count", message.count, 5)?,
            after: convert::optional_instant("after", message.after)?.unwrap_or(now),
        })
    }
}

/// The schedule of an expression.
pub(super) fn expression(message: &v1::PreviewScheduleRequest, zone: Tz) -> Result<TriggerKind, DecodeError> {
    if message.cron_expr.is_empty() {
        return Err(DecodeError::Missing { field: "cron_expr" });
    }
    let zone = if message.time_zone.is_empty() { zone } else { parse_zone(&message.time_zone)? };
    Ok(TriggerKind::Scheduled { cron: CronExpr::parse(&message.cron_expr)?, zone, next_run: None })
}

/// The instants of a schedule, and what it means.
pub(super) fn of(kind: &TriggerKind, wanted: Wanted) -> v1::PreviewScheduleResponse {
    match kind {
        TriggerKind::Single { next_run } => v1::PreviewScheduleResponse {
            instants: next_run.filter(|at| *at > wanted.after).map(convert::timestamp).into_iter().collect(),
            description: "once".to_owned(),
            ..v1::PreviewScheduleResponse::default()
        },
        TriggerKind::Scheduled { cron, zone, .. } => {
            let next = |after: &Timestamp| cron.next_after(*after, *zone);
            let instants = std::iter::successors(next(&wanted.after), next);
            let instants = instants.take(usize::try_from(wanted.count).unwrap_or(usize::MAX));
            v1::PreviewScheduleResponse {
                instants: instants.map(convert::timestamp).collect(),
                description: cron.describe(),
                time_zone: zone.name().to_owned(),
                ..v1::PreviewScheduleResponse::default()
            }
        }
        TriggerKind::Queue { queue_name, min_batch_size, .. } => v1::PreviewScheduleResponse {
            description: format!("when queue {queue_name} has {min_batch_size} or more new elements"),
            ..v1::PreviewScheduleResponse::default()
        },
    }
}
