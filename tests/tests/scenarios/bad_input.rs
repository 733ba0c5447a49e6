//! What administrators type wrong: a clear error each, and nothing lost.

use anyhow::Result;
use orchestrator_tests::{NewTrigger, World, on_both_databases};

on_both_databases!(
    texts_that_are_too_long_or_empty_are_refused_with_field_limit_and_length,
    bad_schedules_are_refused_with_what_is_wrong,
    what_is_unknown_is_not_found,
    a_name_that_exists_is_a_conflict,
    values_that_are_no_values_are_refused,
);

/// A trigger whose path need not exist, with more words.
fn create<'a>(kind: &'a str, name: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut words = vec!["trigger", "create", kind, name];
    let has = |flag: &str| more.contains(&flag);
    if !has("--process") {
        words.extend(["--process", "p"]);
    }
    if !has("--path") {
        words.extend(["--path", "/robot.py"]);
    }
    words.extend(more);
    words
}

async fn texts_that_are_too_long_or_empty_are_refused_with_field_limit_and_length(world: &World) -> Result<()> {
    let long = |length: usize| "ø".repeat(length);
    let (name, username, value, data) = (long(101), long(251), long(1001), long(2001));
    let path = format!("/{username}");
    for (words, field, numbers) in [
        (create("single", &name, &[]), "trigger_name", ["100", "101"]),
        (create("single", "t", &["--process", &name]), "process_name", ["100", "101"]),
        (create("single", "t", &["--path", &path]), "process_path", ["250", "252"]),
        (create("single", "t", &["--args", &value]), "process_args", ["1000", "1001"]),
        (create("queue", "t", &["--queue", &name, "--min-batch", "1"]), "queue_name", ["100", "101"]),
        (vec!["queue", "element", "add", "q", "--reference", &name], "reference", ["100", "101"]),
        (vec!["queue", "element", "add", "q", "--data", &data], "data", ["2000", "2001"]),
        (vec!["queue", "element", "add", &name], "queue_name", ["100", "101"]),
        (vec!["constant", "set", &name, "v"], "name", ["100", "101"]),
        (vec!["constant", "set", "c", &value], "value", ["1000", "1001"]),
    ] {
        let said = world.cli(&words).await;
        said.refused(2, &[field, numbers[0], numbers[1]]);
    }
    for (words, field) in [
        (create("single", "", &[]), "trigger_name"),
        (create("single", "t", &["--process", ""]), "process_name"),
        (create("single", "t", &["--path", ""]), "process_path"),
        (create("queue", "t", &["--queue", "", "--min-batch", "1"]), "queue_name"),
        (vec!["constant", "set", "", "v"], "name"),
        (vec!["queue", "element", "add", ""], "queue_name"),
    ] {
        world.cli(&words).await.refused(2, &[field, "empty"]);
    }
    let said = world.cli_with(&["credential", "set", "c", "--username", &username], "secret\n", &[]).await;
    said.refused(2, &["username", "250", "251"]);
    let password = format!("{}\n", "p".repeat(701));
    let said = world.cli_with(&["credential", "set", "c", "--username", "u"], &password, &[]).await;
    said.refused(2, &["password", "700", "701"]);
    // At the limit all is well.
    let l100 = long(100);
    world.cli(&create("single", &l100, &["--at", "2099-01-01T00:00:00Z"])).await.ok();
    assert_eq!(world.trigger(&l100).await?.name, l100);
    assert!(
        world
            .api()
            .queues()
            .list_queues(orchestrator_tests::pb::ListQueuesRequest::default())
            .await?
            .into_inner()
            .queues
            .is_empty()
    );
    Ok(())
}

async fn bad_schedules_are_refused_with_what_is_wrong(world: &World) -> Result<()> {
    let scheduled = |cron: &'static str| create("scheduled", "t", &["--cron", cron]);
    for (cron, words) in [
        ("61 * * * *", vec!["minute", "61"]),
        ("* * * *", vec!["five"]),
        ("", vec!["five"]),
        ("0 0 6 * * *", vec!["five", "6"]),
        ("0 6 * * MOO", vec!["MOO"]),
        ("0 6 30 2 *", vec!["never"]),
        ("*/0 * * * *", vec!["minute"]),
    ] {
        world.cli(&scheduled(cron)).await.refused(2, &words);
    }
    let words = create("scheduled", "t", &["--cron", "0 6 * * *", "--zone", "Europe/Atlantis"]);
    world.cli(&words).await.refused(2, &["Europe/Atlantis"]);
    world.cli(&create("single", "t", &["--at", "tomorrow"])).await.refused(2, &["tomorrow"]);
    world.cli(&["trigger", "preview", "--cron", "99 * * * *"]).await.refused(2, &["99"]);
    assert!(world.cli(&["trigger", "list", "-o", "name"]).await.ok().stdout.is_empty());
    Ok(())
}

async fn what_is_unknown_is_not_found(world: &World) -> Result<()> {
    for words in [
        &["trigger", "show", "nobody"][..],
        &["trigger", "enable", "nobody"],
        &["trigger", "pause", "nobody"],
        &["trigger", "run", "nobody"],
        &["trigger", "kill", "nobody", "--yes"],
        &["trigger", "delete", "nobody", "--yes"],
        &["trigger", "edit", "nobody", "--priority", "1"],
        &["trigger", "preview", "nobody"],
        &["job", "show", "nobody"],
        &["job", "logs", "nobody"],
        &["job", "kill", "nobody", "--yes"],
        &["job", "retry", "nobody"],
        &["queue", "element", "show", "nobody"],
        &["queue", "element", "set-status", "nobody", "DONE"],
        &["queue", "element", "delete", "nobody", "--yes"],
        &["constant", "get", "nobody"],
        &["constant", "delete", "nobody", "--yes"],
        &["credential", "get", "nobody"],
        &["credential", "get", "nobody", "--reveal"],
        &["credential", "delete", "nobody", "--yes"],
        &["worker", "show", "nobody"],
        &["worker", "drain", "nobody"],
        &["token", "revoke", "nobody", "--yes"],
    ] {
        world.cli(words).await.refused(3, &["nobody"]);
    }
    let id = "00000000-0000-7000-8000-000000000000";
    for words in [&["job", "show", id][..], &["trigger", "show", id], &["queue", "element", "show", id]] {
        let said = world.cli(&[words, &["-o", "json"]].concat()).await.refused(3, &[id]);
        let error: serde_json::Value = serde_json::from_str(&said.stderr)?;
        assert!(error["code"].is_string() && error["message"].is_string(), "{said}");
    }
    Ok(())
}

async fn a_name_that_exists_is_a_conflict(world: &World) -> Result<()> {
    let robot = world.shell("robot", "true");
    let first = world.create(NewTrigger::scheduled("taken", &robot, "0 0 1 1 *")).await;
    world.cli(&create("single", "taken", &[])).await.refused(5, &["taken"]);
    assert_eq!(world.trigger("taken").await?, first);
    world.create(NewTrigger::scheduled("other", &robot, "0 0 1 1 *")).await;
    world.cli(&["trigger", "edit", "other", "--name", "taken"]).await.refused(5, &["taken"]);
    assert_eq!(world.trigger("other").await?.name, "other");
    Ok(())
}

async fn values_that_are_no_values_are_refused(world: &World) -> Result<()> {
    world.cli(&create("queue", "t", &["--queue", "q", "--min-batch", "0"])).await.refused(2, &["min-batch"]);
    world.cli(&create("single", "t", &["--timeout", "soon"])).await.refused(2, &["soon"]);
    world.cli(&create("single", "t", &["--overlap", "maybe"])).await.refused(2, &["maybe", "buffer-one"]);
    world.cli(&create("single", "t", &["--retry-lost", "--max-attempts", "2"])).await.refused(2, &["stop"]);
    world.cli(&["queue", "element", "add", "q", "--reference", "r"]).await.ok();
    let element = world.elements("q").await?.remove(0);
    world.cli(&["queue", "element", "set-status", &element.id, "FINISHED"]).await.refused(2, &["FINISHED", "DONE"]);
    assert_eq!(world.elements("q").await?, [element]);
    world.cli(&["trigger", "delete", "t"]).await.refused(2, &["--yes"]);
    Ok(())
}
