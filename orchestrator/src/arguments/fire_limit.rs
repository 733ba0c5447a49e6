//! `--overlap` and `--missed`: a choice, with a number behind a colon where one belongs to it.

use std::str::FromStr;

/// The most the domain allows; what `allow` and `all` mean without a number.
const MOST: u32 = 1000;

/// What happens to instants that are due while a job of the trigger is active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OverlapChoice {
    Skip,
    BufferOne,
    Allow(u32),
}

/// What happens to instants that no server evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MissedChoice {
    Once,
    Skip,
    All(u32),
}

/// A text that is none of the choices.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}")]
pub(crate) struct ChoiceError(&'static str);

fn split(text: &str) -> Option<(&str, Option<u32>)> {
    match text.trim().split_once(':') {
        None => Some((text.trim(), None)),
        Some((choice, number)) => match number.parse() {
            Ok(number) if (1..=MOST).contains(&number) => Some((choice, Some(number))),
            _ => None,
        },
    }
}

impl FromStr for OverlapChoice {
    type Err = ChoiceError;

    fn from_str(text: &str) -> Result<Self, ChoiceError> {
        match split(text) {
            Some(("skip", None)) => Ok(Self::Skip),
            Some(("buffer-one", None)) => Ok(Self::BufferOne),
            Some(("allow", most)) => Ok(Self::Allow(most.unwrap_or(MOST))),
            _ => Err(ChoiceError("skip, buffer-one, allow, or allow:N with N from 1 to 1000")),
        }
    }
}

impl FromStr for MissedChoice {
    type Err = ChoiceError;

    fn from_str(text: &str) -> Result<Self, ChoiceError> {
        match split(text) {
            Some(("once", None)) => Ok(Self::Once),
            Some(("skip", None)) => Ok(Self::Skip),
            Some(("all", most)) => Ok(Self::All(most.unwrap_or(MOST))),
            _ => Err(ChoiceError("once, skip, all, or all:N with N from 1 to 1000")),
        }
    }
}

impl OverlapChoice {
    /// The wire's name and number.
    pub(crate) fn to_wire(self) -> (&'static str, u32) {
        match self {
            Self::Skip => ("SKIP", 0),
            Self::BufferOne => ("BUFFER_ONE", 0),
            Self::Allow(most) => ("ALLOW", most),
        }
    }
}

impl MissedChoice {
    /// The wire's name and number.
    pub(crate) fn to_wire(self) -> (&'static str, u32) {
        match self {
            Self::Once => ("ONCE", 0),
            Self::Skip => ("SKIP", 0),
            Self::All(most) => ("ALL", most),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_choice_is_read() {
        assert_eq!("skip".parse(), Ok(OverlapChoice::Skip));
        assert_eq!("buffer-one".parse(), Ok(OverlapChoice::BufferOne));
        assert_eq!("allow:3".parse(), Ok(OverlapChoice::Allow(3)));
        assert_eq!("allow".parse(), Ok(OverlapChoice::Allow(1000)));
        assert_eq!("once".parse(), Ok(MissedChoice::Once));
        assert_eq!("all:20".parse(), Ok(MissedChoice::All(20)));
    }

    #[test]
    fn what_is_no_choice_is_refused_with_the_choices() {
        for text in ["", "maybe", "skip:1", "allow:", "allow:0", "allow:1001", "allow:x"] {
            let error = text.parse::<OverlapChoice>().unwrap_err();
            assert!(error.to_string().contains("buffer-one"), "{text}");
        }
        assert!("all:0".parse::<MissedChoice>().is_err());
    }
}
