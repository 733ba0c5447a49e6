//! How errors are printed, and which exit code they give.

use std::fmt::Write as _;

use orchestrator_db::{BackupError, ConnectError};
use serde_json::{Value, json};

use super::cli_error::CliError;
use super::{copying, hint};
use crate::context::ContextError;
use crate::lifecycle::Ended;

/// The most rows of a bad file that are shown.
const ROWS_SHOWN: usize = 20;

impl CliError {
    /// The program's exit code; ux.md section 3.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Refused(refusal) => refusal.exit_code(),
            Self::Usage { .. } | Self::Config(_) | Self::Rows { .. } | Self::Password(_) | Self::NobodyToAsk { .. } => {
                2
            }
            Self::NoToken { .. } | Self::BadToken(_) => 4,
            Self::Context(ContextError::Unknown { .. }) | Self::Backup(BackupError::Missing(_)) => 3,
            Self::Backup(
                BackupError::Exists(_)
                | BackupError::Lock(ConnectError::InUse { .. } | ConnectError::TooNew { .. })
                | BackupError::Foreign(_),
            )
            | Self::FileExists { .. }
            | Self::Resumed { .. }
            | Self::ContextExists { .. } => 5,
            Self::Unreachable { .. } | Self::StillBusy { .. } => 6,
            Self::JobFailed { .. } => 7,
            Self::WouldChange { .. } => 8,
            Self::Interrupted { .. } => 130,
            Self::Serving(error) => error.exit_code(),
            Self::Copy(error) => copying::exit_code(error),
            Self::Context(_)
            | Self::Incomplete { .. }
            | Self::File { .. }
            | Self::Certificate { .. }
            | Self::Unhealthy { .. }
            | Self::Backup(_)
            | Self::Declined
            | Self::Random(_)
            | Self::Terminal(_)
            | Self::OutputClosed
            | Self::Json(_)
            | Self::Worker(_)
            | Self::Sample(_)
            | Self::Ended(_)
            | Self::Runtime(_) => 1,
        }
    }

    /// The stable code that is shown in brackets.
    pub(crate) fn code(&self) -> &str {
        match self {
            Self::Refused(refusal) => &refusal.reason,
            Self::Usage { .. } => "USAGE",
            Self::NoToken { .. } => "NO_TOKEN",
            Self::BadToken(_) => "BAD_TOKEN",
            Self::Context(ContextError::Unknown { .. }) => "CONTEXT_NOT_FOUND",
            Self::Context(_) => "BAD_CONTEXT",
            Self::ContextExists { .. } => "CONTEXT_EXISTS",
            Self::Config(_) => "BAD_CONFIGURATION",
            Self::Unreachable { .. } => "UNREACHABLE",
            Self::Incomplete { .. } => "INCOMPLETE_ANSWER",
            Self::JobFailed { .. } => "JOB_FAILED",
            Self::StillBusy { .. } => "TIMED_OUT",
            Self::Resumed { .. } => "WORKER_RESUMED",
            Self::WouldChange { .. } => "DRY_RUN",
            Self::Backup(BackupError::Lock(ConnectError::InUse { .. })) => "DATABASE_IN_USE",
            Self::Unhealthy { .. } => "UNHEALTHY",
            Self::File { .. } => "FILE",
            Self::FileExists { .. } | Self::Backup(BackupError::Exists(_)) => "FILE_EXISTS",
            Self::Backup(_) => "BACKUP",
            Self::Copy(error) => copying::code(error),
            Self::Certificate { .. } => "CERTIFICATE",
            Self::Rows { .. } => "BAD_ROWS",
            Self::Password(_) => "TOO_LONG",
            Self::Declined => "DECLINED",
            Self::NobodyToAsk { .. } => "NEEDS_YES",
            Self::Random(_) | Self::Terminal(_) | Self::OutputClosed | Self::Json(_) | Self::Runtime(_) => "LOCAL",
            Self::Interrupted { .. } => "INTERRUPTED",
            Self::Serving(error) => error.code(),
            Self::Worker(_) => "WORKER",
            Self::Sample(_) => "SAMPLE",
            Self::Ended(_) => "STOPPED",
        }
    }

    /// What happened.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Refused(refusal) => refusal.message.clone(),
            Self::Usage { message, .. } => message.clone(),
            Self::NoToken { url } => format!("not signed in to {url}"),
            Self::BadToken(_) => "the token cannot be used".to_owned(),
            Self::ContextExists { name } => format!("there is a context \"{name}\" already"),
            Self::Context(error) => error.to_string(),
            Self::Config(error) => error.to_string(),
            Self::Unreachable { url, .. } => format!("no server answers at {url}"),
            Self::Incomplete { what } => format!("the server's answer has no {what}"),
            Self::JobFailed { job, status, .. } => format!("job {job} ended {status}"),
            Self::StillBusy { worker, jobs: 1 } => format!("worker \"{worker}\" still has 1 job after the time-out"),
            Self::StillBusy { worker, jobs } => format!("worker \"{worker}\" still has {jobs} jobs after the time-out"),
            Self::Resumed { worker } => format!("worker \"{worker}\" was let take jobs again meanwhile"),
            Self::WouldChange { what } => what.clone(),
            Self::Backup(error) => error.to_string(),
            Self::Copy(error) => error.to_string(),
            Self::Unhealthy { bad, checks } => format!("{bad} of {checks} checks found something wrong"),
            Self::File { action, path, .. } => format!("could not {action} {}", path.display()),
            Self::FileExists { path } => format!("{} is there already and is not overwritten", path.display()),
            Self::Certificate { action, .. } => format!("could not {action}"),
            Self::Rows { path, errors, row_count, .. } => {
                format!("{} of {row_count} rows of {} cannot be used; nothing was sent", errors.len(), path.display())
            }
            Self::Password(error) => error.to_string(),
            Self::Declined => "nothing was done".to_owned(),
            Self::NobodyToAsk { question } => format!("this needs a confirmation: {question}"),
            Self::Random(error) => error.to_string(),
            Self::Terminal(error) => format!("input or output failed: {error}"),
            Self::OutputClosed => "nobody reads the output".to_owned(),
            Self::Json(error) => format!("the answer could not be printed as JSON: {error}"),
            Self::Runtime(error) => format!("the program could not start: {error}"),
            Self::Serving(error) => error.to_string(),
            Self::Worker(why) => format!("the sandbox's worker could not be started: {why}"),
            Self::Sample(why) => format!("the sample robots could not be set up: {why}"),
            Self::Ended(Ended::Forced) => "stopped before everything had ended".to_owned(),
            Self::Ended(Ended::TaskDied(task)) => format!("a part of the program ended by itself: {task}"),
            Self::Ended(Ended::Orderly) => "stopped".to_owned(),
            Self::Interrupted { note } => note.clone().unwrap_or_else(|| "interrupted".to_owned()),
        }
    }

    /// Why, where that is known beyond the message.
    pub(crate) fn why(&self) -> Option<String> {
        match self {
            Self::NoToken { .. } => Some("no token was given, and no context has one for this server".to_owned()),
            Self::BadToken(error) => Some(error.to_string()),
            Self::Unreachable { why, .. } | Self::Certificate { why, .. } => Some(why.clone()),
            Self::JobFailed { reason, .. } if !reason.is_empty() => Some(reason.clone()),
            Self::File { source, .. } => Some(source.to_string()),
            Self::Rows { errors, .. } => Some(rows(errors)),
            Self::Backup(error) => std::error::Error::source(error).map(ToString::to_string),
            Self::Copy(error) => copying::why(error),
            Self::NobodyToAsk { .. } => Some("there is no terminal to ask on".to_owned()),
            Self::Serving(error) => error.why(),
            _ => None,
        }
    }

    /// What to type next.
    pub(crate) fn next(&self) -> Option<String> {
        let text = match self {
            Self::Refused(refusal) => return hint::next(refusal),
            Self::Serving(error) => return error.next(),
            Self::Usage { next, .. } => return next.clone(),
            Self::Context(ContextError::Unknown { suggestion: Some(name), .. }) => {
                return Some(format!("did you mean \"{name}\"? See all: orchestrator context list"));
            }
            Self::Context(ContextError::Unknown { .. }) => "see what there is: orchestrator context list",
            Self::ContextExists { .. } => "give another name, or --replace",
            Self::NoToken { url } => {
                return Some(format!("orchestrator login {url}, or start a sandbox: orchestrator dev"));
            }
            Self::BadToken(_) => "an administrator makes one: orchestrator token create user NAME",
            Self::Unreachable { why, .. } => hint::unreachable(why),
            Self::Config(_) => "see what is allowed: orchestrator server config template",
            Self::JobFailed { job, .. } => return Some(format!("orchestrator job logs {job}")),
            Self::WouldChange { .. } => "nothing was changed; leave out --dry-run to do it",
            Self::Copy(error) => return Some(copying::next(error)),
            Self::Backup(BackupError::Lock(ConnectError::InUse { .. })) => "stop the server first",
            Self::Backup(BackupError::Lock(ConnectError::TooNew { .. })) => {
                "the copy is of a newer version: use that version's program"
            }
            Self::Backup(BackupError::Lock(_)) => "name a file in a folder that is there and that you may write to",
            Self::Backup(BackupError::Missing(_)) => {
                "name the server's data folder (--data DIR) or its configuration (--config FILE), or the copy's own file"
            }
            Self::FileExists { .. } | Self::Backup(BackupError::Exists(_)) => {
                "name another file, or move this one away"
            }
            Self::NobodyToAsk { .. } => "repeat the command with --yes",
            Self::Rows { is_shortened: true, .. } => {
                "format the column as text, enter the whole numbers, and save the file again; or take what is there as the references: --allow-scientific"
            }
            _ => return None,
        };
        Some(text.to_owned())
    }

    /// For people: several lines, without the last line feed.
    pub(crate) fn to_text(&self) -> String {
        // What a dry run finds is no error.
        let label = if matches!(self, Self::WouldChange { .. }) { "plan" } else { "error" };
        let mut text = format!("{label}: {} [{}]", self.message(), self.code());
        for (label, part) in [("why", self.why()), ("next", self.next())] {
            if let Some(part) = part {
                let indented = part.replace('\n', "\n        ");
                // Writing to a String cannot fail.
                let _ = write!(text, "\n  {label:<5} {indented}");
            }
        }
        crate::output::printable_lines(&text)
    }

    /// For programs: one object.
    pub(crate) fn to_json(&self) -> Value {
        json!({ "code": self.code(), "message": self.message(), "details": self.details() })
    }

    fn details(&self) -> Value {
        let mut details = match self {
            Self::Refused(refusal) => json!(refusal.metadata),
            Self::JobFailed { job, status, reason } => json!({ "job": job, "status": status, "reason": reason }),
            Self::Rows { errors, .. } => json!({ "rows": errors }),
            _ => json!({}),
        };
        for (key, value) in [("why", self.why()), ("next", self.next())] {
            if let Some(value) = value {
                details[key] = Value::String(value);
            }
        }
        details
    }
}

fn rows(errors: &[crate::commands::queue::RowError]) -> String {
    let mut lines: Vec<String> = errors.iter().take(ROWS_SHOWN).map(ToString::to_string).collect();
    if errors.len() > ROWS_SHOWN {
        lines.push(format!("… and {} more", errors.len() - ROWS_SHOWN));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use tonic::Status;

    use super::*;

    #[test]
    fn an_error_says_what_why_and_what_next() {
        let error =
            CliError::Unreachable { url: "http://127.0.0.1:1".to_owned(), why: "connection refused".to_owned() };
        insta::assert_snapshot!(error.to_text());
        assert_eq!(error.exit_code(), 6);
    }

    #[test]
    fn an_error_for_programs_has_code_message_and_details() {
        let error = CliError::from(Status::not_found("no trigger 'x'"));
        assert_eq!(error.to_json().to_string(), r#"{"code":"NOT_FOUND","details":{},"message":"no trigger 'x'"}"#);
    }

    #[test]
    fn a_copy_that_fails_says_what_helps_against_that() {
        let (path, why) = (std::path::PathBuf::from("/none/x.db"), std::io::ErrorKind::NotFound);
        let nowhere = CliError::Backup(ConnectError::File { path: path.clone(), source: why.into() }.into());
        let in_use = CliError::Backup(ConnectError::InUse { path: path.clone() }.into());
        let missing = CliError::Backup(BackupError::Missing(path));
        assert_eq!((nowhere.exit_code(), in_use.exit_code(), missing.exit_code()), (1, 5, 3));
        assert!(nowhere.next().unwrap().contains("folder that is there"), "no server is in the way");
        assert_eq!(in_use.next().as_deref(), Some("stop the server first"));
        assert!(missing.next().unwrap().contains("--data DIR"));
    }

    #[test]
    fn a_failed_job_has_its_own_exit_code() {
        let error =
            CliError::JobFailed { job: "1".to_owned(), status: "FAILED".to_owned(), reason: "exit code 3".to_owned() };
        assert_eq!(error.exit_code(), 7);
        insta::assert_snapshot!(error.to_text());
    }

    #[test]
    fn a_servers_words_cannot_steer_the_terminal() {
        let error = CliError::from(Status::not_found("no trigger '\u{1b}[2J'"));
        assert!(!error.to_text().contains('\u{1b}'));
    }

    #[test]
    fn interruption_has_the_shells_exit_code() {
        assert_eq!(CliError::Interrupted { note: None }.exit_code(), 130);
    }
}
