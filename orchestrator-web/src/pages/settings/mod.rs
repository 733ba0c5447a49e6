//! Settings: people, sessions, tokens, and what this server is.

pub(crate) mod about;
pub(crate) mod session_row;
pub(crate) mod sessions;
pub(crate) mod token_new;
pub(crate) mod tokens;
pub(crate) mod user_change;
pub(crate) mod user_form;
pub(crate) mod users;

/// The roles with their words.
const ROLES: [(&str, &str); 3] = [
    ("VIEWER", "Viewer: looks"),
    ("OPERATOR", "Operator: runs, pauses, kills, works on elements"),
    ("ADMIN", "Admin: everything"),
];

/// The part of the path after which the parts of Settings are told apart.
pub(crate) const PATH: &str = "/settings";
