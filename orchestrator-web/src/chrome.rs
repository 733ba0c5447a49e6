//! What is around every page: its title, the tabs, who is signed in.

use crate::flash::Flash;
use crate::status::word;
use crate::viewer::Viewer;

/// Light, dark, or as the system says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Theme {
    System,
    Light,
    Dark,
}

impl Theme {
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::System,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// One part of the administration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tab {
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    /// After `g`, the key that goes there.
    pub(crate) key: char,
    /// Whether only administrators see it.
    pub(crate) for_administrators: bool,
}

const fn tab(name: &'static str, path: &'static str, key: char) -> Tab {
    Tab { name, path, key, for_administrators: false }
}

/// The tabs, in the order that people know from OpenOrchestrator, and then ours.
pub(crate) const TABS: &[Tab] = &[
    tab("Overview", "/", 'o'),
    tab("Triggers", "/triggers", 't'),
    tab("Queues", "/queues", 'q'),
    tab("Workers", "/workers", 'w'),
    tab("Jobs", "/jobs", 'j'),
    tab("Logs", "/logs", 'l'),
    tab("Constants", "/constants", 'n'),
    tab("Calendar", "/calendar", 'c'),
    Tab { name: "Audit", path: "/audit", key: 'a', for_administrators: true },
    tab("Settings", "/settings", 's'),
];

/// Everything that the frame of a page needs.
#[derive(Debug, Clone)]
pub(crate) struct Chrome {
    pub(crate) title: String,
    /// The path of the tab that is open.
    pub(crate) active: &'static str,
    pub(crate) user: String,
    pub(crate) role: String,
    pub(crate) theme: Theme,
    pub(crate) zone: String,
    /// Which changes the page shows: of those that come later it hears.
    pub(crate) seen: String,
    pub(crate) flash: Option<Flash>,
    pub(crate) can_operate: bool,
    pub(crate) can_administer: bool,
    pub(crate) tabs: Vec<Tab>,
}

impl Viewer {
    /// The frame of a page on the tab of this path.
    pub(crate) fn chrome(&self, active: &'static str, title: impl Into<String>) -> Chrome {
        let is_admin = self.can_administer();
        Chrome {
            title: title.into(),
            active,
            user: crate::text::shown_in_line(self.name()),
            role: self.role().map(|role| word(role.as_str())).unwrap_or_default(),
            theme: self.theme,
            zone: self.zone.name().to_owned(),
            seen: self.seen.to_string(),
            flash: self.flash.clone(),
            can_operate: self.can_operate(),
            can_administer: is_admin,
            tabs: TABS.iter().copied().filter(|tab| is_admin || !tab.for_administrators).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_tab_leads_to_a_page_and_has_a_key_of_its_own() {
        let paths: BTreeSet<_> = crate::routes::table().iter().map(|route| route.path).collect();
        for tab in TABS {
            assert!(paths.contains(tab.path), "{}", tab.name);
        }
        let keys: BTreeSet<_> = TABS.iter().map(|tab| tab.key).collect();
        assert_eq!(keys.len(), TABS.len());
    }
}
