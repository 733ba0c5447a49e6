//! The audit trail, and settings.

use orchestrator_core::actor::{Actor, ActorKind};
use orchestrator_core::text::ActorName;
use orchestrator_db::{AuditFilter, AuditRow, PageRequest};
use serde_json::json;

use crate::harness::TestDb;
use crate::queue::world::{at, t0};

conformance! {
    rows_are_listed_newest_first_with_their_documents,
    filters_fit_actor_action_and_subject,
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
        (AuditFilter { actor: some("anna"), action: some("token"), subject: some("b") }, 0),
    ];
    for (filter, expected) in narrowed {
        let (listed, _) = tx.audit_list(&filter, &PageRequest::first(10)).await.unwrap();
        assert_eq!(listed.rows.len(), expected, "{filter:?}");
    }
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
