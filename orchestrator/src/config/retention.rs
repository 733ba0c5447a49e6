//! `[retention]`.

use std::time::Duration;

use orchestrator_scheduler::Retention;
use serde::{Deserialize, Serialize};

use super::ConfigError;

/// The least time that anything is kept: what is deleted at once helps nobody to find out what happened.
const LEAST: Duration = Duration::from_hours(1);

/// How long things are kept, such as `90days`; for ever where nothing is said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionSection {
    /// Log lines, from when they were written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logs: Option<String>,
    /// What robots print, from the end of their job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Jobs with their output, from their end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jobs: Option<String>,
    /// Queue elements, from their end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elements: Option<String>,
    /// The audit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit: Option<String>,
}

impl RetentionSection {
    /// As the scheduler takes it.
    pub fn to_retention(&self) -> Result<Retention, ConfigError> {
        Ok(Retention {
            logs: kept("retention.logs", self.logs.as_deref())?,
            output: kept("retention.output", self.output.as_deref())?,
            jobs: kept("retention.jobs", self.jobs.as_deref())?,
            elements: kept("retention.elements", self.elements.as_deref())?,
            audit: kept("retention.audit", self.audit.as_deref())?,
        })
    }
}

/// How long something is kept, from a text that is called `key` where it is refused.
pub(crate) fn kept(key: &'static str, text: Option<&str>) -> Result<Option<Duration>, ConfigError> {
    let Some(text) = text else { return Ok(None) };
    let time = humantime::parse_duration(text).map_err(|error| {
        ConfigError::value(key, format!("'{text}' is no time ({error}); write it as 90days or 12h, or leave it out"))
    })?;
    if time < LEAST {
        return Err(ConfigError::value(key, format!("'{text}' is shorter than one hour")));
    }
    Ok(Some(time))
}
