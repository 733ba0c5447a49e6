//! The rules that need no database: placement of jobs and decisions of triggers.

mod decisions;
mod fleet;
mod placement;
mod starvation;
