//! Constants and credentials: what robots read by name.

pub(crate) mod constant;
pub(crate) mod credential;
pub(crate) mod list;

/// Where both live.
const PATH: &str = "/constants";
