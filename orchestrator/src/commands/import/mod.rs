//! `import openorchestrator`: what another orchestrator keeps, from the file that its exporter wrote.
//!
//! Everything is read and checked before anything is changed. Ids are made from those of the source, so that the same file
//! may be imported again: what is there already stays.

mod apply;
mod existing;
mod plan;
mod source;
mod times;

use std::path::PathBuf;

use chrono_tz::Tz;
use clap::{Args, Subcommand};
use orchestrator_core::cron::parse_zone;

use self::plan::{Action, Plan};
use crate::app::App;
use crate::error::{CliError, Result};
use crate::output::{printable_lines, stdout_line};

#[derive(Debug, Subcommand)]
pub(crate) enum ImportCommand {
    /// Reads what deploy/openorchestrator-export.py wrote: triggers, constants, credentials and queue elements.
    Openorchestrator(ImportArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The file.
    file: PathBuf,
    /// Only tell what would happen; the exit code is 8 when something would.
    #[arg(long)]
    dry_run: bool,
    /// The zone that its times are meant in, such as Europe/Copenhagen; the file's unless given.
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    zone: Option<Tz>,
    /// Let triggers fire at once that fired there, instead of creating all of them paused.
    #[arg(long)]
    enable: bool,
    /// Replace constants and credentials that are here already with another value.
    #[arg(long)]
    overwrite: bool,
    /// Leave out elements that are not new. Robots that look them up, so as to do nothing twice, would do their work again.
    #[arg(long)]
    new_elements_only: bool,
    /// All elements, with their status and message: what is done unless --new-elements-only is given.
    #[arg(long, hide = true, conflicts_with = "new_elements_only")]
    all_elements: bool,
    /// Leave out what cannot be imported, instead of importing nothing.
    #[arg(long)]
    skip_refused: bool,
}

fn zone(text: &str) -> Result<Tz, String> {
    parse_zone(text.trim()).map_err(|error| error.to_string())
}

pub(crate) async fn run(command: ImportCommand, app: &App) -> Result {
    let ImportCommand::Openorchestrator(args) = command;
    let source = source::read(&args.file)?;
    let client = app.connect_for_upload().await?;
    let existing = existing::look(&client, &source).await?;
    let plan = plan::make(source, &existing, &args)?;
    if args.dry_run {
        show(app, &plan)?;
        if app.printer.is_for_people() && plan.forgotten() > 0 {
            app.printer.note(&forgetting(plan.forgotten()));
        }
        return match plan.changes() {
            0 => Ok(()),
            count => Err(CliError::WouldChange { what: format!("{count} things would be imported or replaced") }),
        };
    }
    let refused = plan.count(Action::Refuse);
    if refused > 0 && !args.skip_refused {
        show(app, &plan)?;
        return Err(CliError::Usage {
            message: format!("{refused} things cannot be imported; nothing was changed"),
            next: Some("correct them at the source and export again, or leave them out with --skip-refused".to_owned()),
        });
    }
    let count = plan.changes();
    if count > 0 {
        app.confirm(&format!("Import {count} things from {}?", args.file.display()))?;
    }
    let forgotten = plan.forgotten();
    let done = apply::apply(app, &client, plan).await?;
    show(app, &done)?;
    if app.printer.is_for_people() && done.made_paused() > 0 {
        let note = "The triggers are paused. When their workers are connected and you have looked at them: \
                    orchestrator trigger enable NAME";
        app.printer.note(note);
    }
    if app.printer.is_for_people() && forgotten > 0 {
        app.printer.note(&forgetting(forgotten));
    }
    match done.count(Action::Fail) {
        0 => Ok(()),
        failed => Err(CliError::Usage {
            message: format!("{failed} things were refused by the server; all others are imported"),
            next: Some("see the list, correct them, and import the file again: what is there stays".to_owned()),
        }),
    }
}

/// What robots do not know afterwards.
fn forgetting(count: usize) -> String {
    format!(
        "{count} elements that are not new are left out. A robot that looks up what it has done would do it again: import the \
         file without --new-elements-only to take them."
    )
}

fn show(app: &App, plan: &Plan) -> Result {
    if !app.printer.is_for_people() {
        return app.printer.own_list("items", &plan.items, "There is nothing in the file.");
    }
    if plan.items.is_empty() {
        app.printer.note("There is nothing in the file.");
        return Ok(());
    }
    stdout_line(&app.printer.rows(&plan.items))?;
    stdout_line(&printable_lines(&format!("\n{}", plan.summary())))
}
