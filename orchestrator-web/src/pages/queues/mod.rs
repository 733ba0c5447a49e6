//! Queues and their elements.

pub(crate) mod bulk;
mod depth;
pub(crate) mod element;
pub(crate) mod elements;
pub(crate) mod export;
pub(crate) mod hold;
pub(crate) mod import;
pub(crate) mod list;
mod past;
pub(crate) mod settings;

use crate::link::encoded;

/// Where queues live.
const PATH: &str = "/queues";

/// The path of a queue's elements.
fn queue_path(queue: &str) -> String {
    format!("{PATH}/{}", encoded(queue))
}
