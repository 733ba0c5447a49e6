//! What this server is.

use askama::Template;
use axum::response::Response;
use orchestrator_proto::v1;

use super::PATH;
use crate::chrome::Chrome;
use crate::error::PageError;
use crate::text::shown_in_line;
use crate::times::Stamp;
use crate::viewer::Viewer;

#[derive(Debug, Template)]
#[template(path = "settings/about.html", blocks = ["live"])]
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
    /// For administrators only.
    keys: Option<Keys>,
}

/// Which keys stored passwords are encrypted with.
#[derive(Debug)]
struct Keys {
    active: String,
    under_active: i64,
    older: Vec<OlderKey>,
    /// Passwords that wait for the active key.
    under_older: i64,
}

#[derive(Debug)]
struct OlderKey {
    id: String,
    passwords: i64,
    is_missing: bool,
}

impl Keys {
    fn new(answer: v1::GetKeysResponse) -> Self {
        let (active, older): (Vec<_>, Vec<_>) = answer.keys.into_iter().partition(|key| key.writing);
        let older: Vec<OlderKey> = older
            .into_iter()
            .map(|key| OlderKey {
                id: shown_in_line(&key.key_id),
                passwords: key.password_count,
                is_missing: !key.known,
            })
            .collect();
        let active = active.into_iter().next().unwrap_or_default();
        Self {
            active: shown_in_line(&active.key_id),
            under_active: active.password_count,
            under_older: older.iter().map(|key| key.passwords).sum(),
            older,
        }
    }

    /// What there is to do about it: why, and the command.
    fn advice(&self) -> Option<(&'static str, &'static str)> {
        if self.older.iter().any(|key| key.is_missing) {
            let why =
                "Robots cannot read passwords whose key is missing. Put it back into the key file, or set them anew.";
            Some((why, "orchestrator key status"))
        } else if self.under_older > 0 {
            Some((
                "Passwords under older keys can be encrypted anew while everything goes on.",
                "orchestrator key reencrypt",
            ))
        } else if self.older.is_empty() {
            None
        } else {
            Some(("Nothing needs the older keys any more.", "orchestrator key prune"))
        }
    }
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
    let keys = if viewer.can_administer() {
        Some(Keys::new(viewer.credentials()?.get_keys(v1::GetKeysRequest {}).await?.into_inner()))
    } else {
        None
    };
    let page = Page {
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
        keys,
    };
    viewer.live(&page, &page.as_live(), PATH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(older: &[(&str, i64, bool)]) -> Keys {
        let key = |(id, password_count, known): &(&str, i64, bool)| v1::StoredKey {
            key_id: (*id).to_owned(),
            writing: false,
            known: *known,
            password_count: *password_count,
        };
        let active = v1::StoredKey { key_id: "new".to_owned(), writing: true, known: true, password_count: 3 };
        Keys::new(v1::GetKeysResponse { keys: std::iter::once(active).chain(older.iter().map(key)).collect() })
    }

    #[test]
    fn the_advice_follows_the_rotation() {
        let command = |keys: &Keys| keys.advice().map(|(_, command)| command.trim_start_matches("orchestrator key "));
        assert_eq!(command(&keys(&[])), None);
        assert_eq!(command(&keys(&[("old", 2, true)])), Some("reencrypt"));
        assert_eq!(command(&keys(&[("old", 0, true)])), Some("prune"));
        assert_eq!(command(&keys(&[("old", 2, true), ("lost", 1, false)])), Some("status"));
        let counted = keys(&[("old", 2, true), ("older", 1, true)]);
        assert_eq!((counted.active.as_str(), counted.under_active, counted.under_older), ("new", 3, 3));
    }
}
