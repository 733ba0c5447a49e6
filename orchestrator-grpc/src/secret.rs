//! Passwords of credentials: sealed on their way in, opened on their way out.

use orchestrator_core::credential::Credential;
use orchestrator_core::secret::{Ciphertext, DecryptError, KeyRing, Location, PasswordTooLong, Plaintext};
use orchestrator_core::text::CredentialName;
use tonic::{Code, Status};

use crate::status::{self, Refusal, reason};

fn location(name: &CredentialName) -> Location<'_> {
    Location { table: "credentials", row: name.as_str(), column: "password" }
}

/// Seals a password for one credential.
pub(crate) fn seal(keys: &KeyRing, name: &CredentialName, password: String) -> Result<String, Status> {
    let password = Plaintext::password(password).map_err(too_long)?;
    let sealed = keys.encrypt(location(name), &password).map_err(|error| status::internal(&error))?;
    Ok(sealed.as_str().to_owned())
}

/// Opens the password of a credential.
pub(crate) fn open(keys: &KeyRing, credential: &Credential) -> Result<Plaintext, Status> {
    let sealed = Ciphertext::from_stored(credential.sealed_password.as_str());
    keys.decrypt(location(&credential.name), &sealed).map_err(|error| unreadable(&credential.name, &error))
}

fn too_long(error: PasswordTooLong) -> Status {
    Refusal::new(Code::InvalidArgument, reason::INVALID_FIELD, error.to_string())
        .in_field("password")
        .with("limit", &error.limit)
        .with("length", &error.length)
        .status()
}

/// Says which key is missing: whoever starts the server with a wrong key file reads it here first.
fn unreadable(name: &CredentialName, error: &DecryptError) -> Status {
    tracing::error!(credential.name = %name, %error, "a stored password cannot be decrypted");
    let message = format!("the password of credential '{name}' cannot be decrypted: {error}");
    Refusal::new(Code::FailedPrecondition, reason::SECRET_UNREADABLE, message).with("name", name).status()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use orchestrator_core::text::Username;
    use tonic_types::StatusExt as _;

    use super::*;

    fn credential(name: &str, sealed_password: String) -> Credential {
        Credential {
            name: CredentialName::parse(name).unwrap(),
            username: Username::parse("robot", 250).unwrap(),
            sealed_password,
            changed_at: DateTime::UNIX_EPOCH,
            changed_by: None,
        }
    }

    fn reason_of(status: &Status) -> String {
        status.get_error_details().error_info().unwrap().reason.clone()
    }

    #[test]
    fn a_password_opens_only_where_it_was_sealed() {
        let keys = KeyRing::generate().unwrap();
        let name = CredentialName::parse("payroll").unwrap();
        let sealed = seal(&keys, &name, "hunter2".to_owned()).unwrap();
        assert!(!sealed.contains("hunter2"));
        assert_eq!(open(&keys, &credential("payroll", sealed.clone())).unwrap().expose(), "hunter2");
        let moved = open(&keys, &credential("mine", sealed.clone())).unwrap_err();
        assert_eq!((moved.code(), reason_of(&moved).as_str()), (Code::FailedPrecondition, "SECRET_UNREADABLE"));
        let other_keys = open(&KeyRing::generate().unwrap(), &credential("payroll", sealed)).unwrap_err();
        assert!(other_keys.message().contains("key"), "{}", other_keys.message());
    }

    #[test]
    fn a_password_that_is_too_long_is_refused_without_a_part_of_it() {
        let name = CredentialName::parse("payroll").unwrap();
        let refused = seal(&KeyRing::generate().unwrap(), &name, "x".repeat(701)).unwrap_err();
        assert_eq!((refused.code(), reason_of(&refused).as_str()), (Code::InvalidArgument, "INVALID_FIELD"));
        assert!(!refused.message().contains("xx"));
    }
}
