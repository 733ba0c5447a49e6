//! Credentials: user names with passwords that are stored encrypted only.

use std::fmt;

use crate::clock::Timestamp;
use crate::text::{ActorName, CredentialName, Username};

/// A credential as lists show it: without its password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// Its name.
    pub name: CredentialName,
    /// The user name.
    pub username: Username,
    /// The password as stored: `v1:<key id>:<base64>`.
    pub sealed_password: String,
    /// When it was last changed.
    pub changed_at: Timestamp,
    /// Who changed it.
    pub changed_by: Option<ActorName>,
}

/// Without the password: sealed as it is, it has no place in a log.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("name", &self.name)
            .field("username", &self.username)
            .field("changed_at", &self.changed_at)
            .field("changed_by", &self.changed_by)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_shown_without_its_password() {
        let credential = Credential {
            name: CredentialName::parse("payroll").unwrap(),
            username: Username::parse("robot", 250).unwrap(),
            sealed_password: "v1:k:c2VhbGVk".to_owned(),
            changed_at: Timestamp::UNIX_EPOCH,
            changed_by: None,
        };
        let shown = format!("{credential:?}");
        assert!(shown.contains("payroll") && !shown.contains("c2VhbGVk"), "{shown}");
    }
}
