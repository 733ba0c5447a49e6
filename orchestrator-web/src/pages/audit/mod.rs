//! The audit trail: who did what, before and after.

pub(crate) mod changes;
pub(crate) mod export;
pub(crate) mod list;

use chrono::NaiveDateTime;
use chrono_tz::Tz;
use orchestrator_proto::v1;

use crate::form::Fields;
use crate::link::Link;

pub(crate) const PATH: &str = "/audit";

/// What is shown, as the address says it.
#[derive(Debug, Clone, Default)]
struct Filter {
    search: String,
    actor: String,
    action: String,
    subject: String,
    /// As the browser writes a local time.
    since: String,
    until: String,
}

impl Filter {
    fn read(query: &Fields) -> Self {
        Self {
            search: query.trimmed("q").to_owned(),
            actor: query.trimmed("actor").to_owned(),
            action: query.trimmed("action").to_owned(),
            subject: query.trimmed("subject").to_owned(),
            since: query.trimmed("since").to_owned(),
            until: query.trimmed("until").to_owned(),
        }
    }

    fn link(&self, path: &str) -> Link {
        Link::to(path)
            .with("q", &self.search)
            .with("actor", &self.actor)
            .with("action", &self.action)
            .with("subject", &self.subject)
            .with("since", &self.since)
            .with("until", &self.until)
    }

    fn is_set(&self) -> bool {
        [&self.search, &self.actor, &self.action, &self.subject, &self.since, &self.until]
            .iter()
            .any(|text| !text.is_empty())
    }

    /// The same as a call; times are of the viewer's zone.
    fn request(&self, zone: Tz, limit: u32, cursor: String) -> v1::ListAuditRequest {
        v1::ListAuditRequest {
            page: Some(v1::Page { limit, cursor }),
            actor: self.actor.clone(),
            action: self.action.clone(),
            subject: self.subject.clone(),
            since: local(&self.since, zone),
            until: local(&self.until, zone),
            search: self.search.clone(),
        }
    }
}

/// A local time as browsers write it, such as `2026-11-22T12:00`; nothing for what is none. Of an hour that comes twice the
/// first is meant, and one that does not come at all is none.
fn local(text: &str, zone: Tz) -> Option<prost_types::Timestamp> {
    let formats = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"];
    let naive = formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())?;
    let at = naive.and_local_timezone(zone).earliest()?;
    Some(prost_types::Timestamp { seconds: at.timestamp(), nanos: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_times_are_of_the_viewers_zone() {
        let zone = chrono_tz::Europe::Copenhagen;
        assert_eq!(local("2026-07-01T12:00", zone).unwrap().seconds, 1_782_900_000);
        assert_eq!(local("2026-07-01T12:00:30", zone).unwrap().seconds, 1_782_900_030);
        assert_eq!(local("2026-10-25T02:30", zone).unwrap().seconds, 1_792_888_200, "the first of two");
        for text in ["", "yesterday", "2026-03-29T02:30"] {
            assert_eq!(local(text, zone), None, "{text}");
        }
    }

    #[test]
    fn the_filters_live_in_the_address() {
        let fields = Fields::parse("q=a+b&actor=anna&since=2026-07-01T12%3A00&cursor=7");
        let filter = Filter::read(&fields);
        assert!(filter.is_set());
        assert_eq!(filter.link(PATH).into_string(), "/audit?q=a%20b&actor=anna&since=2026-07-01T12%3A00");
        assert!(!Filter::default().is_set());
    }
}
