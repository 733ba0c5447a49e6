//! Constants.

use orchestrator_core::constant::Constant;
use orchestrator_core::text::{ActorName, ConstantName, ConstantValue};
use orchestrator_db::{DbError, PageRequest};

use crate::harness::TestDb;
use crate::queue::world::{at, t0};

conformance! {
    a_constant_is_created_changed_and_removed,
    a_name_that_exists_is_a_conflict,
    constants_are_listed_by_name,
    a_name_means_the_only_one_that_differs_in_case,
    a_name_that_fits_several_means_none_of_them,
}

fn constant(name: &str, value: &str) -> Constant {
    Constant {
        name: ConstantName::parse(name).unwrap(),
        value: ConstantValue::parse(value, 1000).unwrap(),
        changed_at: t0(),
        changed_by: Some(ActorName::parse("anna").unwrap()),
    }
}

async fn a_constant_is_created_changed_and_removed(db: TestDb) {
    let first = constant("url", "a");
    let mut tx = db.begin_write().await.unwrap();
    assert!(matches!(tx.constant_update(&first).await, Err(DbError::NotFound { .. })));
    tx.constant_set(&first).await.unwrap();
    assert_eq!(tx.constant_get(&first.name).await.unwrap(), first);
    let changed = Constant { changed_at: at(1), changed_by: None, ..constant("url", "b") };
    tx.constant_update(&changed).await.unwrap();
    assert_eq!(tx.constant_get(&first.name).await.unwrap(), changed);
    tx.constant_set(&first).await.unwrap();
    assert_eq!(tx.constant_get(&first.name).await.unwrap(), first);
    tx.constant_delete(&first.name).await.unwrap();
    assert!(matches!(tx.constant_delete(&first.name).await, Err(DbError::NotFound { .. })));
    let unknown = tx.constant_get(&first.name).await.unwrap_err();
    assert_eq!(unknown.to_string(), "constant 'url' does not exist");
}

async fn a_name_that_exists_is_a_conflict(db: TestDb) {
    let mut tx = db.begin_write().await.unwrap();
    tx.constant_create(&constant("url", "a")).await.unwrap();
    let refused = tx.constant_create(&constant("url", "b")).await.unwrap_err();
    assert!(matches!(refused, DbError::Conflict { .. }), "{refused}");
}

async fn constants_are_listed_by_name(db: TestDb) {
    let mut tx = db.begin_write().await.unwrap();
    for name in ["c", "a", "b"] {
        tx.constant_create(&constant(name, "")).await.unwrap();
    }
    let names = |constants: &[Constant]| constants.iter().map(|c| c.name.to_string()).collect::<Vec<_>>();
    let (first, cursor) = tx.constant_list(&PageRequest::first(2)).await.unwrap();
    assert_eq!(names(&first.rows), ["a", "b"]);
    let (second, end) = tx.constant_list(&PageRequest { limit: 2, cursor }).await.unwrap();
    assert_eq!((names(&second.rows), end), (vec!["c".to_owned()], None));
}

async fn a_name_means_the_only_one_that_differs_in_case(db: TestDb) {
    let mut tx = db.begin_write().await.unwrap();
    for name in ["JADT", "Måske Ærø ", "url"] {
        tx.constant_create(&constant(name, name)).await.unwrap();
    }
    for (asked, meant) in [("jadt", "JADT"), ("JADT  ", "JADT"), ("MÅSKE ÆRØ", "Måske Ærø "), ("url", "url")] {
        assert_eq!(tx.constant_meant(&constant(asked, "").name).await.unwrap().name.as_str(), meant, "{asked}");
    }
    let unknown = tx.constant_meant(&constant("jad", "").name).await.unwrap_err();
    assert!(matches!(unknown, DbError::NotFound { .. }), "{unknown}");
}

async fn a_name_that_fits_several_means_none_of_them(db: TestDb) {
    let mut tx = db.begin_write().await.unwrap();
    for name in ["JADT", "jadt"] {
        tx.constant_create(&constant(name, name)).await.unwrap();
        assert_eq!(tx.constant_meant(&constant(name, "").name).await.unwrap().name.as_str(), name);
    }
    let refused = tx.constant_meant(&constant("Jadt", "").name).await.unwrap_err();
    let expected = "there is no constant 'Jadt', and more than one whose name differs in case only: 'JADT', 'jadt'; use one of \
                    these";
    assert_eq!(refused.to_string(), expected);
}
