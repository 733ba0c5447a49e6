//! Credentials.

use orchestrator_core::credential::Credential;
use orchestrator_core::text::{CredentialName, Username};
use orchestrator_db::{DbError, PageRequest};

use crate::harness::TestDb;
use crate::queue::world::{at, t0};

conformance! {
    a_credential_is_created_changed_and_removed,
    a_name_that_exists_is_a_conflict,
    credentials_are_listed_by_name,
    a_name_means_the_only_one_that_differs_in_case,
}

fn credential(name: &str) -> Credential {
    Credential {
        name: CredentialName::parse(name).unwrap(),
        username: Username::parse("robot", 250).unwrap(),
        sealed_password: "v1:k1:AAAA".to_owned(),
        changed_at: t0(),
        changed_by: None,
    }
}

async fn a_credential_is_created_changed_and_removed(db: TestDb) {
    let first = credential("payroll");
    let mut tx = db.begin_write().await.unwrap();
    assert!(matches!(tx.credential_update(&first).await, Err(DbError::NotFound { .. })));
    tx.credential_set(&first).await.unwrap();
    assert_eq!(tx.credential_get(&first.name).await.unwrap(), first);
    let changed = Credential { sealed_password: "v1:k2:BBBB".to_owned(), changed_at: at(1), ..first.clone() };
    tx.credential_update(&changed).await.unwrap();
    assert_eq!(tx.credential_get(&first.name).await.unwrap(), changed);
    tx.credential_delete(&first.name).await.unwrap();
    let unknown = tx.credential_get(&first.name).await.unwrap_err();
    assert_eq!(unknown.to_string(), "credential 'payroll' does not exist");
}

async fn a_name_that_exists_is_a_conflict(db: TestDb) {
    let mut tx = db.begin_write().await.unwrap();
    tx.credential_create(&credential("payroll")).await.unwrap();
    let refused = tx.credential_create(&credential("payroll")).await.unwrap_err();
    assert!(matches!(refused, DbError::Conflict { .. }), "{refused}");
}

async fn credentials_are_listed_by_name(db: TestDb) {
    let mut tx = db.begin_write().await.unwrap();
    for name in ["c", "a", "b"] {
        tx.credential_create(&credential(name)).await.unwrap();
    }
    let (listed, _) = tx.credential_list(&PageRequest::first(10)).await.unwrap();
    assert_eq!(listed.rows.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
}

async fn a_name_means_the_only_one_that_differs_in_case(db: TestDb) {
    let mut tx = db.begin_write().await.unwrap();
    tx.credential_create(&credential("SvcRpaMBU002")).await.unwrap();
    let found = tx.credential_meant(&credential("SvcRpaMbu002 ").name).await.unwrap();
    assert_eq!(found.name.as_str(), "SvcRpaMBU002");
    tx.credential_create(&credential("SvcRpaMbu002")).await.unwrap();
    let refused = tx.credential_meant(&credential("svcrpambu002").name).await.unwrap_err();
    assert!(matches!(refused, DbError::AmbiguousName { .. }), "{refused}");
}
