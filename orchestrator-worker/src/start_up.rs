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
        for (name, value) in python_variables(cfg!(windows)) {
            spec.set_env(name, value);
        }
        Ok(spec)
    }
}

/// Python robots print what they print at once and in UTF-8, whatever the machine's locale; what is no text is printed as
/// escapes instead of ending the robot. Elsewhere than on Windows so is everything else, files as well: on Windows robots open
/// files of the machine's code page, and write files that Excel reads in it.
fn python_variables(is_windows: bool) -> &'static [(&'static str, &'static str)] {
    const OUTPUT: [(&str, &str); 2] = [("PYTHONUNBUFFERED", "1"), ("PYTHONIOENCODING", "utf-8:backslashreplace")];
    const ALL: [(&str, &str); 3] = [OUTPUT[0], OUTPUT[1], ("PYTHONUTF8", "1")];
    if is_windows { &OUTPUT } else { &ALL }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_windows_robots_keep_the_machines_encoding_of_files_and_print_in_utf_8() {
        let names = |is_windows| python_variables(is_windows).iter().map(|(name, _)| *name).collect::<Vec<_>>();
        assert_eq!(names(true), ["PYTHONUNBUFFERED", "PYTHONIOENCODING"]);
        assert_eq!(names(false), ["PYTHONUNBUFFERED", "PYTHONIOENCODING", "PYTHONUTF8"]);
        assert!(python_variables(true).contains(&("PYTHONIOENCODING", "utf-8:backslashreplace")));
    }
}
