//! Layer over layer.

use std::collections::HashMap;
use std::path::Path;

use config::{Environment, File, FileFormat};

use super::origin::DEFAULT;
use super::{Config, ConfigError, ConfigFlags};

pub(super) fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|source| ConfigError::File { path: path.to_owned(), source })
}

/// What is wrong in the file, where it is wrong by itself. The layers above it forget lines.
fn wrong_line(path: &Path, text: &str) -> Option<ConfigError> {
    let source = File::from_str(text, FileFormat::Toml);
    let alone =
        config::Config::builder().add_source(source).build().and_then(config::Config::try_deserialize::<Config>);
    // A number in quotes, say, is no fault to it: what is wrong then is not in the file.
    let by_key = alone.err()?;
    let by_line = toml::from_str::<Config>(text).err()?;
    let line = by_line.span().map(|span| text[..span.start].matches('\n').count() + 1);
    let problem = match by_key {
        // Its whole text quotes the line, which may have a password.
        config::ConfigError::FileParse { .. } => by_line.message().to_owned(),
        _ => by_key.to_string(),
    };
    Some(ConfigError::Place { path: path.to_owned(), line, problem })
}

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
        let file = flags.config.as_deref().map(|path| read(path).map(|text| (path, text))).transpose()?;
        if let Some((_, text)) = &file {
            builder = builder.add_source(File::from_str(text, FileFormat::Toml));
        }
        let variables = Environment::with_prefix("ORCHESTRATOR")
            .prefix_separator("__")
            .separator("__")
            .try_parsing(true)
            .list_separator(",")
            .with_list_parse_key("server.allowed_hosts")
            .source(environment);
        let loaded = builder.add_source(variables).build().and_then(config::Config::try_deserialize::<Self>);
        match loaded {
            Ok(loaded) => Ok(loaded.with(flags)),
            Err(error) => {
                Err(file.and_then(|(path, text)| wrong_line(path, &text)).unwrap_or(ConfigError::Form(error)))
            }
        }
    }

    /// As [`Config::load`], and checks the rest. What does not fit is named with where it is set.
    pub fn load_checked(flags: &ConfigFlags) -> Result<Self, ConfigError> {
        let config = Self::load(flags)?;
        let set_by = |key: &str| {
            let setting = config.settings(flags).ok()?.into_iter().find(|setting| setting.key == key)?;
            (setting.origin != DEFAULT).then_some(setting.origin)
        };
        config.check().map_err(|error| error.set_in(set_by))?;
        Ok(config)
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
