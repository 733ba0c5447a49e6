//! `server config`.

use crate::program::Program;

#[test]
fn the_template_is_a_configuration_that_can_be_used() {
    let program = Program::new();
    let template = program.run(&["server", "config", "template"]).stdout;
    std::fs::write(program.folder().join("o.toml"), template).unwrap();
    let outcome = program.run(&["server", "config", "check", "--config", "o.toml"]);
    assert_eq!((outcome.exit_code, outcome.stderr.as_str()), (0, ""));
    assert_eq!(outcome.stdout, "The configuration can be used: listens on 127.0.0.1:8420.\n");
}

#[test]
fn the_effective_configuration_has_no_passwords() {
    let program = Program::new();
    let variables = [
        ("ORCHESTRATOR__DATABASE__URL", "postgres://robot:hunter2@db.example/orchestrator"),
        ("ORCHESTRATOR__SCHEDULING__TIME_ZONE", "Europe/Copenhagen"),
    ];
    let outcome = program.run_with(&["server", "config", "show", "--listen", "127.0.0.1:9000"], &variables, "");
    assert_eq!(outcome.exit_code, 0, "{}", outcome.stderr);
    insta::assert_snapshot!(outcome.stdout);
    let json = program.run_with(&["server", "config", "show", "-o", "json"], &variables, "").stdout;
    assert!(!json.contains("hunter2"), "{json}");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["scheduling"]["time_zone"], "Europe/Copenhagen");
}

#[test]
fn an_unknown_key_is_a_usage_error_that_names_the_known_ones() {
    let program = Program::new();
    std::fs::write(program.folder().join("o.toml"), "[server]\nlistenn = \"127.0.0.1:1\"\n").unwrap();
    let outcome = program.run(&["server", "config", "check", "--config", "o.toml"]);
    assert_eq!(outcome.exit_code, 2);
    insta::assert_snapshot!(outcome.stderr);
}

#[test]
fn listening_to_the_world_without_tls_needs_a_flag_that_says_so() {
    let program = Program::new();
    let open = ["server", "config", "check", "--listen", "0.0.0.0:8420"];
    assert_eq!(program.run(&open).exit_code, 2);
    assert_eq!(program.run(&[&open[..], &["--insecure"]].concat()).exit_code, 0);
}

#[test]
fn each_value_tells_where_it_is_from() {
    let program = Program::new();
    std::fs::write(program.folder().join("o.toml"), "[limits]\ndata = 3000\n[server]\nlisten = \"127.0.0.1:1\"\n")
        .unwrap();
    let variables = [
        ("ORCHESTRATOR__SCHEDULING__TIME_ZONE", "Europe/Copenhagen"),
        ("ORCHESTRATOR__DATABASE__URL", "postgres://robot:hunter2@db.example/orchestrator"),
    ];
    let show = ["server", "config", "show", "--origin", "--config", "o.toml", "--listen", "127.0.0.1:2", "-o", "json"];
    let outcome = program.run_with(&show, &variables, "");
    assert!(!outcome.stdout.contains("hunter2"), "{}", outcome.stdout);
    let json: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    let origin = |key: &str| {
        let settings = json["settings"].as_array().unwrap();
        settings.iter().find(|setting| setting["key"] == key).unwrap()["origin"].as_str().unwrap().to_owned()
    };
    for (key, expected) in [
        ("server.listen", "flag --listen"),
        ("scheduling.time_zone", "variable ORCHESTRATOR__SCHEDULING__TIME_ZONE"),
        ("database.url", "variable ORCHESTRATOR__DATABASE__URL"),
        ("limits.data", "file o.toml"),
        ("limits.process_args", "default"),
    ] {
        assert_eq!(origin(key), expected, "{key}");
    }
}
