//! What a world tells when its scenario failed.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::cli;
use crate::stage::Stage;

/// Lines of each log that are shown.
const LINES: usize = 150;

/// What is asked of the server, if it is there.
const QUESTIONS: [&[&str]; 4] = [
    &["worker", "list", "--time", "utc"],
    &["trigger", "list", "--time", "utc", "-o", "wide"],
    &["job", "list", "--time", "utc", "-o", "json", "--limit", "20"],
    &["log", "list", "--time", "utc", "--limit", "50"],
];

#[expect(clippy::print_stderr, reason = "the test runner shows it with the failure")]
pub(crate) fn tell(stage: &Stage, url: &str, token: &str) {
    for question in QUESTIONS {
        eprintln!("===== orchestrator {}\n{}", question.join(" "), ask(stage, url, token, question));
    }
    for (name, path) in stage.all_words() {
        eprintln!("===== {name}\n{}", tail(&path));
    }
}

/// Not through the runtime: it may be the one that panics.
fn ask(stage: &Stage, url: &str, token: &str, question: &[&str]) -> String {
    let command = cli::orchestrator(stage);
    let mut limited = Command::new("timeout");
    limited.arg("10").arg(command.get_program()).args(question);
    limited.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    limited.env("ORCHESTRATOR_URL", url).env("ORCHESTRATOR_TOKEN", token).stdin(Stdio::null());
    match limited.output() {
        Ok(output) => String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
        Err(error) => error.to_string(),
    }
}

fn tail(path: &Path) -> String {
    let text = String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
