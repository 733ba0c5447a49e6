//! The real command line.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output as ProcessOutput, Stdio};

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;

use crate::programs::program;
use crate::stage::Stage;

/// What a command said, and its exit code.
#[derive(Debug, Clone)]
pub struct Said {
    command: String,
    /// The exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

#[expect(clippy::return_self_not_must_use, reason = "most scenarios only check how a command ended")]
impl Said {
    fn new(command: String, output: &ProcessOutput) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { command, code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// The command succeeded.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{self}");
        self
    }

    /// The command failed with this exit code, and its message has each of these in it.
    #[track_caller]
    pub fn refused(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        for word in words {
            assert!(self.stderr.contains(word), "the message does not say {word:?}: {self}");
        }
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {self}"))
    }
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { command, code, stdout, stderr } = self;
        write!(f, "`{command}` ended with {code:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}

/// The command `orchestrator` in an environment that no setting of the developer leaks into.
pub(crate) fn orchestrator(stage: &Stage) -> Command {
    let mut command = Command::new(program("orchestrator"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ORCHESTRATOR_")) {
        command.env_remove(name);
    }
    command
        .env("ORCHESTRATOR_CONTEXT_FILE", stage.path("contexts.toml"))
        .env("HOME", stage.folder("home"))
        .env("NO_COLOR", "1")
        .current_dir(stage.path(""));
    command
}

/// Runs a command to its end.
pub(crate) async fn run(command: Command, arguments: &[impl AsRef<OsStr>], stdin: &[u8]) -> Said {
    let shown: Vec<_> = arguments.iter().map(|argument| argument.as_ref().to_string_lossy()).collect();
    let program = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy();
    let shown = format!("{program} {}", shown.join(" "));
    let mut command = tokio::process::Command::from(command);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{shown}: {error}"));
    if let Some(mut pipe) = child.stdin.take() {
        // A command that reads nothing has closed it.
        let _ = pipe.write_all(stdin).await;
    }
    let output = child.wait_with_output().await.unwrap_or_else(|error| panic!("{shown}: {error}"));
    Said::new(shown, &output)
}
