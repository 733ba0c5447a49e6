//! Getting in and out: with a password, with a link, and as the first administrator.

pub(crate) mod first;
pub(crate) mod link;
pub(crate) mod password;

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::Extension;
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::response::Response;
use http::header;
use http::request::Parts;
use orchestrator_grpc::accounts::{Accounts, SessionCookie, SignedIn, Visitor};

use crate::app::App;
use crate::error::PageError;
use crate::respond::see_other;
use crate::viewer::Viewer;

/// Where and in what someone looks at the sign-in page.
#[derive(Debug)]
pub(crate) struct Visit(pub(crate) Visitor);

impl FromRequestParts<App> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
        let agent = parts.headers.get(header::USER_AGENT).map(|agent| String::from_utf8_lossy(agent.as_bytes()));
        Ok(Self(Visitor {
            address: peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            user_agent: agent.unwrap_or_default().into_owned(),
        }))
    }
}

pub(crate) fn accounts(viewer: &Viewer) -> &Accounts {
    &viewer.app().inside().accounts
}

/// Into the pages, to where they wanted to go.
fn welcome(cookie: SessionCookie, next: &str) -> Response {
    let mut response = see_other(next);
    response.headers_mut().append(header::SET_COOKIE, cookie.into_header());
    response
}

/// `POST /logout`
pub(crate) async fn sign_out(viewer: Viewer, who: Option<Extension<SignedIn>>) -> Result<Response, PageError> {
    if let Some(Extension(who)) = who {
        accounts(&viewer).sign_out(&who).await?;
    }
    Ok(welcome(accounts(&viewer).no_cookie(), "/login"))
}
