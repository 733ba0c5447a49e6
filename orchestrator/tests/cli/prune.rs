//! `db prune`.

use crate::program::Program;

#[test]
fn nothing_is_pruned_where_nothing_says_how_long_it_is_kept() {
    let program = Program::new();
    let outcome = program.run(&["db", "prune", "--data", "data", "--yes"]);
    assert_eq!(outcome.exit_code, 2);
    insta::assert_snapshot!(outcome.stderr);
}

#[test]
fn what_would_go_is_named_and_nothing_goes_without_a_yes() {
    let program = Program::new();
    let outcome = program.run(&["db", "prune", "--data", "data", "--logs", "90days", "--jobs", "1year"]);
    assert_eq!(outcome.exit_code, 2, "{}", outcome.stderr);
    insta::assert_snapshot!(outcome.stderr);
}

#[test]
fn an_age_that_is_none_is_refused() {
    let program = Program::new();
    for age in ["soon", "1min"] {
        let outcome = program.run(&["db", "prune", "--data", "data", "--logs", age, "--yes"]);
        assert_eq!(outcome.exit_code, 2, "{}", outcome.stderr);
        assert!(outcome.stderr.contains("--logs: ") && outcome.stderr.contains(age), "{}", outcome.stderr);
    }
}

#[test]
fn what_was_deleted_is_counted() {
    let program = Program::new();
    std::fs::create_dir(program.folder().join("data")).unwrap();
    let prune = ["db", "prune", "--data", "data", "--logs", "90days", "--yes"];
    let old = program.run(&prune);
    assert!(old.exit_code == 2 && old.stderr.contains("orchestrator db migrate"), "{}", old.stderr);
    let migrated = program.run(&["db", "migrate", "--data", "data"]);
    assert_eq!(migrated.exit_code, 0, "{}", migrated.stderr);
    let pruned = program.run(&prune);
    assert_eq!((pruned.exit_code, pruned.stderr.as_str()), (0, ""));
    insta::assert_snapshot!(pruned.stdout);
    let json = program.run(&[&prune[..], &["-o", "json"]].concat()).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["logs"], 0);
}

#[test]
fn a_dry_run_counts_and_asks_nothing() {
    let program = Program::new();
    std::fs::create_dir(program.folder().join("data")).unwrap();
    assert_eq!(program.run(&["db", "migrate", "--data", "data"]).exit_code, 0);
    let plan = program.run(&["db", "prune", "--data", "data", "--logs", "90days", "--jobs", "1year", "--dry-run"]);
    assert_eq!((plan.exit_code, plan.stderr.as_str()), (0, ""));
    insta::assert_snapshot!(plan.stdout);
}
