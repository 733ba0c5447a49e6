//! Triggers: what makes jobs, and whether it does.

pub(crate) mod bulk;
pub(crate) mod change;
pub(crate) mod confirm;
mod draft;
pub(crate) mod form;
pub(crate) mod list;
pub(crate) mod preview;
pub(crate) mod run;
pub(crate) mod show;
mod view;
