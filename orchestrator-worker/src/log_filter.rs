//! What of the own log is written: a filter as people write it, with its typing errors found.
//!
//! A filter takes any word for the name of a target: `inof` would switch everything off but what comes from a target of that name, and
//! nobody is told. So a word alone has to be a level.

use std::ffi::OsStr;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{LevelFilter, ParseError};

/// Where a filter is looked for before any other.
pub const VARIABLE: &str = EnvFilter::DEFAULT_ENV;

/// Why a text is no filter.
#[derive(Debug, thiserror::Error)]
pub enum LogFilterError {
    /// Nothing at all, which would leave only errors.
    #[error("it is empty; it is one of {LEVELS}, or a filter such as info,h2=warn")]
    Empty,
    /// A word that is no level.
    #[error("'{word}' is none of {LEVELS}; for what comes from a target of that name: {word}=trace")]
    NoLevel {
        /// As given.
        word: String,
    },
    /// Not of the form of a filter.
    #[error("'{text}' is no filter: {source}")]
    Form {
        /// As given.
        text: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// A value of the environment that is no text.
    #[error("it is no text")]
    NoText,
}

const LEVELS: &str = "off, error, warn, info, debug, trace";

/// Reads a filter: levels and `target=level`, with commas between.
pub fn parse(text: &str) -> Result<EnvFilter, LogFilterError> {
    let directives: Vec<&str> = text.split(',').map(str::trim).filter(|directive| !directive.is_empty()).collect();
    if directives.is_empty() {
        return Err(LogFilterError::Empty);
    }
    // Spans and fields are in brackets, and may have commas within them.
    let is_word = |directive: &&&str| !directive.contains(['=', '[', ']', '{', '}']);
    let is_level = |word: &str| word.parse::<LevelFilter>().is_ok();
    if let Some(word) = directives.iter().filter(is_word).find(|word| !is_level(word)) {
        return Err(LogFilterError::NoLevel { word: (*word).to_owned() });
    }
    let form = |source| LogFilterError::Form { text: text.to_owned(), source };
    EnvFilter::builder().parse(directives.join(",")).map_err(form)
}

/// The filter of the environment's value, else the default. One that cannot be used is passed over and told of: a service that starts
/// again at night must not stay away for how much it logs.
pub fn or_default(given: Option<&OsStr>, default: &str) -> (EnvFilter, Option<LogFilterError>) {
    let read = |text: &OsStr| text.to_str().ok_or(LogFilterError::NoText).and_then(parse);
    match given.filter(|text| !text.is_empty()).map(read) {
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => (EnvFilter::new(default), Some(error)),
        None => (EnvFilter::new(default), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_targets_with_levels_are_filters() {
        for (text, read) in [
            ("info", "info"),
            ("WARN", "warn"),
            ("off", "off"),
            ("3", "info"),
            ("info, orchestrator_db=debug", "orchestrator_db=debug,info"),
            ("[job{id=7}]=debug", "[job{id=7}]=debug"),
        ] {
            assert_eq!(parse(text).unwrap().to_string(), read, "{text}");
        }
    }

    #[test]
    fn a_word_that_is_no_level_is_refused_with_what_is_allowed() {
        for (text, word) in [("inof", "inof"), ("info,h2", "h2"), ("verbose , info", "verbose")] {
            let error = parse(text).unwrap_err().to_string();
            let said = format!("'{word}' is none of off, error, warn, info, debug, trace");
            assert!(error.starts_with(&said) && error.ends_with(&format!("{word}=trace")), "{error}");
        }
        assert!(matches!(parse(" , "), Err(LogFilterError::Empty)));
        assert!(parse("h2=lots").unwrap_err().to_string().contains("'h2=lots' is no filter"));
    }

    #[test]
    fn a_variable_that_cannot_be_used_leaves_the_default_and_is_told() {
        let (filter, told) = or_default(Some(OsStr::new("inof")), "info");
        assert_eq!((filter.to_string().as_str(), told.is_some()), ("info", true));
        for (given, read) in [(Some(OsStr::new("debug")), "debug"), (Some(OsStr::new("")), "info"), (None, "info")] {
            let (filter, told) = or_default(given, "info");
            assert_eq!((filter.to_string().as_str(), told.is_none()), (read, true));
        }
    }
}
