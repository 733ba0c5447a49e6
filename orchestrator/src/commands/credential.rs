//! `credential`: user names with passwords. A password is never on the command line.

use clap::Subcommand;
use orchestrator_proto::v1 as pb;

use crate::app::App;
use crate::arguments::{Paging, pages};
use crate::error::Result;
use crate::output::{self, Single as _};

#[derive(Debug, Subcommand)]
pub(crate) enum CredentialCommand {
    /// Creates or replaces a credential. The password is asked for, or read from standard input.
    Set {
        /// Its name.
        name: String,
        /// The user name.
        #[arg(long, value_name = "USER")]
        username: String,
        /// Read the password from standard input even on a terminal.
        #[arg(long)]
        password_stdin: bool,
        /// Refuse when there is one of that name.
        #[arg(long)]
        create_only: bool,
    },
    /// Shows a credential.
    Get {
        /// Its name.
        name: String,
        /// With its password. This is audited.
        #[arg(long)]
        reveal: bool,
    },
    /// Lists credentials, without passwords.
    List(Paging<0>),
    /// Deletes a credential.
    Delete {
        /// Its name.
        name: String,
    },
}

pub(crate) async fn run(command: CredentialCommand, app: &App) -> Result {
    match command {
        CredentialCommand::Set { name, username, password_stdin, create_only } => {
            set(app, name, username, password_stdin, create_only).await
        }
        CredentialCommand::Get { name, reveal: false } => get(app, name).await,
        CredentialCommand::Get { name, reveal: true } => reveal(app, name).await,
        CredentialCommand::List(paging) => list(app, &paging).await,
        CredentialCommand::Delete { name } => delete(app, name).await,
    }
}

async fn set(app: &App, name: String, username: String, from_stdin: bool, create_only: bool) -> Result {
    let password = output::password(&format!("Password of \"{name}\""), from_stdin)?;
    let request = pb::SetCredentialRequest { name, username, password: password.expose().to_owned(), create_only };
    let reply = app.connect().await?.credentials().set(request).await?.into_inner();
    let name = &reply.get()?.name;
    app.printer.done(&reply, name, &format!("Credential \"{name}\" is set."))
}

async fn get(app: &App, name: String) -> Result {
    let reply = app.connect().await?.credentials().get(pb::GetCredentialRequest { name }).await?.into_inner();
    app.printer.single(&reply)
}

async fn reveal(app: &App, name: String) -> Result {
    let request = pb::RevealCredentialRequest { name };
    let reply = app.connect().await?.credentials().reveal(request).await?.into_inner();
    let credential = reply.get()?;
    // Beside the table, so that no width breaks it in two.
    let password = output::printable(&reply.password);
    let people = || format!("{}\nPassword   {password}", app.printer.facts(credential));
    app.printer.reply(&reply, || credential.name.clone(), people)
}

async fn list(app: &App, paging: &Paging<0>) -> Result {
    let client = app.connect().await?;
    let (credentials, next_cursor) = pages(paging, async |page| {
        let reply = client.credentials().list(pb::ListCredentialsRequest { page: Some(page) }).await?.into_inner();
        Ok((reply.credentials, reply.next_cursor))
    })
    .await?;
    app.printer.list(&pb::ListCredentialsResponse { credentials, next_cursor })
}

async fn delete(app: &App, name: String) -> Result {
    let question = |name: &str| format!("Delete credential \"{name}\"?");
    app.can_confirm(&question(&name))?;
    let client = app.connect().await?;
    // What is asked about is what goes: it may have been named in another case, or not be there.
    let there = client.credentials().get(pb::GetCredentialRequest { name }).await?.into_inner();
    let name = there.get()?.name.clone();
    app.confirm(&question(&name))?;
    let request = pb::DeleteCredentialRequest { name: name.clone() };
    let reply = client.credentials().delete(request).await?.into_inner();
    app.printer.done(&reply, &name, &format!("Credential \"{name}\" is deleted."))
}
