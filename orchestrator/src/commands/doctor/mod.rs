//! `doctor`: checks of everything between this command and a running robot, each finding with its fix.

mod certificate;
mod check;
mod disk;
mod fleet;
mod here;
mod machine;
mod reach;
mod waiting;

use clap::Args;
use serde_json::json;

use self::check::{Check, Outcome};
use crate::app::App;
use crate::config::ConfigFlags;
use crate::error::{CliError, Result};
use crate::output::stdout_line;

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Look only at the server and its workers, not at this machine.
    #[arg(long)]
    remote_only: bool,
    #[command(flatten)]
    config: ConfigFlags,
}

pub(crate) async fn run(args: Doctor, app: &App) -> Result {
    let mut checks = Vec::new();
    if !args.remote_only {
        checks.extend(here::checks(app));
    }
    let (reached, client) = reach::checks(app).await;
    checks.extend(reached);
    let is_reached = client.is_some();
    if let Some(client) = client {
        checks.extend(fleet::checks(app, &client).await);
    }
    if !args.remote_only {
        checks.extend(machine::checks(&args.config, app.now, is_reached).await);
    }
    print(app, &checks)?;
    match count(&checks, Outcome::Bad) {
        0 => Ok(()),
        bad => Err(CliError::Unhealthy { bad, checks: checks.len() }),
    }
}

fn count(checks: &[Check], outcome: Outcome) -> usize {
    checks.iter().filter(|check| check.outcome == outcome).count()
}

fn print(app: &App, checks: &[Check]) -> Result {
    if !app.printer.is_for_people() {
        return app.printer.own_list("checks", checks, "");
    }
    stdout_line(&check::page(app.printer.look(), checks))?;
    let (good, odd, bad) = (count(checks, Outcome::Good), count(checks, Outcome::Odd), count(checks, Outcome::Bad));
    app.printer.own(&json!({}), String::new, || format!("\n{good} in order, {odd} to look at, {bad} wrong."))
}
