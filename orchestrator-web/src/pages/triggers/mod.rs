//! Triggers: what makes jobs, and whether it does.

pub(crate) mod change;
pub(crate) mod list;
pub(crate) mod run;
mod view;
