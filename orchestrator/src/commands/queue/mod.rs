//! `queue`: named lists of work, and `queue element`: what is in them.

mod element;

use clap::Subcommand;
use orchestrator_proto::v1 as pb;

use crate::app::App;
use crate::error::Result;

pub(crate) use element::RowError;

#[derive(Debug, Subcommand)]
pub(crate) enum QueueCommand {
    /// Lists queues with the number of elements of each status.
    List,
    /// What is in queues.
    #[command(subcommand)]
    Element(Box<element::ElementCommand>),
}

pub(crate) async fn run(command: QueueCommand, app: &App) -> Result {
    match command {
        QueueCommand::List => list(app).await,
        QueueCommand::Element(command) => element::run(*command, app).await,
    }
}

async fn list(app: &App) -> Result {
    let reply = app.connect().await?.queues().list_queues(pb::ListQueuesRequest {}).await?.into_inner();
    app.printer.list(&reply)
}
