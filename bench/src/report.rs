//! The table.

use std::time::Duration;

use serde_json::json;

use crate::figures::{Samples, ms};
use crate::machine::Database;

/// One measured thing.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    database: &'static str,
    what: String,
    figure: String,
    goal: String,
}

impl Row {
    pub(crate) fn limit(what: &str, samples: &Samples) -> Self {
        Self { database: "machine", what: what.to_owned(), figure: spread(samples), goal: "(limit)".to_owned() }
    }

    pub(crate) fn one(database: Database, what: &str, time: Duration, goal: &str) -> Self {
        Self::text(database, what, ms(time), goal)
    }

    pub(crate) fn spread(database: Database, what: &str, samples: &Samples, goal: &str) -> Self {
        Self::text(database, what, spread(samples), goal)
    }

    pub(crate) fn text(database: Database, what: &str, figure: String, goal: &str) -> Self {
        Self { database: database.name(), what: what.to_owned(), figure, goal: goal.to_owned() }
    }
}

fn spread(samples: &Samples) -> String {
    format!("p50 {}  p99 {}  last {}", ms(samples.p50()), ms(samples.p99()), ms(samples.last()))
}

#[expect(clippy::print_stdout, reason = "the table is what the program is for")]
pub(crate) fn print(rows: &[Row], as_json: bool) -> anyhow::Result<()> {
    if as_json {
        let rows: Vec<_> = rows
            .iter()
            .map(|row| json!({ "database": row.database, "what": row.what, "figure": row.figure, "goal": row.goal }))
            .collect();
        println!("{}", serde_json::to_string_pretty(&rows)?);
        return Ok(());
    }
    for row in rows {
        println!("{:<11} {:<42} {:<52} {}", row.database, row.what, row.figure, row.goal);
    }
    Ok(())
}
