//! `[limits]`.

use orchestrator_core::text::Limits;
use serde::{Deserialize, Serialize};

use super::ConfigError;

/// How large things may be, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsSection {
    /// The data of a queue element.
    pub data: usize,
    /// The arguments of a process.
    pub process_args: usize,
    /// The value of a constant.
    pub constant_value: usize,
}

impl Default for LimitsSection {
    fn default() -> Self {
        let Limits { data, process_args, constant_value } = Limits::default();
        Self { data, process_args, constant_value }
    }
}

impl LimitsSection {
    /// As the domain takes them.
    pub fn to_limits(self) -> Limits {
        Limits { data: self.data, process_args: self.process_args, constant_value: self.constant_value }
    }

    pub(super) fn check(self) -> Result<(), ConfigError> {
        let least = Self::default();
        for (key, value, least) in [
            ("limits.data", self.data, least.data),
            ("limits.process_args", self.process_args, least.process_args),
            ("limits.constant_value", self.constant_value, least.constant_value),
        ] {
            if !(least..=Limits::MOST).contains(&value) {
                return Err(ConfigError::value(key, format!("{value} is not from {least} to {}", Limits::MOST)));
            }
        }
        Ok(())
    }
}
