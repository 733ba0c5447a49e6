//! `token`: with which people, scripts and workers sign in.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use orchestrator_core::identity::{IdentityKind, Role};
use orchestrator_proto::v1 as pb;

use crate::app::App;
use crate::arguments::{duration, duration_to_wire, role};
use crate::error::{CliError, Result};
use crate::output::Single as _;
use crate::secret_file;

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Makes a token. Its secret is shown once.
    #[command(subcommand)]
    Create(CreateCommand),
    /// Lists tokens, without secrets.
    List {
        /// Also those that are revoked or expired.
        #[arg(long)]
        all: bool,
    },
    /// Ends a token.
    Revoke {
        /// Its id, the beginning of its secret as the list shows it, or its name.
        // Not `token`: that is the flag with which every command signs in.
        #[arg(id = "revoked", value_name = "TOKEN")]
        token: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum CreateCommand {
    /// For a person or a script.
    User {
        #[command(flatten)]
        token: NewToken,
        /// What it may do: viewer (look), operator (run, pause, kill, elements) or admin (everything).
        #[arg(long, default_value = "operator", value_parser = role)]
        role: Role,
    },
    /// For a worker, whose name it is bound to.
    Worker(NewToken),
}

#[derive(Debug, Args)]
pub(crate) struct NewToken {
    /// Who holds it.
    pub(super) name: String,
    /// How long it is good for, such as 90days; for ever unless given.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) lifetime: Option<Duration>,
    /// Write the secret to this new file (readable by you alone) instead of showing it.
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
}

pub(crate) async fn run(command: TokenCommand, app: &App) -> Result {
    match command {
        TokenCommand::Create(CreateCommand::User { token, role }) => {
            create(app, IdentityKind::User, Some(role), token).await
        }
        TokenCommand::Create(CreateCommand::Worker(token)) => create(app, IdentityKind::Worker, None, token).await,
        TokenCommand::List { all } => list(app, all).await,
        TokenCommand::Revoke { token } => revoke(app, token).await,
    }
}

async fn create(app: &App, kind: IdentityKind, role: Option<Role>, token: NewToken) -> Result {
    let out = token.out.clone();
    let reply = create_token(app, kind, role, token).await?;
    let name = reply.get()?.name.clone();
    if let Some(path) = out {
        return app.printer.done(&reply, &name, &format!("The token of \"{name}\" is in {}.", path.display()));
    }
    app.printer.note(&format!("The token of \"{name}\". It is not shown again:"));
    let secret = reply.secret.clone();
    app.printer.reply(&reply, || secret.clone(), || secret.clone())
}

/// Makes a token. Where a file is named, its secret is in the file and not in the answer.
pub(super) async fn create_token(
    app: &App,
    kind: IdentityKind,
    role: Option<Role>,
    token: NewToken,
) -> Result<pb::CreateTokenResponse> {
    if let Some(path) = token.out.as_deref().filter(|path| path.exists()) {
        return Err(CliError::FileExists { path: path.to_owned() });
    }
    let request = pb::CreateTokenRequest {
        kind: kind.to_string(),
        name: token.name,
        role: role.map(|role| role.to_string()).unwrap_or_default(),
        lifetime: token.lifetime.map(duration_to_wire),
    };
    let mut reply = app.connect().await?.admin().create_token(request).await?.into_inner();
    if let Some(path) = token.out {
        write_secret(&path, &std::mem::take(&mut reply.secret))?;
    }
    Ok(reply)
}

fn write_secret(path: &Path, secret: &str) -> Result {
    secret_file::create(path, &format!("{secret}\n")).map_err(CliError::file("write the token to", path))
}

async fn list(app: &App, include_ended: bool) -> Result {
    let request = pb::ListTokensRequest { include_ended };
    app.printer.list(&app.connect().await?.admin().list_tokens(request).await?.into_inner())
}

async fn revoke(app: &App, token: String) -> Result {
    app.confirm(&format!("Revoke token \"{token}\"?"))?;
    let reply = app.connect().await?.admin().revoke_token(pb::RevokeTokenRequest { token }).await?.into_inner();
    let token = reply.get()?;
    let sentence =
        format!("The token {} of \"{}\" is revoked; a server may accept it for 5 s more.", token.prefix, token.name);
    app.printer.done(&reply, &token.id, &sentence)
}
