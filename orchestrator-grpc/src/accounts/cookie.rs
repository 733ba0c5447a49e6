//! The cookie of a session.

use http::{HeaderMap, HeaderValue, header};
use orchestrator_core::secret::SignInSecret;

use super::Accounts;

/// `__Host-` makes browsers refuse the cookie from anywhere but this host, over anything but https.
const SECURE_NAME: &str = "__Host-orchestrator";
const PLAIN_NAME: &str = "orchestrator";

/// What a browser is to keep, as the value of `Set-Cookie`.
#[derive(Debug, Clone)]
pub struct SessionCookie(HeaderValue);

impl SessionCookie {
    /// The header's value, marked as sensitive.
    pub fn into_header(self) -> HeaderValue {
        self.0
    }
}

impl Accounts {
    /// The cookie of a new session. It lives as long as the browser does; the server ends the session earlier.
    pub(super) fn cookie(&self, secret: &SignInSecret) -> SessionCookie {
        self.set_cookie(secret.expose(), "")
    }

    /// Takes the cookie away from a browser.
    pub fn no_cookie(&self) -> SessionCookie {
        self.set_cookie("", "; Max-Age=0")
    }

    fn set_cookie(&self, value: &str, more: &str) -> SessionCookie {
        let secure = if self.options().secure_cookies { "; Secure" } else { "" };
        let text = format!("{}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{more}", self.cookie_name());
        // A name, 43 letters and digits, and attributes: always a header value.
        let mut value = HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""));
        value.set_sensitive(true);
        SessionCookie(value)
    }

    fn cookie_name(&self) -> &'static str {
        if self.options().secure_cookies { SECURE_NAME } else { PLAIN_NAME }
    }

    /// What the request's session cookie holds, if it has one.
    pub(crate) fn presented_cookie<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let name = self.cookie_name();
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        // The first one wins, as browsers send the one with the longest path first and ours all have the same.
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}
