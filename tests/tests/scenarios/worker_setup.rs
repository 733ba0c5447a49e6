//! Setting a robot machine up: a token that is kept, and a look at everything.

use std::path::Path;
use std::process::{Command, Output};

use anyhow::Result;
use orchestrator_tests::{World, on_sqlite, program};

on_sqlite!(
    a_machine_that_is_enrolled_is_in_order,
    a_token_that_is_no_workers_is_not_kept,
    a_server_that_is_away_is_told_with_what_to_do,
    a_token_that_is_missing_is_a_finding_with_its_fix,
);

fn agent(world: &World, token: &str, arguments: &[&str]) -> Output {
    let home = world.stage().folder("machine");
    let mut command = Command::new(program("orchestrator-worker"));
    command.args(arguments).arg("--data").arg(home.join("data")).current_dir(&home);
    command.env("HOME", &home).env("ORCHESTRATOR_WORKER_TOKEN", token).env("RUST_LOG", "warn");
    if token.is_empty() {
        command.env_remove("ORCHESTRATOR_WORKER_TOKEN");
    }
    command.output().expect("the program runs")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn is_kept(world: &World) -> bool {
    Path::new(&world.stage().folder("machine")).join("data/token").exists()
}

async fn a_machine_that_is_enrolled_is_in_order(world: &World) -> Result<()> {
    let (token, url) = (world.worker_token("rpa-07").await, world.server().url());
    let enrolled = agent(world, &token, &["enroll", "--server", &url]);
    assert!(enrolled.status.success() && said(&enrolled).contains("Worker rpa-07"), "{}", said(&enrolled));
    assert!(!said(&enrolled).contains(&token), "{}", said(&enrolled));
    assert!(is_kept(world));
    let looked = agent(world, "", &["doctor", "--server", &url]);
    assert_eq!(looked.status.code(), Some(0), "{}", said(&looked));
    assert!(said(&looked).contains("the token is that of worker rpa-07"), "{}", said(&looked));
    assert!(!said(&looked).contains("WRONG"), "{}", said(&looked));
    Ok(())
}

async fn a_token_that_is_no_workers_is_not_kept(world: &World) -> Result<()> {
    let url = world.server().url();
    let user = world.token_of("USER", "anna", "OPERATOR").await;
    for (token, why) in [(user.as_str(), "no worker"), ("orc_worker_nonsense", "refuses the token")] {
        let refused = agent(world, token, &["enroll", "--server", &url]);
        assert_eq!(refused.status.code(), Some(4), "{}", said(&refused));
        assert!(said(&refused).contains(why), "{}", said(&refused));
        assert!(said(&refused).contains("orchestrator worker enroll NAME"), "{}", said(&refused));
        assert!(!is_kept(world));
    }
    Ok(())
}

async fn a_server_that_is_away_is_told_with_what_to_do(world: &World) -> Result<()> {
    let (token, url) = (world.worker_token("rpa-07").await, world.server().url());
    world.server().stop().await;
    let looked = agent(world, &token, &["doctor", "--server", &url]);
    assert_eq!(looked.status.code(), Some(1), "{}", said(&looked));
    assert!(said(&looked).contains("WRONG") && said(&looked).contains("does not answer"), "{}", said(&looked));
    assert!(said(&looked).contains("What to do:"), "{}", said(&looked));
    assert_eq!(agent(world, &token, &["enroll", "--server", &url]).status.code(), Some(6));
    Ok(())
}

async fn a_token_that_is_missing_is_a_finding_with_its_fix(world: &World) -> Result<()> {
    let url = world.server().url();
    let looked = agent(world, "", &["doctor", "--server", &url]);
    assert_eq!(looked.status.code(), Some(1), "{}", said(&looked));
    assert!(said(&looked).contains("WRONG  token"), "{}", said(&looked));
    assert!(said(&looked).contains("token: make one with `orchestrator worker enroll NAME`"), "{}", said(&looked));
    assert!(said(&looked).contains("ok     server"), "{}", said(&looked));
    let told: serde_json::Value =
        serde_json::from_slice(&agent(world, "", &["doctor", "--server", &url, "-o", "json"]).stdout)?;
    assert_eq!((&told["findings"][1]["subject"], &told["findings"][1]["outcome"]), (&"token".into(), &"BAD".into()));

    world.server().stop().await;
    let looked = agent(world, "", &["doctor", "--server", &url]);
    for finding in ["WRONG  server", "WRONG  token"] {
        assert!(said(&looked).contains(finding), "{}", said(&looked));
    }
    Ok(())
}
