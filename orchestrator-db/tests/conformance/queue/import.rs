use orchestrator_core::queue::ElementStatus::{self, Abandoned, Done, Failed, InProgress, New};
use orchestrator_core::text::{Message, QueueName};
use orchestrator_db::{DbError, ImportedElement, NewElement, QueueCounts, StatusBy};

use super::world::*;
use crate::harness::TestDb;

conformance! {
    imported_elements_have_their_status_from_the_beginning,
    what_was_imported_before_stays_as_it_became,
    an_import_of_what_another_queue_has_adds_nothing,
}

fn imported(status: ElementStatus, message: Option<&str>) -> ImportedElement {
    ImportedElement { new: element(), status, message: message.map(Message::cut) }
}

async fn import(db: &TestDb, elements: &[ImportedElement], second: i64) -> Result<usize, DbError> {
    let mut tx = db.begin_write().await.unwrap();
    let created = tx.element_import(elements, at(second)).await?;
    tx.commit().await.unwrap();
    Ok(created)
}

async fn imported_elements_have_their_status_from_the_beginning(db: TestDb) {
    let all =
        [(Done, None), (Failed, Some("no such address")), (Abandoned, None), (InProgress, None), (New, Some("again"))];
    let elements = all.map(|(status, message)| imported(status, message));
    assert_eq!(import(&db, &elements, 5).await.unwrap(), 5);
    for (given, (status, message)) in elements.iter().zip(all) {
        let stored = get(&db, given.new.id).await;
        assert_eq!((stored.status, stored.message.as_ref().map(AsRef::as_ref)), (status, message));
        let times = (stored.times.start_date, stored.times.end_date);
        let expected = match status {
            New => (None, None),
            InProgress => (Some(at(5)), None),
            Done | Failed | Abandoned => (None, Some(at(5))),
        };
        assert_eq!(times, expected, "{status}");
        assert_eq!((stored.job_id, stored.lease_expires_at, stored.parked), (None, None, false));
    }
    assert_eq!(counts(&db).await, QueueCounts { new: 1, in_progress: 1, done: 1, failed: 1, abandoned: 1 });
    let claimed = claim(&db, request(), at(6)).await;
    assert_eq!(claimed.iter().map(|element| element.id).collect::<Vec<_>>(), [elements[4].new.id]);
}

async fn what_was_imported_before_stays_as_it_became(db: TestDb) {
    let elements = [imported(Done, Some("sent")), imported(Failed, None)];
    assert_eq!(import(&db, &elements, 0).await.unwrap(), 2);
    let opened = set(&db, change(elements[0].new.id, New, StatusBy::Operator), at(1)).await.unwrap();
    let more = [elements[0].clone(), imported(Done, None), elements[1].clone()];
    assert_eq!(import(&db, &more, 2).await.unwrap(), 1);
    assert_eq!(get(&db, opened.id).await, opened, "an operator has opened it again");
    assert_eq!(counts(&db).await, QueueCounts { new: 1, done: 1, failed: 1, ..QueueCounts::default() });
}

async fn an_import_of_what_another_queue_has_adds_nothing(db: TestDb) {
    let elsewhere = QueueName::parse("Elsewhere").unwrap();
    let there = insert(&db, &[NewElement { queue_name: elsewhere, ..element() }], at(0)).await[0];
    let taken = ImportedElement { new: NewElement { id: there, ..element() }, ..imported(Done, None) };
    let refused = import(&db, &[imported(Done, None), taken], 1).await;
    assert!(matches!(refused, Err(DbError::Conflict { .. })), "{refused:?}");
    assert_eq!(counts(&db).await, QueueCounts::default());
}
