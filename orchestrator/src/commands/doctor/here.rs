//! What this user has: the context file.

use super::check::Check;
use crate::app::App;
use crate::context::{self, Contexts};
use crate::error::CliError;

const CONTEXT: &str = "context file";

pub(super) fn checks(app: &App) -> Vec<Check> {
    let path = match context::path() {
        Ok(path) => path,
        Err(error) => return vec![Check::of_error(CONTEXT, &CliError::Context(error))],
    };
    let contexts = match Contexts::load(&path) {
        Ok(contexts) => contexts,
        Err(error) => return vec![Check::of_error(CONTEXT, &CliError::Context(error))],
    };
    let place = path.display();
    let check = match (&contexts.current, contexts.contexts.len()) {
        (_, 0) if app.connection().given_url().is_some() => Check::good(CONTEXT, "none; the address is given"),
        (_, 0) => Check::odd(CONTEXT, format!("{place} has no server"), "orchestrator login URL"),
        (Some(name), _) if !contexts.contexts.contains_key(name) => Check::bad(
            CONTEXT,
            format!("{place}: its current context \"{name}\" is not there"),
            "orchestrator context use NAME",
        ),
        (None, _) => Check::odd(CONTEXT, format!("{place} has no current context"), "orchestrator context use NAME"),
        (Some(name), count) => Check::good(CONTEXT, format!("{place}, yours alone; \"{name}\" of {count}")),
    };
    vec![check]
}
