//! A word that outlives one redirect: "Trigger x was deleted".

use http::HeaderValue;

use crate::link::encoded;

/// What the next page says at its top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flash {
    pub(crate) is_error: bool,
    pub(crate) text: String,
}

impl Flash {
    pub(crate) const COOKIE: &str = "flash";

    /// The most characters; a cookie has 4096 bytes.
    const MOST: usize = 300;

    pub(crate) fn done(text: impl Into<String>) -> Self {
        Self { is_error: false, text: text.into() }
    }

    pub(crate) fn error(text: impl Into<String>) -> Self {
        Self { is_error: true, text: text.into() }
    }

    pub(crate) fn read(text: &str) -> Option<Self> {
        let (kind, text) = text.split_once(':')?;
        Some(Self { is_error: kind == "error", text: crate::text::shortened(text, Self::MOST) })
    }

    /// The header that makes the next page say it.
    pub(crate) fn cookie(&self) -> Option<HeaderValue> {
        let text: String = self.text.chars().take(Self::MOST).collect();
        let kind = if self.is_error { "error" } else { "done" };
        let value = encoded(&format!("{kind}:{text}"));
        HeaderValue::from_str(&format!("{}={value}; Path=/; Max-Age=30; HttpOnly; SameSite=Strict", Self::COOKIE)).ok()
    }

    /// The header that makes it be said once only.
    pub(crate) fn spent() -> HeaderValue {
        HeaderValue::from_static("flash=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_survives_the_cookie_and_its_control_characters_are_seen() {
        let flash = Flash::error("no ; æ\u{1b}");
        let cookie = flash.cookie().unwrap();
        let cookie = cookie.to_str().unwrap();
        let value = cookie.split(';').next().unwrap().strip_prefix("flash=").unwrap();
        assert_eq!(Flash::read(&crate::link::decoded(value)), Some(Flash::error("no ; æ⟨ESC⟩")));
    }
}
