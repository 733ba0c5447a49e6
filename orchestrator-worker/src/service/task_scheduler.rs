//! Tasks of the Windows task scheduler. Not run on Windows yet.
//!
//! A service of Windows proper must answer its control manager, or is killed half a minute after its start; and it has no
//! desktop, which robots that click need. A task starts a console program as it is, at the start of the machine or when its
//! user signs in.

use super::{Scope, Service, ServiceError, ServiceStatus, run};

const PROGRAM: &str = "schtasks.exe";

/// The command that makes the task.
pub(super) fn create(service: &Service) -> Result<Vec<String>, ServiceError> {
    let mut words = vec![quoted(&service.program.display().to_string())?];
    for argument in &service.arguments {
        words.push(quoted(argument)?);
    }
    let mut arguments = vec!["/Create", "/TN", &service.name, "/TR"].into_iter().map(str::to_owned).collect::<Vec<_>>();
    arguments.push(words.join(" "));
    let when: &[&str] = match &service.scope {
        // Its password is asked for: the task also runs while nobody is signed in.
        Scope::System { run_as } => &["/SC", "ONSTART", "/RU", run_as, "/RP", "*"],
        Scope::User => &["/SC", "ONLOGON", "/IT"],
    };
    arguments.extend(when.iter().map(|&argument| argument.to_owned()));
    arguments.extend(["/RL", "LIMITED"].map(str::to_owned));
    Ok(arguments)
}

/// A command as one types it.
pub(super) fn shown(arguments: &[String]) -> String {
    let word = |word: &String| {
        if word.contains([' ', '"']) { format!("\"{}\"", word.replace('"', "\\\"")) } else { word.clone() }
    };
    let words: Vec<String> = arguments.iter().map(word).collect();
    format!("{PROGRAM} {}", words.join(" "))
}

pub(super) fn install(service: &Service, start: bool, replace: bool) -> Result<(), ServiceError> {
    let mut arguments = create(service)?;
    if replace {
        arguments.push("/F".to_owned());
    } else if status(&service.name).is_ok() {
        return Err(ServiceError::Exists { what: format!("the task {}", service.name) });
    }
    run(PROGRAM, &arguments)?;
    if start {
        run(PROGRAM, &["/Run", "/TN", &service.name].map(str::to_owned))?;
    }
    Ok(())
}

pub(super) fn uninstall(name: &str) -> Result<(), ServiceError> {
    status(name)?;
    // One that does not run cannot be ended.
    let _ = run(PROGRAM, &["/End", "/TN", name].map(str::to_owned));
    run(PROGRAM, &["/Delete", "/TN", name, "/F"].map(str::to_owned)).map(drop)
}

pub(super) fn status(name: &str) -> Result<ServiceStatus, ServiceError> {
    let shown = run(PROGRAM, &["/Query", "/TN", name, "/FO", "CSV", "/NH"].map(str::to_owned));
    let shown = shown.map_err(|error| match error {
        ServiceError::Manager { .. } => ServiceError::Missing(name.to_owned()),
        other => other,
    })?;
    // "\name","next run","state"; the words are in the system's language.
    let state = shown.lines().next().and_then(|line| line.rsplit(',').next()).unwrap_or_default();
    Ok(ServiceStatus {
        name: name.to_owned(),
        state: state.trim().trim_matches('"').to_lowercase(),
        starts_by_itself: true,
        pid: None,
    })
}

/// A word of the command line that a task runs. No path of Windows has a quotation mark.
fn quoted(word: &str) -> Result<String, ServiceError> {
    if word.contains('"') {
        return Err(ServiceError::Character(word.to_owned()));
    }
    Ok(if word.is_empty() || word.contains(' ') { format!("\"{word}\"") } else { word.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(scope: Scope) -> Service {
        Service {
            name: "orchestrator-worker".to_owned(),
            program: r"C:\Program Files\Orchestrator\orchestrator-worker.exe".into(),
            arguments: vec!["start".to_owned(), "--data".to_owned(), r"C:\robots".to_owned()],
            data: r"C:\robots".into(),
            scope,
        }
    }

    #[test]
    fn a_task_begins_when_its_user_signs_in_or_with_the_machine() {
        assert_eq!(
            shown(&create(&service(Scope::User)).unwrap()),
            r#"schtasks.exe /Create /TN orchestrator-worker /TR "\"C:\Program Files\Orchestrator\orchestrator-worker.exe\" start --data C:\robots" /SC ONLOGON /IT /RL LIMITED"#
        );
        let of_machine = shown(&create(&service(Scope::System { run_as: "robots".to_owned() })).unwrap());
        assert!(of_machine.ends_with("/SC ONSTART /RU robots /RP * /RL LIMITED"), "{of_machine}");
    }
}
