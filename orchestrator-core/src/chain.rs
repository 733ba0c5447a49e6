//! An error with everything that caused it, for logs.

use std::error::Error;
use std::fmt;

/// Shows an error and its causes, outermost first. A cause that is part of what is shown already, as some drivers' errors
/// repeat theirs, is not shown again.
#[derive(Debug, Clone, Copy)]
pub struct Chain<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.0.to_string();
        let mut source = self.0.source();
        while let Some(cause) = source {
            let words = cause.to_string();
            if !text.contains(&words) {
                text.push_str(": ");
                text.push_str(&words);
            }
            source = cause.source();
        }
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{words}")]
    struct Layer {
        words: &'static str,
        source: Option<Box<Layer>>,
    }

    fn layers(words: &[&'static str]) -> Option<Box<Layer>> {
        let (first, rest) = words.split_first()?;
        Some(Box::new(Layer { words: first, source: layers(rest) }))
    }

    #[test]
    fn each_cause_is_told_once() {
        let error =
            layers(&["claim failed", "the driver says: out of shared memory", "out of shared memory", "line 768"]);
        let shown = Chain(error.unwrap().as_ref()).to_string();
        assert_eq!(shown, "claim failed: the driver says: out of shared memory: line 768");
    }
}
