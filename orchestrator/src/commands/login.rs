//! `login`: keeping a token for a server, so that commands find both. It is made by the server for a name and a password, or
//! given by hand.

use clap::Args;
use orchestrator_core::secret::ApiToken;
use orchestrator_proto::v1 as pb;
use serde_json::json;

use crate::app::App;
use crate::connection::{Client, ConnectionFlags, check_url, leaves_machine};
use crate::context::{self, Context, Contexts};
use crate::error::{CliError, Result};
use crate::output::{self, Single as _};

#[derive(Debug, Args)]
pub(crate) struct Login {
    /// The server's address, such as https://robots.example.org:8420; else that of --url or of the current context.
    // Not `url`: that is the flag.
    #[arg(id = "server", value_name = "URL")]
    server: Option<String>,
    /// Who signs in. The password is asked for, or read from standard input. On a terminal the name is asked for, too,
    /// unless a token is given.
    #[arg(short, long, value_name = "NAME")]
    user: Option<String>,
    /// Read the password from standard input even on a terminal.
    #[arg(long, requires = "user")]
    password_stdin: bool,
    /// What to call the server here; its host name unless given.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Read a token from standard input even on a terminal.
    #[arg(long, conflicts_with = "user")]
    token_stdin: bool,
}

pub(crate) async fn login(args: Login, app: &App) -> Result {
    let flags = app.connection();
    let path = context::path()?;
    let contexts = Contexts::load(&path)?;
    let url = args.server.clone().or_else(|| flags.given_url());
    let url = url.or_else(|| contexts.current().map(|context| context.url.clone()));
    let url = url.ok_or_else(|| CliError::Usage {
        message: "which server?".to_owned(),
        next: Some("orchestrator login http://HOST:8420".to_owned()),
    })?;
    check_url(&url)?;
    // A server that is not there is no reason to make someone type a secret.
    let ca_cert = flags.ca_cert().or_else(|| contexts.for_url(&url).and_then(|known| known.ca_cert.clone()));
    Client::reach(&url, ca_cert.as_deref()).await?;
    let (token, expires_at) = match user(&args, flags)? {
        Some(user) => {
            let request = sign_in_request(app, &url, user, args.password_stdin)?;
            let reply = Client::sign_in(&url, ca_cert.as_deref(), request).await?;
            let token = ApiToken::parse(&reply.secret).map_err(CliError::BadToken)?;
            (token, reply.get()?.expires_at)
        }
        None => (flags.token_or_ask(&url, args.token_stdin)?, None),
    };
    let client = Client::connect_to(&url, &token, ca_cert.clone()).await?;
    let who = client.admin().who_am_i(pb::WhoAmIRequest {}).await?.into_inner();
    let name = args.name.or_else(|| name_of(&contexts, &url)).unwrap_or_else(|| host(&url).to_owned());
    // Read again: typing may have taken its time.
    let mut contexts = Contexts::load(&path)?;
    contexts.make_current(&name, Context { url: url.clone(), token: token.expose().to_owned(), ca_cert });
    contexts.save(&path)?;
    let until = expires_at.as_ref().map(|at| output::time(app.printer.look(), Some(at)));
    let document = json!({
        "context": name,
        "url": url,
        "name": who.name,
        "role": who.role,
        "expiresAt": expires_at.as_ref().map(ToString::to_string),
    });
    let role = who.role.to_lowercase();
    let ends = until.map(|until| format!(" It ends {until}, and with orchestrator logout.")).unwrap_or_default();
    let sentence =
        format!("Signed in to {url} as {} ({role}). Commands use it by the context \"{name}\".{ends}", who.name);
    app.printer.own(&document, || name.clone(), || output::printable(&sentence))
}

/// Who signs in with a password; `None` where a token is, or is to be, given.
fn user(args: &Login, flags: &ConnectionFlags) -> Result<Option<String>> {
    if args.user.is_some() {
        return Ok(args.user.clone());
    }
    if args.token_stdin || flags.has_token() || !output::can_ask() {
        return Ok(None);
    }
    Ok(Some(output::line("User name (none: sign in with a token)")?).filter(|name| !name.is_empty()))
}

fn sign_in_request(app: &App, url: &str, name: String, from_stdin: bool) -> Result<pb::SignInRequest> {
    if let Some(host) = leaves_machine(url) {
        app.printer.note(&format!("The password travels to {host} unencrypted."));
    }
    let password = output::secret(&format!("Password of \"{name}\" at {url}"), "password", from_stdin)?;
    // As browsers word it.
    let system = match std::env::consts::OS {
        "linux" => "Linux",
        "windows" => "Windows",
        "macos" => "Mac OS X",
        other => other,
    };
    let client = format!("orchestrator/{} ({system})", env!("CARGO_PKG_VERSION"));
    Ok(pb::SignInRequest { name, password: password.to_string(), client })
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
