//! What a check found.

use serde::Serialize;

use crate::error::CliError;
use crate::output::{Cell, Column, Look, Row, Tone, printable, rows_table};

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Outcome {
    /// In order.
    Good,
    /// Worth a look.
    Odd,
    /// Something does not work.
    Bad,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    pub(super) outcome: Outcome,
    /// What was looked at.
    pub(super) subject: &'static str,
    /// What was found.
    pub(super) finding: String,
    /// What to do; empty where there is nothing to do.
    pub(super) fix: String,
}

impl Check {
    pub(super) fn good(subject: &'static str, finding: impl Into<String>) -> Self {
        Self { outcome: Outcome::Good, subject, finding: finding.into(), fix: String::new() }
    }

    pub(super) fn odd(subject: &'static str, finding: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { outcome: Outcome::Odd, subject, finding: finding.into(), fix: fix.into() }
    }

    pub(super) fn bad(subject: &'static str, finding: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { outcome: Outcome::Bad, subject, finding: finding.into(), fix: fix.into() }
    }

    /// An error says itself what to do. One of the database says nothing of what was looked at.
    pub(super) fn of_error(subject: &'static str, error: &CliError) -> Self {
        let subject = if error.code().starts_with("DATABASE") { "database" } else { subject };
        let why = error.why().map(|why| format!(": {why}")).unwrap_or_default();
        Self::bad(subject, format!("{}{why} [{}]", error.message(), error.code()), error.next().unwrap_or_default())
    }
}

impl Row for Check {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::new("", |c, _| mark(c.outcome)),
        Column::new("Check", |c, _| Cell::text(c.subject)),
        Column::new("Finding", |c, _| Cell::text(&c.finding)),
    ];

    fn handle(&self) -> &str {
        self.subject
    }
}

fn mark(outcome: Outcome) -> Cell {
    let (text, tone) = match outcome {
        Outcome::Good => ("ok", Tone::Good),
        Outcome::Odd => ("look", Tone::Held),
        Outcome::Bad => ("WRONG", Tone::Bad),
    };
    Cell { text: text.to_owned(), tone }
}

/// All findings, then the fixes, each under the name of its check.
pub(super) fn page(look: &Look, checks: &[Check]) -> String {
    let mut text = rows_table(look, Check::COLUMNS, checks);
    let fixes: Vec<String> = checks
        .iter()
        .filter(|check| !check.fix.is_empty())
        .map(|check| format!("  {}: {}", check.subject, printable(&check.fix)))
        .collect();
    if !fixes.is_empty() {
        text.push_str("\n\nWhat to do:\n");
        text.push_str(&fixes.join("\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use tonic::{Code, Status};
    use tonic_types::{ErrorDetails, StatusExt as _};

    use super::*;

    #[test]
    fn a_database_that_is_away_is_no_fault_of_the_token() {
        let details = ErrorDetails::with_error_info("DATABASE_UNAVAILABLE", "orchestrator", []);
        let status = Status::with_error_details(Code::Unavailable, "the database is not available", details);
        let check = Check::of_error("token", &status.into());
        assert_eq!((check.subject, check.outcome), ("database", Outcome::Bad));
        assert!(check.fix.contains("the server is there"), "{}", check.fix);
        assert_eq!(Check::of_error("token", &Status::unauthenticated("no").into()).subject, "token");
    }

    #[test]
    fn each_finding_is_a_line_and_each_fix_is_named() {
        let checks = [
            Check::good("server", "http://127.0.0.1:8420 answers"),
            Check::odd("transport", "http to another machine", "use https"),
            Check::bad("workers", "1 of 2 is lost: rpa-02\u{1b}[2J", "start it again on its machine"),
        ];
        insta::assert_snapshot!(page(&Look::of_tests(), &checks));
    }
}
