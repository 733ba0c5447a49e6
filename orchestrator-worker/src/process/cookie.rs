//! The marks by which the processes of a job are found again.

use std::ffi::OsString;
use std::fmt;
use std::str::FromStr;

use orchestrator_core::id::{InstanceId, JobId};
use orchestrator_core::lease::LeaseToken;
use serde::{Deserialize, Serialize};

/// The variable in the environment of a job's processes that holds the job's id.
pub const JOB_ID_VARIABLE: &str = "ORCHESTRATOR_JOB_ID";

/// The variable that holds the grant under which an agent runs the job.
pub const JOB_GRANT_VARIABLE: &str = "ORCHESTRATOR_JOB_GRANT";

/// Which agent runs a job, under which of the job's grants. A job may be granted again, to another agent of this machine or
/// to the same one: each grant has processes of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Grant {
    /// The agent, by its folder.
    pub installation: InstanceId,
    /// The grant's fencing token.
    pub lease_token: LeaseToken,
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.installation, self.lease_token.value())
    }
}

/// A text that is no grant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not <installation>/<lease token>")]
pub struct NotAGrant(String);

impl FromStr for Grant {
    type Err = NotAGrant;

    fn from_str(text: &str) -> Result<Self, NotAGrant> {
        let parts = || {
            let (installation, token) = text.split_once('/')?;
            Some(Self { installation: installation.parse().ok()?, lease_token: LeaseToken::new(token.parse().ok()?) })
        };
        parts().ok_or_else(|| NotAGrant(text.to_owned()))
    }
}

/// The mark that every process of a job inherits in its environment: the job, and the grant under which it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct JobCookie {
    job: JobId,
    grant: Grant,
}

impl JobCookie {
    /// The cookie of a job under a grant.
    pub const fn new(job: JobId, grant: Grant) -> Self {
        Self { job, grant }
    }

    /// The job that the cookie marks.
    pub const fn job(self) -> JobId {
        self.job
    }

    /// The grant that the cookie marks.
    pub const fn grant(self) -> Grant {
        self.grant
    }

    /// The variables, with their values.
    pub(crate) fn variables(self) -> [(&'static str, OsString); 2] {
        [(JOB_ID_VARIABLE, self.job.to_string().into()), (JOB_GRANT_VARIABLE, self.grant.to_string().into())]
    }
}

impl fmt::Display for JobCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{JOB_ID_VARIABLE}={} {JOB_GRANT_VARIABLE}={}", self.job, self.grant)
    }
}

/// What a process bears. Programs that clear their environment, and agents up to the first version, pass on the job's id
/// alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) job: JobId,
    pub(crate) grant: Option<Grant>,
}

impl Mark {
    /// The mark in the `NAME=value` entries of an environment.
    pub(crate) fn in_environment<'e>(entries: impl IntoIterator<Item = &'e [u8]>) -> Option<Self> {
        let (mut job, mut grant) = (None, None);
        for entry in entries {
            // As the C library: the first of two entries of one name counts.
            if let Some(value) = value_of(entry, JOB_ID_VARIABLE) {
                job = job.or(Some(value));
            } else if let Some(value) = value_of(entry, JOB_GRANT_VARIABLE) {
                grant = grant.or(Some(value));
            }
        }
        Some(Self { job: job?.parse().ok()?, grant: grant.and_then(|grant| grant.parse().ok()) })
    }
}

fn value_of<'e>(entry: &'e [u8], name: &str) -> Option<&'e str> {
    std::str::from_utf8(entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(environment: &str) -> Option<Mark> {
        Mark::in_environment(environment.split('\n').map(str::as_bytes))
    }

    #[test]
    fn a_mark_is_read_from_its_own_entries_only() {
        let (job, installation) = (JobId::generate(), InstanceId::generate());
        let grant = Grant { installation, lease_token: LeaseToken::new(7) };
        let variables =
            JobCookie::new(job, grant).variables().map(|(name, value)| format!("{name}={}", value.display()));
        let whole = format!("PATH=/bin\n{}\n{}", variables[1], variables[0]);
        assert_eq!(mark(&whole), Some(Mark { job, grant: Some(grant) }));
        assert_eq!(mark(&variables[0]), Some(Mark { job, grant: None }), "as an earlier version marked it");
        assert_eq!(mark(&format!("{}\nORCHESTRATOR_JOB_GRANT=x/7", variables[0])), Some(Mark { job, grant: None }));
        assert_eq!(mark(&variables[1]), None);
        for entry in ["ORCHESTRATOR_JOB_ID=nonsense", "ORCHESTRATOR_JOB_IDX=", "PATH=/bin", "ORCHESTRATOR_JOB_ID"] {
            assert_eq!(mark(entry), None, "{entry}");
        }
    }

    #[test]
    fn a_grant_is_read_as_it_is_written() {
        let grant = Grant { installation: InstanceId::generate(), lease_token: LeaseToken::new(41) };
        assert_eq!(grant.to_string().parse(), Ok(grant));
        for text in ["", "41", "/41", "x/41", &format!("{}/", grant.installation), &format!("{}/x", grant.installation)]
        {
            assert!(text.parse::<Grant>().is_err(), "{text}");
        }
    }
}
