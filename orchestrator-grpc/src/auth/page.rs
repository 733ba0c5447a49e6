//! Requests of pages: who asks, by the cookie of a session, and whether a change was asked for by a page of ours.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode, Uri, header};

use super::identity::Identity;
use crate::accounts::{Accounts, SessionOver};

/// What answers without looking at who asks: health, and files that are the same for everyone.
const OPEN: [&str; 3] = ["/healthz", "/readyz", "/assets/"];

/// Puts the user of the session into the request's extensions, or a [`SessionOver`] when the cookie opens nothing any more.
pub(super) async fn admit(accounts: &Accounts, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if OPEN.iter().any(|open| path.starts_with(open)) {
        return next.run(request).await;
    }
    if !request.method().is_safe() && !is_from_here(request.headers(), request.uri()) {
        tracing::warn!(path, method = %request.method(), "refused a change that another site asked for");
        return refuse_cross_site();
    }
    if let Some(cookie) = accounts.presented_cookie(request.headers()) {
        match accounts.identify(cookie).await {
            Ok(Some(who)) => {
                request.extensions_mut().insert(Identity::from(&who));
                request.extensions_mut().insert(who);
            }
            Ok(None) => {
                request.extensions_mut().insert(SessionOver);
            }
            Err(error) => {
                tracing::warn!(%error, "whose session it is could not be looked up");
                return unavailable();
            }
        }
    }
    next.run(request).await
}

/// Whether a page of this very server asks. Browsers say so in `Sec-Fetch-Site`; older ones, and all that reach us over
/// plain http by a name that is not loopback, say only the `Origin`.
fn is_from_here(headers: &HeaderMap, uri: &Uri) -> bool {
    let only = |name: header::HeaderName| {
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok(),
            _ => None,
        }
    };
    if headers.contains_key("sec-fetch-site") {
        return only(header::HeaderName::from_static("sec-fetch-site")) == Some("same-origin");
    }
    let host = uri.authority().map(http::uri::Authority::as_str).or_else(|| only(header::HOST));
    let origin = only(header::ORIGIN).and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
    host.is_some() && origin == host
}

fn refuse_cross_site() -> Response {
    let message = "This change was asked for by a page of another site, or by a browser that does not say which page asks. \
                   Nothing was changed. Open the page here and try again.\n";
    (StatusCode::FORBIDDEN, [("x-orchestrator-reason", crate::status::reason::CROSS_SITE)], message).into_response()
}

fn unavailable() -> Response {
    let message = "The database is not available right now. Try again in a moment.\n";
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], message).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Its name, its headers, and whether it is taken.
    type Case = (&'static str, &'static [(&'static str, &'static str)], bool);

    #[test]
    fn a_change_is_taken_only_from_a_page_of_ours() {
        let cases: [Case; 12] = [
            ("ours", &[("sec-fetch-site", "same-origin"), ("host", "a:1")], true),
            ("another site", &[("sec-fetch-site", "cross-site"), ("host", "a:1"), ("origin", "http://a:1")], false),
            ("a sibling", &[("sec-fetch-site", "same-site"), ("host", "a:1")], false),
            ("typed", &[("sec-fetch-site", "none"), ("host", "a:1")], false),
            ("twice", &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "same-origin")], false),
            ("an older browser", &[("host", "a:1"), ("origin", "http://a:1")], true),
            ("another port", &[("host", "a:1"), ("origin", "http://a:2")], false),
            ("another host", &[("host", "a:1"), ("origin", "http://evil.example")], false),
            ("a longer host", &[("host", "a:1"), ("origin", "http://a:1.evil.example")], false),
            ("an opaque origin", &[("host", "a:1"), ("origin", "null")], false),
            ("no word", &[("host", "a:1")], false),
            ("nothing", &[], false),
        ];
        for (name, given, expected) in cases {
            let mut headers = HeaderMap::new();
            for (key, value) in given {
                headers.append(*key, value.parse().unwrap());
            }
            assert_eq!(is_from_here(&headers, &Uri::from_static("/login")), expected, "{name}");
        }
    }
}
