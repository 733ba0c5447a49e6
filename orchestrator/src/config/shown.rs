//! The effective configuration as people may see it.

use serde::Serialize;

use super::database::without_password;
use super::{
    Config, DatabaseSection, LimitsSection, LogSection, RetentionSection, SchedulingSection, SecuritySection,
    ServerSection,
};

/// A configuration without passwords, with what follows from the defaults filled in.
#[derive(Debug, Serialize)]
pub struct ShownConfig {
    server: ServerSection,
    database: DatabaseSection,
    security: SecuritySection,
    scheduling: SchedulingSection,
    limits: LimitsSection,
    retention: RetentionSection,
    log: LogSection,
}

impl Config {
    /// For `server config show`.
    pub fn without_secrets(&self) -> ShownConfig {
        let file = || format!("sqlite:{}", self.database.data_folder.join("orchestrator.db").display());
        let url = self.database.url.as_deref().map_or_else(file, without_password);
        ShownConfig {
            server: self.server.clone(),
            database: DatabaseSection { url: Some(url), ..self.database.clone() },
            security: SecuritySection { key_file: Some(self.key_file()), ..self.security.clone() },
            scheduling: self.scheduling.clone(),
            limits: self.limits,
            retention: self.retention.clone(),
            log: self.log.clone(),
        }
    }
}

impl ShownConfig {
    /// As a configuration file.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).unwrap_or_else(|error| format!("# {error}"))
    }
}
