//! What browsers hold: sessions, and links that sign in once. Only hashes of secrets are stored.

mod link;
mod session;

pub use link::NewSignInLink;
pub use session::{BrowserSession, NewBrowserSession};

#[cfg(test)]
crate::statements::statements![; link, session];
