//! Names that are the same to whoever uses them: OpenOrchestrator's database tells neither case nor trailing blanks apart,
//! and robots rely on it.

/// What two names have in common that differ in case and trailing blanks only. Letters are lowered one by one, whatever
/// stands beside them, so that every name has one key; nothing else of Unicode is made equal.
pub fn key(name: &str) -> String {
    name.trim_end_matches(' ').chars().flat_map(char::to_lowercase).collect()
}

/// Which of the names that there are is meant by one that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meant {
    /// This one: the very name, or else the only one that is the same.
    One(String),
    /// There is none.
    None,
    /// Not the very name, and more than one that is the same, sorted.
    Several(Vec<String>),
}

/// Finds the name that is meant.
pub fn meant(asked: &str, names: impl IntoIterator<Item = String>) -> Meant {
    let key_asked = key(asked);
    let mut same = Vec::new();
    for name in names {
        if name == asked {
            return Meant::One(name);
        }
        if key(&name) == key_asked {
            same.push(name);
        }
    }
    same.sort_unstable();
    same.dedup();
    match same.len() {
        0 => Meant::None,
        1 => same.pop().map_or(Meant::None, Meant::One),
        _ => Meant::Several(same),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(asked: &str, names: &[&str]) -> Meant {
        meant(asked, names.iter().map(|name| (*name).to_owned()))
    }

    fn one(name: &str) -> Meant {
        Meant::One(name.to_owned())
    }

    #[test]
    fn names_that_differ_in_case_and_trailing_blanks_are_the_same() {
        assert_eq!(of("jadt", &["url", "JADT"]), one("JADT"));
        assert_eq!(of("Graph api  ", &["Graph API"]), one("Graph API"));
        assert_eq!(of("Graph api", &["Graph API "]), one("Graph API "));
        assert_eq!(of("ÆRØ på SØ", &["ærø PÅ sø"]), one("ærø PÅ sø"));
    }

    #[test]
    fn whatever_else_differs_keeps_names_apart() {
        for (asked, name) in [(" jadt", "jadt"), ("jadt", "jadt\u{a0}"), ("aa", "å"), ("strasse", "straße"), ("e", "é")]
        {
            assert_eq!(of(asked, &[name]), Meant::None, "{asked:?} {name:?}");
        }
    }

    #[test]
    fn the_very_name_comes_first_and_of_several_others_none_is_chosen() {
        assert_eq!(of("Jadt", &["jadt", "Jadt", "JADT"]), one("Jadt"));
        assert_eq!(of("Jadt", &["jadt", "JADT"]), Meant::Several(vec!["JADT".to_owned(), "jadt".to_owned()]));
        assert_eq!(of("Jadt", &["jadt", "jadt"]), one("jadt"));
    }
}
