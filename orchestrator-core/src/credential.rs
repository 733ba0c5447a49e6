//! Credentials: user names with passwords that are stored encrypted only.

use crate::clock::Timestamp;
use crate::text::{ActorName, CredentialName, Username};

/// A credential as lists show it: without its password.
#[derive(Debug, Clone, PartialEq, Eq)]
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
