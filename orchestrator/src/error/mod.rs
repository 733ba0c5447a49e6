//! What can go wrong for someone who types a command: what happened, why, and what to type next.

mod cli_error;
mod closest;
mod copying;
mod hint;
mod refusal;
mod show;
pub(crate) mod usage;

pub(crate) use cli_error::{CliError, Result};
pub(crate) use closest::closest;
pub(crate) use refusal::{MEANT, Refusal, answer_was_lost};
