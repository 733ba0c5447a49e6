//! Credentials. Passwords come and go as ciphertext only.

use chrono::{DateTime, Utc};
use orchestrator_core::credential::Credential;
use orchestrator_core::text::{ActorName, CredentialName, Username};

use crate::answer::{Bulk, texts};
use crate::dialect::{Sql, sql};
use crate::error::{DbError, Readable};
use crate::page::PageRequest;
use crate::rows::{execute, fetch, fetch_scalars};
use crate::tx::Tx;

macro_rules! credential_columns {
    () => {
        "name, username, password, changed_at, changed_by"
    };
}

const CREDENTIAL_GET: Sql = sql!["SELECT " [columns credential_columns] " FROM credentials WHERE name = $1"];
const CREDENTIAL_NAMES: Sql = sql!["SELECT name FROM credentials"];
const CREDENTIAL_LIST: Sql =
    sql!["SELECT " [columns credential_columns] " FROM credentials WHERE name > $1 ORDER BY name LIMIT $2"];
const CREDENTIAL_CREATE: Sql =
    sql!["INSERT INTO credentials (" [columns credential_columns] ") VALUES ($1, $2, $3, $4, $5)"];
const CREDENTIAL_SET: Sql = sql!["INSERT INTO credentials (" [columns credential_columns] ") VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (name) DO UPDATE SET username = excluded.username, password = excluded.password,
         changed_at = excluded.changed_at, changed_by = excluded.changed_by"];
const CREDENTIAL_UPDATE: Sql = sql![
    "UPDATE credentials
     SET username = $2, password = $3, changed_at = $4, changed_by = $5 WHERE name = $1"
];
// Only what was read: a password that someone set meanwhile stays.
const CREDENTIAL_RESEAL: Sql = sql!["UPDATE credentials SET password = $2 WHERE name = $1 AND password = $3"];
const CREDENTIAL_DELETE: Sql = sql!["DELETE FROM credentials WHERE name = $1"];

#[derive(Debug, sqlx::FromRow)]
struct CredentialRow {
    name: String,
    username: String,
    password: String,
    changed_at: DateTime<Utc>,
    changed_by: Option<String>,
}

impl Bulk for CredentialRow {
    fn bytes(&self) -> usize {
        // The password is not answered.
        100 + self.name.len() + self.username.len() + texts([&self.changed_by])
    }
}

impl From<CredentialRow> for Credential {
    fn from(row: CredentialRow) -> Self {
        Self {
            name: CredentialName::from_stored(row.name),
            username: Username::from_stored(row.username),
            sealed_password: row.password,
            changed_at: row.changed_at,
            changed_by: row.changed_by.map(ActorName::from_stored),
        }
    }
}

impl Tx {
    /// A credential, its password sealed.
    pub async fn credential_get(&mut self, name: &CredentialName) -> Result<Credential, DbError> {
        let rows = fetch!(self, "credential_get", CREDENTIAL_GET, table "credentials" key "name" as CredentialRow, [name.as_str()]);
        let row = rows?.pop().ok_or_else(|| DbError::not_found("credential", name))?;
        Ok(row?.into())
    }

    /// The credential that is meant by a name: the one that has it, or else the only one whose name differs in case and
    /// trailing blanks only.
    pub async fn credential_meant(&mut self, name: &CredentialName) -> Result<Credential, DbError> {
        match self.credential_get(name).await {
            Err(DbError::NotFound { .. }) => {}
            found => return found,
        }
        let names = fetch_scalars!(self, "credential_names", CREDENTIAL_NAMES, as String, [])?;
        let meant = DbError::meant_of("credential", name.as_str(), names)?;
        self.credential_get(&CredentialName::from_stored(meant)).await
    }

    /// A page of credentials by name, with the cursor of the next one.
    pub async fn credential_list(
        &mut self,
        page: &PageRequest,
    ) -> Result<(Readable<Credential>, Option<String>), DbError> {
        let after = page.after::<String>()?.unwrap_or_default();
        let mut rows = fetch!(self, "credential_list", CREDENTIAL_LIST, table "credentials" key "name" as CredentialRow, [
            after,
            page.fetch(),
        ])?;
        let next = page.cut(&mut rows, |row| row.name.clone());
        Ok((Readable::collect(rows.into_iter().map(|row| row.map(Credential::from))), next))
    }

    /// Replaces the ciphertext of the same password. False when the password was changed since it was read.
    pub async fn credential_reseal(&mut self, name: &CredentialName, old: &str, new: &str) -> Result<bool, DbError> {
        let changed = execute!(self, "credential_reseal", CREDENTIAL_RESEAL, [name.as_str(), new, old])?;
        Ok(changed > 0)
    }

    /// Creates a credential; a conflict when the name exists.
    pub async fn credential_create(&mut self, credential: &Credential) -> Result<(), DbError> {
        self.credential_write("credential_create", CREDENTIAL_CREATE, credential).await.map(drop)
    }

    /// Creates or replaces a credential.
    pub async fn credential_set(&mut self, credential: &Credential) -> Result<(), DbError> {
        self.credential_write("credential_set", CREDENTIAL_SET, credential).await.map(drop)
    }

    /// Replaces a credential that exists.
    pub async fn credential_update(&mut self, credential: &Credential) -> Result<(), DbError> {
        match self.credential_write("credential_update", CREDENTIAL_UPDATE, credential).await? {
            0 => Err(DbError::not_found("credential", &credential.name)),
            _ => Ok(()),
        }
    }

    /// Removes a credential.
    pub async fn credential_delete(&mut self, name: &CredentialName) -> Result<(), DbError> {
        match execute!(self, "credential_delete", CREDENTIAL_DELETE, [name.as_str()])? {
            0 => Err(DbError::not_found("credential", name)),
            _ => Ok(()),
        }
    }

    async fn credential_write(&mut self, op: &'static str, text: Sql, credential: &Credential) -> Result<u64, DbError> {
        execute!(
            self,
            op,
            text,
            [
                credential.name.as_str(),
                credential.username.as_str(),
                &credential.sealed_password,
                credential.changed_at,
                credential.changed_by.as_ref().map(ActorName::as_str),
            ]
        )
    }
}

#[cfg(test)]
crate::statements::statements![
    CREDENTIAL_GET,
    CREDENTIAL_NAMES,
    CREDENTIAL_LIST,
    CREDENTIAL_CREATE,
    CREDENTIAL_SET,
    CREDENTIAL_UPDATE,
    CREDENTIAL_DELETE,
    CREDENTIAL_RESEAL
];
