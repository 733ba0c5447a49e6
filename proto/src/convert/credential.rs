use orchestrator_core::credential::Credential;

use super::value::timestamp;
use crate::v1;

/// A credential as lists show it: no part of its password is there to be sent.
pub fn credential(credential: &Credential) -> v1::Credential {
    v1::Credential {
        name: credential.name.as_str().to_owned(),
        username: credential.username.as_str().to_owned(),
        changed_at: Some(timestamp(credential.changed_at)),
        changed_by: credential.changed_by.as_ref().map(ToString::to_string).unwrap_or_default(),
    }
}
