//! The stable codes of refusals.

use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)+) => {
        /// Why a call was refused, as a name that never changes. A newer server may know more of them.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* $variant,)+
            /// Nothing has this name or id; says what was looked for, such as `TRIGGER`.
            NotFound(String),
            /// A code that this version does not know; empty when there was none.
            Other(String),
        }

        impl Code {
            /// Reads a code.
            pub fn from_text(text: &str) -> Self {
                match text {
                    $($text => Self::$variant,)+
                    _ => match text.strip_suffix("_NOT_FOUND") {
                        Some(what) => Self::NotFound(what.to_owned()),
                        None => Self::Other(text.to_owned()),
                    },
                }
            }
        }

        impl fmt::Display for Code {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant => f.write_str($text),)+
                    Self::NotFound(what) => write!(f, "{what}_NOT_FOUND"),
                    Self::Other(text) => f.write_str(text),
                }
            }
        }

        #[cfg(test)]
        const ALL: &[&str] = &[$($text),+];
    };
}

codes! {
    /// A field of the request; [`Refusal::field`](crate::Refusal::field) names it.
    InvalidField = "INVALID_FIELD",
    /// A cron expression.
    InvalidCron = "INVALID_CRON",
    /// The message was none of the method.
    InvalidMessage = "INVALID_MESSAGE",
    /// The body was no JSON of the method's request.
    InvalidJson = "INVALID_JSON",
    /// More at once than the server takes.
    MessageTooLarge = "MESSAGE_TOO_LARGE",
    /// The server does not know the method: it is older than this client.
    MethodUnknown = "METHOD_UNKNOWN",
    /// The address is one that the server does not answer to.
    HostNotAllowed = "HOST_NOT_ALLOWED",
    /// The part of an id fits more than one thing.
    Ambiguous = "AMBIGUOUS",
    /// The name is taken.
    NameExists = "NAME_EXISTS",
    /// Something with this key exists.
    Conflict = "CONFLICT",
    /// The thing is not in the state that the change requires.
    IllegalTransition = "ILLEGAL_TRANSITION",
    /// Someone else changed the thing since it was read.
    ChangedMeanwhile = "CHANGED_MEANWHILE",
    /// The lease token is stale: someone else may hold the job or element.
    LeaseLost = "LEASE_LOST",
    /// Another job that still runs holds the element.
    ElementHeld = "ELEMENT_HELD",
    /// The job that asks does not run any more.
    JobEnded = "JOB_ENDED",
    /// The stored password cannot be decrypted with the server's keys.
    SecretUnreadable = "SECRET_UNREADABLE",
    /// A repeated call does not fit the call that it repeats.
    RepeatMismatch = "REPEAT_MISMATCH",
    /// Too much waits to be done already.
    Overloaded = "OVERLOADED",
    /// The database cannot be reached or is busy.
    DatabaseUnavailable = "DATABASE_UNAVAILABLE",
    /// The database's disk takes no more.
    DatabaseFull = "DATABASE_FULL",
    /// A mistake in the server.
    Internal = "INTERNAL",
    /// The server is stopping.
    ShuttingDown = "SHUTTING_DOWN",
    /// The worker has not reached the server for as long as robots are asked to wait.
    ServerAway = "SERVER_AWAY",
    /// There was no token.
    TokenMissing = "TOKEN_MISSING",
    /// What was given is no token.
    TokenMalformed = "TOKEN_MALFORMED",
    /// Nobody has this token.
    TokenUnknown = "TOKEN_UNKNOWN",
    /// The token was revoked.
    TokenRevoked = "TOKEN_REVOKED",
    /// The token has expired.
    TokenExpired = "TOKEN_EXPIRED",
    /// The job token belongs to no job that this worker holds.
    JobTokenUnknown = "JOB_TOKEN_UNKNOWN",
    /// The role may not do this.
    RoleTooLow = "ROLE_TOO_LOW",
    /// The method is for another kind of caller.
    WrongCaller = "WRONG_CALLER",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_as_what_it_prints() {
        for text in ALL.iter().copied().chain(["TRIGGER_NOT_FOUND", "SOMETHING_NEW", ""]) {
            assert_eq!(Code::from_text(text).to_string(), text);
        }
        assert_eq!(Code::from_text("QUEUE_ELEMENT_NOT_FOUND"), Code::NotFound("QUEUE_ELEMENT".to_owned()));
    }
}
