//! The exporter's file: one JSON object a line, each with its kind.

use std::path::Path;

use chrono_tz::Tz;
use orchestrator_core::cron::parse_zone;
use serde::Deserialize;
use serde_json::Value;
use zeroize::{Zeroize as _, Zeroizing};

use crate::commands::queue::RowError;
use crate::error::{CliError, Result};

/// The form of the file that we understand.
const FORMAT: u32 = 1;

/// What is in the file.
#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) zone: Option<Tz>,
    pub(super) constants: Vec<Constant>,
    pub(super) credentials: Vec<Credential>,
    pub(super) triggers: Vec<Trigger>,
    pub(super) elements: Vec<Element>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Line {
    Openorchestrator(Header),
    Constant(Constant),
    Credential(Credential),
    Trigger(Box<Trigger>),
    QueueElement(Element),
}

#[derive(Debug, Deserialize)]
struct Header {
    format: u32,
    zone: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Constant {
    pub(super) name: String,
    pub(super) value: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Credential {
    pub(super) name: String,
    pub(super) username: Option<String>,
    /// Absent where it was exported without passwords.
    pub(super) password: Option<String>,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Drop for Credential {
    fn drop(&mut self) {
        self.password.zeroize();
    }
}

/// A row of the table of triggers, with what its kind adds.
#[derive(Debug, Deserialize)]
pub(super) struct Trigger {
    pub(super) id: String,
    #[serde(rename = "trigger_name")]
    pub(super) name: String,
    pub(super) process_name: String,
    pub(super) process_path: String,
    pub(super) process_args: Option<String>,
    pub(super) process_status: String,
    #[serde(default)]
    pub(super) is_git_repo: Flag,
    pub(super) git_branch: Option<String>,
    #[serde(default)]
    pub(super) is_blocking: Flag,
    /// A list of names, or a text with such a list.
    #[serde(default)]
    pub(super) scheduler_whitelist: Value,
    #[serde(default)]
    pub(super) priority: Option<i32>,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) next_run: Option<String>,
    pub(super) cron_expr: Option<String>,
    pub(super) queue_name: Option<String>,
    pub(super) min_batch_size: Option<u32>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Element {
    pub(super) id: String,
    pub(super) queue_name: String,
    pub(super) status: String,
    pub(super) data: Option<String>,
    pub(super) reference: Option<String>,
    pub(super) created_date: Option<String>,
    pub(super) message: Option<String>,
    pub(super) created_by: Option<String>,
}

/// Databases without truth values store numbers.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(from = "Value")]
pub(super) struct Flag(pub(super) bool);

impl From<Value> for Flag {
    fn from(value: Value) -> Self {
        Self(match value {
            Value::Bool(flag) => flag,
            Value::Number(number) => number.as_f64().is_some_and(|number| number != 0.0),
            _ => false,
        })
    }
}

pub(super) fn read(path: &Path) -> Result<Source> {
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(CliError::file("read", path))?);
    let (source, errors, count) = parse(&text);
    if errors.is_empty() {
        Ok(source)
    } else {
        Err(CliError::Rows { path: path.to_owned(), errors, row_count: count, is_shortened: false })
    }
}

fn parse(text: &str) -> (Source, Vec<RowError>, usize) {
    let mut source = Source::default();
    let mut errors = Vec::new();
    let mut count = 0;
    for (line, content) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        if content.trim().is_empty() {
            continue;
        }
        count += 1;
        let failed = |problem: String| RowError { line, column: None, field: None, problem };
        match serde_json::from_str(content) {
            Ok(Line::Openorchestrator(header)) if count == 1 => match zone_of(&header) {
                Ok(zone) => source.zone = zone,
                Err(problem) => errors.push(failed(problem)),
            },
            _ if count == 1 => {
                errors.push(failed("is not the first line of a file of deploy/openorchestrator-export.py".to_owned()));
                break;
            }
            Ok(Line::Openorchestrator(_)) => errors.push(failed("a second file begins here".to_owned())),
            Ok(Line::Constant(constant)) => source.constants.push(constant),
            Ok(Line::Credential(credential)) => source.credentials.push(credential),
            Ok(Line::Trigger(trigger)) => source.triggers.push(*trigger),
            Ok(Line::QueueElement(element)) => source.elements.push(element),
            // What stands in the line may be a password: only the place is told.
            Err(error) => errors.push(failed(format!(
                "cannot be read ({:?} error at column {})",
                error.classify(),
                error.column()
            ))),
        }
    }
    if count == 0 {
        errors.push(RowError { line: 1, column: None, field: None, problem: "the file is empty".to_owned() });
    }
    (source, errors, count)
}

fn zone_of(header: &Header) -> Result<Option<Tz>, String> {
    if header.format != FORMAT {
        return Err(format!("the file has format {}; this program reads {FORMAT}", header.format));
    }
    // A name that we do not know has to be given by --zone, like one that is not there.
    Ok(header.zone.as_deref().and_then(|zone| parse_zone(zone).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = r#"{"kind": "openorchestrator", "format": 1, "zone": "Europe/Copenhagen"}"#;

    #[test]
    fn each_kind_of_line_is_read_whatever_else_is_in_it() {
        let text = [
            HEAD,
            r#"{"kind": "constant", "name": "a", "value": "1"}"#,
            "",
            r#"{"kind": "credential", "name": "b", "username": "u", "password": null}"#,
            r#"{"kind": "trigger", "id": "1", "trigger_name": "t", "process_name": "p", "process_path": "x", "process_args": null,
                "process_status": "IDLE", "is_git_repo": 1, "is_blocking": false, "type": "SINGLE", "next_run": null, "colour": 3}"#
                .replace('\n', " ")
                .as_str(),
            r#"{"kind": "queue_element", "id": "1", "queue_name": "q", "status": "NEW", "data": null}"#,
        ]
        .join("\n");
        let (source, errors, count) = parse(&text);
        assert_eq!((errors, count), (vec![], 5));
        assert_eq!(source.zone, Some(chrono_tz::Europe::Copenhagen));
        assert!(source.triggers[0].is_git_repo.0 && !source.triggers[0].is_blocking.0);
        assert_eq!((source.constants.len(), source.credentials.len(), source.elements.len()), (1, 1, 1));
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named_without_what_stands_in_it() {
        let text = format!("{HEAD}\n{{\"kind\": \"credential\", \"name\": 3, \"password\": \"hunter2\"}}\nnonsense\n");
        let (_, errors, _) = parse(&text);
        assert_eq!(errors.iter().map(|error| error.line).collect::<Vec<_>>(), [2, 3]);
        assert!(!format!("{errors:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_no_export_is_refused_at_its_first_line() {
        for text in ["", "name,value\n", "{\"kind\": \"constant\", \"name\": \"a\", \"value\": \"1\"}\n", "{}"] {
            let (_, errors, _) = parse(text);
            assert_eq!(errors.len(), 1, "{text}");
        }
        let newer = HEAD.replace('1', "2");
        assert!(parse(&newer).1[0].problem.contains("format 2"));
    }
}
