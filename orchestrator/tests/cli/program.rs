//! Runs the program apart from this user's own files and variables.

use assert_cmd::Command;
use orchestrator_core::secret::{ApiToken, TokenKind};

/// A token that has the right form.
pub(crate) fn token() -> String {
    ApiToken::generate(TokenKind::User).expect("random bytes").expose().to_owned()
}

/// The program with these arguments, in an empty environment and folder.
pub(crate) struct Program {
    folder: tempfile::TempDir,
}

/// What it printed and how it ended.
pub(crate) struct Outcome {
    pub(crate) exit_code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Program {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        self.run_with(arguments, &[], "")
    }

    pub(crate) fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)], stdin: &str) -> Outcome {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orchestrator"));
        command.args(arguments).env_clear().env("HOME", self.folder.path()).current_dir(self.folder.path());
        let output = command.envs(variables.iter().copied()).write_stdin(stdin).output().expect("the program runs");
        Outcome {
            exit_code: output.status.code().expect("an exit code"),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }
}
