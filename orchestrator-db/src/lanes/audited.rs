//! The audit rows of a shared transaction. A row a call would double what every call writes, so what one actor did to one
//! queue in one commit is one row that names all elements. Alone in its commit, a call has the row it would have had.

use std::collections::BTreeMap;

use orchestrator_core::actor::Actor;
use orchestrator_core::id::ElementId;
use orchestrator_core::queue::QueueElement;
use orchestrator_core::text::QueueName;
use serde_json::{Value, json};

use crate::audit::AuditRow;
use crate::queue::{Granted, StatusSet};

/// What was done, by who did it and to which queue.
#[derive(Debug, Default)]
pub(super) struct Trail<'a> {
    created: BTreeMap<Key<'a>, (&'a Actor, Vec<ElementId>)>,
    claimed: BTreeMap<Key<'a>, (&'a Actor, Vec<ElementId>)>,
    given_back: BTreeMap<Key<'a>, (&'a Actor, Vec<ElementId>)>,
    changed: BTreeMap<Key<'a>, (&'a Actor, Vec<&'a StatusSet>)>,
}

/// An actor's kind and name, and a queue.
type Key<'a> = (&'static str, &'a str, &'a str);

fn key<'a>(actor: &'a Actor, queue: &'a QueueName) -> Key<'a> {
    (actor.kind.as_str(), actor.name.as_str(), queue.as_str())
}

impl<'a> Trail<'a> {
    pub(super) fn created(&mut self, actor: &'a Actor, queue: &'a QueueName, id: ElementId) {
        self.created.entry(key(actor, queue)).or_insert_with(|| (actor, Vec::new())).1.push(id);
    }

    /// What an earlier call was granted is written down already.
    pub(super) fn claimed(&mut self, actor: &'a Actor, queue: &'a QueueName, granted: &Granted) {
        if !granted.is_known && !granted.elements.is_empty() {
            let claimed = self.claimed.entry(key(actor, queue)).or_insert_with(|| (actor, Vec::new()));
            claimed.1.extend(granted.elements.iter().map(|element| element.id));
        }
    }

    /// What was claimed and is new again.
    pub(super) fn given_back(&mut self, actor: &'a Actor, elements: &'a [QueueElement]) {
        for element in elements {
            let given_back = self.given_back.entry(key(actor, &element.queue_name));
            given_back.or_insert_with(|| (actor, Vec::new())).1.push(element.id);
        }
    }

    pub(super) fn changed(&mut self, actor: &'a Actor, changed: impl Iterator<Item = &'a StatusSet>) {
        for set in changed {
            let queue = &set.element.queue_name;
            self.changed.entry(key(actor, queue)).or_insert_with(|| (actor, Vec::new())).1.push(set);
        }
    }

    pub(super) fn into_rows(self) -> Vec<AuditRow> {
        let created = self.created.into_iter().map(|((.., queue), (actor, ids))| match ids.as_slice() {
            [id] => row(actor, "element.create", element(*id), None, json!({ "queue": queue, "count": 1 })),
            ids => {
                let after = json!({ "queue": queue, "count": ids.len(), "elements": ids });
                row(actor, "element.create", ("queue", queue.to_owned()), None, after)
            }
        });
        let claimed = self.claimed.into_iter().map(|((.., queue), (actor, ids))| {
            row(actor, "element.claim", ("queue", queue.to_owned()), None, json!({ "elements": ids }))
        });
        let changed = self.changed.into_iter().map(|((.., queue), (actor, sets))| {
            if let [StatusSet { before, message_before, element: now }] = sets.as_slice() {
                let before = json!({ "status": before, "message": message_before });
                let after = json!({ "queue": queue, "status": now.status, "message": now.message });
                return row(actor, "element.set_status", element(now.id), Some(before), after);
            }
            let mut by_status: BTreeMap<&str, Vec<ElementId>> = BTreeMap::new();
            for StatusSet { element: now, .. } in sets {
                by_status.entry(now.status.as_str()).or_default().push(now.id);
            }
            row(actor, "element.set_status", ("queue", queue.to_owned()), None, json!({ "elements": by_status }))
        });
        let given_back = self.given_back.into_iter().map(|((.., queue), (actor, ids))| {
            let after = json!({ "elements": { "NEW": ids } });
            row(actor, "element.set_status", ("queue", queue.to_owned()), None, after)
        });
        created.chain(claimed).chain(given_back).chain(changed).collect()
    }
}

fn element(id: ElementId) -> (&'static str, String) {
    ("element", id.to_string())
}

fn row(
    actor: &Actor,
    action: &'static str,
    (subject_kind, subject): (&'static str, String),
    before: Option<Value>,
    after: Value,
) -> AuditRow {
    AuditRow { actor: actor.clone(), action, subject_kind, subject, before, after: Some(after) }
}
