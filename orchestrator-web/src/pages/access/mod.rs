//! Constants and credentials: what robots read by name.

pub(crate) mod constant;
pub(crate) mod credential;
mod item;
pub(crate) mod list;

/// Where both live.
const PATH: &str = "/constants";

const NAME_HINT: &str = "At most 100 characters. Robots ask for it by this name.";
