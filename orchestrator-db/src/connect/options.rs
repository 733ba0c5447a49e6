//! Where the data is.

use std::fmt;

/// Where the data is, and how careful to be with it.
#[derive(Clone)]
pub struct DbOptions {
    /// `sqlite:PATH` or `postgres://…`.
    pub url: String,
    /// The most connections to PostgreSQL, or readers of SQLite.
    pub max_connections: u32,
    /// Accept a database that may forget acknowledged work after a power failure.
    pub accept_weak_durability: bool,
}

impl DbOptions {
    /// Defaults for a URL.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), max_connections: 10, accept_weak_durability: false }
    }
}

/// Without the URL, which may hold a password.
impl fmt::Debug for DbOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DbOptions")
            .field("max_connections", &self.max_connections)
            .field("accept_weak_durability", &self.accept_weak_durability)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_shown_without_the_password_in_the_url() {
        let shown = format!("{:?}", DbOptions::new("postgres://orchestrator:hunter2@db/orchestrator"));
        assert!(shown.contains("max_connections") && !shown.contains("hunter2"), "{shown}");
    }
}
