//! Triggers as administrators make, change, find and list them.

use orchestrator_core::id::TriggerId;
use orchestrator_core::policy::{Missed, Policies};
use orchestrator_core::source::EntryPoint;
use orchestrator_core::text::{GitBranch, ProcessPath};
use orchestrator_core::trigger::{Hold, TriggerKind, TriggerStatus, TriggerType};
use orchestrator_db::{DbError, Dialect, PageRequest, TriggerFilter};

use crate::harness::TestDb;
use crate::world::{at, draft, name, queued, read, run, scheduled, store, trigger, watching, worker_name, write};

conformance! {
    a_trigger_of_each_kind_comes_back_as_it_was_given,
    a_name_is_unique_among_live_triggers,
    an_edit_cannot_take_a_name_or_change_the_kind,
    a_deleted_trigger_is_hidden_but_not_forgotten,
    a_trigger_is_found_by_id_name_or_a_part_of_the_id,
    an_edit_keeps_the_hold_and_what_the_scheduler_knows,
    triggers_are_listed_by_name_page_by_page,
    a_list_is_filtered_by_text_status_and_kind,
    a_trigger_that_cannot_be_read_breaks_no_list_and_names_its_place,
    a_value_that_the_driver_cannot_read_is_one_bad_row,
}

async fn a_trigger_of_each_kind_comes_back_as_it_was_given(db: TestDb) {
    for kind in [TriggerKind::Single { next_run: Some(at(5)) }, scheduled(at(300)), watching("Fakturaer", 3)] {
        let mut given = draft(kind.trigger_type().as_str(), kind);
        given.process.path = ProcessPath::parse("https://git.example.org/robots.git").unwrap();
        given.process.is_git_repo = true;
        given.process.git_branch = Some(GitBranch::parse("release/1").unwrap());
        given.process.entry_point = Some(EntryPoint::parse("src/start.py").unwrap());
        given.is_blocking = true;
        given.priority = -7;
        given.worker_whitelist = vec![worker_name("r1"), worker_name("r2")];
        given.policies = Policies { missed: Missed::All { most: 4 }, ..Policies::default() };
        let id = store(&db, &given).await;

        let stored = read!(db, |tx| tx.trigger_get(id)).unwrap();
        let trigger = stored.trigger;
        assert_eq!((trigger.hold, trigger.status, trigger.consecutive_failures), (Hold::None, TriggerStatus::Idle, 0));
        assert_eq!((trigger.created_at, trigger.updated_at, trigger.last_run), (at(0), at(0), None));
        assert_eq!((stored.due_at, stored.deleted), (given.kind.next_run(), false));
        assert_eq!((trigger.name, trigger.process, trigger.kind), (given.name, given.process, given.kind));
        assert_eq!((trigger.is_blocking, trigger.priority), (given.is_blocking, given.priority));
        assert_eq!((trigger.worker_whitelist, trigger.policies), (given.worker_whitelist, given.policies));
    }
}

async fn a_name_is_unique_among_live_triggers(db: TestDb) {
    let first = trigger(&db, "nightly").await;
    let again = draft("nightly", scheduled(at(300)));
    let mut tx = db.begin_write().await.unwrap();
    let refused = tx.trigger_insert(TriggerId::generate(), &again, None, at(1)).await;
    assert!(
        matches!(&refused, Err(DbError::Conflict { constraint }) if constraint == "triggers_live_name"),
        "{refused:?}"
    );
    // The transaction lives on.
    tx.trigger_mark_deleted(first, at(1)).await.unwrap();
    tx.trigger_insert(TriggerId::generate(), &again, None, at(1)).await.unwrap();
    tx.commit().await.unwrap();
}

async fn an_edit_cannot_take_a_name_or_change_the_kind(db: TestDb) {
    trigger(&db, "taken").await;
    let id = trigger(&db, "mine").await;
    let mut tx = db.begin_write().await.unwrap();
    let other_kind = draft("mine", watching("q", 1));
    let refused = tx.trigger_update(id, &other_kind, None, at(1)).await;
    assert!(matches!(refused, Err(DbError::NotUpdated { .. })), "{refused:?}");
    let refused = tx.trigger_update(id, &draft("taken", scheduled(at(9))), None, at(1)).await;
    assert!(
        matches!(&refused, Err(DbError::Conflict { constraint }) if constraint == "triggers_live_name"),
        "{refused:?}"
    );
}

async fn a_deleted_trigger_is_hidden_but_not_forgotten(db: TestDb) {
    let id = trigger(&db, "old").await;
    write!(db, |tx| tx.trigger_mark_deleted(id, at(9)));
    assert!(matches!(read!(db, |tx| tx.trigger_find("old")), Err(DbError::NotFound { what: "trigger", .. })));
    assert!(matches!(read!(db, |tx| tx.trigger_find(&id.to_string())), Err(DbError::NotFound { .. })));
    let stored = read!(db, |tx| tx.trigger_get(id)).unwrap();
    assert!(stored.deleted && stored.due_at.is_none() && stored.buffered_at.is_none());
    let (list, _) = read!(db, |tx| tx.trigger_list(&TriggerFilter::default(), &PageRequest::first(10))).unwrap();
    assert!(list.rows.is_empty());
    let mut tx = db.begin_write().await.unwrap();
    assert!(matches!(tx.trigger_mark_deleted(id, at(10)).await, Err(DbError::NotUpdated { .. })));
}

async fn a_trigger_is_found_by_id_name_or_a_part_of_the_id(db: TestDb) {
    let id = trigger(&db, "Løn").await;
    let other = trigger(&db, "beef").await;
    let text = id.to_string();
    let (last, beginning_of_all) = (&text[text.len() - 12..], &text[..8]);
    for key in [text.as_str(), &text.replace('-', "").to_uppercase(), "Løn", last, &last.to_uppercase(), &text[14..]] {
        assert_eq!(read!(db, |tx| tx.trigger_find(key)).unwrap().id, id, "{key}");
    }
    // A name that looks like a part of an id is a name first.
    assert_eq!(read!(db, |tx| tx.trigger_find("beef")).unwrap().id, other);
    assert!(matches!(
        read!(db, |tx| tx.trigger_find(beginning_of_all)),
        Err(DbError::Ambiguous { what: "trigger", .. })
    ));
    for key in ["løn", "", "%", "_øn", "0000"] {
        assert!(matches!(read!(db, |tx| tx.trigger_find(key)), Err(DbError::NotFound { .. })), "{key}");
    }
}

async fn an_edit_keeps_the_hold_and_what_the_scheduler_knows(db: TestDb) {
    let id = trigger(&db, "edited").await;
    write!(db, |tx| tx.trigger_set_hold(id, Hold::Paused));
    let job = queued(&db, id, 1).await;
    run(&db, job, "r1", 3).await;
    let mut edit = draft("renamed", scheduled(at(600)));
    edit.process.args = None;
    edit.priority = 9;
    write!(db, |tx| tx.trigger_update(id, &edit, Some(at(600)), at(7)));
    let stored = read!(db, |tx| tx.trigger_get(id)).unwrap();
    let trigger = stored.trigger;
    assert_eq!((trigger.name, trigger.process, trigger.kind), (edit.name, edit.process, edit.kind));
    assert_eq!((trigger.priority, trigger.updated_at, stored.due_at), (9, at(7), Some(at(600))));
    assert_eq!((trigger.hold, trigger.last_run, trigger.created_at), (Hold::Paused, Some(at(3)), at(0)));
}

async fn triggers_are_listed_by_name_page_by_page(db: TestDb) {
    for trigger_name in ["delta", "alpha", "echo", "bravo", "charlie"] {
        trigger(&db, trigger_name).await;
    }
    let mut page = PageRequest::first(2);
    let mut names = Vec::new();
    loop {
        let (list, next) = read!(db, |tx| tx.trigger_list(&TriggerFilter::default(), &page)).unwrap();
        names.extend(list.rows.into_iter().map(|trigger| trigger.name.into_string()));
        let Some(next) = next else { break };
        page.cursor = Some(next);
    }
    assert_eq!(names, ["alpha", "bravo", "charlie", "delta", "echo"]);
    page.cursor = Some("nonsense".to_owned());
    let refused = read!(db, |tx| tx.trigger_list(&TriggerFilter::default(), &page));
    assert!(matches!(refused, Err(DbError::InvalidCursor { .. })));
}

async fn a_list_is_filtered_by_text_status_and_kind(db: TestDb) {
    trigger(&db, "Invoice 100%").await;
    store(&db, &draft("Invoice 1000", watching("invoices", 1))).await;
    store(&db, &draft("Payroll", TriggerKind::Single { next_run: Some(at(1)) })).await;
    let found = async |filter: TriggerFilter| {
        let (list, _) = read!(db, |tx| tx.trigger_list(&filter, &PageRequest::first(10))).unwrap();
        list.rows.into_iter().map(|trigger| trigger.name).collect::<Vec<_>>()
    };
    let by_text = |text: &str| TriggerFilter { search: Some(text.to_owned()), ..TriggerFilter::default() };
    assert_eq!(found(by_text("100%")).await, [name("Invoice 100%")]);
    assert_eq!(found(by_text("INVOICE")).await.len(), 2);
    assert_eq!(found(by_text("payroll process")).await, [name("Payroll")]);
    let queues = TriggerFilter { trigger_type: Some(TriggerType::Queue), ..TriggerFilter::default() };
    assert_eq!(found(queues).await, [name("Invoice 1000")]);
    let idle = TriggerFilter { status: Some(TriggerStatus::Idle), ..TriggerFilter::default() };
    assert_eq!(found(idle).await.len(), 3);
    let failed = TriggerFilter { status: Some(TriggerStatus::Failed), ..TriggerFilter::default() };
    assert!(found(failed).await.is_empty());
}

async fn a_trigger_that_cannot_be_read_breaks_no_list_and_names_its_place(db: TestDb) {
    trigger(&db, "a").await;
    let broken = trigger(&db, "b").await;
    trigger(&db, "c").await;
    for (statement, column) in [
        ("UPDATE triggers SET hold = 'MAYBE' WHERE trigger_name = 'b'", "hold"),
        ("UPDATE triggers SET hold = 'NONE', policies = '7' WHERE trigger_name = 'b'", "policies"),
        (
            "UPDATE triggers SET policies = '{}', consecutive_failures = -1 WHERE trigger_name = 'b'",
            "consecutive_failures",
        ),
        ("UPDATE triggers SET consecutive_failures = 0, type = 'QUEUE' WHERE trigger_name = 'b'", "queue_name"),
    ] {
        db.execute(statement).await;
        let (list, _) = read!(db, |tx| tx.trigger_list(&TriggerFilter::default(), &PageRequest::first(10))).unwrap();
        assert_eq!(list.rows.iter().map(|trigger| trigger.name.as_str()).collect::<Vec<_>>(), ["a", "c"], "{column}");
        let place = list.corrupt[0].to_string();
        assert!(place.starts_with(&format!("table triggers, row {broken}, column {column}: ")), "{place}");
        let single = read!(db, |tx| tx.trigger_get(broken));
        assert!(matches!(single, Err(DbError::Corrupt(_))), "{single:?}");
    }
}

/// PostgreSQL's types leave no room for such values.
async fn a_value_that_the_driver_cannot_read_is_one_bad_row(db: TestDb) {
    trigger(&db, "a").await;
    trigger(&db, "b").await;
    if db.dialect() == Dialect::Postgres {
        return;
    }
    db.execute("UPDATE triggers SET due_at = 'tomorrow' WHERE trigger_name = 'b'").await;
    let (list, _) = read!(db, |tx| tx.trigger_list(&TriggerFilter::default(), &PageRequest::first(10))).unwrap();
    assert_eq!(list.rows.len(), 1);
    assert_eq!(list.corrupt[0].column, "due_at");
}
