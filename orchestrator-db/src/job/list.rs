//! The list of jobs.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::TriggerId;
use orchestrator_core::job::{Job, JobStatus};
use orchestrator_core::text::{ProcessName, WorkerName};
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::row::{JobRow, job_columns};
use crate::dialect::{Dialect, on_conn};
use crate::error::{Corrupt, DbError, Readable};
use crate::id_time::first_id;
use crate::page::{PageRequest, STEP, Search, cursor};
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
    /// Whether rows are looked at that do not fit: no index has exactly those that do. Jobs that have not ended are few.
    fn looks_further(&self) -> bool {
        let names = [self.trigger_id.is_some(), self.process_name.is_some(), self.worker_name.is_some()];
        let is_over = self.statuses.iter().any(|status| !status.is_active());
        match names.into_iter().filter(|is_set| *is_set).count() {
            0 => false,
            1 => is_over,
            _ => is_over || self.statuses.is_empty(),
        }
    }

    /// What SQLite, which knows nothing of how many rows have which value, must not walk by: of several names all but one,
    /// the same in every step, and beside a name a status that most jobs have, as those that have ended.
    fn passed_over(&self, status: Option<JobStatus>) -> PassedOver {
        let (trigger, worker) = (self.trigger_id.is_some(), self.worker_name.is_some());
        let is_named = trigger || worker || self.process_name.is_some();
        PassedOver {
            worker: trigger,
            process: trigger || worker,
            status: is_named && status.is_some_and(|status| !status.is_active()),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct PassedOver {
    worker: bool,
    process: bool,
    status: bool,
}

/// The beginning of a condition on a column, hidden from SQLite's choice of an index where that is so.
fn and(dialect: Dialect, column: &str, is_passed_over: bool) -> String {
    if is_passed_over && dialect == Dialect::Sqlite {
        format!(" AND COALESCE({column}, '') = ")
    } else {
        format!(" AND {column} = ")
    }
}

/// One page of one status: walks an index from the newest on and stops at the page's length.
macro_rules! push_branch {
    ($query:expr, $dialect:expr, $columns:expr, $filter:expr, $status:expr, $least:expr, $before:expr, $limit:expr) => {
        let passed_over = $filter.passed_over($status);
        $query.push("SELECT ").push($columns).push(" FROM jobs WHERE id < ").push_bind($before);
        if let Some(least) = $least {
            $query.push(" AND id >= ").push_bind(least);
        }
        if let Some(status) = $status {
            $query.push(and($dialect, "status", passed_over.status)).push_bind(status.as_str());
        }
        if let Some(trigger) = $filter.trigger_id {
            $query.push(" AND trigger_id = ").push_bind(trigger.as_uuid());
        }
        if let Some(process) = &$filter.process_name {
            $query.push(and($dialect, "process_name", passed_over.process)).push_bind(process.as_str());
        }
        if let Some(worker) = &$filter.worker_name {
            $query.push(and($dialect, "worker_name", passed_over.worker)).push_bind(worker.as_str());
        }
        $query.push(" ORDER BY id DESC LIMIT ").push_bind($limit);
    };
}

/// Where a step of a search ends: so many rows on by the name that is walked by.
macro_rules! push_window {
    ($query:expr, $dialect:expr, $filter:expr, $least:expr, $before:expr) => {
        let only = JobFilter {
            trigger_id: $filter.trigger_id,
            worker_name: $filter.worker_name.clone().filter(|_| $filter.trigger_id.is_none()),
            process_name: $filter
                .process_name
                .clone()
                .filter(|_| $filter.trigger_id.is_none() && $filter.worker_name.is_none()),
            ..JobFilter::default()
        };
        push_branch!($query, $dialect, "id", only, None::<JobStatus>, $least, $before, 1_i64);
        $query.push(" OFFSET ").push_bind(i64::from(STEP) - 1);
    };
}

/// Several statuses are several such pages, of which the newest rows are taken: one `IN` would make a database without
/// statistics read and sort all history.
macro_rules! push_list {
    ($query:expr, $dialect:expr, $filter:expr, $least:expr, $before:expr, $limit:expr) => {
        match &$filter.statuses[..] {
            [] | [_] => {
                let status = $filter.statuses.first().copied();
                push_branch!($query, $dialect, job_columns!(), $filter, status, $least, $before, $limit);
            }
            several => {
                $query.push("SELECT ").push(job_columns!()).push(" FROM jobs WHERE id IN (");
                for (place, status) in several.iter().enumerate() {
                    $query.push(if place == 0 { "SELECT id FROM (" } else { " UNION ALL SELECT id FROM (" });
                    push_branch!($query, $dialect, "id", $filter, Some(*status), $least, $before, $limit);
                    $query.push(") branch");
                }
                $query.push(") ORDER BY id DESC LIMIT ").push_bind($limit);
            }
        }
    };
}

impl Tx {
    /// Jobs, the newest first, with the cursor of the next page. Where no index serves the filter a page looks at
    /// [`SEARCHED_ROWS`](crate::SEARCHED_ROWS) rows at most.
    pub async fn job_list(
        &mut self,
        filter: &JobFilter,
        page: &PageRequest,
    ) -> Result<(Readable<Job>, Option<String>), DbError> {
        let before: Uuid = page.after()?.unwrap_or(Uuid::max());
        let mut before = filter.queued_to.map_or(before, |to| before.min(first_id(to)));
        let least = filter.queued_from.map(first_id);
        self.plan_for_values().await?;
        let mut rows = Vec::new();
        let mut search = Search::begin();
        let stopped = loop {
            let step = if filter.looks_further() { self.job_window(filter, least, before).await? } else { None };
            let wanted = page.still_wanted(&rows);
            rows.extend(self.job_rows(filter, step.or(least), before, wanted).await?);
            match step {
                Some(step) if page.still_wanted(&rows) == 0 || !search.goes_on() => break Some(step),
                Some(step) => before = step,
                None => break None,
            }
        };
        let next = page.cut(&mut rows, |row| row.id).or_else(|| stopped.as_ref().map(cursor));
        Ok((Readable::collect(rows.into_iter().map(|row| row?.try_into())), next))
    }

    /// The last row that a step of a search from `before` on looks at, when there are more.
    async fn job_window(
        &mut self,
        filter: &JobFilter,
        least: Option<Uuid>,
        before: Uuid,
    ) -> Result<Option<Uuid>, DbError> {
        on_conn!(self, |conn, dialect| {
            let mut query = QueryBuilder::new("");
            push_window!(query, dialect, filter, least, before);
            query.build_query_scalar::<Uuid>().fetch_optional(conn).await
        })
        .map_err(DbError::in_op("job_window"))
    }

    async fn job_rows(
        &mut self,
        filter: &JobFilter,
        least: Option<Uuid>,
        before: Uuid,
        limit: i64,
    ) -> Result<Vec<Result<JobRow, Corrupt>>, DbError> {
        on_conn!(self, |conn, dialect| {
            let mut query = QueryBuilder::new("");
            push_list!(query, dialect, filter, least, before, limit);
            query
                .build()
                .fetch_all(conn)
                .await
                .map(|rows| rows.iter().map(|row| read_row::<_, JobRow>("jobs", "id", row)).collect::<Vec<_>>())
        })
        .map_err(DbError::in_op("job_list"))
    }
}
