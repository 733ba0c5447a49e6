//! The keys that stored passwords are encrypted with, and encrypting them anew while everything goes on.

use std::collections::BTreeMap;

use orchestrator_core::actor::Actor;
use orchestrator_core::credential::Credential;
use orchestrator_core::secret::{Ciphertext, Key};
use orchestrator_db::{Hint, PageRequest};
use orchestrator_proto::v1;
use orchestrator_scheduler::Scheduler;
use serde_json::json;
use tonic::Status;

use crate::transaction::in_transaction;
use crate::{audit, secret, status};

const PAGE: u32 = 1000;

/// All credentials, page by page.
async fn all(scheduler: &Scheduler) -> Result<Vec<Credential>, Status> {
    let mut credentials = Vec::new();
    let mut page = PageRequest { limit: PAGE, cursor: None };
    loop {
        let mut tx = scheduler.db().begin_read().await.map_err(status::db)?;
        let (rows, next) = tx.credential_list(&page).await.map_err(status::db)?;
        credentials.extend(rows.rows);
        match next {
            Some(cursor) => page.cursor = Some(cursor),
            None => return Ok(credentials),
        }
    }
}

fn sealed(credential: &Credential) -> Ciphertext {
    Ciphertext::from_stored(credential.sealed_password.as_str())
}

/// Every key that is here or that something is encrypted with.
pub(super) async fn list(scheduler: &Scheduler) -> Result<v1::GetKeysResponse, Status> {
    let ring = scheduler.keys();
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    for credential in all(scheduler).await? {
        // One that names no key at all is damaged; it is counted under what it begins with.
        let id = sealed(&credential).key_id().map_or_else(|_| "?".to_owned(), |id| id.as_str().to_owned());
        *counts.entry(id).or_default() += 1;
    }
    let mut key = |id: &str, writing: bool, known: bool| v1::StoredKey {
        key_id: id.to_owned(),
        writing,
        known,
        password_count: counts.remove(id).unwrap_or_default(),
    };
    let mut keys = vec![key(ring.writing().id().as_str(), true, true)];
    keys.extend(ring.reading().iter().map(Key::id).map(|id| key(id.as_str(), false, true)));
    keys.extend(counts.into_iter().map(|(key_id, password_count)| v1::StoredKey {
        key_id,
        writing: false,
        known: false,
        password_count,
    }));
    Ok(v1::GetKeysResponse { keys })
}

/// Encrypts some passwords with the writing key. One that someone sets meanwhile is encrypted with it anyway.
pub(super) async fn reencrypt(
    scheduler: &Scheduler,
    actor: &Actor,
    limit: u32,
) -> Result<v1::ReencryptResponse, Status> {
    let ring = scheduler.keys();
    let old: Vec<Credential> =
        all(scheduler).await?.into_iter().filter(|credential| !ring.is_current(&sealed(credential))).collect();
    let mut changes = Vec::new();
    let mut unreadable = 0;
    for credential in &old {
        if changes.len() >= limit as usize {
            break;
        }
        match secret::open(ring, credential) {
            Ok(password) => {
                let new = secret::seal(ring, &credential.name, password.expose().to_owned())?;
                changes.push((credential, new));
            }
            Err(_) => unreadable += 1,
        }
    }
    let count = in_transaction!(scheduler, |tx| {
        let mut count = 0_usize;
        for (credential, new) in &changes {
            count += usize::from(tx.credential_reseal(&credential.name, &credential.sealed_password, new).await?);
        }
        if count > 0 {
            let document = json!({ "key": ring.writing().id().as_str(), "passwords": count });
            let row = audit::row(actor, "key.reencrypt", "key", ring.writing().id().as_str(), (None, Some(document)));
            tx.audit_insert(&[row], scheduler.now()).await?;
        }
        let hints = if count > 0 { vec![Hint::Access] } else { Vec::new() };
        Ok((count, hints))
    })?;
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    Ok(v1::ReencryptResponse {
        reencrypted_count: number(count),
        remaining_count: number(old.len() - changes.len()),
        unreadable_count: unreadable,
    })
}
