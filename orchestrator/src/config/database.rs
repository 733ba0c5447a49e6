//! `[database]`.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::ConfigError;

/// Where the server keeps its data.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseSection {
    /// `sqlite:PATH` or `postgres://USER:PASSWORD@HOST/NAME`; a SQLite file in the data folder when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// For the SQLite file, the key file and the first admin's token.
    pub data_folder: PathBuf,
    /// Accept a PostgreSQL that may forget acknowledged work at a power failure (`fsync` or `synchronous_commit` off).
    pub accept_weak_durability: bool,
}

impl Default for DatabaseSection {
    fn default() -> Self {
        Self { url: None, data_folder: PathBuf::from("orchestrator-data"), accept_weak_durability: false }
    }
}

impl fmt::Debug for DatabaseSection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseSection")
            .field("url", &self.url.as_deref().map(without_password))
            .field("data_folder", &self.data_folder)
            .field("accept_weak_durability", &self.accept_weak_durability)
            .finish()
    }
}

/// Which database.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file.
    Sqlite(PathBuf),
    /// A server; the whole address, password and all.
    Postgres(String),
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => f.debug_tuple("Sqlite").field(path).finish(),
            Self::Postgres(url) => f.debug_tuple("Postgres").field(&without_password(url)).finish(),
        }
    }
}

impl DatabaseSection {
    /// The database that is meant.
    pub fn url(&self) -> Result<DatabaseUrl, ConfigError> {
        let Some(url) = self.url.as_deref() else {
            return Ok(DatabaseUrl::Sqlite(self.data_folder.join("orchestrator.db")));
        };
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(DatabaseUrl::Postgres(url.to_owned()));
        }
        match url.strip_prefix("sqlite:").map(|path| path.strip_prefix("//").unwrap_or(path)) {
            Some(path) if !path.is_empty() => Ok(DatabaseUrl::Sqlite(PathBuf::from(path))),
            _ => Err(ConfigError::value("database.url", "expected sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME")),
        }
    }
}

/// An address that may be shown: the password, and whatever stands in the query, is masked.
pub(crate) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (rest, query) = rest.split_once('?').map_or((rest, ""), |(rest, _)| (rest, "?***"));
    // A password may hold an @ of its own: the last one before the host counts.
    let shown = match rest.rsplit_once('@') {
        Some((user, host)) => format!("{}:***@{host}", user.split(':').next().unwrap_or_default()),
        None => rest.to_owned(),
    };
    format!("{scheme}://{shown}{query}")
}
