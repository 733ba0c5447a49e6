use orchestrator_proto::v1;

use crate::text::shown_in_line;
use crate::times::Stamp;
use crate::viewer::Viewer;

/// A session as lists show it.
#[derive(Debug)]
pub(crate) struct SessionRow {
    pub(crate) id: String,
    pub(crate) user: String,
    /// The browser in two words.
    pub(crate) browser: String,
    /// All that it says of itself.
    pub(crate) agent: String,
    pub(crate) address: String,
    pub(crate) method: &'static str,
    pub(crate) since: Stamp,
    pub(crate) last_seen: Stamp,
    pub(crate) ends: Stamp,
    pub(crate) is_current: bool,
}

impl SessionRow {
    pub(crate) fn new(session: v1::Session, viewer: &Viewer) -> Self {
        Self {
            user: shown_in_line(&session.user),
            browser: browser(&session.user_agent),
            agent: shown_in_line(&session.user_agent),
            address: shown_in_line(&session.address),
            method: match session.method.as_str() {
                "LINK" => "Link",
                "TOKEN" => "First administrator",
                "COMMAND_LINE" => "Command line",
                _ => "Password",
            },
            since: viewer.stamp(session.created_at),
            last_seen: viewer.stamp(session.last_seen_at),
            ends: viewer.stamp(session.expires_at),
            is_current: session.current,
            id: session.id,
        }
    }
}

/// Browser and system, as far as they are told.
fn browser(agent: &str) -> String {
    let named =
        |words: &[(&str, &'static str)]| words.iter().find(|(part, _)| agent.contains(part)).map(|(_, name)| *name);
    // Every browser says that it is also others: the most particular word comes first.
    let program = named(&[
        ("orchestrator/", "orchestrator"),
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ]);
    let system = named(&[
        ("Windows", "Windows"),
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (program, system) {
        (Some(program), Some(system)) => format!("{program} on {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "Unknown browser".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::browser;

    #[test]
    fn a_browser_is_told_by_its_most_particular_word() {
        let chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
        assert_eq!(browser(chrome), "Chrome on Windows");
        assert_eq!(browser(&format!("{chrome} Edg/140.0")), "Edge on Windows");
        assert_eq!(
            browser("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
            "Firefox on Linux"
        );
        assert_eq!(browser("curl/8"), "curl");
        assert_eq!(browser("<script>"), "Unknown browser");
    }
}
