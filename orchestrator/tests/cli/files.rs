//! Files that the program reads and writes.

use crate::program::Program;

#[test]
fn a_key_file_is_made_once_and_never_overwritten() {
    let program = Program::new();
    let outcome = program.run(&["key", "generate", "keys/my.key"]);
    assert_eq!((outcome.exit_code, outcome.stdout.as_str()), (0, "keys/my.key\n"), "{}", outcome.stderr);
    let path = program.folder().join("keys/my.key");
    let text = std::fs::read_to_string(&path).unwrap();
    orchestrator_core::secret::KeyRing::parse(&text).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let again = program.run(&["key", "generate", "keys/my.key"]);
    assert_eq!(again.exit_code, 5);
    assert!(again.stderr.contains("[FILE_EXISTS]"), "{}", again.stderr);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn a_key_without_a_place_is_made_where_the_server_looks_for_it() {
    let program = Program::new();
    let outcome = program.run(&["key", "generate", "--data", "here"]);
    assert_eq!(outcome.exit_code, 0, "{}", outcome.stderr);
    assert!(program.folder().join("here/orchestrator.key").is_file());
}

#[test]
fn a_server_without_a_key_file_tells_new_databases_from_old_ones() {
    let refused = Program::new().run(&["server", "start", "--data", "here", "--listen", "127.0.0.1:0"]);
    assert_eq!(refused.exit_code, 2);
    for words in ["[NO_KEY]", "for a new database make one: orchestrator key generate here", "else put your copy"] {
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
}

#[test]
fn a_server_that_cannot_listen_writes_no_token() {
    let program = Program::new();
    assert_eq!(program.run(&["key", "generate", "--data", "here"]).exit_code, 0);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused = program.run(&["server", "start", "--data", "here", "--listen", &address]);
    assert!(refused.exit_code == 1 && refused.stderr.contains("[LISTEN]"), "{}", refused.stderr);
    assert!(!program.folder().join("here/admin.token").exists());
}

#[test]
fn a_bad_row_is_named_and_nothing_is_sent() {
    let program = Program::new();
    std::fs::write(program.folder().join("work.csv"), "reference,data\n1,a\n2\n").unwrap();
    std::fs::write(program.folder().join("work.txt"), "").unwrap();
    // There is no token and no server: neither is asked for.
    let outcome = program.run(&["queue", "element", "import", "demo", "work.csv"]);
    assert_eq!(outcome.exit_code, 2);
    insta::assert_snapshot!(outcome.stderr);
    let json = program.run(&["queue", "element", "import", "demo", "work.csv", "-o", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json.stderr).unwrap();
    assert_eq!(json["details"]["rows"][0]["line"], 3);
    assert_eq!(program.run(&["queue", "element", "import", "demo", "work.txt"]).exit_code, 2);
    let missing = program.run(&["queue", "element", "import", "demo", "no.csv"]);
    assert_eq!((missing.exit_code, missing.stderr.contains("could not read no.csv")), (1, true), "{}", missing.stderr);
}

#[cfg(unix)]
#[test]
fn a_context_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let program = Program::new();
    let path = program.folder().join("contexts.toml");
    std::fs::write(&path, "").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let path = path.to_str().unwrap();
    let outcome = program.run_with(&["whoami"], &[("ORCHESTRATOR_CONTEXT_FILE", path)], "");
    assert_eq!(outcome.exit_code, 1);
    assert!(outcome.stderr.contains("chmod 600"), "{}", outcome.stderr);
}

#[test]
fn a_database_is_copied_and_put_back() {
    let program = Program::new();
    std::fs::create_dir(program.folder().join("here")).unwrap();
    assert_eq!(program.run(&["db", "migrate", "--data", "here"]).exit_code, 0);
    let backup = program.run(&["db", "backup", "copy.db", "--data", "here", "-o", "json"]);
    let json: serde_json::Value = serde_json::from_str(&backup.stdout).unwrap();
    assert_eq!((backup.exit_code, &json["file"]), (0, &"copy.db".into()));
    let again = program.run(&["db", "backup", "copy.db", "--data", "here"]);
    assert!(again.exit_code == 5 && again.stderr.contains("[FILE_EXISTS]"), "{}", again.stderr);
    let restore = ["db", "restore", "copy.db", "--data", "here"];
    let unasked = program.run(&restore);
    assert!(unasked.exit_code == 2 && unasked.stderr.contains("[NEEDS_YES]"), "{}", unasked.stderr);
    let restored = program.run(&[&restore[..], &["--yes"]].concat());
    assert!(restored.exit_code == 0 && restored.stdout.contains("before-restore-"), "{}", restored.stderr);
    let steps = ["stop all agents", "start the server", "orchestrator trigger pause", "start the agents"];
    assert!(in_order(&restored.stderr, &steps), "{}", restored.stderr);
    assert_eq!(program.run(&["db", "status", "--data", "here"]).exit_code, 0);
    assert_eq!(program.run(&["db", "restore", "no.db", "--data", "here", "--yes"]).exit_code, 3);
    let foreign = program.run(&["db", "backup", "x", "--database", "postgres://u:hunter2@h/d"]);
    assert!(foreign.exit_code == 2 && foreign.stderr.contains("pg_dump"), "{}", foreign.stderr);
}

#[test]
fn a_postgres_database_is_put_back_into_an_empty_one_while_no_agent_runs() {
    let refused = Program::new().run(&["db", "restore", "x", "--database", "postgres://u:hunter2@h/d"]);
    let steps = [
        "stop all agents",
        "all servers",
        "make an empty database",
        "pg_restore --dbname=NAME FILE",
        "start the agents",
    ];
    assert!(refused.exit_code == 2 && in_order(&refused.stderr, &steps), "{}", refused.stderr);
    assert!(!refused.stderr.contains("pg_restore --clean"), "{}", refused.stderr);
}

/// Whether a text says all of it, one after the other.
fn in_order(text: &str, words: &[&str]) -> bool {
    let after = |rest: Option<usize>, word: &&str| {
        let from = rest?;
        text[from..].find(word).map(|at| from + at + word.len())
    };
    words.iter().fold(Some(0), after).is_some()
}

#[test]
fn manual_pages_are_written_one_a_command() {
    let program = Program::new();
    let outcome = program.run(&["man", "pages", "-o", "name"]);
    assert_eq!(outcome.exit_code, 0, "{}", outcome.stderr);
    for name in [
        "orchestrator",
        "orchestrator-trigger",
        "orchestrator-trigger-create-scheduled",
        "orchestrator-queue-element-add",
    ] {
        assert!(outcome.stdout.lines().any(|line| line == name), "{name}: {}", outcome.stdout);
        let page = std::fs::read_to_string(program.folder().join(format!("pages/{name}.1"))).unwrap();
        assert!(page.contains(".SH NAME"), "{page}");
    }
    assert!(program.run(&["man"]).stdout.contains(".SH NAME"));
    assert!(program.run(&["version", "-o", "json"]).stdout.contains(env!("CARGO_PKG_VERSION")));
    assert!(program.run(&["upgrade"]).stdout.contains("orchestrator db backup"));
}
