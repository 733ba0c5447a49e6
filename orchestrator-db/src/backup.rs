//! Copies of an SQLite database: made while a server serves it, and put in its place while none does.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};

use crate::connect::{ConnectError, SQLITE_MIGRATIONS, lock_file, own_file};

/// Why a copy was not made or not taken.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is no such file.
    #[error("there is no file {0}")]
    Missing(PathBuf),
    /// The file that would be made is there.
    #[error("{0} is there already and is not overwritten")]
    Exists(PathBuf),
    /// It is no database of ours.
    #[error("{0} is no database of this program")]
    Foreign(PathBuf),
    /// It is damaged.
    #[error("{path} is damaged: {finding}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite says of it.
        finding: String,
    },
    /// A server has the database, or it cannot be locked.
    #[error(transparent)]
    Lock(#[from] ConnectError),
    /// Reading or writing failed.
    #[error("{path} cannot be copied")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        source: sqlx::Error,
    },
    /// A file cannot be moved or made.
    #[error("{path} cannot be moved or made")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

/// Copies a database into a new file that only its owner may read. It may be in use: the copy is as of one instant.
pub async fn sqlite_backup(database: &Path, copy: &Path) -> Result<(), BackupError> {
    if !database.exists() {
        return Err(BackupError::Missing(database.to_owned()));
    }
    if copy.exists() {
        return Err(BackupError::Exists(copy.to_owned()));
    }
    copy_into(database, copy).await.inspect_err(|_| drop(std::fs::remove_file(copy)))?;
    inspect(copy).await
}

/// Puts a copy in the place of a database that no server has, and what was there aside.
pub async fn sqlite_restore(copy: &Path, database: &Path, aside: &Path) -> Result<(), BackupError> {
    if !copy.exists() {
        return Err(BackupError::Missing(copy.to_owned()));
    }
    inspect(copy).await?;
    let _lock = lock_file(database)?;
    let new = beside(database, ".restoring");
    // What an interrupted restore left.
    drop(std::fs::remove_file(&new));
    copy_into(copy, &new).await.inspect_err(|_| drop(std::fs::remove_file(&new)))?;
    for end in ["", "-wal", "-shm"] {
        let (from, to) = (beside(database, end), beside(aside, end));
        match std::fs::rename(&from, &to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            moved => moved.map_err(|source| BackupError::File { path: from, source })?,
        }
    }
    std::fs::rename(&new, database).map_err(|source| BackupError::File { path: database.to_owned(), source })
}

async fn copy_into(from: &Path, to: &Path) -> Result<(), BackupError> {
    // An empty file of the right mode is filled; SQLite itself would make one that others may read.
    own_file(to)?;
    let failed = |source| BackupError::Sqlite { path: from.to_owned(), source };
    let mut connection = open(from).await?;
    let text = to.to_string_lossy().into_owned();
    sqlx::query("VACUUM INTO $1").bind(text).execute(&mut connection).await.map_err(failed)?;
    connection.close().await.map_err(failed)
}

async fn open(path: &Path) -> Result<SqliteConnection, BackupError> {
    let options =
        SqliteConnectOptions::new().filename(path).create_if_missing(false).busy_timeout(Duration::from_secs(30));
    let opened = SqliteConnection::connect_with(&options).await;
    opened.map_err(|source| BackupError::Sqlite { path: path.to_owned(), source })
}

/// Refuses what is damaged, foreign, or of a newer program.
async fn inspect(path: &Path) -> Result<(), BackupError> {
    let foreign = || BackupError::Foreign(path.to_owned());
    let mut connection = open(path).await?;
    let checked: Result<Vec<String>, _> = sqlx::query_scalar("PRAGMA quick_check(5)").fetch_all(&mut connection).await;
    // Not even that: it is something else.
    let findings = checked.map_err(|_| foreign())?;
    if findings != ["ok"] {
        return Err(BackupError::Damaged { path: path.to_owned(), finding: findings.join("; ") });
    }
    let applied: Result<Vec<i64>, _> =
        sqlx::query_scalar("SELECT version FROM _sqlx_migrations ORDER BY version").fetch_all(&mut connection).await;
    let applied = applied.map_err(|_| foreign())?;
    let newer = applied.into_iter().find(|version| !SQLITE_MIGRATIONS.iter().any(|known| known.version == *version));
    match newer {
        Some(version) => Err(ConnectError::TooNew { version }.into()),
        None => Ok(()),
    }
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use orchestrator_core::clock::{Clock as _, SystemClock};

    use super::*;
    use crate::{Db, DbOptions};

    async fn database(path: &Path) -> Db {
        Db::open(&DbOptions::new(format!("sqlite:{}", path.display()))).await.unwrap()
    }

    async fn remember(db: &Db, value: &str) {
        let mut tx = db.begin_write().await.unwrap();
        tx.setting_set("marker", &value, SystemClock.now()).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn remembered(db: &Db) -> Option<String> {
        db.begin_read().await.unwrap().setting_get("marker").await.unwrap()
    }

    #[tokio::test]
    async fn a_copy_is_made_while_the_database_is_in_use_and_put_back_when_it_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (path, copy, aside) = (folder.path().join("o.db"), folder.path().join("copy"), folder.path().join("aside"));
        let db = database(&path).await;
        remember(&db, "then").await;
        sqlite_backup(&path, &copy).await.unwrap();
        assert!(matches!(sqlite_backup(&path, &copy).await, Err(BackupError::Exists(_))));
        remember(&db, "now").await;
        let in_use = sqlite_restore(&copy, &path, &aside).await.unwrap_err();
        assert!(matches!(in_use, BackupError::Lock(ConnectError::InUse { .. })), "{in_use}");
        assert_eq!(remembered(&db).await.as_deref(), Some("now"));
        db.close().await;
        drop(db);
        sqlite_restore(&copy, &path, &aside).await.unwrap();
        let db = database(&path).await;
        assert_eq!(remembered(&db).await.as_deref(), Some("then"));
        let old = database(&aside).await;
        assert_eq!(remembered(&old).await.as_deref(), Some("now"), "what was there is kept");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            for file in [&copy, &path] {
                assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
            }
        }
    }

    #[tokio::test]
    async fn what_is_no_database_of_ours_is_not_restored() {
        let folder = tempfile::tempdir().unwrap();
        let (path, copy, aside) = (folder.path().join("o.db"), folder.path().join("copy"), folder.path().join("aside"));
        database(&path).await.close().await;
        assert!(matches!(sqlite_restore(&copy, &path, &aside).await, Err(BackupError::Missing(_))));
        for content in [&b"hello"[..], b"", &[b'x'; 10_000]] {
            std::fs::write(&copy, content).unwrap();
            assert!(matches!(sqlite_restore(&copy, &path, &aside).await, Err(BackupError::Foreign(_))));
        }
        assert!(path.exists() && !aside.exists());
        assert!(matches!(sqlite_backup(&folder.path().join("no.db"), &aside).await, Err(BackupError::Missing(_))));
    }
}
