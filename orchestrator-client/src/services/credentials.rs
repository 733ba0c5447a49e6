//! User names and passwords.

use orchestrator_core::secret::Plaintext;
use orchestrator_proto::v1 as pb;

use super::{all_pages, service};
use crate::Error;
use crate::client::present;

service!(
    /// User names with passwords, which leave the server only by [`Credentials::reveal`] and by robots' own calls.
    Credentials
);

/// A credential with its password.
#[derive(Debug)]
#[non_exhaustive]
pub struct Revealed {
    /// The user's name.
    pub username: String,
    /// Shown by `expose` alone.
    pub password: Plaintext,
}

impl Credentials<'_> {
    /// All credentials by name, without passwords.
    pub async fn list(&self) -> Result<Vec<pb::Credential>, Error> {
        all_pages!(
            self.client,
            "/orchestrator.v1.CredentialService/List",
            pb::ListCredentialsRequest::default(),
            pb::ListCredentialsResponse,
            credentials,
            usize::MAX
        )
    }

    /// One credential, without its password.
    pub async fn get(&self, name: &str) -> Result<pb::Credential, Error> {
        let request = pb::GetCredentialRequest { name: name.to_owned() };
        let answer: pb::GetCredentialResponse =
            self.client.call("/orchestrator.v1.CredentialService/Get", request).await?;
        present(self.client.url(), "credential", answer.credential)
    }

    /// One credential with its password. The server writes down who saw it.
    pub async fn reveal(&self, name: &str) -> Result<Revealed, Error> {
        let request = pb::RevealCredentialRequest { name: name.to_owned() };
        let answer: pb::RevealCredentialResponse =
            self.client.call("/orchestrator.v1.CredentialService/Reveal", request).await?;
        let credential = present(self.client.url(), "credential", answer.credential)?;
        Ok(Revealed { username: credential.username, password: Plaintext::new(answer.password) })
    }

    /// Creates or replaces a credential.
    pub async fn set(&self, name: &str, username: &str, password: &Plaintext) -> Result<pb::Credential, Error> {
        let request = pb::SetCredentialRequest {
            name: name.to_owned(),
            username: username.to_owned(),
            password: password.expose().to_owned(),
            create_only: false,
        };
        let answer: pb::SetCredentialResponse =
            self.client.call("/orchestrator.v1.CredentialService/Set", request).await?;
        present(self.client.url(), "credential", answer.credential)
    }

    /// Removes a credential.
    pub async fn delete(&self, name: &str) -> Result<(), Error> {
        let request = pb::DeleteCredentialRequest { name: name.to_owned() };
        let answer = self.client.call_removing("/orchestrator.v1.CredentialService/Delete", request).await?;
        let pb::DeleteCredentialResponse {} = answer;
        Ok(())
    }
}
