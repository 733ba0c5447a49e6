//! A copy of an SQLite database in PostgreSQL: whole, the same in each column of each table, or none at all.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use orchestrator_db::{ConnectError, Copied, CopyError, DbOptions, Dialect, TABLES, copy_to_postgres};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqliteConnection};

use crate::harness::{self, TestDb};

/// A column as PostgreSQL has it: name, type, whether it may be absent.
type Column = (String, String, bool);

async fn columns(postgres: &mut PgConnection, table: &str) -> Vec<Column> {
    let columns = "SELECT column_name::text, udt_name::text, is_nullable = 'YES' FROM information_schema.columns
         WHERE table_schema = current_schema() AND table_name = $1 AND is_identity = 'NO' ORDER BY column_name";
    sqlx::query_as(columns).bind(table).fetch_all(postgres).await.unwrap()
}

/// A value of row `n`. Ids of a row are the same in all tables, so that rows refer to rows that are there.
fn value((name, kind, may_be_absent): &Column, n: u32) -> String {
    if *may_be_absent && n == 2 {
        return "NULL".to_owned();
    }
    match kind.as_str() {
        "uuid" => format!("X'{:032x}'", 0x0199_0000_0000_7000_8000_0000_0000_0000_u128 + u128::from(n)),
        "bytea" => format!("X'00FF{n:04x}'"),
        "timestamptz" => format!("'2027-03-28T00:59:59.{n:06}+00:00'"),
        "jsonb" => format!(r#"'{{"text": "ø \" \\ {n}", "list": [1, null, true]}}'"#),
        "bool" => (n % 2).to_string(),
        "int2" | "int4" | "int8" => (7 + n).to_string(),
        "text" => format!("'{name} {n}: Æ ''quoted'' \"\\\u{1F600}' || CHAR(10)"),
        other => panic!("{name} is of the type {other}, for which there is no value here"),
    }
}

async fn fill(source: &mut SqliteConnection, postgres: &mut PgConnection) {
    for table in TABLES {
        let columns = columns(postgres, table).await;
        let names: Vec<&str> = columns.iter().map(|(name, ..)| name.as_str()).collect();
        for n in 1..=3 {
            let values: Vec<String> = columns.iter().map(|column| value(column, n)).collect();
            let insert = format!("INSERT INTO {table} ({}) VALUES ({})", names.join(", "), values.join(", "));
            source.execute(AssertSqlSafe(insert)).await.unwrap();
        }
    }
    // More than one statement takes.
    source
        .execute(
            "INSERT INTO logs (id, log_time, log_level, process_name, log_message)
             WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 4500)
             SELECT randomblob(16), '2027-01-01T00:00:00+00:00', 'INFO', 'p', 'line ' || n FROM n",
        )
        .await
        .unwrap();
}

/// All rows of a table, each column as a text that does not depend on the database.
fn rows(columns: &[Column], table: &str, found: Vec<String>) -> Vec<BTreeMap<String, String>> {
    let rows = found.into_iter().map(|row| serde_json::from_str::<BTreeMap<String, Option<String>>>(&row).unwrap());
    let mut rows: Vec<BTreeMap<String, String>> = rows
        .map(|row| {
            row.into_iter()
                .filter_map(|(name, value)| value.map(|value| (name, value)))
                .map(|(name, value)| {
                    let kind = &columns.iter().find(|column| column.0 == name).unwrap().1;
                    let value = match kind.as_str() {
                        "uuid" => value.replace('-', "").to_lowercase(),
                        "bytea" => value.trim_start_matches("\\x").to_lowercase(),
                        "bool" => value.replace("true", "1").replace("false", "0"),
                        "timestamptz" => value.parse::<DateTime<Utc>>().unwrap().to_rfc3339(),
                        "jsonb" => serde_json::from_str::<serde_json::Value>(&value).unwrap().to_string(),
                        _ => value,
                    };
                    (name, value)
                })
                .collect()
        })
        .collect();
    rows.sort();
    assert!(rows.len() >= 3, "{table} has {} rows", rows.len());
    rows
}

async fn rows_of_sqlite(
    source: &mut SqliteConnection,
    columns: &[Column],
    table: &str,
) -> Vec<BTreeMap<String, String>> {
    let fields: Vec<String> = columns
        .iter()
        .map(|(name, ..)| {
            format!("'{name}', CASE typeof({name}) WHEN 'blob' THEN hex({name}) ELSE CAST({name} AS TEXT) END")
        })
        .collect();
    let select = format!("SELECT json_object({}) FROM {table}", fields.join(", "));
    rows(columns, table, sqlx::query_scalar(AssertSqlSafe(select)).fetch_all(source).await.unwrap())
}

async fn rows_of_postgres(copy: &mut PgConnection, columns: &[Column], table: &str) -> Vec<BTreeMap<String, String>> {
    let fields: Vec<String> =
        columns.iter().map(|(name, ..)| format!("'{name}', to_json({name}) #>> '{{}}'")).collect();
    let select = format!("SELECT json_build_object({})::text FROM {table}", fields.join(", "));
    copy.execute("SET TIME ZONE 'UTC'").await.unwrap();
    rows(columns, table, sqlx::query_scalar(AssertSqlSafe(select)).fetch_all(copy).await.unwrap())
}

/// A source with rows in every table, and an empty target.
async fn world() -> (TestDb, TestDb) {
    let (source, target) = (harness::sqlite().await, harness::postgres().await);
    let mut sqlite = SqliteConnection::connect(source.url()).await.unwrap();
    let mut postgres = PgConnection::connect(target.url()).await.unwrap();
    fill(&mut sqlite, &mut postgres).await;
    (source, target)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_has_every_table_with_every_row_and_column() {
    let (source, target) = world().await;
    let (from, to) = (source.url().to_owned(), target.url().to_owned());
    let mut postgres = PgConnection::connect(&to).await.unwrap();
    let tables = "SELECT table_name::text FROM information_schema.tables
         WHERE table_schema = current_schema() AND table_name <> '_sqlx_migrations' ORDER BY table_name";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut postgres).await.unwrap();
    let mut known = TABLES.to_vec();
    known.sort_unstable();
    assert_eq!(known, tables, "a table that is not copied");
    let _folder = source.closed().await;
    let mut told = Vec::new();
    let counts = copy_to_postgres(&DbOptions::new(&from), &DbOptions::new(&to), |copied| told.push(copied)).await;
    let counts = counts.unwrap();
    assert_eq!(counts.len(), TABLES.len());
    assert!(counts.contains(&("logs", 4503)) && counts.contains(&("queues", 3)), "{counts:?}");
    assert!(told.contains(&Copied { table: "logs", rows: 2000, is_done: false }), "{told:?}");
    assert_eq!(told.last(), Some(&Copied { table: "queue_samples", rows: 3, is_done: true }));
    let mut sqlite = SqliteConnection::connect(&from).await.unwrap();
    for table in TABLES {
        let columns = columns(&mut postgres, table).await;
        let (left, right) = (
            rows_of_sqlite(&mut sqlite, &columns, table).await,
            rows_of_postgres(&mut postgres, &columns, table).await,
        );
        assert_eq!(left, right, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_holds_something_is_not_copied_over() {
    let (source, target) = world().await;
    let (from, to) = (DbOptions::new(source.url()), DbOptions::new(target.url()));
    let _folder = source.closed().await;
    copy_to_postgres(&from, &to, drop).await.unwrap();
    let again = copy_to_postgres(&from, &to, drop).await.unwrap_err();
    assert!(matches!(again, CopyError::NotEmpty { table: "users" }), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_an_older_version_that_holds_something_stays_of_that_version() {
    let (source, target) = world().await;
    target.execute("INSERT INTO queue_settings (queue_name, max_attempts, changed_at) VALUES ('q', 1, now())").await;
    target.execute("DELETE FROM _sqlx_migrations WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)").await;
    let (from, to) = (DbOptions::new(source.url()), DbOptions::new(target.url()));
    let _folder = source.closed().await;
    let refused = copy_to_postgres(&from, &to, drop).await.unwrap_err();
    assert!(matches!(refused, CopyError::NotEmpty { table: "queue_settings" }), "{refused}");
    assert!(!target.migration_status().await.unwrap().last().unwrap().applied);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_cannot_be_written_leaves_the_target_empty() {
    let (source, target) = world().await;
    // The last but two of all tables: what was written before it is undone.
    source.execute("UPDATE queues SET lease_token = 'many' WHERE queue_name LIKE 'queue_name 1%'").await;
    let (from, to) = (DbOptions::new(source.url()), DbOptions::new(target.url()));
    let _folder = source.closed().await;
    let refused = copy_to_postgres(&from, &to, drop).await.unwrap_err();
    let CopyError::Refused { row, .. } = &refused else { panic!("{refused:?}") };
    let id = "01990000-0000-7000-8000-000000000001";
    assert_eq!((row.table, row.has_nul), ("queues", false));
    assert_eq!(row.key, [("id".to_owned(), id.to_owned())]);
    assert!(refused.to_string().contains(id), "{refused}");
    let mut postgres = PgConnection::connect(&to.url).await.unwrap();
    let users: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM users").fetch_one(&mut postgres).await.unwrap();
    assert_eq!(users, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_row_among_many_that_postgresql_refuses_is_named_with_its_column() {
    let (source, target) = world().await;
    source.execute("UPDATE logs SET log_message = 'a' || char(0) || 'b' WHERE log_message = 'line 3333'").await;
    let mut sqlite = SqliteConnection::connect(source.url()).await.unwrap();
    let id = "SELECT lower(hex(id)) FROM logs WHERE log_message LIKE 'a%'";
    let id: String = sqlx::query_scalar(id).fetch_one(&mut sqlite).await.unwrap();
    sqlite.close().await.unwrap();
    let (from, to) = (DbOptions::new(source.url()), DbOptions::new(target.url()));
    let _folder = source.closed().await;
    let refused = copy_to_postgres(&from, &to, drop).await.unwrap_err();
    let CopyError::Refused { row, .. } = refused else { panic!("{refused:?}") };
    assert_eq!((row.table, row.column.as_deref(), row.has_nul), ("logs", Some("log_message"), true));
    assert_eq!(row.key[0].1.replace('-', ""), id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_a_server_has_is_not_copied() {
    let (source, target) = world().await;
    let (from, to) = (DbOptions::new(source.url()), DbOptions::new(target.url()));
    let refused = copy_to_postgres(&from, &to, drop).await.unwrap_err();
    assert!(matches!(refused, CopyError::Open { side: "from", source: ConnectError::InUse { .. } }), "{refused}");
    assert_eq!(source.dialect(), Dialect::Sqlite);
    let nowhere = DbOptions::new("sqlite:/nowhere/at/all.db");
    let sideways = copy_to_postgres(&from, &nowhere, drop).await.unwrap_err();
    assert!(matches!(sideways, CopyError::Direction), "{sideways}");
    let backwards = copy_to_postgres(&to, &to, drop).await.unwrap_err();
    assert!(matches!(backwards, CopyError::Direction), "{backwards}");
}
