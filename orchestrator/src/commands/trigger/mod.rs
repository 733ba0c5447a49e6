//! `trigger`: what makes processes run.

mod at;
mod change;
mod copy;
mod create;
mod edit;
mod policy_flags;
mod preview;
mod run;
mod show;

use chrono_tz::Tz;
use clap::{Args, Subcommand};

use crate::app::App;
use crate::arguments::{Paging, When};
use crate::error::Result;

#[derive(Debug, Subcommand)]
pub(crate) enum TriggerCommand {
    /// Creates a trigger.
    #[command(subcommand)]
    Create(create::CreateCommand),
    /// Lists triggers.
    List(ListArgs),
    /// Shows a trigger, and why it lately did not run.
    Show {
        /// Its name, its id, or any unique end or beginning of the id.
        trigger: String,
    },
    /// Changes a trigger. What is not named stays.
    Edit(Box<edit::EditArgs>),
    /// Creates a trigger like another one, paused unless told otherwise.
    #[command(visible_alias = "clone")]
    Copy(Box<copy::CopyArgs>),
    /// Ends a hold: the trigger fires again. A single one that was paused after its run does not, unless --at says when.
    Enable {
        /// Its name, its id, or any unique end or beginning of the id.
        trigger: String,
        /// Only for a single trigger: when it fires again, as `now`, a local time such as '2026-11-22 12:00', or one with its
        /// zone as in 2026-11-22T11:00:00Z. Without it, one that has fired and was not paused since fires now.
        #[arg(long, value_name = "TIME")]
        at: Option<When>,
        /// The zone of a local time, such as Europe/Copenhagen; the server's unless given.
        #[arg(long, value_name = "ZONE", requires = "at", value_parser = create::zone)]
        zone: Option<Tz>,
    },
    /// Holds a trigger and cancels its waiting jobs; what runs may finish.
    #[command(visible_alias = "disable")]
    Pause {
        /// Its name, its id, or any unique end or beginning of the id.
        trigger: String,
    },
    /// Makes a job now, whatever the trigger's schedule and hold.
    Run(run::RunArgs),
    /// Kills a trigger's jobs and holds it.
    Kill {
        /// Its name, its id, or any unique end or beginning of the id.
        trigger: String,
    },
    /// Deletes a trigger. What runs may finish.
    Delete {
        /// Its name, its id, or any unique end or beginning of the id.
        trigger: String,
    },
    /// Shows when a trigger or a cron expression fires next.
    Preview(preview::PreviewArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only triggers with this text in their name or process name.
    #[arg(long, value_name = "TEXT", default_value_t, hide_default_value = true)]
    search: String,
    /// Only triggers of this status, such as idle, running or failed.
    #[arg(long, value_name = "STATUS", default_value_t, hide_default_value = true)]
    status: String,
    /// Only single, scheduled or queue triggers.
    #[arg(long = "type", value_name = "TYPE", default_value_t, hide_default_value = true)]
    kind: String,
    #[command(flatten)]
    paging: Paging<0>,
}

pub(crate) async fn run(command: TriggerCommand, app: &App) -> Result {
    match command {
        TriggerCommand::Create(command) => create::create(app, command).await,
        TriggerCommand::List(args) => show::list(app, args).await,
        TriggerCommand::Show { trigger } => show::show(app, trigger).await,
        TriggerCommand::Edit(args) => edit::edit(app, *args).await,
        TriggerCommand::Copy(args) => copy::copy(app, *args).await,
        TriggerCommand::Enable { trigger, at, zone } => change::enable(app, trigger, at, zone).await,
        TriggerCommand::Pause { trigger } => change::pause(app, trigger).await,
        TriggerCommand::Run(args) => run::run_now(app, args).await,
        TriggerCommand::Kill { trigger } => change::kill(app, trigger).await,
        TriggerCommand::Delete { trigger } => change::delete(app, trigger).await,
        TriggerCommand::Preview(args) => preview::preview(app, args).await,
    }
}
