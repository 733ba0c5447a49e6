//! One file per page, with its template beside it in `templates/`.

pub(crate) mod access;
pub(crate) mod audit;
pub(crate) mod calendar;
pub(crate) mod confirm;
pub(crate) mod jobs;
pub(crate) mod logs;
pub(crate) mod overview;
pub(crate) mod profile;
pub(crate) mod queues;
pub(crate) mod settings;
pub(crate) mod sign_in;
pub(crate) mod triggers;
pub(crate) mod workers;
