//! Queue elements: claimed exactly once, fenced, counted.

mod claim;
mod concurrency;
mod count;
mod edit;
mod import;
mod list;
mod marks;
mod release;
mod sample;
mod status;
pub(crate) mod world;
