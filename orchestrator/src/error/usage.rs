//! What clap refuses, in the form that was asked for.

use std::ffi::OsString;
use std::process::ExitCode;

use serde_json::json;

use crate::output;

/// Prints help to standard output, and what is wrong to standard error.
pub(crate) fn report(error: &clap::Error, arguments: &[OsString]) -> ExitCode {
    let code = ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
    if error.use_stderr() && wants_json(arguments) {
        let text = error.render().to_string();
        let message = text.trim();
        let message = message.strip_prefix("error: ").unwrap_or(message);
        output::stderr_line(&json!({ "code": "USAGE", "message": message, "details": {} }).to_string());
    } else {
        // Nobody is left to be told when this fails.
        drop(error.print());
    }
    code
}

/// Arguments that clap refused have no parsed form: look for the flag itself.
fn wants_json(arguments: &[OsString]) -> bool {
    let mut previous = "";
    for argument in arguments.iter().filter_map(|argument| argument.to_str()) {
        let value = match (previous, argument) {
            ("-o" | "--output", value) => Some(value),
            (_, value) => value.strip_prefix("--output=").or_else(|| value.strip_prefix("-o")),
        };
        if value.is_some_and(|value| matches!(value.trim_start_matches('='), "json" | "jsonl")) {
            return true;
        }
        previous = argument;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_found_in_arguments_that_were_refused() {
        let wants = |text: &str| wants_json(&text.split(' ').map(OsString::from).collect::<Vec<_>>());
        for text in ["x -o json", "x -ojson", "x --output json", "x --output=jsonl", "x -o=json"] {
            assert!(wants(text), "{text}");
        }
        for text in ["x", "x -o table", "x json", "x --only-on json"] {
            assert!(!wants(text), "{text}");
        }
    }
}
