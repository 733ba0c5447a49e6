//! Verbs on triggers, one file each.

mod edit;
mod hold;
mod kill;
mod run_now;

use orchestrator_core::trigger::{DraftError, TriggerType};
use orchestrator_db::DbError;

use crate::transaction::Contended;

pub use hold::Disabled;
pub use kill::Killed;

pub use edit::Deleted;

/// Why a verb on a trigger was refused.
#[derive(Debug, thiserror::Error)]
pub enum TriggerError {
    /// What was given is not a valid trigger.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// A live trigger has the name.
    #[error("a trigger named '{0}' exists already")]
    NameExists(String),
    /// The kind of a trigger cannot be changed.
    #[error("trigger '{name}' is of type {from}; its type cannot be changed to {to}: create a new one")]
    KindChanged {
        /// The trigger.
        name: String,
        /// What it is.
        from: TriggerType,
        /// What was asked for.
        to: TriggerType,
    },
    /// Only a single trigger is given an instant when it is enabled.
    #[error(
        "next_run (--at) is when a single trigger fires again; trigger '{name}' is of type {kind} and fires by itself: \
         enable it without one"
    )]
    NextRunOfOtherKind {
        /// The trigger.
        name: String,
        /// What it is.
        kind: TriggerType,
    },
    /// Someone else changed it since it was read.
    #[error("trigger '{name}' was changed at {updated_at} by someone else; read it again and repeat the change")]
    ChangedMeanwhile {
        /// The trigger.
        name: String,
        /// When the other change was made.
        updated_at: orchestrator_core::clock::Timestamp,
    },
    /// The trigger is gone.
    #[error("trigger '{0}' was deleted")]
    Deleted(String),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl Contended for TriggerError {
    fn is_contention(&self) -> bool {
        matches!(self, Self::Db(error) if error.is_contention())
    }
}
