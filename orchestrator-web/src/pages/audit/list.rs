//! The trail, newest first.

use askama::Template;
use axum::response::Response;
use orchestrator_proto::v1;

use super::changes::{Change, changes};
use super::{Filter, PATH};
use crate::chrome::Chrome;
use crate::error::PageError;
use crate::form::Query;
use crate::link::Link;
use crate::pager::Pager;
use crate::text::{shortened, shown_in_line};
use crate::times::Stamp;
use crate::viewer::Viewer;

const PAGE: u32 = 100;

#[derive(Debug, Template)]
#[template(path = "audit/list.html", blocks = ["list"])]
struct Page {
    chrome: Chrome,
    filter: Filter,
    here: String,
    csv: String,
    jsonl: String,
    entries: Vec<Row>,
    pager: Pager,
}

#[derive(Debug)]
struct Row {
    id: String,
    at: Stamp,
    actor: String,
    actor_kind: String,
    actor_link: String,
    action: String,
    action_link: String,
    subject_kind: String,
    subject: String,
    subject_link: String,
    changes: Vec<Change>,
}

impl Row {
    fn new(entry: v1::AuditEntry, viewer: &Viewer) -> Self {
        Self {
            at: viewer.stamp(entry.at),
            actor: shown_in_line(&entry.actor),
            actor_kind: entry.actor_kind.to_lowercase(),
            actor_link: Link::to(PATH).with("actor", &entry.actor).into_string(),
            action: shown_in_line(&entry.action),
            action_link: Link::to(PATH).with("action", &entry.action).into_string(),
            subject_kind: shown_in_line(&entry.subject_kind),
            subject: shortened(&entry.subject, 60),
            subject_link: Link::to(PATH).with("subject", &entry.subject).into_string(),
            changes: changes(&entry.before, &entry.after),
            id: entry.id,
        }
    }
}

/// `GET /audit`
pub(crate) async fn show(viewer: Viewer, Query(query): Query) -> Result<Response, PageError> {
    let filter = Filter::read(&query);
    let cursor = query.text("cursor").to_owned();
    let request = filter.request(viewer.zone, PAGE, cursor.clone());
    let answer = viewer.admin()?.list_audit(request).await?.into_inner();
    let link = filter.link(PATH);
    let page = Page {
        chrome: viewer.chrome(PATH, "Audit"),
        here: link.clone().with("cursor", &cursor).into_string(),
        csv: filter.link("/audit/export").with("format", "csv").into_string(),
        jsonl: filter.link("/audit/export").with("format", "jsonl").into_string(),
        pager: Pager::new(&link, &cursor, &answer.next_cursor).searched(answer.entries.len(), PAGE),
        entries: answer.entries.into_iter().map(|entry| Row::new(entry, &viewer)).collect(),
        filter,
    };
    viewer.live(&page, &page.as_list(), &page.here)
}
