//! `constant`: named values that robots read.

use clap::Subcommand;
use orchestrator_proto::v1 as pb;

use crate::app::App;
use crate::arguments::{Paging, pages};
use crate::error::Result;
use crate::output::{self, Format, Single as _};

#[derive(Debug, Subcommand)]
pub(crate) enum ConstantCommand {
    /// Creates or replaces a constant.
    Set {
        /// Its name.
        name: String,
        /// Its value.
        #[arg(allow_hyphen_values = true)]
        value: String,
        /// Refuse when there is one of that name.
        #[arg(long)]
        create_only: bool,
    },
    /// Prints a constant's value; with -o wide all that is known about it.
    Get {
        /// Its name.
        name: String,
    },
    /// Lists constants.
    List(Paging<0>),
    /// Deletes a constant.
    Delete {
        /// Its name.
        name: String,
    },
}

pub(crate) async fn run(command: ConstantCommand, app: &App) -> Result {
    match command {
        ConstantCommand::Set { name, value, create_only } => {
            set(app, pb::SetConstantRequest { name, value, create_only }).await
        }
        ConstantCommand::Get { name } => get(app, name).await,
        ConstantCommand::List(paging) => list(app, &paging).await,
        ConstantCommand::Delete { name } => delete(app, name).await,
    }
}

async fn set(app: &App, request: pb::SetConstantRequest) -> Result {
    let reply = app.connect().await?.constants().set(request).await?.into_inner();
    let name = &reply.get()?.name;
    app.printer.done(&reply, name, &format!("Constant \"{name}\" is set."))
}

async fn get(app: &App, name: String) -> Result {
    let reply = app.connect().await?.constants().get(pb::GetConstantRequest { name }).await?.into_inner();
    match app.printer.format() {
        // For scripts: the value and nothing else.
        Format::Table => output::stdout_line(&reply.get()?.value),
        _ => app.printer.single(&reply),
    }
}

async fn list(app: &App, paging: &Paging<0>) -> Result {
    let client = app.connect().await?;
    let (constants, next_cursor) = pages(paging, async |page| {
        let reply = client.constants().list(pb::ListConstantsRequest { page: Some(page) }).await?.into_inner();
        Ok((reply.constants, reply.next_cursor))
    })
    .await?;
    app.printer.list(&pb::ListConstantsResponse { constants, next_cursor })
}

async fn delete(app: &App, name: String) -> Result {
    let question = |name: &str| format!("Delete constant \"{name}\"?");
    app.can_confirm(&question(&name))?;
    let client = app.connect().await?;
    // What is asked about is what goes: it may have been named in another case, or not be there.
    let there = client.constants().get(pb::GetConstantRequest { name }).await?.into_inner();
    let name = there.get()?.name.clone();
    app.confirm(&question(&name))?;
    let request = pb::DeleteConstantRequest { name: name.clone() };
    let reply = client.constants().delete(request).await?.into_inner();
    app.printer.done(&reply, &name, &format!("Constant \"{name}\" is deleted."))
}
