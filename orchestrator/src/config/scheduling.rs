//! `[scheduling]`.

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// When things run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SchedulingSection {
    /// The zone of scheduled triggers that name none; this machine's, or UTC when that is unknown.
    pub time_zone: Tz,
}

impl Default for SchedulingSection {
    fn default() -> Self {
        let machine = iana_time_zone::get_timezone().ok().and_then(|name| name.parse().ok());
        Self { time_zone: machine.unwrap_or(Tz::UTC) }
    }
}
