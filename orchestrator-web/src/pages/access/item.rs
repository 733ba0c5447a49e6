//! What the forms of constants and of credentials share: the name that stays, and who changed it last.

use super::PATH;
use crate::form::Fields;
use crate::link::encoded;
use crate::text::shown_in_line;
use crate::times::Stamp;
use crate::viewer::Viewer;

/// What a form is about.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) title: String,
    /// Where the form goes.
    pub(super) action: String,
    /// Absent for one that is to be made.
    pub(super) existing: Option<Existing>,
}

/// One that is there.
#[derive(Debug)]
pub(super) struct Existing {
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) link: String,
    pub(super) changed_at: Stamp,
    pub(super) changed_by: String,
    /// Which state of it the form shows.
    pub(super) version: String,
}

impl Item {
    /// One that is to be made.
    pub(super) fn new(kind: &'static str) -> Self {
        Self { title: format!("New {kind}"), action: format!("{PATH}/{kind}"), existing: None }
    }

    /// One that is to be changed.
    pub(super) fn existing(
        viewer: &Viewer,
        kind: &'static str,
        name: &str,
        changed_at: Option<prost_types::Timestamp>,
        changed_by: &str,
    ) -> Self {
        let link = format!("{PATH}/{kind}/{}", encoded(name));
        let word = if kind == "constant" { "Constant" } else { "Credential" };
        Self {
            title: shown_in_line(&format!("{word} “{name}”")),
            action: link.clone(),
            existing: Some(Existing {
                kind,
                name: shown_in_line(name),
                link,
                changed_at: viewer.stamp(changed_at),
                changed_by: shown_in_line(changed_by),
                version: changed_at.map_or_else(String::new, |at| format!("{}.{:09}", at.seconds, at.nanos)),
            }),
        }
    }

    /// Who changed it, and when, since the form was drawn.
    pub(super) fn conflict(&self, form: &Fields) -> Option<String> {
        let existing = self.existing.as_ref()?;
        let seen = form.text("seen");
        (!seen.is_empty() && seen != existing.version)
            .then(|| format!("{} changed it {}", existing.changed_by, existing.changed_at.relative()))
    }
}
