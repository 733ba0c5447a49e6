//! `[security]`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Keys.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecuritySection {
    /// The file with the keys for stored passwords; `orchestrator.key` in the data folder when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
}
