//! The server's configuration: defaults, then a TOML file, then `ORCHESTRATOR__SECTION__KEY`, then flags. Unknown keys
//! are refused. These types stop at the composition root; other crates take options of their own.

mod database;
mod error;
mod flags;
mod limits;
mod load;
mod log;
mod origin;
mod retention;
mod scheduling;
mod security;
mod server;
mod shown;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use serde::Deserialize;

pub(crate) use database::without_password;
pub use database::{DatabaseSection, DatabaseUrl};
pub use error::ConfigError;
pub use flags::ConfigFlags;
pub use limits::LimitsSection;
pub use log::LogSection;
pub use origin::Setting;
pub use retention::RetentionSection;
pub(crate) use retention::kept;
pub use scheduling::SchedulingSection;
pub use security::SecuritySection;
pub use server::ServerSection;

/// A configuration file with every key, its meaning and its default.
pub const TEMPLATE: &str = include_str!("template.toml");

/// Everything a server is told.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where it listens.
    pub server: ServerSection,
    /// Where it keeps its data.
    pub database: DatabaseSection,
    /// Keys.
    pub security: SecuritySection,
    /// When things run.
    pub scheduling: SchedulingSection,
    /// How large things may be.
    pub limits: LimitsSection,
    /// How long things are kept.
    pub retention: RetentionSection,
    /// What it tells about itself.
    pub log: LogSection,
}

impl Config {
    /// Checks what one value alone does not show.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.server.check()?;
        self.database.url()?;
        self.security.check()?;
        self.limits.check()?;
        self.retention.to_retention()?;
        self.log.check()
    }

    /// Where the key file is: the one that is named, or `orchestrator.key` in the data folder.
    pub fn key_file(&self) -> PathBuf {
        self.security.key_file.clone().unwrap_or_else(|| self.database.data_folder.join("orchestrator.key"))
    }
}
