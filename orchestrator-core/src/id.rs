//! Typed ids. Each is a UUID of version 7, so that ids sort by the time they were made.
//!
//! All ids of one process come from one monotonic source: random ids would scatter every insert over the index.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A text that is no UUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: '{value}' is not a UUID")]
pub struct IdError {
    /// What the id was meant to name, such as `job_id`.
    pub field: &'static str,
    /// The text as given.
    pub value: String,
}

#[expect(clippy::disallowed_methods, reason = "the one monotonic source of ids of this process")]
fn next_uuid() -> Uuid {
    Uuid::now_v7()
}

macro_rules! typed_id {
    ($(#[$doc:meta])* $name:ident, $field:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id, greater than every id this process made before.
            pub fn generate() -> Self {
                Self(next_uuid())
            }

            /// Wraps a UUID that was stored or received.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID itself.
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }

            /// The last eight hexadecimal digits, for lists: the first ones hardly differ between ids of one hour.
            pub fn short(self) -> String {
                let text = self.0.simple().to_string();
                text[text.len() - 8..].to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::try_parse(text).map(Self).map_err(|_| IdError { field: $field, value: text.to_owned() })
            }
        }
    };
}

typed_id!(
    /// A trigger.
    TriggerId, "trigger_id"
);
typed_id!(
    /// A job: one intended execution of a process.
    JobId, "job_id"
);
typed_id!(
    /// A queue element.
    ElementId, "element_id"
);
typed_id!(
    /// A log line.
    LogId, "log_id"
);
typed_id!(
    /// An API token (the row, not the secret).
    TokenId, "token_id"
);
typed_id!(
    /// A person who signs in.
    UserId, "user_id"
);
typed_id!(
    /// What a browser got when its user signed in (the row, not the secret).
    SignInId, "session_id"
);
typed_id!(
    /// One registration of a worker agent; a new one ends what the old one had.
    SessionId, "session_id"
);
typed_id!(
    /// One running agent process; it survives reconnects but not a restart of the agent.
    InstanceId, "instance_id"
);
typed_id!(
    /// Made by the caller of a state-changing call, so that the same call again gives the same answer.
    RequestId, "request_id"
);
typed_id!(
    /// A row of the audit trail.
    AuditId, "audit_id"
);
typed_id!(
    /// A recorded decision of the scheduler not to run a trigger's instant.
    DecisionId, "decision_id"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_made_by_one_process_sort_in_the_order_they_were_made() {
        let ids: Vec<JobId> = (0..1000).map(|_| JobId::generate()).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn text_that_is_no_uuid_is_refused_by_name() {
        let error = "nonsense".parse::<JobId>().unwrap_err();
        assert_eq!(error.to_string(), "job_id: 'nonsense' is not a UUID");
    }
}
