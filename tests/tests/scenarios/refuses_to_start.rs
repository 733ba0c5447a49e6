//! What a server must not serve on.

use anyhow::Result;
use orchestrator_tests::{NewTrigger, World, on_both_databases, on_sqlite};

on_sqlite!(
    a_second_server_on_one_file_is_refused_and_the_first_goes_on,
    a_configuration_with_an_unknown_key_is_refused,
);
on_both_databases!(
    the_wrong_key_file_is_refused_and_nothing_is_lost,
    a_database_that_is_newer_than_the_program_is_refused,
    a_server_that_is_stopped_goes_on_where_it_was,
);

async fn a_second_server_on_one_file_is_refused_and_the_first_goes_on(world: &World) -> Result<()> {
    let second = world.another_server("second");
    let (code, said) = second.refuses_to_start().await;
    assert!(code.is_some_and(|code| code != 0), "{said}");
    assert!(said.contains("orchestrator.db"), "it names the file: {said}");
    world.server().still_runs()?;
    world.fill("work", 1).await;
    Ok(())
}

async fn a_configuration_with_an_unknown_key_is_refused(world: &World) -> Result<()> {
    let file = world.stage().file("server.toml", "[server]\nlissten = \"127.0.0.1:1\"\n").display().to_string();
    let said = world.cli(&["server", "start", "--config", &file]).await;
    assert!(said.code.is_some_and(|code| code != 0) && said.stderr.contains("lissten"), "{said}");
    Ok(())
}

async fn the_wrong_key_file_is_refused_and_nothing_is_lost(world: &World) -> Result<()> {
    world.cli_with(&["credential", "set", "mail", "--username", "ada"], "s3cret\n", &[]).await.ok();
    world.server().stop().await;
    let key_file = world.stage().path("orchestrator.key");
    let right = world.stage().path("right.key");
    std::fs::rename(&key_file, &right)?;
    world.cli(&["key", "generate", &key_file.to_string_lossy()]).await.ok();
    let (code, said) = world.server().refuses_to_start().await;
    assert!(code.is_some_and(|code| code != 0), "{said}");
    assert!(said.contains("key"), "{said}");
    std::fs::rename(&right, &key_file)?;
    world.server().start().await;
    let said = world.cli(&["credential", "get", "mail", "--reveal"]).await.ok();
    assert!(said.stdout.contains("s3cret"), "{said}");
    Ok(())
}

async fn a_database_that_is_newer_than_the_program_is_refused(world: &World) -> Result<()> {
    world.server().stop().await;
    world.sql(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         SELECT 9999, 'from the future', success, checksum, 0 FROM _sqlx_migrations LIMIT 1",
    );
    let (code, said) = world.server().refuses_to_start().await;
    assert!(code.is_some_and(|code| code != 0), "{said}");
    assert!(said.contains("newer") && said.contains("9999"), "{said}");
    world.sql("DELETE FROM _sqlx_migrations WHERE version = 9999");
    world.server().start().await;
    Ok(())
}

async fn a_server_that_is_stopped_goes_on_where_it_was(world: &World) -> Result<()> {
    world.create(NewTrigger::scheduled("kept", &world.shell("robot", "true"), "0 0 1 1 *")).await;
    let before = world.trigger("kept").await?;
    world.server().stop().await;
    world.server().start().await;
    assert_eq!(world.trigger("kept").await?, before);
    Ok(())
}
