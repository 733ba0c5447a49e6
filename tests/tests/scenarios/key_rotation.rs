//! From one key to the next, with passwords that stay readable all the time.

use orchestrator_tests::{Database, Server, World, on, run};

async fn password(world: &World) -> String {
    let reveal = ["credential", "get", "erp", "--reveal", "-o", "json"];
    world.cli(&reveal).await.ok().json()["password"].as_str().unwrap_or("?").to_owned()
}

/// `writing? known? passwords` of each key.
async fn keys(world: &World) -> Vec<(bool, bool, String)> {
    let keys = world.cli(&["key", "status", "-o", "json"]).await.ok().json();
    let flag = |value: &serde_json::Value| value.as_bool().unwrap_or_default();
    keys["keys"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|key| {
            (flag(&key["writing"]), flag(&key["known"]), key["passwordCount"].as_str().unwrap_or("?").to_owned())
        })
        .collect()
}

async fn rotation(world: &World) -> anyhow::Result<()> {
    let file = world.stage().path("orchestrator.key").to_string_lossy().into_owned();
    let set = ["credential", "set", "erp", "--username", "robot"];
    world.cli_with(&set, "hunter2", &[]).await.ok();
    world.cli(&["key", "prune", &file, "--yes"]).await.ok();
    world.cli(&["key", "rotate", &file]).await.refused(2, &["[NEEDS_YES]"]);
    let before = std::fs::read(world.stage().path("orchestrator.key"))?;
    world.cli(&["key", "rotate", &file, "--dry-run"]).await.refused(8, &["a new key"]);
    assert_eq!(std::fs::read(world.stage().path("orchestrator.key"))?, before, "a dry run changes nothing");
    world.cli(&["key", "rotate", &file, "--yes"]).await.ok();
    // The server does not know it yet, and says so before anything is lost.
    world.cli(&["key", "prune", &file, "--yes"]).await.refused(2, &["restart the server"]);
    world.server().stop().await;
    world.server().start().await;
    assert_eq!(password(world).await, "hunter2");
    assert_eq!(keys(world).await, [(true, true, "0".to_owned()), (false, true, "1".to_owned())]);
    world.cli(&["key", "prune", &file, "--yes"]).await.refused(2, &["orchestrator key reencrypt"]);
    world.cli(&["key", "reencrypt", "--dry-run"]).await.refused(8, &["1 passwords would be encrypted"]);
    assert_eq!(keys(world).await, [(true, true, "0".to_owned()), (false, true, "1".to_owned())]);
    let done = world.cli(&["key", "reencrypt", "-o", "json"]).await.ok().json();
    assert_eq!((&done["reencryptedCount"], &done["remainingCount"]), (&"1".into(), &"0".into()));
    assert_eq!(password(world).await, "hunter2");
    world.cli(&["key", "reencrypt", "--dry-run"]).await.ok();
    world.cli(&["key", "prune", &file, "--dry-run"]).await.refused(8, &["would be taken out"]);
    world.cli(&["key", "prune", &file, "--yes"]).await.ok();
    world.server().stop().await;
    world.server().start().await;
    assert_eq!(password(world).await, "hunter2");
    assert_eq!(keys(world).await, [(true, true, "1".to_owned())]);
    Ok(())
}

/// Sets a password at one server and reads it at each.
async fn set_and_read_everywhere(world: &World, at: &Server, name: &str) {
    let as_at = |server: &Server| [("ORCHESTRATOR_URL", server.url())];
    let url = as_at(at);
    let url = [(url[0].0, url[0].1.as_str())];
    world.cli_with(&["credential", "set", name, "--username", "robot"], "hunter2", &url).await.ok();
    for server in world.servers() {
        let url = server.url();
        let reveal = ["credential", "get", name, "--reveal", "-o", "json"];
        let read = world.cli_with(&reveal, "", &[("ORCHESTRATOR_URL", url.as_str())]).await.ok().json();
        assert_eq!(read["password"], "hunter2", "{name} at {url}");
    }
}

/// With several servers, none writes what another cannot read: all know a key before one writes with it.
async fn staged_rotation(world: &World) -> anyhow::Result<()> {
    let file = world.stage().path("orchestrator.key").to_string_lossy().into_owned();
    let [first, second] = world.servers() else { anyhow::bail!("two servers") };
    set_and_read_everywhere(world, first, "before").await;
    let new = world.cli(&["key", "rotate", &file, "--stage", "--yes", "-o", "json"]).await.ok().json();
    let new = new["key"].as_str().unwrap_or("?").to_owned();
    let promote = ["key", "promote", &new, &file, "--yes"];
    world.cli(&promote).await.refused(2, &["does not know the key", "restart every server"]);
    first.stop().await;
    first.start().await;
    set_and_read_everywhere(world, first, "staged").await;
    world.cli(&["key", "prune", &file, "--yes"]).await.refused(2, &["is staged and not old", "key promote"]);
    second.stop().await;
    second.start().await;
    world.cli(&["key", "promote", "nobody", &file, "--yes"]).await.refused(2, &["does not have it", &new]);
    world.cli(&promote).await.ok();
    world.cli(&promote).await.refused(2, &["it is the writing one already"]);
    first.stop().await;
    first.start().await;
    // One writes with the new key, the other with the old one still.
    set_and_read_everywhere(world, first, "new").await;
    set_and_read_everywhere(world, second, "old").await;
    world.cli(&["key", "reencrypt"]).await.ok();
    set_and_read_everywhere(world, first, "again").await;
    second.stop().await;
    second.start().await;
    world.cli(&["key", "reencrypt"]).await.ok();
    world.cli(&["key", "prune", &file, "--yes"]).await.ok();
    set_and_read_everywhere(world, second, "after").await;
    Ok(())
}

#[tokio::test]
async fn no_server_writes_what_another_cannot_read() {
    run(World::start_servers(Database::Postgres, 2).await, staged_rotation).await;
}

#[tokio::test]
async fn passwords_stay_readable_from_one_key_to_the_next_on_sqlite() {
    on(Database::Sqlite, rotation).await;
}

#[tokio::test]
async fn passwords_stay_readable_from_one_key_to_the_next_on_postgres() {
    on(Database::Postgres, rotation).await;
}
