//! A running server: the place where everything is put together.

mod error;
mod first_token;
mod key_check;
mod start;

pub(crate) use error::ServingError;
pub(crate) use first_token::{ADMIN_TOKEN_FILE, make_token};
pub(crate) use start::{Serving, begin, check_tls, database_options, places};
