//! `context`: the servers that this user works with.

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;

use crate::app::App;
use crate::connection::check_url;
use crate::context::{self, Context, Contexts};
use crate::error::{CliError, Result};
use crate::output::{self, Cell, Column, Row};

const NONE: &str = "No contexts yet. Sign in to a server: orchestrator login URL";

#[derive(Debug, Subcommand)]
pub(crate) enum ContextCommand {
    /// Lists the servers that this user has signed in to.
    List,
    /// Adds a server with its token (asked for, or read from standard input), without asking the server.
    Add(AddArgs),
    /// Makes another context the one that commands use by themselves.
    Use {
        /// Its name.
        name: String,
    },
    /// Forgets a context and its token.
    Remove {
        /// Its name.
        name: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// Its name. The server's address is given by --url.
    name: String,
    /// Read the token from standard input even on a terminal.
    #[arg(long)]
    token_stdin: bool,
    /// Replace one of that name.
    #[arg(long)]
    replace: bool,
}

pub(crate) fn run(command: ContextCommand, app: &App) -> Result {
    match command {
        ContextCommand::List => list(app),
        ContextCommand::Add(args) => add(app, args),
        ContextCommand::Use { name } => make_current(app, &name),
        ContextCommand::Remove { name } => remove(app, &name),
    }
}

/// A context as lists show it: never with its token.
#[derive(Debug, Serialize)]
struct Listed {
    name: String,
    url: String,
    current: bool,
    #[serde(rename = "caCert")]
    ca_cert: Option<String>,
}

impl Row for Listed {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::new("Current", |c, _| Cell::text(if c.current { "*" } else { "" })),
        Column::new("Name", |c, _| Cell::text(&c.name)),
        Column::new("Server", |c, _| Cell::text(&c.url)),
        Column::wide("Certificates", |c, _| Cell::text(c.ca_cert.as_deref().unwrap_or_default())),
    ];

    fn handle(&self) -> &str {
        &self.name
    }
}

fn list(app: &App) -> Result {
    let contexts = Contexts::load(&context::path()?)?;
    let listed = |(name, context): (&String, &Context)| Listed {
        name: name.clone(),
        url: context.url.clone(),
        current: contexts.current.as_ref() == Some(name),
        ca_cert: context.ca_cert.as_ref().map(|path| path.display().to_string()),
    };
    app.printer.own_list("contexts", &contexts.contexts.iter().map(listed).collect::<Vec<_>>(), NONE)
}

fn add(app: &App, args: AddArgs) -> Result {
    let AddArgs { name, token_stdin, replace } = args;
    let flags = app.connection();
    let Some(url) = flags.given_url() else {
        return Err(CliError::Usage {
            message: "a context needs the address of its server".to_owned(),
            next: Some(format!("orchestrator context add {name} --url http://HOST:8420")),
        });
    };
    check_url(&url)?;
    let path = context::path()?;
    let mut contexts = Contexts::load(&path)?;
    if contexts.contexts.contains_key(&name) && !replace {
        return Err(CliError::ContextExists { name });
    }
    let token = flags.token_or_ask(&url, token_stdin)?;
    let context = Context { url, token: token.expose().to_owned(), ca_cert: flags.ca_cert() };
    let is_first = contexts.contexts.is_empty();
    contexts.contexts.insert(name.clone(), context);
    if is_first {
        contexts.current = Some(name.clone());
    }
    contexts.save(&path)?;
    let next = if is_first { " It is the current one." } else { "" };
    said(app, &contexts, &name, &format!("Context \"{name}\" is kept.{next}"))
}

fn make_current(app: &App, name: &str) -> Result {
    let path = context::path()?;
    let mut contexts = Contexts::load(&path)?;
    let url = contexts.named(name)?.url.clone();
    contexts.current = Some(name.to_owned());
    contexts.save(&path)?;
    said(app, &contexts, name, &format!("Commands use \"{name}\" now: {url}"))
}

fn remove(app: &App, name: &str) -> Result {
    let path = context::path()?;
    let url = Contexts::load(&path)?.named(name)?.url.clone();
    app.confirm(&format!("Forget context \"{name}\" ({url}) and its token?"))?;
    // Read again: the answer may have taken its time.
    let mut contexts = Contexts::load(&path)?;
    forget(&mut contexts, name);
    contexts.save(&path)?;
    let sentence = format!("Context \"{name}\" is forgotten. Its token stays good until it is revoked or expires.");
    said(app, &contexts, name, &sentence)
}

/// Takes a context out; no context is current when it was the current one.
pub(super) fn forget(contexts: &mut Contexts, name: &str) {
    contexts.contexts.remove(name);
    contexts.current = contexts.current.take().filter(|current| current != name);
}

fn said(app: &App, contexts: &Contexts, name: &str, sentence: &str) -> Result {
    let document = json!({ "context": name, "current": contexts.current });
    app.printer.own(&document, || name.to_owned(), || output::printable(sentence))
}
