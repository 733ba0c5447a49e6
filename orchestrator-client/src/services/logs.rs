//! What robots and the system wrote down.

use chrono::{DateTime, Utc};
use orchestrator_proto::convert::timestamp;
use orchestrator_proto::v1 as pb;

use super::{all_pages, service};
use crate::Error;

service!(
    /// Log lines.
    Logs
);

/// Which lines are asked for; all when nothing is set.
#[derive(Debug, Clone, Default)]
pub struct LogFilter {
    /// Exactly this process.
    pub process_name: Option<String>,
    /// `TRACE`, `INFO`, `ERROR`.
    pub levels: Vec<String>,
    /// A job's id, or a unique end or beginning of it.
    pub job: Option<String>,
    /// Not before this instant.
    pub since: Option<DateTime<Utc>>,
    /// Before this instant.
    pub until: Option<DateTime<Utc>>,
    /// Part of the message.
    pub search: Option<String>,
}

impl Logs<'_> {
    /// The newest lines, newest first, `most` of them.
    pub async fn list(&self, filter: LogFilter, most: usize) -> Result<Vec<pb::Log>, Error> {
        let request = pb::ListLogsRequest {
            page: None,
            process_name: filter.process_name.unwrap_or_default(),
            levels: filter.levels,
            job: filter.job.unwrap_or_default(),
            since: filter.since.map(timestamp),
            until: filter.until.map(timestamp),
            search: filter.search.unwrap_or_default(),
        };
        all_pages!(self.client, "/orchestrator.v1.LogService/List", request, pb::ListLogsResponse, logs, most)
    }
}
