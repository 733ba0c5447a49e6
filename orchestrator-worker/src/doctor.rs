//! Everything between this machine and a running robot, looked at without starting an agent: each finding with its fix.

use std::path::Path;
use std::process::Command;

use secrecy::ExposeSecret as _;
use serde::Serialize;

use crate::agent::{AgentOptions, IdentifyError, identify};

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Outcome {
    /// In order.
    Good,
    /// Worth a look.
    Odd,
    /// No robot can run.
    Bad,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub outcome: Outcome,
    /// What was looked at.
    pub subject: String,
    /// What was found.
    pub text: String,
    /// What to do; empty where there is nothing to do.
    pub fix: String,
}

impl Finding {
    fn new(outcome: Outcome, subject: &str, text: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { outcome, subject: subject.to_owned(), text: text.into(), fix: fix.into() }
    }
}

/// Looks at everything.
pub async fn examine(options: &AgentOptions) -> Vec<Finding> {
    let mut findings = server(options).await;
    findings.extend(transport(&options.server));
    findings.push(folder(&options.data));
    findings.push(program("git", &options.git, "robots from repositories"));
    for (extension, program) in options.interpreters.programs() {
        findings.push(self::program(extension, Path::new(program), &format!("robots in {extension} files")));
    }
    findings
}

/// The server, and the token where there is something to say about it alone. An empty token is none.
async fn server(options: &AgentOptions) -> Vec<Finding> {
    const NAME: &str = "server";
    let is_missing = options.token.expose_secret().is_empty();
    match identify(options).await {
        Ok(name) => {
            let text = format!("{} answers; the token is that of worker {name}", options.server);
            vec![Finding::new(Outcome::Good, NAME, text, "")]
        }
        // Only a server that is there refuses.
        Err(IdentifyError::Refused { server, .. }) if is_missing => {
            vec![Finding::new(Outcome::Good, NAME, format!("{server} answers"), ""), no_token()]
        }
        Err(error) => {
            let server = Finding::new(Outcome::Bad, NAME, error.to_string(), error.fix());
            std::iter::once(server).chain(is_missing.then(no_token)).collect()
        }
    }
}

fn no_token() -> Finding {
    let fix = "make one with `orchestrator worker enroll NAME`, and keep it here with `orchestrator-worker enroll`";
    Finding::new(Outcome::Bad, "token", "none is given, and none is kept here", fix)
}

/// Whoever listens on the way can take a token that travels in the clear.
fn transport(server: &str) -> Option<Finding> {
    let host = server.strip_prefix("http://")?;
    let is_here = ["127.", "localhost", "[::1]"].iter().any(|here| host.starts_with(here));
    (!is_here).then(|| {
        let text = "the token and all work travel unencrypted to another machine";
        Finding::new(Outcome::Odd, "transport", text, "give the server a certificate, and use https://")
    })
}

fn folder(data: &Path) -> Finding {
    const NAME: &str = "folder";
    let place = data.display();
    let existing = data.ancestors().find(|folder| folder.is_dir()).unwrap_or_else(|| Path::new("."));
    match tempfile::tempfile_in(existing) {
        Ok(_) if existing == data => Finding::new(Outcome::Good, NAME, format!("{place} can be written"), ""),
        Ok(_) => Finding::new(Outcome::Good, NAME, format!("{place} is not there yet, and can be made"), ""),
        Err(error) => {
            let fix = "run this as the worker's user, or give it another folder: --data DIR";
            Finding::new(Outcome::Bad, NAME, format!("{} cannot be written: {error}", existing.display()), fix)
        }
    }
}

fn program(subject: &str, program: &Path, what: &str) -> Finding {
    let name = program.display();
    match Command::new(program).arg("--version").output() {
        Ok(output) => {
            let text = String::from_utf8_lossy(if output.stdout.is_empty() { &output.stderr } else { &output.stdout });
            let version = text.lines().next().unwrap_or_default().trim().to_owned();
            Finding::new(Outcome::Good, subject, format!("{name}: {version}"), "")
        }
        Err(error) => {
            let fix = format!("install {name} if there are any, or name another in the configuration");
            Finding::new(Outcome::Odd, subject, format!("{name} cannot be run ({error}): no {what} here"), fix)
        }
    }
}

/// All findings, one a line, and what to do about them.
pub fn page(findings: &[Finding]) -> String {
    let width = findings.iter().map(|finding| finding.subject.chars().count()).max().unwrap_or_default();
    let line = |finding: &Finding| {
        let mark = match finding.outcome {
            Outcome::Good => "ok",
            Outcome::Odd => "look",
            Outcome::Bad => "WRONG",
        };
        format!("{mark:<7}{:<width$}  {}", finding.subject, finding.text)
    };
    let mut text = findings.iter().map(line).collect::<Vec<_>>().join("\n");
    let fixes: Vec<String> = findings
        .iter()
        .filter(|finding| !finding.fix.is_empty())
        .map(|finding| format!("  {}: {}", finding.subject, finding.fix))
        .collect();
    if !fixes.is_empty() {
        text.push_str("\n\nWhat to do:\n");
        text.push_str(&fixes.join("\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finding_is_a_line_and_each_fix_is_named() {
        let findings = [
            Finding::new(Outcome::Good, "folder", "/srv/worker can be written", ""),
            Finding::new(Outcome::Odd, ".ps1", "pwsh cannot be run", "install it"),
            Finding::new(Outcome::Bad, "server", "it does not answer", "is it up?"),
        ];
        let page = page(&findings);
        assert_eq!(
            page,
            "ok     folder  /srv/worker can be written\n\
             look   .ps1    pwsh cannot be run\n\
             WRONG  server  it does not answer\n\n\
             What to do:\n  .ps1: install it\n  server: is it up?"
        );
    }

    #[test]
    fn a_token_in_the_clear_is_worth_a_look_unless_it_stays_on_the_machine() {
        for here in ["http://127.0.0.1:8420", "http://localhost:8420", "http://[::1]:8420", "https://robots.example"] {
            assert_eq!(transport(here), None, "{here}");
        }
        assert_eq!(transport("http://robots.example:8420").unwrap().outcome, Outcome::Odd);
    }

    #[test]
    fn a_program_that_is_missing_is_told_with_what_it_is_for() {
        let finding = program(".py", Path::new("/no/such/python"), "robots in .py files");
        assert_eq!(finding.outcome, Outcome::Odd);
        assert!(finding.text.contains("no robots in .py files here"), "{}", finding.text);
    }

    #[test]
    fn a_folder_that_is_not_there_can_be_made() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(super::folder(folder.path()).outcome, Outcome::Good);
        assert_eq!(super::folder(&folder.path().join("a/b")).outcome, Outcome::Good);
    }
}
