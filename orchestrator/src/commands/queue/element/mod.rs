//! `queue element`: single pieces of work.

mod add;
mod bulk;
mod change;
mod claim;
mod export;
mod import;
mod list;

use clap::Subcommand;
use orchestrator_core::queue::ElementStatus;

use crate::app::App;
use crate::arguments::element_status;
use crate::error::Result;

pub(crate) use orchestrator_proto::rows::RowError;

#[derive(Debug, Subcommand)]
pub(crate) enum ElementCommand {
    /// Adds an element.
    Add(add::AddArgs),
    /// Adds the rows of a CSV or JSON-lines file: all of them, or none.
    Import(import::ImportArgs),
    /// Prints all elements of a queue, for other programs.
    Export(export::ExportArgs),
    /// Takes the oldest new elements.
    Claim(claim::ClaimArgs),
    /// Lists elements, oldest first.
    List(list::ListArgs),
    /// Shows an element.
    Show {
        /// Its id, or any unique end or beginning of it.
        element: String,
    },
    /// Sets the status of an element.
    SetStatus {
        /// Its id, or any unique end or beginning of it.
        element: String,
        /// New, in-progress, done, failed or abandoned.
        #[arg(value_parser = element_status)]
        status: ElementStatus,
        /// Why, for people.
        #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
        message: Option<String>,
        /// The token of your claim: refused when someone else has the element by now.
        #[arg(long, value_name = "N")]
        lease_token: Option<i64>,
    },
    /// Makes ended elements new again.
    Retry {
        /// Their ids, or any unique ends or beginnings of them.
        #[arg(required = true)]
        elements: Vec<String>,
    },
    /// Retries, sets or deletes every element that a filter finds.
    Bulk(Box<bulk::BulkArgs>),
    /// Deletes an element for good.
    Delete {
        /// Its id, or any unique end or beginning of it.
        element: String,
    },
}

pub(super) async fn run(command: ElementCommand, app: &App) -> Result {
    match command {
        ElementCommand::Add(args) => add::add(app, args).await,
        ElementCommand::Import(args) => import::import(app, args).await,
        ElementCommand::Export(args) => export::export(app, args).await,
        ElementCommand::Claim(args) => claim::claim(app, args).await,
        ElementCommand::List(args) => list::list(app, args).await,
        ElementCommand::Show { element } => list::show(app, element).await,
        ElementCommand::SetStatus { element, status, message, lease_token } => {
            change::set_status(app, element, status, message, lease_token).await
        }
        ElementCommand::Retry { elements } => change::retry(app, elements).await,
        ElementCommand::Bulk(args) => bulk::bulk(app, *args).await,
        ElementCommand::Delete { element } => change::delete(app, element).await,
    }
}
