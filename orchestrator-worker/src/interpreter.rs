//! How a file is run: by which interpreter, and with which arguments.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use orchestrator_core::id::{JobId, TriggerId};
use serde::{Deserialize, Serialize};

/// Interpreters by the extension of the file, such as `.py`; each is a program and the arguments before the file's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Interpreters(BTreeMap<String, Vec<String>>);

/// The program of a command line and the arguments that come first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandStart {
    /// A path, or a name that is looked up in `PATH`.
    pub program: OsString,
    /// Arguments of the interpreter, then the file; empty when the file is the program.
    pub args: Vec<OsString>,
}

/// Why nobody knows how to run a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InterpreterError {
    /// There is no rule for its extension, and it is not executable itself.
    #[error("no interpreter is configured for '{}', and it is not executable (rules exist for {})", file.display(), known.join(", "))]
    NoRule {
        /// The file.
        file: PathBuf,
        /// Extensions that have a rule.
        known: Vec<String>,
    },
    /// The rule names no program.
    #[error("the interpreter for '{extension}' names no program")]
    EmptyRule {
        /// The extension.
        extension: String,
    },
}

impl Default for Interpreters {
    /// Python, shell, PowerShell, and on Windows batch files.
    fn default() -> Self {
        #[cfg(windows)]
        const RULES: &[(&str, &[&str])] = &[
            (".py", &["python"]),
            (".sh", &["bash"]),
            (".ps1", &["powershell", "-NoProfile", "-File"]),
            (".bat", &["cmd", "/d", "/c"]),
            (".cmd", &["cmd", "/d", "/c"]),
        ];
        #[cfg(not(windows))]
        const RULES: &[(&str, &[&str])] =
            &[(".py", &["python3"]), (".sh", &["bash"]), (".ps1", &["pwsh", "-NoProfile", "-File"])];
        Self::from_rules(RULES.iter().map(|(extension, command)| (*extension, command.iter().copied())))
    }
}

impl Interpreters {
    /// A table from pairs of extension and command. Extensions may be given without their dot, in any case.
    pub fn from_rules<E, C>(rules: impl IntoIterator<Item = (E, C)>) -> Self
    where
        E: AsRef<str>,
        C: IntoIterator,
        C::Item: Into<String>,
    {
        let rule = |(extension, command): (E, C)| {
            (key(extension.as_ref()), command.into_iter().map(Into::into).collect::<Vec<String>>())
        };
        Self(rules.into_iter().map(rule).collect())
    }

    /// Adds the rules of `others`, which win over those of the same extension.
    #[must_use]
    pub fn overridden_by(mut self, others: Self) -> Self {
        self.0.extend(others.0.into_iter().map(|(extension, command)| (key(&extension), command)));
        self
    }

    /// Each extension with the program that runs its files.
    pub fn programs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(|(extension, command)| Some((extension.as_str(), command.first()?.as_str())))
    }

    /// How to run `file`: by the rule for its extension, or directly if it is executable.
    pub fn command_for(&self, file: &Path) -> Result<CommandStart, InterpreterError> {
        let extension = file.extension().map(|extension| key(&extension.to_string_lossy())).unwrap_or_default();
        match self.0.get(&extension).map(Vec::as_slice) {
            Some([program, leading @ ..]) => {
                let args = leading.iter().map(OsString::from).chain([file.as_os_str().to_owned()]).collect();
                Ok(CommandStart { program: program.into(), args })
            }
            Some([]) => Err(InterpreterError::EmptyRule { extension }),
            None if is_executable(file) => Ok(CommandStart { program: file.into(), args: Vec::new() }),
            None => Err(InterpreterError::NoRule { file: file.to_owned(), known: self.0.keys().cloned().collect() }),
        }
    }
}

fn key(extension: &str) -> String {
    format!(".{}", extension.trim_start_matches('.').to_ascii_lowercase())
}

#[cfg(unix)]
fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;

    file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(windows)]
fn is_executable(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("exe")) && file.is_file()
}

/// The arguments that OpenOrchestrator gives a robot, in its order.
///
/// The place of the database's connection string holds the robot endpoint, the place of the encryption key a word that
/// says nothing. The process arguments are one value, passed as they are.
#[derive(Debug, Clone, Copy)]
pub struct RobotArguments<'a> {
    /// The name of the process.
    pub process_name: &'a str,
    /// Where the robot finds the worker.
    pub endpoint: &'a str,
    /// What the administrator wrote; empty when nothing.
    pub process_args: &'a str,
    /// The trigger that the job belongs to.
    pub trigger_id: TriggerId,
    /// The job.
    pub job_id: JobId,
}

/// What stands in the place of OpenOrchestrator's encryption key: no job gets that.
pub const KEY_PLACEHOLDER: &str = "not-a-key";

impl RobotArguments<'_> {
    /// The arguments, to be put behind those of [`CommandStart`].
    pub fn to_args(self) -> Vec<OsString> {
        vec![
            self.process_name.into(),
            self.endpoint.into(),
            KEY_PLACEHOLDER.into(),
            self.process_args.into(),
            self.trigger_id.to_string().into(),
            self.job_id.to_string().into(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_decides_in_any_case() {
        let interpreters = Interpreters::from_rules([("py", ["python3", "-X", "utf8"])]);
        for name in ["robot/main.py", "robot/MAIN.PY"] {
            let start = interpreters.command_for(Path::new(name)).unwrap();
            assert_eq!(start.program, "python3");
            assert_eq!(start.args, ["-X", "utf8", name]);
        }
    }

    #[test]
    fn a_file_without_rule_must_be_executable() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("robot");
        std::fs::write(&file, "").unwrap();
        let interpreters = Interpreters::from_rules([("py", ["python3"])]);
        let error = interpreters.command_for(&file).unwrap_err();
        assert_eq!(error, InterpreterError::NoRule { file: file.clone(), known: vec![".py".to_owned()] });
        make_executable(&file);
        let start = interpreters.command_for(&file).unwrap();
        assert_eq!((start.program, start.args.len()), (file.into_os_string(), 0));
    }

    #[cfg(unix)]
    fn make_executable(file: &Path) {
        use std::os::unix::fs::PermissionsExt;

        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[cfg(windows)]
    fn make_executable(_file: &Path) {}

    #[test]
    fn a_rule_without_program_is_refused_by_name() {
        let interpreters = Interpreters::default().overridden_by(Interpreters::from_rules([("py", [""; 0])]));
        let error = interpreters.command_for(Path::new("main.py")).unwrap_err();
        assert_eq!(error, InterpreterError::EmptyRule { extension: ".py".to_owned() });
    }
}
