//! `queue`: named lists of work, and `queue element`: what is in them.

mod element;
mod known;

use clap::Subcommand;
use orchestrator_proto::v1 as pb;

use crate::app::App;
use crate::arguments::Paging;
use crate::error::{CliError, Result};
use crate::output::Single as _;

pub(crate) use element::RowError;
pub(crate) use known::all as all_queues;

#[derive(Debug, Subcommand)]
pub(crate) enum QueueCommand {
    /// Lists queues with the number of elements of each status.
    List(Paging<0>),
    /// Shows a queue.
    Show {
        /// Its name.
        queue: String,
    },
    /// Shows how many elements of a queue waited and ended in each quarter of an hour.
    History {
        /// Its name.
        queue: String,
        /// How many hours back.
        #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=48))]
        hours: u32,
    },
    /// Hands out nothing more of a queue and fires no trigger for it; elements may still be added.
    Pause {
        /// Its name.
        queue: String,
    },
    /// Lets a paused queue go on.
    Resume {
        /// Its name.
        queue: String,
    },
    /// Sets how a queue treats its elements.
    Set {
        /// Its name.
        queue: String,
        /// How often an element may be taken before it is abandoned.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
        max_attempts: u32,
    },
    /// Deletes a queue with all its elements for good.
    Delete {
        /// Its name.
        queue: String,
        /// Only tell what would be deleted; the exit code is then 8.
        #[arg(long)]
        dry_run: bool,
    },
    /// What is in queues.
    #[command(subcommand)]
    Element(Box<element::ElementCommand>),
}

pub(crate) async fn run(command: QueueCommand, app: &App) -> Result {
    match command {
        QueueCommand::List(paging) => list(app, &paging).await,
        QueueCommand::Show { queue } => show(app, &queue).await,
        QueueCommand::History { queue, hours } => history(app, queue, hours).await,
        QueueCommand::Pause { queue } => pause(app, queue).await,
        QueueCommand::Resume { queue } => resume(app, queue).await,
        QueueCommand::Set { queue, max_attempts } => set(app, queue, max_attempts).await,
        QueueCommand::Delete { queue, dry_run } => delete(app, &queue, dry_run).await,
        QueueCommand::Element(command) => element::run(*command, app).await,
    }
}

async fn list(app: &App, paging: &Paging<0>) -> Result {
    app.printer.list(&known::list(&app.connect().await?, paging).await?)
}

async fn show(app: &App, name: &str) -> Result {
    app.printer.single(&known::get(&app.connect().await?, name).await?)
}

async fn history(app: &App, name: String, hours: u32) -> Result {
    let client = app.connect().await?;
    let queue_name = known::find(&client, &name).await?.queue_name;
    let reply = client.queues().get_history(pb::GetQueueHistoryRequest { queue_name, hours }).await?.into_inner();
    app.printer.list(&reply)
}

async fn pause(app: &App, queue_name: String) -> Result {
    let reply = app.connect().await?.queues().pause(pb::PauseQueueRequest { queue_name }).await?.into_inner();
    let queue = reply.get()?;
    let held = match queue.in_progress_count {
        0 => String::new(),
        1 => " 1 element in progress may be finished.".to_owned(),
        count => format!(" {count} elements in progress may be finished."),
    };
    let sentence = format!("Queue \"{}\" is paused: nothing more of it is handed out.{held}", queue.queue_name);
    app.printer.done(&reply, &queue.queue_name, &sentence)
}

async fn resume(app: &App, queue_name: String) -> Result {
    let reply = app.connect().await?.queues().resume(pb::ResumeQueueRequest { queue_name }).await?.into_inner();
    let queue = reply.get()?;
    let sentence = format!("Queue \"{}\" goes on with {} new elements.", queue.queue_name, queue.new_count);
    app.printer.done(&reply, &queue.queue_name, &sentence)
}

async fn set(app: &App, queue_name: String, max_attempts: u32) -> Result {
    let client = app.connect().await?;
    let is_new = known::is_new(&client, &queue_name).await?;
    let request = pb::UpdateQueueSettingsRequest { queue_name, max_attempts };
    let reply = client.queues().update_settings(request).await?.into_inner();
    let queue = reply.get()?;
    if let Some(new) = is_new {
        new.tell(app);
    }
    let sentence = format!("Elements of queue \"{}\" may be taken {} times.", queue.queue_name, queue.max_attempts);
    app.printer.done(&reply, &queue.queue_name, &sentence)
}

async fn delete(app: &App, name: &str, dry_run: bool) -> Result {
    let client = app.connect_for_upload().await?;
    let queue = known::find(&client, name).await?;
    let count =
        queue.new_count + queue.in_progress_count + queue.done_count + queue.failed_count + queue.abandoned_count;
    if dry_run {
        app.printer.single(&pb::GetQueueResponse { queue: Some(queue) })?;
        return Err(CliError::WouldChange { what: format!("queue \"{name}\" with {count} elements would be deleted") });
    }
    app.confirm(&format!("Delete queue \"{name}\" with its {count} elements for good?"))?;
    let request = pb::DeleteQueueRequest { queue_name: name.to_owned() };
    let reply = client.queues().delete_queue(request).await?.into_inner();
    let sentence = match reply.remaining_count {
        0 => format!("Queue \"{name}\" is deleted with {} elements.", reply.deleted_count),
        left => format!(
            "{} elements of queue \"{name}\" are deleted; {left} were taken meanwhile. The queue is paused.",
            reply.deleted_count
        ),
    };
    app.printer.done(&reply, name, &sentence)
}
