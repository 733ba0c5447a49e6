//! What this server is.

use askama::Template;
use axum::response::Response;
use orchestrator_proto::v1;

use super::PATH;
use crate::chrome::Chrome;
use crate::error::PageError;
use crate::times::Stamp;
use crate::viewer::Viewer;

#[derive(Debug, Template)]
#[template(path = "settings/about.html")]
struct Page {
    chrome: Chrome,
    part: &'static str,
    version: String,
    database: &'static str,
    started: Stamp,
    zone: String,
    clock: String,
    idle: String,
    longest: String,
    tls: bool,
}

/// `GET /settings`
pub(crate) async fn show(viewer: Viewer) -> Result<Response, PageError> {
    let status = viewer.admin()?.get_status(v1::GetStatusRequest {}).await?.into_inner();
    let inside = viewer.app().inside();
    let limits = inside.accounts.options();
    let span = |duration: std::time::Duration| {
        crate::times::plain_duration(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX))
    };
    let offset = status.clock_offset.unwrap_or_default();
    viewer.page(&Page {
        chrome: viewer.chrome(PATH, "Settings"),
        part: "about",
        version: status.version,
        database: if status.database == "SQLITE" { "SQLite, embedded" } else { "PostgreSQL" },
        started: viewer.stamp(status.started_at),
        zone: status.time_zone,
        clock: format!("{} ms from the database's", offset.seconds * 1000 + i64::from(offset.nanos) / 1_000_000),
        idle: span(limits.idle),
        longest: span(limits.longest),
        tls: limits.secure_cookies,
    })
}
