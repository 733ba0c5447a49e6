//! The command line as clap reads it.

#[cfg(test)]
mod reference;

use clap::{ArgAction, Args, Parser, Subcommand};

use crate::commands::{
    audit::AuditCommand, browse::UiArgs, cert::CertCommand, completion::Shell, constant::ConstantCommand,
    context::ContextCommand, credential::CredentialCommand, db::DbCommand, dev::Dev, doctor::Doctor,
    export::ExportArgs, import::ImportCommand, job::JobCommand, key::KeyCommand, log::LogCommand, login::Login,
    logout::Logout, man::ManArgs, queue::QueueCommand, server::ServerCommand, token::TokenCommand,
    trigger::TriggerCommand, user::UserCommand, worker::WorkerCommand,
};
use crate::connection::ConnectionFlags;
use crate::output::{ColorChoice, Format, TimeStyle};

const EXIT_CODES: &str = "\
Exit codes:
  0 done   1 failed   2 usage   3 not found   4 not signed in or not allowed   5 conflict or precondition
  6 server unreachable or timed out   7 the job itself failed (with --wait or --follow)
  8 --dry-run found changes   130 interrupted";

/// Runs software robots: when, where, on what work, and with what end.
#[derive(Debug, Parser)]
#[command(
    name = "orchestrator",
    version,
    after_help = EXIT_CODES,
    propagate_version = false,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 110
)]
pub(crate) struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub(crate) global: GlobalFlags,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalFlags {
    /// Which server, and as whom.
    #[command(flatten)]
    pub(crate) connection: ConnectionFlags,
    /// How results are printed.
    #[arg(short, long, global = true, value_enum, value_name = "FORMAT", default_value_t)]
    pub(crate) output: Format,
    /// How times are printed in tables.
    #[arg(long, global = true, value_enum, value_name = "STYLE", default_value_t)]
    pub(crate) time: TimeStyle,
    /// When to colour. NO_COLOR is respected.
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
    pub(crate) color: ColorChoice,
    /// Do not ask before something is deleted, killed or revoked.
    #[arg(short, long, global = true, action = ArgAction::SetTrue)]
    pub(crate) yes: bool,
}

/// The nouns, and a few verbs that need none.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Everything in one process, with sample robots, to try things out.
    Dev(Dev),
    /// Triggers: what makes processes run.
    #[command(subcommand)]
    Trigger(TriggerCommand),
    /// Jobs: single runs of processes.
    #[command(subcommand)]
    Job(JobCommand),
    /// Queues and their elements.
    #[command(subcommand)]
    Queue(QueueCommand),
    /// Log lines of robots.
    #[command(subcommand, alias = "logs")]
    Log(LogCommand),
    /// Constants: named values that robots read.
    #[command(subcommand)]
    Constant(ConstantCommand),
    /// Credentials: user names with passwords that robots use.
    #[command(subcommand)]
    Credential(CredentialCommand),
    /// Workers: the agents on robot machines.
    #[command(subcommand, alias = "scheduler")]
    Worker(WorkerCommand),
    /// Users: people who sign in to the pages.
    #[command(subcommand)]
    User(UserCommand),
    /// The audit trail: who did what.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Tokens, with which commands, scripts and workers sign in.
    #[command(subcommand)]
    Token(TokenCommand),
    /// The key that stored passwords are encrypted with.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Certificates for servers, from a certificate authority of your own.
    #[command(subcommand)]
    Cert(CertCommand),
    /// The server and its configuration.
    #[command(subcommand)]
    Server(ServerCommand),
    /// The database of a server.
    #[command(subcommand)]
    Db(DbCommand),
    /// Takes over what another orchestrator keeps.
    #[command(subcommand)]
    Import(ImportCommand),
    /// Prints what people have set up, as one document to read, to compare and to keep: no passwords, nothing that changes by
    /// itself.
    Export(ExportArgs),
    /// One screen: server, workers, what runs, waits and fails, and what to do about it.
    Status,
    /// Checks everything between here and a running robot; each finding with its fix.
    Doctor(Box<Doctor>),
    /// The servers that you work with.
    #[command(subcommand)]
    Context(ContextCommand),
    /// Signs in to a server, by name and password or with a token, and keeps the token: commands then need neither address
    /// nor token.
    Login(Login),
    /// Ends what login began: the token is revoked at the server and forgotten here.
    Logout(Logout),
    /// Who the server takes you for.
    Whoami,
    /// Opens the server's pages in a browser.
    Ui(UiArgs),
    /// Prints a completion script for a shell.
    Completion {
        /// The shell.
        shell: Shell,
    },
    /// Prints the manual page, or writes all of them into a folder.
    Man(ManArgs),
    /// Prints the version of this program.
    Version,
    /// Tells how a newer version is put in place.
    #[command(hide = true)]
    Upgrade,
}

impl Command {
    /// Whether it runs until it is told to stop, and handles signals itself.
    pub(crate) fn is_long_running(&self) -> bool {
        match self {
            Self::Dev(_) => true,
            Self::Server(command) => command.is_long_running(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    /// Every command's help, noun by noun.
    #[test]
    fn help() {
        let mut program = Cli::command().term_width(100);
        program.build();
        insta::assert_snapshot!("help", program.render_help().to_string());
        for noun in program.get_subcommands_mut().filter(|noun| noun.get_name() != "help") {
            let name = format!("help_{}", noun.get_name());
            insta::assert_snapshot!(name, help_of(noun));
        }
    }

    /// The help of a command and of those below it, without the global options, which are the same everywhere.
    fn help_of(command: &mut clap::Command) -> String {
        let help = command.clone().term_width(100).render_help().to_string();
        let own = help.split("\nGlobal options:").next().unwrap_or_default().trim_end().to_owned();
        let below = command.get_subcommands_mut().filter(|below| below.get_name() != "help");
        below.map(help_of).fold(own, |all, below| format!("{all}\n\n--------\n\n{below}"))
    }
}
