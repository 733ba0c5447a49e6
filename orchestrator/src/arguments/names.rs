//! States, levels and roles by name, in any case and with `-` or `_`.

use std::str::FromStr;

use orchestrator_core::identity::Role;
use orchestrator_core::job::JobStatus;
use orchestrator_core::log::LogLevel;
use orchestrator_core::queue::ElementStatus;
use orchestrator_core::states::UnknownName;

fn named<T: FromStr<Err = UnknownName>>(text: &str) -> Result<T, UnknownName> {
    text.trim().to_uppercase().replace('-', "_").parse()
}

pub(crate) fn element_status(text: &str) -> Result<ElementStatus, UnknownName> {
    named(text)
}

pub(crate) fn job_status(text: &str) -> Result<JobStatus, UnknownName> {
    named(text)
}

pub(crate) fn log_level(text: &str) -> Result<LogLevel, UnknownName> {
    named(text)
}

pub(crate) fn role(text: &str) -> Result<Role, UnknownName> {
    named(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_be_written_in_any_case() {
        for text in ["IN_PROGRESS", "in_progress", "in-progress", " In-Progress "] {
            assert_eq!(element_status(text), Ok(ElementStatus::InProgress), "{text}");
        }
        assert_eq!(job_status("timed-out"), Ok(JobStatus::TimedOut));
        assert_eq!(role("admin"), Ok(Role::Admin));
        assert_eq!(log_level("error"), Ok(LogLevel::Error));
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_known_ones() {
        let error = element_status("ok").unwrap_err().to_string();
        assert_eq!(error, "'OK' is not a queue element status; one of NEW IN_PROGRESS DONE FAILED ABANDONED");
    }
}
