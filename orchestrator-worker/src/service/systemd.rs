//! Units of systemd.

use std::path::PathBuf;

use super::unit::{self, MARK};
use super::{Scope, Service, ServiceError, ServiceStatus, run};

const SYSTEM_UNITS: &str = "/etc/systemd/system";

pub(super) fn install(service: &Service, start: bool, replace: bool) -> Result<(), ServiceError> {
    let is_users = service.scope == Scope::User;
    let path = path(&service.name, is_users)?;
    let text = unit::text(service)?;
    let there = std::fs::read_to_string(&path).ok();
    if there.as_deref().is_some_and(|there| there != text) && !replace {
        return Err(ServiceError::Exists { what: path.display().to_string() });
    }
    if !is_users && !is_root() {
        return Err(ServiceError::NotRoot);
    }
    // Where there is no systemd, nothing is left behind either.
    systemctl(is_users, &["--version"])?;
    let failed = |source| ServiceError::File { path: path.clone(), source };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::write(&path, text).map_err(failed)?;
    systemctl(is_users, &["daemon-reload"])?;
    let verb: &[&str] = if start { &["enable", "--now"] } else { &["enable"] };
    systemctl(is_users, &[verb, &[&service.name]].concat())?;
    if start && there.is_some() {
        // One that ran already has to take what is new.
        systemctl(is_users, &["restart", &service.name])?;
    }
    Ok(())
}

pub(super) fn uninstall(name: &str, is_users: bool) -> Result<(), ServiceError> {
    let path = path(name, is_users)?;
    let failed = |source| ServiceError::File { path: path.clone(), source };
    match std::fs::read_to_string(&path) {
        Ok(text) if text.starts_with(MARK) => {}
        Ok(_) => return Err(ServiceError::Foreign { what: path.display().to_string() }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(ServiceError::Missing(name.to_owned()));
        }
        Err(error) => return Err(failed(error)),
    }
    if !is_users && !is_root() {
        return Err(ServiceError::NotRoot);
    }
    systemctl(is_users, &["disable", "--now", name])?;
    std::fs::remove_file(&path).map_err(failed)?;
    systemctl(is_users, &["daemon-reload"]).map(drop)
}

pub(super) fn status(name: &str, is_users: bool) -> Result<ServiceStatus, ServiceError> {
    let unit = format!("{name}.service");
    let properties = "--property=LoadState,ActiveState,UnitFileState,MainPID";
    let shown = systemctl(is_users, &["show", &unit, properties])?;
    read(name, &shown)
}

fn read(name: &str, shown: &str) -> Result<ServiceStatus, ServiceError> {
    let value = |key: &str| {
        let found = shown.lines().filter_map(|line| line.split_once('=')).find(|(name, _)| *name == key);
        found.map(|(_, value)| value.trim()).unwrap_or_default()
    };
    if value("LoadState") == "not-found" {
        return Err(ServiceError::Missing(name.to_owned()));
    }
    Ok(ServiceStatus {
        name: name.to_owned(),
        state: value("ActiveState").to_owned(),
        starts_by_itself: value("UnitFileState").starts_with("enabled"),
        pid: value("MainPID").parse().ok().filter(|pid| *pid != 0),
    })
}

fn systemctl(is_users: bool, arguments: &[&str]) -> Result<String, ServiceError> {
    let scope = is_users.then_some("--user");
    let arguments: Vec<String> = scope.iter().chain(arguments).map(|argument| (*argument).to_owned()).collect();
    run("systemctl", &arguments)
}

fn path(name: &str, is_users: bool) -> Result<PathBuf, ServiceError> {
    let folder = if is_users { users_folder()? } else { PathBuf::from(SYSTEM_UNITS) };
    Ok(folder.join(format!("{name}.service")))
}

fn users_folder() -> Result<PathBuf, ServiceError> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let settings = variable("XDG_CONFIG_HOME").or_else(|| Some(variable("HOME")?.join(".config")));
    let settings = settings.ok_or_else(|| ServiceError::NoManager { why: "HOME is not set".to_owned() })?;
    Ok(settings.join("systemd/user"))
}

#[cfg(unix)]
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemd_shows_is_read() {
        let shown = "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nMainPID=4711\n";
        let status = read("w", shown).unwrap();
        assert_eq!((status.state.as_str(), status.starts_by_itself, status.pid), ("active", true, Some(4711)));
        let shown = "LoadState=loaded\nActiveState=failed\nUnitFileState=disabled\nMainPID=0\n";
        let status = read("w", shown).unwrap();
        assert_eq!((status.state.as_str(), status.starts_by_itself, status.pid), ("failed", false, None));
        assert!(matches!(read("w", "LoadState=not-found\nActiveState=inactive\n"), Err(ServiceError::Missing(_))));
    }
}
