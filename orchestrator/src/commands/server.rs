//! `server`: starting it, and its configuration.

use clap::Subcommand;
use orchestrator_proto::v1 as pb;

use crate::app::App;
use crate::config::{self, Config, ConfigFlags, Setting};
use crate::error::{CliError, Result};
use crate::lifecycle::Lifecycle;
use crate::output::{self, Cell, Column, Row};
use crate::serving::{self, Serving};
use crate::telemetry;

/// How long calls and robots' last words may take when the server stops.
const GRACE: std::time::Duration = std::time::Duration::from_secs(30);

#[derive(Debug, Subcommand)]
pub(crate) enum ServerCommand {
    /// Runs a server until it is told to stop (once: finish what was begun; twice: at once).
    Start(ConfigFlags),
    /// What a server says of itself: version, database, time zone, and what runs and waits.
    Status,
    /// What the server is told.
    #[command(subcommand)]
    Config(ConfigCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Prints the effective configuration, without secrets.
    Show {
        /// Also tell where each value is from: flag, variable, file or default.
        #[arg(long)]
        origin: bool,
        #[command(flatten)]
        config: ConfigFlags,
    },
    /// Tells whether the configuration can be used.
    Check(ConfigFlags),
    /// Prints a configuration file with every key, its meaning and its default.
    Template,
}

impl ServerCommand {
    /// Whether it ends by signals of its own accord.
    pub(crate) fn is_long_running(&self) -> bool {
        matches!(self, Self::Start(_))
    }
}

pub(crate) async fn run(command: ServerCommand, app: &App) -> Result {
    match command {
        ServerCommand::Start(flags) => start(app, &flags).await,
        ServerCommand::Status => status(app).await,
        ServerCommand::Config(command) => configuration(command, app),
    }
}

async fn status(app: &App) -> Result {
    let request = pb::GetStatusRequest {};
    app.printer.single(&app.connect().await?.admin().get_status(request).await?.into_inner())
}

async fn start(app: &App, flags: &ConfigFlags) -> Result {
    let config = Config::load_checked(flags)?;
    telemetry::init(config.log.format, &config.log.level);
    let lifecycle = Lifecycle::new();
    let serving = serving::begin(&config, &lifecycle).await?;
    ready(app, &serving)?;
    let ended = lifecycle.run(GRACE).await.map_err(CliError::Runtime)?;
    serving.scheduler.db().close().await;
    if ended.is_success() { Ok(()) } else { Err(CliError::Ended(ended)) }
}

/// Says that the server answers, and where.
fn ready(app: &App, serving: &Serving) -> Result {
    if app.printer.format().is_json() {
        let line = serde_json::json!({ "url": serving.url(), "adminTokenFile": serving.new_admin_token });
        return output::stdout_line(&line.to_string());
    }
    if let Some(file) = &serving.new_admin_token {
        output::stdout_line(&format!("There was no administrator's token; one was written to {}", file.display()))?;
    }
    output::stdout_line(&format!("Ready: {}", serving.url()))
}

fn configuration(command: ConfigCommand, app: &App) -> Result {
    match command {
        ConfigCommand::Show { origin: false, config } => show(app, &config),
        ConfigCommand::Show { origin: true, config } => show_origins(app, &config),
        ConfigCommand::Check(flags) => check(app, &flags),
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

impl Row for Setting {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::new("Key", |s, _| Cell::text(&s.key)),
        Column::new("Value", |s, _| Cell::text(&s.value)),
        Column::new("From", |s, _| Cell::text(&s.origin)),
    ];

    fn handle(&self) -> &str {
        &self.key
    }
}

fn show_origins(app: &App, flags: &ConfigFlags) -> Result {
    let settings = Config::load(flags)?.settings(flags)?;
    app.printer.own_list("settings", &settings, "")
}

fn check(app: &App, flags: &ConfigFlags) -> Result {
    let config = Config::load_checked(flags)?;
    serving::check_tls(&config)?;
    let listen = config.server.listen.to_string();
    let sentence = format!("The configuration can be used: listens on {listen}.");
    app.printer.own(&serde_json::json!({ "usable": true, "listen": listen }), || listen.clone(), || sentence)
}
