//! `login` and `logout`: keeping a token for a server, so that commands find both.

use clap::Args;
use orchestrator_proto::v1 as pb;
use serde_json::json;

use super::context::forget;
use crate::app::App;
use crate::connection::{Client, check_url};
use crate::context::{self, Context, Contexts};
use crate::error::{CliError, Result};
use crate::output;

#[derive(Debug, Args)]
pub(crate) struct Login {
    /// The server's address, such as https://robots.example.org:8420; else that of --url or of the current context.
    // Not `url`: that is the flag.
    #[arg(id = "server", value_name = "URL")]
    server: Option<String>,
    /// What to call it here; the server's host name unless given.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Read the token from standard input even on a terminal.
    #[arg(long)]
    token_stdin: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Logout {
    /// The context; the current one unless given.
    name: Option<String>,
}

pub(crate) async fn login(args: Login, app: &App) -> Result {
    let flags = app.connection();
    let path = context::path()?;
    let contexts = Contexts::load(&path)?;
    let url = args.server.or_else(|| flags.given_url());
    let url = url.or_else(|| contexts.current().map(|context| context.url.clone()));
    let url = url.ok_or_else(|| CliError::Usage {
        message: "which server?".to_owned(),
        next: Some("orchestrator login http://HOST:8420".to_owned()),
    })?;
    check_url(&url)?;
    // A server that is not there is no reason to make someone type a secret.
    let ca_cert = flags.ca_cert().or_else(|| contexts.for_url(&url).and_then(|known| known.ca_cert.clone()));
    Client::reach(&url, ca_cert.as_deref()).await?;
    let token = flags.token_or_ask(&url, args.token_stdin)?;
    let client = Client::connect_to(&url, &token, ca_cert.clone()).await?;
    let who = client.admin().who_am_i(pb::WhoAmIRequest {}).await?.into_inner();
    let name = args.name.or_else(|| name_of(&contexts, &url)).unwrap_or_else(|| host(&url).to_owned());
    // Read again: typing may have taken its time.
    let mut contexts = Contexts::load(&path)?;
    contexts.make_current(&name, Context { url: url.clone(), token: token.expose().to_owned(), ca_cert });
    contexts.save(&path)?;
    let document = json!({ "context": name, "url": url, "name": who.name, "role": who.role });
    let role = who.role.to_lowercase();
    let sentence = format!("Signed in to {url} as {} ({role}). Commands use it by the context \"{name}\".", who.name);
    app.printer.own(&document, || name.clone(), || output::printable(&sentence))
}

pub(crate) fn logout(args: Logout, app: &App) -> Result {
    let path = context::path()?;
    let mut contexts = Contexts::load(&path)?;
    let Some(name) = args.name.or_else(|| contexts.current.clone()) else {
        return Err(CliError::Usage {
            message: "not signed in anywhere: no context is current".to_owned(),
            next: Some("orchestrator context list".to_owned()),
        });
    };
    let url = contexts.named(&name)?.url.clone();
    forget(&mut contexts, &name);
    contexts.save(&path)?;
    app.printer.note("The token itself stays good until it is revoked (orchestrator token revoke) or expires.");
    let sentence = format!("Signed out of {url}: its token is not kept any more.");
    app.printer.own(&json!({ "context": name, "url": url }), || name.clone(), || output::printable(&sentence))
}

/// What the server is called already.
fn name_of(contexts: &Contexts, url: &str) -> Option<String> {
    let same = |context: &Context| context.is_for(url);
    let current = contexts.current.clone().filter(|name| contexts.contexts.get(name).is_some_and(same));
    current.or_else(|| contexts.contexts.iter().find(|(_, context)| same(context)).map(|(name, _)| name.clone()))
}

/// The host, with its port unless that is the usual one.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or(rest);
    authority.strip_suffix(":8420").unwrap_or(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_called_by_its_host() {
        assert_eq!(host("https://robots.example.org:8420/"), "robots.example.org");
        assert_eq!(host("http://127.0.0.1:9000"), "127.0.0.1:9000");
    }
}
