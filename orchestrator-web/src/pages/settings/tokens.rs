//! Tokens of scripts, commands and workers.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use orchestrator_proto::v1;

use super::PATH;
use crate::chrome::Chrome;
use crate::error::PageError;
use crate::form::Query;
use crate::link::{Link, encoded};
use crate::pages::confirm::Question;
use crate::status::word;
use crate::text::shown_in_line;
use crate::times::Stamp;
use crate::viewer::Viewer;

const HERE: &str = "/settings/tokens";

#[derive(Debug, Template)]
#[template(path = "settings/tokens.html", blocks = ["list"])]
struct Page {
    chrome: Chrome,
    part: &'static str,
    with_ended: bool,
    here: String,
    tokens: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    id: String,
    link: String,
    name: String,
    kind: String,
    role: String,
    prefix: String,
    created: Stamp,
    created_by: String,
    last_used: Stamp,
    expires: Stamp,
    revoked: Stamp,
    is_live: bool,
}

impl Row {
    fn new(token: v1::Token, viewer: &Viewer) -> Self {
        let expires = viewer.stamp(token.expires_at);
        Self {
            link: format!("{HERE}/{}", encoded(&token.id)),
            name: shown_in_line(&token.name),
            kind: word(&token.kind),
            role: word(&token.role),
            prefix: shown_in_line(&token.prefix),
            created: viewer.stamp(token.created_at),
            created_by: shown_in_line(&token.created_by),
            last_used: viewer.stamp(token.last_used_at),
            is_live: token.revoked_at.is_none() && !expires.is_past_by(0),
            expires,
            revoked: viewer.stamp(token.revoked_at),
            id: token.id,
        }
    }
}

/// `GET /settings/tokens`
pub(crate) async fn show(viewer: Viewer, Query(query): Query) -> Result<Response, PageError> {
    let with_ended = query.is_ticked("ended");
    let request = v1::ListTokensRequest { include_ended: with_ended };
    let answer = viewer.admin()?.list_tokens(request).await?.into_inner();
    let page = Page {
        chrome: viewer.chrome(PATH, "Tokens"),
        part: "tokens",
        with_ended,
        here: Link::to(HERE).with("ended", if with_ended { "on" } else { "" }).into_string(),
        tokens: answer.tokens.into_iter().map(|token| Row::new(token, &viewer)).collect(),
    };
    viewer.live(&page, &page.as_list(), &page.here)
}

/// `GET /settings/tokens/{token}/revoke`
pub(crate) async fn ask_revoke(viewer: Viewer, Path(id): Path<String>) -> Result<Response, PageError> {
    let request = v1::ListTokensRequest { include_ended: true };
    let tokens = viewer.admin()?.list_tokens(request).await?.into_inner().tokens;
    let token = tokens.into_iter().find(|token| token.id == id);
    let token = token.ok_or_else(|| PageError::not_found("there is no such token"))?;
    let name = shown_in_line(&token.name);
    viewer.ask(Question {
        tab: PATH,
        text: format!("Revoke the token of \u{201c}{name}\u{201d}?"),
        consequence: format!(
            "Whoever uses {} is refused from now on. This cannot be undone; a new token can be made.",
            shown_in_line(&token.prefix)
        ),
        action: format!("{HERE}/{}/revoke", encoded(&id)),
        submit: format!("Revoke the token of {name}"),
        back: HERE.to_owned(),
    })
}

/// `POST /settings/tokens/{token}/revoke`
pub(crate) async fn revoke(viewer: Viewer, Path(token): Path<String>) -> Result<Response, PageError> {
    let answer = viewer.admin()?.revoke_token(v1::RevokeTokenRequest { token }).await?.into_inner();
    let name = answer.token.unwrap_or_default().name;
    viewer.done(
        &format!("The token of \u{201c}{name}\u{201d} is revoked; another server may accept it for 5 s more."),
        HERE,
    )
}
