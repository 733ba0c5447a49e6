//! The agent as a service of its machine: a unit of systemd on Linux, a task of the task scheduler on Windows.

mod systemd;
mod task_scheduler;
mod unit;

use std::io;
use std::path::PathBuf;

use serde::Serialize;

/// What is to be run, and how.
#[derive(Debug, Clone)]
pub struct Service {
    /// What the machine calls it.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// Its arguments, with absolute paths.
    pub arguments: Vec<String>,
    /// The agent's folder, absolute.
    pub data: PathBuf,
    /// Whose service it is.
    pub scope: Scope,
}

/// Whose service it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// The machine's, from its start on, under a user's name.
    System {
        /// The user.
        run_as: String,
    },
    /// That of the user who installs it.
    User,
}

/// How a service is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceStatus {
    /// What the machine calls it.
    pub name: String,
    /// Such as active, inactive or failed.
    pub state: String,
    /// Whether it starts by itself.
    pub starts_by_itself: bool,
    /// Its main process.
    pub pid: Option<u32>,
}

/// Why a service is not installed, removed or looked at.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// There is no manager of services that this program knows.
    #[error("no service can be installed here: systemd (Linux) and the task scheduler (Windows) are known; {why}")]
    NoManager {
        /// What is missing.
        why: String,
    },
    /// A name that a manager may read as something else.
    #[error("'{0}' is no name of a service; it may have letters, digits, '.', '_' and '-'")]
    Name(String),
    /// Needs an administrator of the machine.
    #[error("a service of the machine needs root: run this with sudo, or install one of your own with --user")]
    NotRoot,
    /// One of that name is there.
    #[error("{what} is there already, and is another one; replace it with --replace")]
    Exists {
        /// The unit's file, or the task.
        what: String,
    },
    /// There is none of that name.
    #[error("there is no service {0}")]
    Missing(String),
    /// Somebody else's.
    #[error("{what} was not written by this program, and is left alone")]
    Foreign {
        /// The unit's file.
        what: String,
    },
    /// Text that neither a unit nor a task can hold.
    #[error("'{0}' has a character in it that no service can be given")]
    Character(String),
    /// A file cannot be written or removed.
    #[error("'{}' cannot be changed: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The manager refused.
    #[error("{command} failed: {said}")]
    Manager {
        /// What was run.
        command: String,
        /// What it said.
        said: String,
    },
}

/// What is known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manager {
    Systemd,
    TaskScheduler,
}

fn manager() -> Result<Manager, ServiceError> {
    if cfg!(target_os = "linux") {
        Ok(Manager::Systemd)
    } else if cfg!(windows) {
        Ok(Manager::TaskScheduler)
    } else {
        Err(ServiceError::NoManager { why: format!("this is {}", std::env::consts::OS) })
    }
}

/// What would be installed: the text of a unit, or the command that makes a task.
pub fn print(service: &Service) -> Result<String, ServiceError> {
    check(service)?;
    match manager()? {
        Manager::Systemd => unit::text(service),
        Manager::TaskScheduler => Ok(task_scheduler::shown(&task_scheduler::create(service)?)),
    }
}

/// Installs it, has it start by itself, and starts it unless told not to.
pub fn install(service: &Service, start: bool, replace: bool) -> Result<(), ServiceError> {
    check(service)?;
    match manager()? {
        Manager::Systemd => systemd::install(service, start, replace),
        Manager::TaskScheduler => task_scheduler::install(service, start, replace),
    }
}

/// Stops and removes it.
pub fn uninstall(name: &str, is_users: bool) -> Result<(), ServiceError> {
    check_name(name)?;
    match manager()? {
        Manager::Systemd => systemd::uninstall(name, is_users),
        Manager::TaskScheduler => task_scheduler::uninstall(name),
    }
}

/// How it is.
pub fn status(name: &str, is_users: bool) -> Result<ServiceStatus, ServiceError> {
    check_name(name)?;
    match manager()? {
        Manager::Systemd => systemd::status(name, is_users),
        Manager::TaskScheduler => task_scheduler::status(name),
    }
}

fn check(service: &Service) -> Result<(), ServiceError> {
    check_name(&service.name)?;
    let mut texts = service.arguments.iter().cloned().chain([
        service.program.display().to_string(),
        service.data.display().to_string(),
        match &service.scope {
            Scope::System { run_as } => run_as.clone(),
            Scope::User => String::new(),
        },
    ]);
    match texts.find(|text| text.contains(['\n', '\r', '\0'])) {
        Some(text) => Err(ServiceError::Character(text)),
        None => Ok(()),
    }
}

fn check_name(name: &str) -> Result<(), ServiceError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let is_name = !name.is_empty() && name.len() <= 100 && !name.starts_with(['.', '-']) && name.chars().all(is_plain);
    if is_name { Ok(()) } else { Err(ServiceError::Name(name.to_owned())) }
}

/// Runs a manager's command; what it printed.
fn run(program: &str, arguments: &[String]) -> Result<String, ServiceError> {
    let output = std::process::Command::new(program)
        .args(arguments)
        .output()
        .map_err(|error| ServiceError::NoManager { why: format!("{program} cannot be run: {error}") })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let command = format!("{program} {}", arguments.join(" "));
    let said = String::from_utf8_lossy(if output.stderr.is_empty() { &output.stdout } else { &output.stderr });
    Err(ServiceError::Manager { command, said: said.trim().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_are_names_of_services() {
        for name in ["orchestrator-worker", "rpa_07.main"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", "../passwd", "-x", ".hidden", "a b", "a@b", "a/b", "ä"] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
