//! The list of jobs.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::TriggerId;
use orchestrator_core::job::{Job, JobStatus};
use orchestrator_core::text::{ProcessName, WorkerName};
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::row::{JobRow, job_columns};
use crate::dialect::on_conn;
use crate::error::{DbError, Readable};
use crate::id_time::first_id;
use crate::page::PageRequest;
use crate::rows::read_row;
use crate::tx::Tx;

/// Which jobs a list shows; all by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Of this trigger.
    pub trigger_id: Option<TriggerId>,
    /// Of the process with exactly this name.
    pub process_name: Option<ProcessName>,
    /// With one of these statuses; any when empty.
    pub statuses: Vec<JobStatus>,
    /// Held or run by the worker with exactly this name.
    pub worker_name: Option<WorkerName>,
    /// Made at this instant or later.
    pub queued_from: Option<Timestamp>,
    /// Made before this instant.
    pub queued_to: Option<Timestamp>,
}

impl JobFilter {
    /// Most jobs have ended: beside a narrower filter such a status must not be what a database walks by.
    fn status_column(&self, status: JobStatus) -> &'static str {
        let narrower = self.trigger_id.is_some() || self.process_name.is_some() || self.worker_name.is_some();
        if narrower && !status.is_active() { " AND COALESCE(status, '')" } else { " AND status" }
    }
}

/// One page of one status: walks an index from the newest on and stops at the page's length.
macro_rules! push_branch {
    ($query:expr, $columns:expr, $filter:expr, $status:expr, $before:expr, $limit:expr) => {
        $query.push("SELECT ").push($columns).push(" FROM jobs WHERE id < ").push_bind($before);
        if let Some(from) = $filter.queued_from {
            $query.push(" AND id >= ").push_bind(first_id(from));
        }
        if let Some(status) = $status {
            $query.push($filter.status_column(status)).push(" = ").push_bind(status.as_str());
        }
        if let Some(trigger) = $filter.trigger_id {
            $query.push(" AND trigger_id = ").push_bind(trigger.as_uuid());
        }
        if let Some(process) = &$filter.process_name {
            $query.push(" AND process_name = ").push_bind(process.as_str());
        }
        if let Some(worker) = &$filter.worker_name {
            $query.push(" AND worker_name = ").push_bind(worker.as_str());
        }
        $query.push(" ORDER BY id DESC LIMIT ").push_bind($limit);
    };
}

/// Several statuses are several such pages, of which the newest rows are taken: one `IN` would make a database without
/// statistics read and sort all history.
macro_rules! push_list {
    ($query:expr, $filter:expr, $before:expr, $limit:expr) => {
        match &$filter.statuses[..] {
            [] | [_] => {
                let status = $filter.statuses.first().copied();
                push_branch!($query, job_columns!(), $filter, status, $before, $limit);
            }
            several => {
                $query.push("SELECT ").push(job_columns!()).push(" FROM jobs WHERE id IN (");
                for (place, status) in several.iter().enumerate() {
                    $query.push(if place == 0 { "SELECT id FROM (" } else { " UNION ALL SELECT id FROM (" });
                    push_branch!($query, "id", $filter, Some(*status), $before, $limit);
                    $query.push(") branch");
                }
                $query.push(") ORDER BY id DESC LIMIT ").push_bind($limit);
            }
        }
    };
}

impl Tx {
    /// Jobs, the newest first, with the cursor of the next page.
    pub async fn job_list(
        &mut self,
        filter: &JobFilter,
        page: &PageRequest,
    ) -> Result<(Readable<Job>, Option<String>), DbError> {
        let before: Uuid = page.after()?.unwrap_or(Uuid::max());
        let before = filter.queued_to.map_or(before, |to| before.min(first_id(to)));
        let limit = page.fetch();
        let mut rows = on_conn!(self, |conn, _dialect| {
            let mut query = QueryBuilder::new("");
            push_list!(query, filter, before, limit);
            query
                .build()
                .fetch_all(conn)
                .await
                .map(|rows| rows.iter().map(|row| read_row::<_, JobRow>("jobs", "id", row)).collect::<Vec<_>>())
        })
        .map_err(DbError::in_op("job_list"))?;
        let next = page.cut(&mut rows, |row| row.id);
        Ok((Readable::collect(rows.into_iter().map(|row| row?.try_into())), next))
    }
}
