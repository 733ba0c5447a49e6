use orchestrator_core::queue::ElementStatus::{Abandoned, Done, Failed, InProgress, New};
use orchestrator_core::text::{ElementData, QueueName, Reference};
use orchestrator_db::{DbError, ElementEdit, NewElement, StatusBy, StatusChange, StatusError};

use super::world::*;
use crate::harness::TestDb;

conformance! {
    an_id_that_exists_is_a_conflict_and_nothing_is_stored,
    a_repeated_creation_leaves_what_is_there,
    a_repeated_creation_of_what_another_queue_has_is_refused_and_adds_nothing,
    ten_thousand_elements_are_stored_at_once,
    text_of_any_kind_survives,
    an_edit_changes_what_it_names_and_clears_what_it_empties,
    an_element_that_is_deleted_is_gone,
    a_job_cannot_delete_what_another_live_job_holds,
    an_operator_cannot_delete_what_a_live_job_holds_before_setting_its_status,
    retrying_makes_ended_elements_new_with_all_their_attempts,
    an_element_is_found_by_its_id_and_by_either_end_of_it,
}

async fn an_id_that_exists_is_a_conflict_and_nothing_is_stored(db: TestDb) {
    let first = element();
    insert(&db, std::slice::from_ref(&first), t0()).await;
    let mut tx = db.begin_write().await.unwrap();
    let refused = tx.element_insert(&[element(), first], false, at(1)).await.unwrap_err();
    assert!(matches!(refused, DbError::Conflict { .. }), "{refused}");
    drop(tx);
    assert_eq!(counts(&db).await.new, 1);
}

async fn a_repeated_creation_leaves_what_is_there(db: TestDb) {
    let first = with_data("first");
    insert(&db, std::slice::from_ref(&first), t0()).await;
    let changed = NewElement { data: None, ..first.clone() };
    let mut tx = db.begin_write().await.unwrap();
    assert_eq!(tx.element_insert(&[changed, element()], true, at(1)).await.unwrap(), 1);
    tx.commit().await.unwrap();
    let stored = get(&db, first.id).await;
    assert_eq!((stored.data, stored.times.created_date), (first.data, t0()));
    assert_eq!(counts(&db).await.new, 2);
}

async fn a_repeated_creation_of_what_another_queue_has_is_refused_and_adds_nothing(db: TestDb) {
    let there = with_data("there");
    insert(&db, std::slice::from_ref(&there), t0()).await;
    let moved = NewElement { queue_name: QueueName::parse("another").unwrap(), ..there.clone() };
    let new = NewElement { queue_name: moved.queue_name.clone(), ..element() };
    let mut tx = db.begin_write().await.unwrap();
    let refused = tx.element_insert(&[new, moved], true, at(1)).await.unwrap_err();
    assert!(matches!(refused, DbError::Conflict { .. }), "{refused}");
    drop(tx);
    assert_eq!(get(&db, there.id).await.queue_name, there.queue_name);
}

async fn ten_thousand_elements_are_stored_at_once(db: TestDb) {
    let elements: Vec<NewElement> = (0..10_000).map(|number| with_data(&number.to_string())).collect();
    insert(&db, &elements, t0()).await;
    assert_eq!(counts(&db).await.new, 10_000);
    assert_eq!(claim(&db, request(), at(1)).await[0].data, elements[0].data);
}

async fn text_of_any_kind_survives(db: TestDb) {
    for text in ["", "null", "{\"a\": [1, \"\\u0001\"]}", "æøå 漢字 🦀", "'; DROP TABLE queues; --", "a\u{1}b\r\n\t\\"]
    {
        let stored = insert(&db, &[with_data(text), with_reference(text)], t0()).await;
        assert_eq!(get(&db, stored[0]).await.data.unwrap().as_str(), text);
        assert_eq!(get(&db, stored[1]).await.reference.unwrap().as_str(), text);
    }
}

async fn an_edit_changes_what_it_names_and_clears_what_it_empties(db: TestDb) {
    let stored = insert(&db, &[NewElement { data: with_data("x").data, ..with_reference("old") }], t0()).await[0];
    let edit =
        ElementEdit { reference: Some(Some(Reference::parse("new", 100).unwrap())), data: Some(None), message: None };
    let mut tx = db.begin_write().await.unwrap();
    let (before, after) = tx.element_update(stored, edit).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(before.data, Some(ElementData::parse("x", 10).unwrap()));
    assert_eq!(after, get(&db, stored).await);
    assert_eq!((after.reference.unwrap().as_str(), after.data), ("new", None));
}

async fn an_element_that_is_deleted_is_gone(db: TestDb) {
    let id = some(&db, 2).await[0];
    let mut tx = db.begin_write().await.unwrap();
    tx.element_delete(id, StatusBy::Operator).await.unwrap().unwrap();
    let again = tx.element_delete(id, StatusBy::Operator).await.unwrap().unwrap_err();
    assert!(matches!(again, StatusError::NotFound(_)));
    tx.commit().await.unwrap();
    assert!(matches!(db.begin_read().await.unwrap().element_get(id).await, Err(DbError::NotFound { .. })));
    assert_eq!(counts(&db).await.new, 1);
}

async fn a_job_cannot_delete_what_another_live_job_holds(db: TestDb) {
    let (holder, other) = (running_job(&db).await, running_job(&db).await);
    let id = some(&db, 1).await[0];
    claim(&db, of_job(holder), at(1)).await;
    let mut tx = db.begin_write().await.unwrap();
    let refused = tx.element_delete(id, StatusBy::Job(other)).await.unwrap().unwrap_err();
    assert!(matches!(refused, StatusError::HeldByOther { .. }));
    tx.element_delete(id, StatusBy::Job(holder)).await.unwrap().unwrap();
}

async fn an_operator_cannot_delete_what_a_live_job_holds_before_setting_its_status(db: TestDb) {
    let holder = running_job(&db).await;
    let id = some(&db, 1).await[0];
    claim(&db, of_job(holder), at(1)).await;
    let mut tx = db.begin_write().await.unwrap();
    let refused = tx.element_delete(id, StatusBy::Operator).await.unwrap().unwrap_err();
    assert!(matches!(refused, StatusError::DeletedUnderJob { job, .. } if job == holder), "{refused}");
    let failed = StatusChange { id, status: Failed, message: None, by: StatusBy::Operator, token: None };
    tx.element_set_status(&[failed], at(2)).await.unwrap().remove(0).unwrap();
    tx.element_delete(id, StatusBy::Operator).await.unwrap().unwrap();
}

async fn retrying_makes_ended_elements_new_with_all_their_attempts(db: TestDb) {
    let stored = some(&db, 5).await;
    for (id, status) in stored.iter().zip([Done, Failed, Abandoned, InProgress, New]) {
        set(&db, change(*id, InProgress, StatusBy::Operator), at(6)).await.unwrap();
        set(&db, change(*id, status, StatusBy::Operator), at(7)).await.unwrap();
    }
    let mut tx = db.begin_write().await.unwrap();
    let retried = tx.element_retry(&stored, at(8)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(ids(&retried), stored[..3]);
    assert!(retried.iter().all(|element| element.status == New && element.attempt == 0));
    assert_eq!((counts(&db).await.new, counts(&db).await.in_progress), (4, 1));
}

async fn an_element_is_found_by_its_id_and_by_either_end_of_it(db: TestDb) {
    let id = some(&db, 1).await[0];
    let text = id.to_string();
    for key in [text.as_str(), &text.to_uppercase(), &text[..13], &text[..4], &text[28..], &id.short()] {
        assert_eq!(db.begin_read().await.unwrap().element_find(key).await.unwrap().id, id, "{key}");
    }
    for key in ["", "abc", "zzzz", "%%%%", "00000000"] {
        let refused = db.begin_read().await.unwrap().element_find(key).await.unwrap_err();
        assert!(matches!(refused, DbError::NotFound { .. }), "{key}: {refused}");
    }
    some(&db, 1).await;
    let refused = db.begin_read().await.unwrap().element_find(&text[..4]).await.unwrap_err();
    assert!(matches!(refused, DbError::Ambiguous { .. }), "{refused}");
}
