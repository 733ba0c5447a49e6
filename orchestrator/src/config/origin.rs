//! Which of the sources won, key by key.

use serde::Serialize;
use toml::{Table, Value};

use super::load::read;
use super::{Config, ConfigError, ConfigFlags};

/// The origin of a value that nobody set.
pub(super) const DEFAULT: &str = "default";

/// A key of the effective configuration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Setting {
    /// Such as `server.listen`.
    pub key: String,
    /// As it is shown: without passwords.
    pub value: String,
    /// Where it is from: a flag, a variable, the file, or the default.
    pub origin: String,
}

impl Config {
    /// Every key with its value and where that is from.
    pub fn settings(&self, flags: &ConfigFlags) -> Result<Vec<Setting>, ConfigError> {
        let file = match &flags.config {
            Some(path) => {
                // It was read before: what is no TOML was refused there.
                Some((path, read(path)?.parse::<Table>().unwrap_or_default()))
            }
            None => None,
        };
        let variables: Vec<String> = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect();
        let shown: Table = self.without_secrets().to_toml().parse().unwrap_or_default();
        let mut settings = Vec::new();
        for (section, keys) in &shown {
            for (key, value) in keys.as_table().into_iter().flatten() {
                let name = format!("{section}.{key}");
                let variable = format!("ORCHESTRATOR__{section}__{key}").to_uppercase();
                let in_file = |(path, table): &(&std::path::PathBuf, Table)| {
                    table.get(section)?.get(key).map(|_| format!("file {}", path.display()))
                };
                let origin = flags
                    .of_key(&name)
                    .map(|flag| format!("flag {flag}"))
                    .or_else(|| {
                        variables.iter().find(|set| set.to_uppercase() == variable).map(|set| format!("variable {set}"))
                    })
                    .or_else(|| file.as_ref().and_then(in_file))
                    .unwrap_or_else(|| DEFAULT.to_owned());
                settings.push(Setting { key: name, value: text(value), origin });
            }
        }
        Ok(settings)
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl ConfigFlags {
    /// The flag that sets a key, where it was given.
    fn of_key(&self, key: &str) -> Option<&'static str> {
        let (given, flag) = match key {
            "server.listen" => (self.listen.is_some(), "--listen"),
            "server.insecure" => (self.insecure, "--insecure"),
            "database.url" => (self.database.is_some(), "--database"),
            "database.data_folder" => (self.data.is_some(), "--data"),
            "database.accept_weak_durability" => (self.accept_weak_durability, "--accept-weak-durability"),
            "security.key_file" => (self.key_file.is_some(), "--key-file"),
            _ => return None,
        };
        given.then_some(flag)
    }
}
