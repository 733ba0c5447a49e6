//! One file per page, with its template beside it in `templates/`.

pub(crate) mod calendar;
pub(crate) mod jobs;
pub(crate) mod overview;
pub(crate) mod triggers;
pub(crate) mod workers;
