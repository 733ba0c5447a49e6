use chrono::{DateTime, Utc};
use orchestrator_core::id::{JobId, LogId};
use orchestrator_core::log::LogLine;
use orchestrator_core::text::{LogMessage, ProcessName};
use uuid::Uuid;

use crate::answer::Bulk;
use crate::error::{Corrupt, RowAddress};

macro_rules! log_columns {
    () => {
        "id, log_time, log_level, process_name, log_message, job_id"
    };
}
pub(super) use log_columns;

#[derive(Debug, sqlx::FromRow)]
pub(super) struct LogRow {
    pub(super) id: Uuid,
    pub(super) log_time: DateTime<Utc>,
    log_level: String,
    process_name: String,
    log_message: String,
    job_id: Option<Uuid>,
}

impl Bulk for LogRow {
    fn bytes(&self) -> usize {
        200 + self.process_name.len() + self.log_message.len()
    }
}

impl TryFrom<LogRow> for LogLine {
    type Error = Corrupt;

    fn try_from(row: LogRow) -> Result<Self, Corrupt> {
        let at = RowAddress::new("logs", row.id);
        Ok(Self {
            id: LogId::from_uuid(row.id),
            log_time: row.log_time,
            level: row.log_level.parse().map_err(at.column("log_level"))?,
            process_name: ProcessName::from_stored(row.process_name),
            message: LogMessage::from_stored(row.log_message),
            job_id: row.job_id.map(JobId::from_uuid),
        })
    }
}
