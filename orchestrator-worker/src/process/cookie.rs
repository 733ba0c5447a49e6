//! The mark by which the processes of a job are found again.

use std::ffi::{OsStr, OsString};
use std::fmt;

use orchestrator_core::id::JobId;

/// The variable in the environment of a job's processes that holds the job's id.
pub const JOB_ID_VARIABLE: &str = "ORCHESTRATOR_JOB_ID";

/// The mark that every process of a job inherits in its environment: `ORCHESTRATOR_JOB_ID=<job id>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct JobCookie(JobId);

impl JobCookie {
    /// The cookie of a job.
    pub const fn new(job: JobId) -> Self {
        Self(job)
    }

    /// The job that the cookie marks.
    pub const fn job(self) -> JobId {
        self.0
    }

    /// The variable's value.
    pub(crate) fn value(self) -> OsString {
        self.0.to_string().into()
    }

    /// The cookie in one `NAME=value` entry of an environment.
    pub(crate) fn from_entry(entry: &OsStr) -> Option<Self> {
        let value = entry.to_str()?.strip_prefix(JOB_ID_VARIABLE)?.strip_prefix('=')?;
        value.parse().ok().map(Self)
    }
}

impl fmt::Display for JobCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{JOB_ID_VARIABLE}={}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_read_from_its_own_entry_only() {
        let cookie = JobCookie::new(JobId::generate());
        assert_eq!(JobCookie::from_entry(OsStr::new(&cookie.to_string())), Some(cookie));
        for entry in ["ORCHESTRATOR_JOB_ID=nonsense", "ORCHESTRATOR_JOB_IDX=", "PATH=/bin", "ORCHESTRATOR_JOB_ID"] {
            assert_eq!(JobCookie::from_entry(OsStr::new(entry)), None);
        }
    }
}
