//! The text of a unit.

use super::{Scope, Service, ServiceError};

/// By this a unit is known as one of this program's.
pub(super) const MARK: &str = "# Written by `orchestrator-worker service install`.";

/// As deploy/systemd/orchestrator-worker.service has it; a test compares.
const SERVICE: &str = "\
# TERM goes to the agent alone. It asks its robots to end, and kills them after their stop_grace.
KillMode=mixed
# Longer than the longest stop_grace of your triggers (10 s by default, 1 h at most) and 10 s.
TimeoutStopSec=90
Restart=on-failure
RestartSec=5
# A refused token does not mend itself.
RestartPreventExitStatus=2 4
LimitNOFILE=65536
# A robot that takes more memory than there is ends alone, and not the agent with all other robots.
OOMPolicy=continue
";

/// The same, for services of the machine.
const LIMITS: &str = "
# What keeps robots from harming the machine without getting in their way. Make it tighter for the robots you know.
NoNewPrivileges=yes
ProtectSystem=full
PrivateTmp=yes
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
RestrictSUIDSGID=yes
LockPersonality=yes
";

/// The unit of a service.
pub(super) fn text(service: &Service) -> Result<String, ServiceError> {
    let mut words = vec![quoted(&service.program.display().to_string())];
    words.extend(service.arguments.iter().map(|argument| quoted(argument)));
    let start = words.join(" ");
    let folder = plain(&service.data.display().to_string())?;
    let (user, limits, wanted_by) = match &service.scope {
        Scope::System { run_as } => (format!("User={}\n", plain(run_as)?), LIMITS, "multi-user.target"),
        Scope::User => (String::new(), "NoNewPrivileges=yes\n", "default.target"),
    };
    Ok(format!(
        "{MARK}\n\
         [Unit]\n\
         Description=Orchestrator worker\n\
         Wants=network-online.target\n\
         After=network-online.target\n\
         \n\
         [Service]\n\
         Type=exec\n\
         {user}\
         ExecStart={start}\n\
         WorkingDirectory={folder}\n\
         \n\
         {SERVICE}\
         {limits}\n\
         [Install]\n\
         WantedBy={wanted_by}\n"
    ))
}

/// A word of a command line: whatever is in it, it stays one word, and nothing in it is replaced.
fn quoted(word: &str) -> String {
    let escaped = word.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=%$@,+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) { escaped } else { format!("\"{escaped}\"") }
}

/// A value that is no command line: only the percent sign is special in it, and blanks at its ends would be lost.
fn plain(value: &str) -> Result<String, ServiceError> {
    if value.trim() != value || value.ends_with('\\') {
        return Err(ServiceError::Character(value.to_owned()));
    }
    Ok(value.replace('%', "%%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(scope: Scope) -> Service {
        let argument = |text: &&str| (*text).to_owned();
        Service {
            name: "orchestrator-worker".to_owned(),
            program: "/usr/local/bin/orchestrator-worker".into(),
            arguments: ["start", "--data", "/var/lib/robots 1", "--server", "https://a:8420/%20$x"]
                .iter()
                .map(argument)
                .collect(),
            data: "/var/lib/robots 1".into(),
            scope,
        }
    }

    #[test]
    fn a_unit_of_the_machine() {
        insta::assert_snapshot!(text(&service(Scope::System { run_as: "robots".to_owned() })).unwrap());
    }

    #[test]
    fn a_unit_of_a_user() {
        insta::assert_snapshot!(text(&service(Scope::User)).unwrap());
    }

    #[test]
    fn the_unit_that_is_written_limits_robots_as_the_one_that_is_copied() {
        let copied = include_str!("../../../deploy/systemd/orchestrator-worker.service");
        let begin = copied.find("# TERM goes").unwrap();
        let end = copied.find("\n[Install]").unwrap();
        assert_eq!(format!("{SERVICE}{LIMITS}"), copied[begin..end]);
    }

    #[test]
    fn no_word_becomes_two_and_nothing_in_it_is_replaced() {
        for (word, expected) in [
            ("--slots", "--slots"),
            ("a b", "\"a b\""),
            ("", "\"\""),
            ("50%", "50%%"),
            ("$HOME", "$$HOME"),
            ("a\"b\\c", "\"a\\\"b\\\\c\""),
            ("a;b", "\"a;b\""),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }
}
