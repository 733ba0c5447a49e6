//! Exit codes and the form of errors.

use serde_json::Value;

use crate::fake_server::FakeServer;
use crate::program::{Program, token};

#[test]
fn what_cannot_be_parsed_is_a_usage_error() {
    let program = Program::new();
    for arguments in [
        &["trigger", "create", "single", "x"][..],
        &["trigger", "preview"],
        &["trigger", "preview", "x", "--cron", "* * * * *"],
        &["trigger", "create", "single", "x", "--process", "p", "--path", "p", "--at", "tomorrow"],
        &["trigger", "create", "single", "x", "--process", "p", "--path", "p", "--timeout", "90"],
        &["trigger", "create", "queue", "x", "--process", "p", "--path", "p", "--queue", "q", "--min-batch", "0"],
        &["job", "list", "--status", "sleeping"],
        &["queue", "element", "set-status", "abcd", "ok"],
        &["nonsense"],
    ] {
        let outcome = program.run(arguments);
        assert_eq!(outcome.exit_code, 2, "{arguments:?}: {}", outcome.stderr);
        assert_eq!(outcome.stdout, "", "{arguments:?}");
        assert!(outcome.stderr.starts_with("error: "), "{arguments:?}: {}", outcome.stderr);
    }
}

#[test]
fn a_usage_error_is_json_where_that_was_asked_for() {
    let outcome = Program::new().run(&["-o", "json", "job", "list", "--status", "sleeping"]);
    let error: Value = serde_json::from_str(&outcome.stderr).unwrap();
    assert_eq!((outcome.exit_code, &error["code"]), (2, &Value::from("USAGE")));
    assert!(error["message"].as_str().unwrap().contains("QUEUED"), "{error}");
}

#[test]
fn without_a_token_nobody_is_signed_in() {
    let outcome = Program::new().run(&["trigger", "list"]);
    assert_eq!(outcome.exit_code, 4);
    insta::assert_snapshot!(outcome.stderr);
}

#[test]
fn a_server_that_is_not_there_is_unreachable() {
    let program = Program::new();
    let variables = [("ORCHESTRATOR_TOKEN", token()), ("ORCHESTRATOR_URL", "http://127.0.0.1:1".to_owned())];
    let variables: Vec<(&str, &str)> = variables.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let outcome = program.run_with(&["status", "-o", "json"], &variables, "");
    let error: Value = serde_json::from_str(&outcome.stderr).unwrap();
    assert_eq!((outcome.exit_code, &error["code"], outcome.stdout.as_str()), (6, &Value::from("UNREACHABLE"), ""));
    let outcome = program.run_with(&["status"], &variables, "");
    assert!(outcome.stderr.contains("http://127.0.0.1:1 [UNREACHABLE]"), "{}", outcome.stderr);
}

#[test]
fn a_token_is_never_shown() {
    let (program, token) = (Program::new(), token());
    for arguments in [
        &["status", "--token", &token, "--url", "http://127.0.0.1:1"][..],
        &["status", "--token", &format!("{token}x"), "--url", "http://127.0.0.1:1"],
        &["status", "--help", "--token", &token],
    ] {
        for variables in [&[][..], &[("ORCHESTRATOR_TOKEN", token.as_str()), ("RUST_LOG", "trace")]] {
            let outcome = program.run_with(arguments, variables, "");
            assert!(!outcome.stderr.contains(&token) && !outcome.stdout.contains(&token), "{}", outcome.stderr);
        }
    }
}

#[test]
fn what_destroys_needs_a_yes_where_nobody_can_be_asked() {
    let program = Program::new();
    let token = token();
    for arguments in [
        &["trigger", "delete", "hello"][..],
        &["trigger", "kill", "hello"],
        &["job", "kill", "abcd"],
        &["queue", "element", "delete", "abcd"],
        &["constant", "delete", "mail"],
        &["credential", "delete", "erp"],
        &["token", "revoke", "ada"],
        &["worker", "remove", "rpa-01"],
    ] {
        let outcome = program.run_with(arguments, &[("ORCHESTRATOR_TOKEN", &token)], "");
        assert_eq!(outcome.exit_code, 2, "{arguments:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("[NEEDS_YES]") && outcome.stderr.contains("--yes"), "{}", outcome.stderr);
        assert!(outcome.stderr.contains(arguments[arguments.len() - 1]), "{}", outcome.stderr);
    }
}

#[test]
fn a_password_comes_from_standard_input_and_never_from_an_argument() {
    let program = Program::new();
    let set = ["credential", "set", "erp", "--username", "robot"];
    let outcome = program.run(&[&set[..], &["--password", "hunter2"]].concat());
    assert_eq!(outcome.exit_code, 2);
    let empty = program.run_with(&set, &[], "\n");
    assert_eq!((empty.exit_code, empty.stderr.contains("the password is empty")), (2, true), "{}", empty.stderr);
    let long = program.run_with(&set, &[], &"x".repeat(701));
    assert_eq!((long.exit_code, long.stderr.contains("701")), (2, true), "{}", long.stderr);
    // With a password the next thing that is missing is the token.
    let outcome = program.run_with(&set, &[], "hunter2\n");
    assert_eq!((outcome.exit_code, outcome.stderr.contains("hunter2")), (4, false), "{}", outcome.stderr);
}

#[test]
fn help_and_version_succeed() {
    let program = Program::new();
    assert_eq!(program.run(&["--version"]).stdout, format!("orchestrator {}\n", env!("CARGO_PKG_VERSION")));
    let help = program.run(&["trigger", "create", "scheduled", "--help"]);
    assert_eq!((help.exit_code, help.stderr.as_str()), (0, ""));
    assert!(help.stdout.contains("--cron"));
    assert_eq!(program.run(&["scheduler", "list", "--help"]).exit_code, 0);
    assert_eq!(program.run(&["logs", "list", "--help"]).exit_code, 0);
    assert_eq!(program.run(&["trigger", "disable", "--help"]).exit_code, 0);
}

#[test]
fn completion_scripts_are_printed() {
    let outcome = Program::new().run(&["completion", "bash"]);
    assert_eq!(outcome.exit_code, 0);
    assert!(outcome.stdout.contains("orchestrator"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_password_that_leaves_the_machine_in_the_clear_is_told_of() {
    let server = FakeServer::new();
    // An address that is not a loopback one by its looks, and leads to the same server there.
    for (host, is_told) in [("0.0.0.0", true), ("127.0.0.1", false)] {
        let url = format!("http://{host}:{}", server.port());
        let outcome = Program::new().run_with(&["login", &url, "--user", "berta"], &[], "correct horse");
        // It signs nobody in.
        assert_ne!(outcome.exit_code, 0, "{}", outcome.stderr);
        let told = outcome.stderr.contains("The password travels to 0.0.0.0 unencrypted.");
        assert_eq!(told, is_told, "{}", outcome.stderr);
    }
}
