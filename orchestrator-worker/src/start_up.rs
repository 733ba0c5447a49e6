//! The start-up contract: with which arguments and variables a robot begins, whoever starts it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use orchestrator_core::secret::ApiToken;

use crate::interpreter::{InterpreterError, Interpreters, RobotArguments};
use crate::process::{JobCookie, LaunchSpec};

/// What a robot is told.
pub(crate) struct StartUp<'a> {
    pub(crate) arguments: RobotArguments<'a>,
    pub(crate) job_token: &'a ApiToken,
    /// The mark of its processes.
    pub(crate) cookie: JobCookie,
    /// Where Python looks for its packages first.
    pub(crate) python_path: OsString,
}

impl StartUp<'_> {
    /// The command that starts this file in this folder.
    pub(crate) fn command(
        self,
        interpreters: &Interpreters,
        file: &Path,
        folder: PathBuf,
    ) -> Result<LaunchSpec, InterpreterError> {
        let start = interpreters.command_for(file)?;
        let mut spec = LaunchSpec::new(start.program, self.cookie);
        spec.args = start.args;
        spec.args.extend(self.arguments.to_args());
        spec.cwd = Some(folder);
        spec.set_env("ORCHESTRATOR_ENDPOINT", self.arguments.endpoint);
        spec.set_env("ORCHESTRATOR_JOB_TOKEN", self.job_token.expose());
        spec.set_env("PYTHONPATH", self.python_path);
        // Python robots write what they write at once and in UTF-8, whatever the machine's locale.
        spec.set_env("PYTHONUNBUFFERED", "1").set_env("PYTHONUTF8", "1");
        // Names of files that are no UTF-8 are written as escapes instead of ending the robot that prints them.
        spec.set_env("PYTHONIOENCODING", "utf-8:backslashreplace");
        Ok(spec)
    }
}
