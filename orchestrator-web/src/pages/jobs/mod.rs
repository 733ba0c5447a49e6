//! Jobs: what ran, what runs, what waits and why.

pub(crate) mod change;
pub(crate) mod list;
pub(crate) mod output;
pub(crate) mod show;
