//! Addresses with values in them.

use std::fmt::Write as _;

/// A text as part of an address: everything but letters, digits and `-._~` is written as its bytes.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// The text behind an encoded one; what is no encoding stays as it is.
pub(crate) fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let pair = tail.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        let byte = pair.filter(|_| *first == b'%').and_then(|pair| u8::from_str_radix(pair, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A path with a query; pairs without a value are left out, so that addresses say only what differs from the usual.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    address: String,
    has_query: bool,
}

impl Link {
    /// To a path, which must be encoded already.
    pub(crate) fn to(path: impl Into<String>) -> Self {
        Self { address: path.into(), has_query: false }
    }

    /// Adds a pair unless its value is empty.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        if !value.is_empty() {
            self.address.push(if self.has_query { '&' } else { '?' });
            self.has_query = true;
            self.address.push_str(&encoded(name));
            self.address.push('=');
            self.address.push_str(&encoded(value));
        }
        self
    }

    /// The address.
    pub(crate) fn into_string(self) -> String {
        self.address
    }
}

/// Where to go back to after signing in or after a change: a place on this server, or its start page.
pub(crate) fn safe_return(next: &str) -> &str {
    // "//host" and "/\host" are other servers to a browser, and it drops tabs and line ends in an address.
    let is_own = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\t', '\r', '\n']);
    if is_own { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_survives_an_address() {
        for text in ["", "a b", "100 % æ/ø?&=#", "%41", "日本"] {
            assert_eq!(decoded(&encoded(text)), text);
        }
        assert_eq!(decoded("%zz%4"), "%zz%4");
    }

    #[test]
    fn links_leave_out_what_is_empty() {
        let link = Link::to("/jobs").with("status", "").with("q", "a&b").with("trigger", "æ");
        assert_eq!(link.into_string(), "/jobs?q=a%26b&trigger=%C3%A6");
    }

    #[test]
    fn nobody_is_sent_to_another_server() {
        for next in ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "", "/\t/evil.example"] {
            assert_eq!(safe_return(next), "/", "{next}");
        }
        assert_eq!(safe_return("/jobs?status=FAILED"), "/jobs?status=FAILED");
    }
}
