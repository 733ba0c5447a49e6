//! The two folders of migrations tell the same story.

#![expect(clippy::unwrap_used, reason = "in helpers, too, a test that cannot go on panics")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// File names and texts of one database's migrations.
fn migrations(of: &str) -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(of);
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(path).unwrap()))
        .collect()
}

/// What a script makes: the first words of its statements, such as `CREATE INDEX jobs_queued`.
fn made_by(script: &str) -> BTreeSet<String> {
    // SQLite writes the body of a trigger into it, and knows no TRUNCATE.
    let only_postgres = |line: &str| line.starts_with("CREATE FUNCTION ") || line.contains(" BEFORE TRUNCATE ");
    let lines = script.lines().filter(|line| line.starts_with("CREATE ") && !only_postgres(line));
    lines
        .map(|line| {
            line.split_whitespace().take_while(|word| *word != "(" && *word != "ON").collect::<Vec<_>>().join(" ")
        })
        .collect()
}

#[test]
fn both_databases_have_the_same_migrations() {
    let (sqlite, postgres) = (migrations("sqlite"), migrations("postgres"));
    assert_eq!(sqlite.keys().collect::<Vec<_>>(), postgres.keys().collect::<Vec<_>>());
    for (name, script) in &sqlite {
        assert_eq!(made_by(script), made_by(&postgres[name]), "{name}");
    }
}

#[test]
fn no_two_migrations_have_the_same_number() {
    let names = migrations("sqlite").into_keys();
    let numbers: Vec<u32> = names.map(|name| name.split_once('_').unwrap().0.parse().unwrap()).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
}

/// Their bytes are hashed: a checkout that changed line ends would be refused by every database.
#[test]
fn migrations_have_unix_line_ends() {
    for of in ["sqlite", "postgres"] {
        for (name, script) in migrations(of) {
            assert!(!script.contains('\r'), "{of}/{name}");
        }
    }
}
