use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{JobId, LogId};
use orchestrator_core::log::LogLine;
use orchestrator_core::text::{LogMessage, ProcessName};

use super::DecodeError;
use super::value::{id, instant, name, optional_id, optional_instant, required, timestamp};
use crate::v1;

/// A line as messages carry it.
pub fn log(line: &LogLine) -> v1::Log {
    v1::Log {
        id: line.id.to_string(),
        log_time: Some(timestamp(line.log_time)),
        log_level: line.level.to_string(),
        process_name: line.process_name.as_str().to_owned(),
        log_message: line.message.as_str().to_owned(),
        job_id: line.job_id.map(|job| job.to_string()).unwrap_or_default(),
    }
}

/// Reads a line as a server sent it.
pub fn read_log(message: v1::Log) -> Result<LogLine, DecodeError> {
    Ok(LogLine {
        id: id("id", &message.id)?,
        log_time: instant("log_time", required("log_time", message.log_time)?)?,
        level: name("log_level", &message.log_level)?,
        process_name: ProcessName::parse(&message.process_name)?,
        message: LogMessage::from_stored(message.log_message),
        job_id: optional_id("job_id", &message.job_id)?,
    })
}

/// Reads lines as the robot of a job writes them: at `now` where one names no instant or a later one, which would keep those
/// who follow the log from seeing what comes after it; cut where one is too long. An error says which of several it is about.
pub fn new_logs(
    messages: &[v1::NewLog],
    process: &ProcessName,
    job: JobId,
    now: Timestamp,
) -> Result<Vec<LogLine>, DecodeError> {
    let is_one = messages.len() == 1;
    let line = |(index, message)| {
        new_log(message, process, job, now).map_err(|error| if is_one { error } else { error.in_item("logs", index) })
    };
    messages.iter().enumerate().map(line).collect()
}

fn new_log(message: &v1::NewLog, process: &ProcessName, job: JobId, now: Timestamp) -> Result<LogLine, DecodeError> {
    Ok(LogLine {
        id: optional_id("id", &message.id)?.unwrap_or_else(LogId::generate),
        log_time: optional_instant("log_time", message.log_time)?.map_or(now, |at| at.min(now)),
        level: name("log_level", &message.log_level)?,
        process_name: process.clone(),
        message: LogMessage::cut(&message.log_message),
        job_id: Some(job),
    })
}
