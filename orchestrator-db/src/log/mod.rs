//! Log lines: written many at a time, read page by page, newest first, and followed as they come.

mod insert;
mod row;

use chrono::{DateTime, Utc};
use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{JobId, LogId};
use orchestrator_core::log::{LogLevel, LogLine};
use orchestrator_core::text::ProcessName;
use uuid::Uuid;

use crate::dialect::{Sql, sql};
use crate::error::{Corrupt, DbError, Readable};
use crate::lists::{Texts, containing, earliest, latest};
use crate::page::{PageRequest, STEP, Search, cursor};
use crate::rows::{fetch, fetch_plain, fetch_scalars};
use crate::tx::Tx;

use row::{LogRow, log_columns};

pub(crate) use insert::{insert_on_postgres, insert_on_sqlite};

/// Which lines are listed. Everything that is set must fit.
#[derive(Debug, Clone, Default)]
pub struct LogFilter {
    /// Exactly this process.
    pub process_name: Option<ProcessName>,
    /// Any of these; all when empty.
    pub levels: Vec<LogLevel>,
    /// Written by this job.
    pub job: Option<JobId>,
    /// At this instant or later.
    pub since: Option<Timestamp>,
    /// At this instant or earlier.
    pub until: Option<Timestamp>,
    /// Part of the message, whatever the case of letters; not a pattern.
    pub search: Option<String>,
}

/// Up to where a follower has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogPosition {
    /// The instant of the last line.
    pub log_time: Timestamp,
    /// The last line.
    pub id: LogId,
}

/// `$scope` names the index that fits: `$5` is the process name, `$6` the job. What the pairs imply of the time is said
/// again on PostgreSQL, which estimates nothing from a pair.
macro_rules! list_text {
    ($scope:literal, $low:literal, $high:literal, $order:literal) => {
        sql!["SELECT " [columns log_columns] " FROM logs
         WHERE " $scope " AND (log_time, id) " $low " ($1, $2) AND (log_time, id) " $high " ($3, $4)"
             [only postgres " AND log_time >= $1 AND log_time <= $3"] "
             AND ($7 OR log_level" [in_texts "$8"] ") AND ($9 = '%%' OR log_message" [like "$9"] ")
             AND ($5 = '' OR process_name = $5) AND (job_id = $6 OR $6 IS NULL)
         " $order " LIMIT $10"]
    };
    ($scope:literal) => {
        [
            list_text!($scope, ">=", "<", "ORDER BY log_time DESC, id DESC"),
            list_text!($scope, ">", "<=", "ORDER BY log_time, id"),
        ]
    };
}
const OF_JOB: [Sql; 2] = list_text!("job_id = $6");
const OF_PROCESS: [Sql; 2] = list_text!("process_name = $5");
const ERRORS: [Sql; 2] = list_text!("log_level = 'ERROR'");
const ALL: [Sql; 2] = list_text!("TRUE");

/// Where a step of a search ends, newest first. It reads nothing but the index: what else a line has to be is no part of it.
macro_rules! window_text {
    ($scope:literal) => {
        sql!["SELECT log_time, id FROM logs
         WHERE " $scope " AND (log_time, id) >= ($1, $2) AND (log_time, id) < ($3, $4)
         ORDER BY log_time DESC, id DESC LIMIT 1 OFFSET $5"]
    };
}
const WINDOW_OF_JOB: Sql = window_text!("job_id = $6");
const WINDOW_OF_PROCESS: Sql = window_text!("process_name = $6");
const WINDOW_OF_ERRORS: Sql = window_text!("log_level = 'ERROR'");
const WINDOW_OF_ALL: Sql = window_text!("TRUE");

const LOG_LAST_ERROR: Sql = sql![
    "SELECT log_message FROM (SELECT id, log_time, log_level, log_message FROM logs WHERE job_id = $1
         ORDER BY log_time DESC, id DESC LIMIT 200) AS latest
     WHERE log_level = 'ERROR' ORDER BY log_time DESC, id DESC LIMIT 1"
];
type Key = (DateTime<Utc>, Uuid);

impl Tx {
    /// The last thing that a job called an error, among its latest lines: a job may have written millions.
    pub async fn log_last_error(&mut self, job: JobId) -> Result<Option<String>, DbError> {
        let rows = fetch_scalars!(self, "log_last_error", LOG_LAST_ERROR, as String, [job.as_uuid()])?;
        Ok(rows.into_iter().next())
    }

    /// A page of lines, newest first, with the cursor of the next one. Where no index serves
    /// the filter it looks at [`SEARCHED_ROWS`](crate::SEARCHED_ROWS) rows at most.
    pub async fn log_list(
        &mut self,
        filter: &LogFilter,
        page: &PageRequest,
    ) -> Result<(Readable<LogLine>, Option<String>), DbError> {
        let (low, mut high) = filter.bounds();
        high = page.after::<Key>()?.map_or(high, |after| after.min(high));
        self.plan_for_values().await?;
        let mut rows = Vec::new();
        let mut search = Search::begin();
        let stopped = loop {
            let step = if filter.looks_further() { self.log_window(filter, low, high).await? } else { None };
            let wanted = page.still_wanted(&rows);
            let texts = filter.texts();
            rows.extend(self.log_rows(texts.newest_first, filter, (step.unwrap_or(low), high), wanted).await?);
            match step {
                Some(step) if page.still_wanted(&rows) == 0 || !search.goes_on() => break Some(step),
                Some(step) => high = step,
                None => break None,
            }
        };
        let next = page.cut(&mut rows, |row| (row.log_time, row.id)).or_else(|| stopped.as_ref().map(cursor));
        Ok((Readable::collect(rows.into_iter().map(|row| row.and_then(LogLine::try_from))), next))
    }

    /// Lines after a position, oldest first, at most `limit`: for those who follow.
    pub async fn log_after(
        &mut self,
        filter: &LogFilter,
        after: Option<LogPosition>,
        limit: u32,
    ) -> Result<Readable<LogLine>, DbError> {
        let (low, high) = filter.bounds();
        let low = after.map_or(low, |after| (after.log_time, after.id.as_uuid()).max(low));
        let rows = self.log_rows(filter.texts().oldest_first, filter, (low, high), i64::from(limit)).await?;
        Ok(Readable::collect(rows.into_iter().map(|row| row.and_then(LogLine::try_from))))
    }

    async fn log_rows(
        &mut self,
        text: Sql,
        filter: &LogFilter,
        (low, high): (Key, Key),
        limit: i64,
    ) -> Result<Vec<Result<LogRow, Corrupt>>, DbError> {
        let levels: Texts = filter.levels.iter().map(|level| level.as_str()).collect();
        fetch!(self, "log_list", text, table "logs" key "id" as LogRow, [
            low.0,
            low.1,
            high.0,
            high.1,
            filter.process_name.as_ref().map_or("", ProcessName::as_str),
            filter.job.map(JobId::as_uuid),
            filter.levels.is_empty(),
            &levels,
            containing(filter.search.as_deref().unwrap_or_default()),
            limit,
        ])
    }

    /// The last row between these two that a step of a search looks at, when there may be more.
    async fn log_window(&mut self, filter: &LogFilter, low: Key, high: Key) -> Result<Option<Key>, DbError> {
        let text = filter.texts().window;
        let offset = i64::from(STEP) - 1;
        let mut rows = match (filter.job, &filter.process_name) {
            (Some(job), _) => {
                fetch_plain!(self, "log_window", text, as Key, [low.0, low.1, high.0, high.1, offset, job.as_uuid()])?
            }
            (None, Some(process)) => {
                fetch_plain!(self, "log_window", text, as Key, [low.0, low.1, high.0, high.1, offset, process.as_str()])?
            }
            (None, None) => fetch_plain!(self, "log_window", text, as Key, [low.0, low.1, high.0, high.1, offset])?,
        };
        Ok(rows.pop())
    }
}

/// The texts whose index fits a filter best.
struct LogTexts {
    newest_first: Sql,
    oldest_first: Sql,
    window: Sql,
}

impl LogFilter {
    /// Whether rows are looked at that do not fit: no index has exactly those that do.
    fn looks_further(&self) -> bool {
        let is_exact = matches!(
            (self.job, &self.process_name, self.levels.as_slice()),
            (Some(_), None, []) | (None, Some(_), []) | (None, None, [] | [LogLevel::Error])
        );
        self.search.is_some() || !is_exact
    }

    fn texts(&self) -> LogTexts {
        let ([newest_first, oldest_first], window) = match (self.job, &self.process_name, self.levels.as_slice()) {
            (Some(_), ..) => (OF_JOB, WINDOW_OF_JOB),
            (None, Some(_), _) => (OF_PROCESS, WINDOW_OF_PROCESS),
            (None, None, [LogLevel::Error]) => (ERRORS, WINDOW_OF_ERRORS),
            (None, None, _) => (ALL, WINDOW_OF_ALL),
        };
        LogTexts { newest_first, oldest_first, window }
    }

    /// Between which keys its lines are. No id is the first or the last one there can be.
    fn bounds(&self) -> (Key, Key) {
        ((self.since.unwrap_or_else(earliest), Uuid::nil()), (self.until.unwrap_or_else(latest), Uuid::max()))
    }
}

#[cfg(test)]
crate::statements::statements![
    LOG_LAST_ERROR,
    OF_JOB[0],
    OF_JOB[1],
    OF_PROCESS[0],
    OF_PROCESS[1],
    ERRORS[0],
    ERRORS[1],
    ALL[0],
    ALL[1],
    WINDOW_OF_JOB,
    WINDOW_OF_PROCESS,
    WINDOW_OF_ERRORS,
    WINDOW_OF_ALL;
    insert
];
