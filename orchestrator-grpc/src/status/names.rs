//! Names that are taken.

use orchestrator_db::DbError;
use tonic::{Code, Status};

use super::{Refusal, db, reason};

/// The name of something new is taken.
pub(crate) fn name_exists(what: &str, name: &str) -> Status {
    Refusal::new(Code::AlreadyExists, reason::NAME_EXISTS, format!("{what} '{name}' exists already"))
        .in_field("name")
        .with("name", name)
        .status()
}

/// Something that has a new thing's name, or one that robots could not tell from it.
pub(crate) fn name_exists_as(what: &str, asked: &str, existing: &str) -> Status {
    if asked == existing {
        return name_exists(what, asked);
    }
    let message = format!(
        "{what} '{existing}' exists already, and robots that ask for '{asked}' get it: names that differ in case or trailing \
         blanks only are the same; change that one, or choose another name"
    );
    Refusal::new(Code::AlreadyExists, reason::NAME_EXISTS, message)
        .in_field("name")
        .with("name", asked)
        .with("existing", existing)
        .status()
}

/// Something that was to be created: a conflict means that another call was first.
pub(crate) fn created(what: &str, name: &impl AsRef<str>, error: DbError) -> Status {
    match error {
        DbError::Conflict { .. } => name_exists(what, name.as_ref()),
        other => db(other),
    }
}
