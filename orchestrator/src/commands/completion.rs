//! `completion`: scripts with which shells complete commands and flags.

use clap::CommandFactory as _;
pub(crate) use clap_complete::Shell;

use crate::cli::Cli;
use crate::error::Result;
use crate::output::stdout_bytes;

pub(crate) fn print(shell: Shell) -> Result {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "orchestrator", &mut script);
    stdout_bytes(&script)
}
