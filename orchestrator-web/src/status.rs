//! States as people see them: a word, a colour and a shape, so that none of the three is needed alone.

/// A state to draw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Badge {
    /// What is read.
    pub(crate) word: String,
    /// The class that gives colour and shape.
    pub(crate) look: &'static str,
}

/// The badge of a stored name. Names that a newer server made up are shown plainly.
pub(crate) fn badge(name: &str) -> Badge {
    let look = match name {
        "RUNNING" | "IN_PROGRESS" => "running",
        "ASSIGNED" | "QUEUED" => "queued",
        "DONE" | "UP" => "done",
        "FAILED" | "TIMED_OUT" | "ERROR" => "failed",
        "LOST" | "OVERDUE" | "ABANDONED" => "alarm",
        "KILLED" | "KILLING" => "killed",
        "PAUSED" | "PAUSING" | "DRAINING" => "paused",
        "CANCELLED" | "STOPPED" => "ended",
        _ => "idle",
    };
    Badge { word: word(name), look }
}

/// `IN_PROGRESS` as "In progress".
pub(crate) fn word(name: &str) -> String {
    let lower = name.to_lowercase().replace('_', " ");
    let mut characters = lower.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_names_become_words() {
        assert_eq!(badge("IN_PROGRESS"), Badge { word: "In progress".to_owned(), look: "running" });
        assert_eq!(badge("SLEEPING"), Badge { word: "Sleeping".to_owned(), look: "idle" });
        assert_eq!(word(""), "");
    }
}
