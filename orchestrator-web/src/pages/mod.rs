//! One file per page, with its template beside it in `templates/`.

pub(crate) mod overview;
pub(crate) mod triggers;
