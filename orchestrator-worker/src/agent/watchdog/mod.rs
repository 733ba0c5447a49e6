//! The watchdog: a process beside the agent that ends its robots when the agent is killed, at once, and not with the next start
//! of an agent.
//!
//! * It is this very program again, and knows by its name what it is to be.
//! * It hears of the agent's end by the end of a pipe of which only the agent has the other side. An agent that ends in good order
//!   says so before, and leaves nothing to do.
//! * It works only while no agent has the folder: neither the one that it belongs to, should that live after all, nor the next
//!   one, which clears up itself. An agent that starts meanwhile waits.
//! * The next agent does all that it does, when the watchdog was killed as well.

mod find;
mod keeper;
mod program;

pub(super) use find::pid_in;
pub(super) use keeper::Keeper;
pub use program::{is_watchdog, watch};

/// What the process is called: by `ps`, and as its first argument, by which the program knows what it is. Who kills agents by
/// name does not mean it.
pub const NAME: &str = "orch-watchdog";

/// What an agent writes into the pipe before it ends in good order.
const FAREWELL: &[u8] = b".";

/// The program that an agent starts for its watchdog: this one, provided that it asks [`is_watchdog`] when it starts. None where
/// there is no such thing.
pub fn own_watchdog() -> Option<std::path::PathBuf> {
    crate::process::own_program()
}
