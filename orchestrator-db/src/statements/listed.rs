//! The list is whole, and each statement is one on both databases.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use sqlx::{Connection as _, Executor as _, SqlSafeStr as _};

use super::all;
use crate::connect::{Db, DbOptions};

/// Adds the names of the constants that the files below a folder declare.
fn declared(folder: &Path, module: &str, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let below = if stem == "mod" { module.to_owned() } else { format!("{module}{stem}::") };
        if path.is_dir() {
            declared(&path, &below, names);
            continue;
        }
        for line in fs::read_to_string(&path).unwrap().lines() {
            let shown = line.trim_start().trim_start_matches("pub(crate) ").trim_start_matches("pub(in crate::queue) ");
            let Some((name, kind)) = shown.strip_prefix("const ").and_then(|rest| rest.split_once(": ")) else {
                continue;
            };
            if kind.starts_with("Sql =") || kind.starts_with("[Sql;") {
                names.insert(format!("{below}{name}"));
            }
        }
    }
}

#[test]
fn every_statement_is_listed() {
    let mut names = BTreeSet::new();
    declared(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut names);
    let listed: BTreeSet<String> =
        all().into_iter().map(|(name, _)| name.split('[').next().unwrap_or_default().to_owned()).collect();
    let missing: Vec<_> = names.symmetric_difference(&listed).collect();
    assert!(names.len() > 100 && missing.is_empty(), "{missing:?}");
}

#[tokio::test]
async fn sqlite_understands_every_statement() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("test.db").display());
    Db::open(&DbOptions::new(&url)).await.unwrap().close().await;
    let mut conn = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let mut refused = Vec::new();
    for (name, sql) in all() {
        if let Err(error) = conn.prepare(sql.sqlite.into_sql_str()).await {
            refused.push(format!("{name}: {error}"));
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[tokio::test]
async fn postgres_understands_every_statement() {
    let url = orchestrator_test_postgres::database_url();
    Db::open(&DbOptions::new(&url)).await.unwrap().close().await;
    let mut conn = sqlx::PgConnection::connect(&url).await.unwrap();
    let mut refused = Vec::new();
    for (name, sql) in all() {
        if let Err(error) = conn.prepare(sql.postgres.into_sql_str()).await {
            refused.push(format!("{name}: {error}"));
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}
