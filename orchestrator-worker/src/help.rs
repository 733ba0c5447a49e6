//! Every command's help, in snapshots.

use clap::CommandFactory as _;

use crate::Cli;

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn help() {
    let mut program = Cli::command().term_width(100);
    program.build();
    insta::assert_snapshot!("help", help_of(&mut program));
}

/// The help of a command and of those below it.
fn help_of(command: &mut clap::Command) -> String {
    let own = command.clone().term_width(100).render_help().to_string().trim_end().to_owned();
    let below = command.get_subcommands_mut().filter(|below| below.get_name() != "help");
    below.map(help_of).fold(own, |all, below| format!("{all}\n\n--------\n\n{below}"))
}
