//! What people typed: the fields of a form, or of the query of an address.

use std::convert::Infallible;

use axum::extract::{FromRequest, FromRequestParts, Request};
use http::header;
use http::request::Parts;
use tonic::{Code, Status};

use crate::app::App;
use crate::error::PageError;
use crate::link::decoded;

/// The most bytes of a form.
const MOST_BYTES: usize = 4 << 20;

/// Names with values, in order; a name may come more than once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(crate) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let read = |part: &str| decoded(&part.replace('+', " "));
            // Browsers send the line ends of a text area as CR LF; nobody typed the CR.
            (read(name), read(value).replace("\r\n", "\n"))
        });
        Self(pairs.collect())
    }

    /// Puts a value in the place of what the field has.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.0.retain(|(key, _)| key != name);
        self.add(name, value);
    }

    /// Adds a value.
    pub(crate) fn add(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), value.to_owned()));
    }

    /// Ticks a box, or takes the tick away.
    pub(crate) fn tick(&mut self, name: &str, is_ticked: bool) {
        self.0.retain(|(key, _)| key != name);
        if is_ticked {
            self.add(name, "on");
        }
    }

    /// The value of a field as it was typed; empty when there is none.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str())
    }

    /// The value without blanks around it.
    pub(crate) fn trimmed(&self, name: &str) -> &str {
        self.text(name).trim()
    }

    /// Every value of a field that is not empty.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// Whether a box was ticked.
    pub(crate) fn is_ticked(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }
}

/// The fields of an address.
#[derive(Debug, Clone)]
pub(crate) struct Query(pub(crate) Fields);

impl FromRequestParts<App> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Infallible> {
        Ok(Self(Fields::parse(parts.uri.query().unwrap_or_default())))
    }
}

/// The fields of a form that was sent.
#[derive(Debug, Clone)]
pub(crate) struct Form(pub(crate) Fields);

impl FromRequest<App> for Form {
    type Rejection = PageError;

    async fn from_request(request: Request, _: &App) -> Result<Self, PageError> {
        let kind =
            request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !kind.starts_with("application/x-www-form-urlencoded") {
            return Err(refused("the form was not sent by a browser's form"));
        }
        let bytes = axum::body::to_bytes(request.into_body(), MOST_BYTES).await;
        let bytes = bytes.map_err(|_| refused(&format!("the form is larger than {MOST_BYTES} bytes, or broke off")))?;
        let text = std::str::from_utf8(&bytes).map_err(|_| refused("the form is not UTF-8"))?;
        Ok(Self(Fields::parse(text)))
    }
}

fn refused(why: &str) -> PageError {
    PageError::Refused(Status::new(Code::InvalidArgument, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_browsers_write_them() {
        let fields = Fields::parse("q=a+b%26c&id=1&id=2&id=&on=&text=a%0D%0Ab&%C3%A6=%C3%B8");
        assert_eq!(fields.text("q"), "a b&c");
        assert_eq!(fields.all("id").collect::<Vec<_>>(), ["1", "2"]);
        assert!(fields.is_ticked("on") && !fields.is_ticked("off"));
        assert_eq!(fields.text("text"), "a\nb");
        assert_eq!(fields.text("æ"), "ø");
        assert_eq!(fields.text("none"), "");
    }
}
