//! The table.

use std::time::Duration;

use serde_json::{Value, json};

use crate::figures::{Samples, ms};
use crate::machine::Database;

/// What a figure is to reach.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Goal {
    most: f64,
    unit: &'static str,
}

impl Goal {
    pub(crate) fn at_most(most: f64, unit: &'static str) -> Self {
        Self { most, unit }
    }

    pub(crate) fn within(time: Duration) -> Self {
        Self::at_most(time.as_secs_f64() * 1000.0, "ms")
    }
}

/// One measured thing.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    database: &'static str,
    what: String,
    shown: String,
    figure: f64,
    unit: &'static str,
    goal: Option<Goal>,
    note: &'static str,
}

impl Row {
    /// A limit of this machine: the p99 of its samples.
    pub(crate) fn limit(what: &str, samples: &Samples) -> Self {
        Self {
            database: "machine",
            what: what.to_owned(),
            shown: spread(samples),
            figure: millis(samples.p99()),
            unit: "ms",
            goal: None,
            note: "(limit)",
        }
    }

    /// A time.
    pub(crate) fn time(database: Database, what: &str, time: Duration, goal: Goal) -> Self {
        Self::number(database, what, millis(time), "ms", Some(goal))
    }

    /// Times of which one counts for the goal.
    pub(crate) fn spread(database: Database, what: &str, samples: &Samples, counts: Duration, goal: Goal) -> Self {
        let row = Self::number(database, what, millis(counts), "ms", Some(goal));
        Self { shown: spread(samples), ..row }
    }

    /// Any other number.
    pub(crate) fn number(database: Database, what: &str, figure: f64, unit: &'static str, goal: Option<Goal>) -> Self {
        Self {
            database: database.name(),
            what: what.to_owned(),
            shown: format!("{figure:.2} {unit}"),
            figure,
            unit,
            goal,
            note: "",
        }
    }

    /// Says of the figure what the reader has to know.
    pub(crate) fn noting(self, note: &'static str) -> Self {
        Self { note, ..self }
    }

    fn holds(&self) -> Option<bool> {
        self.goal.map(|goal| self.figure <= goal.most)
    }

    fn json(&self) -> Value {
        json!({
            "database": self.database,
            "what": self.what,
            "shown": self.shown,
            "figure": self.figure,
            "unit": self.unit,
            "goal": self.goal.map(|goal| goal.most),
            "holds": self.holds(),
            "note": self.note,
        })
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn spread(samples: &Samples) -> String {
    format!("p50 {}  p99 {}  last {}", ms(samples.p50()), ms(samples.p99()), ms(samples.last()))
}

/// Prints one row as soon as it is there: a whole run takes minutes.
#[expect(clippy::print_stdout, reason = "the table is what the program is for")]
pub(crate) fn print(row: &Row, as_json: bool) {
    if as_json {
        println!("{}", row.json());
        return;
    }
    let goal = row.goal.map(|goal| format!("<= {:.1} {}", goal.most, goal.unit)).unwrap_or_default();
    let verdict = match row.holds() {
        Some(true) => "holds",
        Some(false) => "MISSED",
        None => "",
    };
    println!("{:<10}  {:<46}  {:<48}  {:<14}  {verdict:<6}  {}", row.database, row.what, row.shown, goal, row.note);
}

/// Says what is measured now, where a person watches.
#[expect(clippy::print_stderr, reason = "a whole run takes minutes")]
pub(crate) fn progress(what: &str) {
    eprintln!("… {what}");
}
