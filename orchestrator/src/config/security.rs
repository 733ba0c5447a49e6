//! `[security]`.

use std::path::PathBuf;
use std::time::Duration;

use orchestrator_grpc::accounts::AccountOptions;
use serde::{Deserialize, Serialize};

use super::ConfigError;

/// The longest session: ten years are as good as for ever.
const MOST_MINUTES: u32 = 60 * 24 * 3660;

/// Keys, and sessions of people who sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecuritySection {
    /// The file with the keys for stored passwords; `orchestrator.key` in the data folder when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// A browser's session that is not used for so long is over.
    pub session_idle_minutes: u32,
    /// A browser's session is over after so long, however busy.
    pub session_minutes: u32,
    /// What `orchestrator login` gets for a password is over after so long.
    pub login_minutes: u32,
    /// Cookies are sent over https only. Always so where the server itself does TLS; set it behind a proxy that does.
    pub secure_cookies: bool,
}

impl Default for SecuritySection {
    fn default() -> Self {
        Self {
            key_file: None,
            session_idle_minutes: 8 * 60,
            session_minutes: 24 * 60,
            login_minutes: 30 * 24 * 60,
            secure_cookies: false,
        }
    }
}

impl SecuritySection {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for (key, value) in [
            ("security.session_idle_minutes", self.session_idle_minutes),
            ("security.session_minutes", self.session_minutes),
            ("security.login_minutes", self.login_minutes),
        ] {
            if !(1..=MOST_MINUTES).contains(&value) {
                return Err(ConfigError::value(key, format!("{value} is not from 1 to {MOST_MINUTES}")));
            }
        }
        Ok(())
    }

    /// As the server takes them.
    pub fn account_options(&self, tls: bool) -> AccountOptions {
        AccountOptions {
            idle: Duration::from_mins(self.session_idle_minutes.into()),
            longest: Duration::from_mins(self.session_minutes.into()),
            command_line: Duration::from_mins(self.login_minutes.into()),
            secure_cookies: self.secure_cookies || tls,
        }
    }
}
