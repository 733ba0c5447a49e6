//! `server`: its configuration.

use clap::Subcommand;

use crate::app::App;
use crate::config::{self, Config, ConfigFlags};
use crate::error::{CliError, Result};
use crate::output;

#[derive(Debug, Subcommand)]
pub(crate) enum ServerCommand {
    /// What the server is told.
    #[command(subcommand)]
    Config(ConfigCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Prints the effective configuration, without secrets.
    Show(ConfigFlags),
    /// Tells whether the configuration can be used.
    Check(ConfigFlags),
    /// Prints a configuration file with every key, its meaning and its default.
    Template,
}

pub(crate) fn run(command: ServerCommand, app: &App) -> Result {
    let ServerCommand::Config(command) = command;
    match command {
        ConfigCommand::Show(flags) => show(app, &flags),
        ConfigCommand::Check(flags) => check(&flags),
        ConfigCommand::Template => output::stdout_line(config::TEMPLATE.trim_end()),
    }
}

fn show(app: &App, flags: &ConfigFlags) -> Result {
    let shown = Config::load(flags)?.without_secrets();
    let text = if app.printer.format().is_json() {
        serde_json::to_string_pretty(&shown).map_err(|error| CliError::Json(error.into()))?
    } else {
        shown.to_toml()
    };
    output::stdout_line(text.trim_end())
}

fn check(flags: &ConfigFlags) -> Result {
    let config = Config::load(flags)?;
    config.check()?;
    output::stdout_line(&format!("The configuration can be used: listens on {}.", config.server.listen))
}
