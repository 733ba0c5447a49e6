//! Log lines.

use orchestrator_proto::v1 as pb;

use super::listing;
use crate::output::times::exact;
use crate::output::{Cell, Column, Row};

listing!(
    ListLogsResponse,
    logs,
    Log,
    "No log lines. Robots write them; see also: orchestrator job logs JOB",
    next_cursor
);
listing!(TailLogsResponse, logs, Log, "");

impl Row for pb::Log {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::new("Time", |l, look| Cell::text(exact(look, l.log_time.as_ref()))),
        Column::new("Level", |l, _| Cell::state(&l.log_level)),
        Column::new("Process name", |l, _| Cell::text(&l.process_name)),
        Column::new("Message", |l, look| Cell::clipped(look, &l.log_message)),
        Column::new("Job", |l, look| Cell::id(look, &l.job_id)),
        Column::wide("ID", |l, _| Cell::text(&l.id)),
    ];

    fn handle(&self) -> &str {
        &self.id
    }
}
