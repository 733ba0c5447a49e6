//! Opening a database.

use orchestrator_db::{ConnectError, Db, DbOptions, Dialect};

use crate::harness::TestDb;

conformance! {
    an_open_database_has_every_migration,
    a_database_of_a_newer_program_is_refused,
    a_second_server_is_refused_on_sqlite_only,
    a_database_that_may_forget_is_refused_unless_accepted,
    a_database_that_is_only_read_is_told_from_one_that_takes_writes,
    who_asks_whether_writes_are_taken_waits_for_nobody_that_writes,
}

async fn an_open_database_has_every_migration(db: TestDb) {
    let status = db.migration_status().await.unwrap();
    assert!(status.iter().all(|migration| migration.applied), "{status:?}");
    assert!(status.len() >= 6);
}

async fn a_database_of_a_newer_program_is_refused(db: TestDb) {
    db.execute(
        "INSERT INTO _sqlx_migrations (version, description, installed_on, success, checksum, execution_time)
         SELECT 9999, 'tomorrow', installed_on, success, checksum, execution_time FROM _sqlx_migrations WHERE version = 1",
    )
    .await;
    assert!(matches!(db.migration_status().await, Err(ConnectError::TooNew { version: 9999 })));
    let refused = db.reopened().await.unwrap_err();
    assert!(matches!(refused, ConnectError::TooNew { version: 9999 }), "{refused}");
}

async fn a_second_server_is_refused_on_sqlite_only(db: TestDb) {
    let second = Db::connect(&DbOptions::new(db.url())).await;
    match db.dialect() {
        Dialect::Sqlite => {
            let refused = second.unwrap_err();
            assert!(matches!(refused, ConnectError::InUse { .. }), "{refused}");
            assert!(refused.to_string().contains("one server per SQLite file"), "{refused}");
        }
        Dialect::Postgres => assert!(second.is_ok()),
    }
}

async fn a_database_that_may_forget_is_refused_unless_accepted(db: TestDb) {
    // SQLite is opened with synchronous=FULL whatever the file says.
    if db.dialect() == Dialect::Sqlite {
        return;
    }
    db.execute(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$",
    )
    .await;
    let mut options = DbOptions::new(db.url());
    let refused = Db::connect(&options).await.unwrap_err();
    assert!(refused.to_string().starts_with("synchronous_commit is off"), "{refused}");
    options.accept_weak_durability = true;
    assert!(Db::connect(&options).await.is_ok());
}

async fn a_database_that_is_only_read_is_told_from_one_that_takes_writes(db: TestDb) {
    db.check_writes().await.unwrap();
    let read_only = match db.dialect() {
        Dialect::Sqlite => "?mode=ro",
        Dialect::Postgres => "&options[default_transaction_read_only]=on",
    };
    let url = format!("{}{read_only}", db.url());
    let _folder = db.closed().await;
    let db = Db::connect(&DbOptions::new(&url)).await.unwrap();
    db.begin_read().await.unwrap().rollback().await.unwrap();
    // SQLite begins a transaction that writes, and makes one that reads of it.
    db.begin_write().await.unwrap().rollback().await.unwrap();
    let refused = db.check_writes().await.unwrap_err();
    assert!(refused.is_read_only() && refused.is_transient() && !refused.is_disk_full(), "{refused:?}");
}

async fn who_asks_whether_writes_are_taken_waits_for_nobody_that_writes(db: TestDb) {
    let mut tx = db.begin_write().await.unwrap();
    tx.setting_set("a", &1, "2026-11-22T12:00:00Z".parse().unwrap()).await.unwrap();
    db.check_writes().await.unwrap();
    tx.commit().await.unwrap();
}
