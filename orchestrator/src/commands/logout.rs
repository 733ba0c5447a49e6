//! `logout`: forgetting the token of a server, and ending it where `login` had it made.

use clap::Args;
use orchestrator_core::secret::ApiToken;
use orchestrator_proto::v1 as pb;
use serde_json::json;
use tonic::Code;

use super::context::forget;
use crate::app::App;
use crate::connection::Client;
use crate::context::{self, Context, Contexts};
use crate::error::{CliError, Result};
use crate::output;

#[derive(Debug, Args)]
pub(crate) struct Logout {
    /// The context; the current one unless given.
    name: Option<String>,
}

/// What became of the token.
enum Token {
    /// It is good for nothing any more.
    Over,
    /// It was made by hand, and may be used elsewhere.
    Stays,
    /// The server could not be asked.
    Unknown(String),
}

pub(crate) async fn logout(args: Logout, app: &App) -> Result {
    let path = context::path()?;
    let contexts = Contexts::load(&path)?;
    let Some(name) = args.name.or_else(|| contexts.current.clone()) else {
        return Err(CliError::Usage {
            message: "not signed in anywhere: no context is current".to_owned(),
            next: Some("orchestrator context list".to_owned()),
        });
    };
    let context = contexts.named(&name)?.clone();
    let token = end(&context).await;
    // Read again: the server may have taken its time.
    let mut contexts = Contexts::load(&path)?;
    forget(&mut contexts, &name);
    contexts.save(&path)?;
    match &token {
        Token::Over => {}
        Token::Stays => {
            app.printer.note("The token itself stays good until it is revoked (orchestrator token revoke) or expires.");
        }
        Token::Unknown(why) => app.printer.note(&format!(
            "The server could not be told ({why}): the token stays good until it expires or is ended there: \
             orchestrator user sign-out, or orchestrator token revoke"
        )),
    }
    let url = context.url;
    let document = json!({ "context": name, "url": url, "ended": matches!(token, Token::Over) });
    let what = if matches!(token, Token::Over) { "its token is ended" } else { "its token is not kept any more" };
    let sentence = format!("Signed out of {url}: {what}.");
    app.printer.own(&document, || name.clone(), || output::printable(&sentence))
}

async fn end(context: &Context) -> Token {
    let Ok(token) = ApiToken::parse(&context.token) else { return Token::Over };
    let client = match Client::connect_to(&context.url, &token, context.ca_cert.clone()).await {
        Ok(client) => client,
        Err(error) => return Token::Unknown(error.why().unwrap_or_else(|| error.message())),
    };
    match client.admin().sign_out(pb::SignOutRequest {}).await {
        Ok(reply) if reply.get_ref().ended => Token::Over,
        Ok(_) => Token::Stays,
        Err(status) => match status.code() {
            Code::Unauthenticated => Token::Over,
            // The token of no user, or a server that knows no such call.
            Code::PermissionDenied | Code::Unimplemented => Token::Stays,
            _ => Token::Unknown(CliError::from(status).message()),
        },
    }
}
