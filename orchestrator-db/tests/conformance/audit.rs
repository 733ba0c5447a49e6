//! The audit trail, and settings.

use orchestrator_core::actor::{Actor, ActorKind};
use orchestrator_core::text::ActorName;
use orchestrator_db::{AuditFilter, AuditRow, PageRequest, SEARCHED_ROWS};
use serde_json::json;

use crate::harness::TestDb;
use crate::queue::world::{at, t0};

conformance! {
    rows_are_listed_newest_first_with_their_documents,
    filters_fit_actor_action_and_subject,
    filters_fit_times_and_any_text,
    a_search_looks_at_so_many_rows_and_goes_on_where_it_stopped,
    rows_are_neither_changed_nor_removed_but_by_pruning,
    a_setting_is_what_it_was_set_to_last,
}

fn row(actor: &str, action: &'static str, subject: &str) -> AuditRow {
    AuditRow {
        actor: Actor::new(ActorKind::User, ActorName::parse(actor).unwrap()),
        action,
        subject_kind: "trigger",
        subject: subject.to_owned(),
        before: None,
        after: Some(json!({ "name": "æ\"\u{1}", "n": [1, null] })),
    }
}

async fn rows_are_listed_newest_first_with_their_documents(db: TestDb) {
    let rows = [row("anna", "trigger.create", "a"), row("anna", "trigger.update", "a")];
    let mut tx = db.begin_write().await.unwrap();
    tx.audit_insert(&rows, t0()).await.unwrap();
    let by_server = AuditRow { actor: Actor::system(), before: Some(json!(null)), ..row("x", "trigger.delete", "a") };
    tx.audit_insert(&[by_server], at(1)).await.unwrap();
    let (first, cursor) = tx.audit_list(&AuditFilter::default(), &PageRequest::first(2)).await.unwrap();
    assert_eq!(first.rows[0].action, "trigger.delete");
    assert_eq!((first.rows[0].at, &first.rows[0].actor), (at(1), &Actor::system()));
    assert_eq!((first.rows[1].action.as_str(), first.rows[1].after.clone()), ("trigger.update", rows[1].after.clone()));
    let (rest, end) = tx.audit_list(&AuditFilter::default(), &PageRequest { limit: 2, cursor }).await.unwrap();
    assert_eq!((rest.rows.len(), rest.rows[0].before.clone(), end), (1, None, None));
}

async fn filters_fit_actor_action_and_subject(db: TestDb) {
    let rows =
        [row("anna", "trigger.create", "a"), row("bert", "trigger.create", "b"), row("anna", "token.revoke", "a")];
    let mut tx = db.begin_write().await.unwrap();
    tx.audit_insert(&rows, t0()).await.unwrap();
    let some = |text: &str| Some(text.to_owned());
    let all = AuditFilter::default();
    let narrowed = [
        (AuditFilter { actor: some("anna"), ..all.clone() }, 2),
        (AuditFilter { action: some("trigger.create"), ..all.clone() }, 2),
        (AuditFilter { action: some("trigger"), ..all.clone() }, 2),
        (AuditFilter { action: some("trig"), ..all.clone() }, 0),
        (AuditFilter { subject: some("b"), ..all.clone() }, 1),
        (AuditFilter { actor: some("anna"), action: some("token"), subject: some("b"), ..all.clone() }, 0),
    ];
    for (filter, expected) in narrowed {
        let (listed, _) = tx.audit_list(&filter, &PageRequest::first(10)).await.unwrap();
        assert_eq!(listed.rows.len(), expected, "{filter:?}");
    }
}

async fn filters_fit_times_and_any_text(db: TestDb) {
    let mut tx = db.begin_write().await.unwrap();
    for (second, actor, subject) in [(1, "anna", "100%"), (2, "bert", "Night\\run"), (3, "anna", "other")] {
        tx.audit_insert(&[row(actor, "trigger.update", subject)], at(second)).await.unwrap();
    }
    let all = AuditFilter::default();
    let search = |text: &str| AuditFilter { search: Some(text.to_owned()), ..AuditFilter::default() };
    let cases = [
        (AuditFilter { since: Some(at(2)), ..all.clone() }, 2),
        (AuditFilter { until: Some(at(2)), ..all.clone() }, 1),
        (AuditFilter { since: Some(at(2)), until: Some(at(3)), ..all.clone() }, 1),
        (AuditFilter { since: Some(at(2)), until: Some(at(3)), actor: Some("anna".to_owned()), ..all.clone() }, 0),
        (search("NIGHT\\"), 1),
        (search("%"), 1),
        (search("ann"), 2),
        (search("update"), 3),
        (search("null"), 3),
        (search("nothing of it"), 0),
        (AuditFilter { subject: Some("other".to_owned()), ..search("ANNA") }, 1),
    ];
    for (filter, expected) in cases {
        let (listed, next) = tx.audit_list(&filter, &PageRequest::first(10)).await.unwrap();
        assert_eq!((listed.rows.len(), next), (expected, None), "{filter:?}");
    }
}

async fn a_search_looks_at_so_many_rows_and_goes_on_where_it_stopped(db: TestDb) {
    let mut tx = db.begin_write().await.unwrap();
    tx.audit_insert(&[row("anna", "trigger.create", "needle")], t0()).await.unwrap();
    let rows: Vec<AuditRow> = (0..5000).map(|_| row("anna", "trigger.update", "hay")).collect();
    for second in 1..=i64::from(SEARCHED_ROWS / 5000) {
        tx.audit_insert(&rows, at(second)).await.unwrap();
    }
    for filter in [
        AuditFilter { search: Some("NEEDLE".to_owned()), ..AuditFilter::default() },
        AuditFilter { search: Some("NEEDLE".to_owned()), actor: Some("anna".to_owned()), ..AuditFilter::default() },
        AuditFilter { action: Some("trigger.create".to_owned()), ..AuditFilter::default() },
    ] {
        let (none, mut cursor) = tx.audit_list(&filter, &PageRequest::first(10)).await.unwrap();
        assert!(none.rows.is_empty() && cursor.is_some(), "it offers to go on: {filter:?}");
        let mut found = Vec::new();
        while cursor.is_some() {
            let (listed, next) = tx.audit_list(&filter, &PageRequest { limit: 10, cursor }).await.unwrap();
            found.extend(listed.rows);
            cursor = next;
        }
        assert_eq!((found[0].subject.as_str(), found.len()), ("needle", 1), "{filter:?}");
    }
}

async fn rows_are_neither_changed_nor_removed_but_by_pruning(db: TestDb) {
    let mut tx = db.begin_write().await.unwrap();
    for second in 0..4 {
        tx.audit_insert(&[row("anna", "trigger.update", "a")], at(second)).await.unwrap();
    }
    tx.commit().await.unwrap();
    for statement in ["UPDATE audit SET actor = 'bert'", "DELETE FROM audit"] {
        let refused = db.try_execute(statement).await.unwrap_err();
        assert!(refused.to_string().contains("the audit trail is append-only"), "{statement}: {refused}");
    }
    let mut tx = db.begin_write().await.unwrap();
    assert_eq!(tx.audit_prune(at(3), 2, at(9)).await.unwrap(), 2);
    assert_eq!(tx.audit_prune(at(3), 2, at(9)).await.unwrap(), 1);
    assert_eq!(tx.audit_prune(at(3), 2, at(9)).await.unwrap(), 0);
    tx.commit().await.unwrap();
    db.try_execute("DELETE FROM audit").await.unwrap_err();
    let (left, _) =
        db.begin_read().await.unwrap().audit_list(&AuditFilter::default(), &PageRequest::first(9)).await.unwrap();
    assert_eq!((left.rows.len(), left.rows[0].at), (1, at(3)));
}

async fn a_setting_is_what_it_was_set_to_last(db: TestDb) {
    let mut tx = db.begin_write().await.unwrap();
    assert_eq!(tx.setting_get::<Vec<u32>>("marks").await.unwrap(), None);
    tx.setting_set("marks", &vec![1, 2], t0()).await.unwrap();
    tx.setting_set("marks", &vec![3], t0()).await.unwrap();
    assert_eq!(tx.setting_get::<Vec<u32>>("marks").await.unwrap(), Some(vec![3]));
    let refused = tx.setting_get::<String>("marks").await.unwrap_err();
    assert!(refused.to_string().starts_with("table settings, row marks, column value"), "{refused}");
}
