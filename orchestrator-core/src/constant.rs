//! Constants: named values that robots read.

use crate::clock::Timestamp;
use crate::text::{ActorName, ConstantName, ConstantValue};

/// A named value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constant {
    /// Its name.
    pub name: ConstantName,
    /// Its value.
    pub value: ConstantValue,
    /// When it was last changed.
    pub changed_at: Timestamp,
    /// Who changed it.
    pub changed_by: Option<ActorName>,
}
