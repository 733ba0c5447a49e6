//! Layer over layer.

use std::collections::HashMap;

use config::{Environment, File, FileFormat};

use super::{Config, ConfigError, ConfigFlags};

impl Config {
    /// Reads file and environment, and puts the flags on top. Checks keys and types; see [`Config::check`] for the rest.
    pub fn load(flags: &ConfigFlags) -> Result<Self, ConfigError> {
        Self::load_with(flags, None)
    }

    /// As [`Config::load`], with another environment than the program's.
    pub(super) fn load_with(
        flags: &ConfigFlags,
        environment: Option<HashMap<String, String>>,
    ) -> Result<Self, ConfigError> {
        let mut builder = config::Config::builder();
        if let Some(path) = &flags.config {
            let text =
                std::fs::read_to_string(path).map_err(|source| ConfigError::File { path: path.clone(), source })?;
            builder = builder.add_source(File::from_str(&text, FileFormat::Toml));
        }
        let variables = Environment::with_prefix("ORCHESTRATOR")
            .prefix_separator("__")
            .separator("__")
            .try_parsing(true)
            .list_separator(",")
            .with_list_parse_key("server.allowed_hosts")
            .source(environment);
        let loaded: Self = builder.add_source(variables).build()?.try_deserialize()?;
        Ok(loaded.with(flags))
    }

    fn with(mut self, flags: &ConfigFlags) -> Self {
        self.server.listen = flags.listen.unwrap_or(self.server.listen);
        self.server.insecure |= flags.insecure;
        self.database.url = flags.database.clone().or(self.database.url);
        if let Some(folder) = &flags.data {
            self.database.data_folder.clone_from(folder);
        }
        self.database.accept_weak_durability |= flags.accept_weak_durability;
        self.security.key_file = flags.key_file.clone().or(self.security.key_file);
        self
    }
}
