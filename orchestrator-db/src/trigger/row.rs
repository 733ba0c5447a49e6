//! Decoding of a trigger.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::cron::{CronExpr, parse_zone};
use orchestrator_core::id::TriggerId;
use orchestrator_core::source::EntryPoint;
use orchestrator_core::text::{GitBranch, ProcessArgs, ProcessName, ProcessPath, QueueName, TriggerName};
use orchestrator_core::trigger::{ProcessSpec, Trigger, TriggerKind, TriggerType};
use uuid::Uuid;

use super::StoredTrigger;
use crate::answer::{Bulk, texts};
use crate::error::{Corrupt, RowAddress};

/// What [`TriggerRow`] needs, from [`trigger_tables`].
macro_rules! trigger_columns {
    () => {
        "t.id, t.trigger_name, t.process_name, t.last_run, t.process_path, t.process_args, t.process_status, \
         t.is_git_repo, t.is_blocking, t.type, t.hold, t.git_branch, t.entry_point, \
         CAST(t.worker_whitelist AS TEXT) AS worker_whitelist, t.priority, CAST(t.policies AS TEXT) AS policies, \
         t.due_at, t.buffered_at, t.last_scheduled_at, t.consecutive_failures, t.created_at, t.updated_at, \
         t.deleted_at, s.cron_expr, s.time_zone, COALESCE(s.next_run, o.next_run) AS next_run, \
         q.queue_name, q.min_batch_size, q.max_parallel"
    };
}
pub(super) use trigger_columns;

/// A trigger with the row of its kind.
macro_rules! trigger_tables {
    () => {
        "triggers t LEFT JOIN scheduled_triggers s ON s.id = t.id LEFT JOIN queue_triggers q ON q.id = t.id \
         LEFT JOIN single_triggers o ON o.id = t.id"
    };
}
pub(super) use trigger_tables;

/// What [`LockedRow`] needs from [`trigger_tables`], in a statement that also locks `t`.
///
/// A statement that locks gives the latest `triggers` row, but the row of its kind as it was when the statement began.
/// Whoever writes the row of a kind writes the trigger's in the same transaction: where the trigger's is still the one
/// that the statement began with, both belong together, and where not, both are read again.
macro_rules! locked_columns {
    (sqlite) => {
        concat!(trigger_columns!(), ", FALSE AS is_stale")
    };
    (postgres) => {
        concat!(
            trigger_columns!(),
            ", t.xmin IS DISTINCT FROM (SELECT x.xmin FROM triggers x WHERE x.id = t.id) AS is_stale"
        )
    };
}
pub(super) use locked_columns;

#[derive(Debug, sqlx::FromRow)]
pub(super) struct TriggerRow {
    pub(super) id: Uuid,
    pub(super) trigger_name: String,
    process_name: String,
    last_run: Option<Timestamp>,
    process_path: String,
    process_args: Option<String>,
    process_status: String,
    is_git_repo: bool,
    is_blocking: bool,
    #[sqlx(rename = "type")]
    kind: String,
    hold: String,
    git_branch: Option<String>,
    entry_point: Option<String>,
    worker_whitelist: String,
    priority: i64,
    policies: String,
    due_at: Option<Timestamp>,
    buffered_at: Option<Timestamp>,
    last_scheduled_at: Option<Timestamp>,
    consecutive_failures: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
    deleted_at: Option<Timestamp>,
    cron_expr: Option<String>,
    time_zone: Option<String>,
    next_run: Option<Timestamp>,
    queue_name: Option<String>,
    min_batch_size: Option<i64>,
    max_parallel: Option<i64>,
}

impl Bulk for TriggerRow {
    fn bytes(&self) -> usize {
        1000 + self.trigger_name.len()
            + self.process_name.len()
            + self.process_path.len()
            + self.worker_whitelist.len()
            + self.policies.len()
            + texts([
                &self.process_args,
                &self.git_branch,
                &self.entry_point,
                &self.cron_expr,
                &self.time_zone,
                &self.queue_name,
            ])
    }
}

/// A trigger that was read by the statement that locked it.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct LockedRow {
    #[sqlx(flatten)]
    pub(super) row: TriggerRow,
    /// It was written by another transaction after the statement began.
    pub(super) is_stale: bool,
}

impl TryFrom<TriggerRow> for StoredTrigger {
    type Error = Corrupt;

    fn try_from(row: TriggerRow) -> Result<Self, Corrupt> {
        Ok(Self {
            due_at: row.due_at,
            buffered_at: row.buffered_at,
            last_scheduled_at: row.last_scheduled_at,
            deleted: row.deleted_at.is_some(),
            trigger: row.try_into()?,
        })
    }
}

impl TryFrom<TriggerRow> for Trigger {
    type Error = Corrupt;

    fn try_from(row: TriggerRow) -> Result<Self, Corrupt> {
        let at = RowAddress::new("triggers", row.id);
        Ok(Self {
            id: TriggerId::from_uuid(row.id),
            kind: row.kind(&at)?,
            hold: row.hold.parse().map_err(at.column("hold"))?,
            status: row.process_status.parse().map_err(at.column("process_status"))?,
            priority: row.priority.try_into().map_err(at.column("priority"))?,
            worker_whitelist: serde_json::from_str(&row.worker_whitelist).map_err(at.column("worker_whitelist"))?,
            policies: serde_json::from_str(&row.policies).map_err(at.column("policies"))?,
            consecutive_failures: row.consecutive_failures.try_into().map_err(at.column("consecutive_failures"))?,
            is_blocking: row.is_blocking,
            last_run: row.last_run,
            created_at: row.created_at,
            updated_at: row.updated_at,
            name: TriggerName::from_stored(row.trigger_name),
            process: ProcessSpec {
                name: ProcessName::from_stored(row.process_name),
                path: ProcessPath::from_stored(row.process_path),
                args: row.process_args.map(ProcessArgs::from_stored),
                is_git_repo: row.is_git_repo,
                git_branch: row.git_branch.map(GitBranch::from_stored),
                entry_point: row
                    .entry_point
                    .map(|path| EntryPoint::parse(&path))
                    .transpose()
                    .map_err(at.column("entry_point"))?,
            },
        })
    }
}

impl TriggerRow {
    fn kind(&self, at: &RowAddress) -> Result<TriggerKind, Corrupt> {
        let kind: TriggerType = self.kind.parse().map_err(at.column("type"))?;
        match kind {
            TriggerType::Single => Ok(TriggerKind::Single { next_run: self.next_run }),
            TriggerType::Scheduled => {
                let cron = present(at, "cron_expr", self.cron_expr.as_deref())?;
                let zone = present(at, "time_zone", self.time_zone.as_deref())?;
                Ok(TriggerKind::Scheduled {
                    cron: CronExpr::parse(cron).map_err(at.column("cron_expr"))?,
                    zone: parse_zone(zone).map_err(at.column("time_zone"))?,
                    next_run: self.next_run,
                })
            }
            TriggerType::Queue => {
                let name = present(at, "queue_name", self.queue_name.as_ref())?;
                let min_batch_size = present(at, "min_batch_size", self.min_batch_size)?;
                let max_parallel = present(at, "max_parallel", self.max_parallel)?;
                Ok(TriggerKind::Queue {
                    queue_name: QueueName::from_stored(name.clone()),
                    min_batch_size: min_batch_size.try_into().map_err(at.column("min_batch_size"))?,
                    max_parallel: max_parallel.try_into().map_err(at.column("max_parallel"))?,
                })
            }
        }
    }
}

fn present<T>(at: &RowAddress, column: &'static str, value: Option<T>) -> Result<T, Corrupt> {
    value.ok_or("nothing is stored").map_err(at.column(column))
}
