//! The rules that need no database: placement of jobs and decisions of triggers.

#![expect(clippy::unwrap_used, reason = "in helpers, too, a test that cannot go on panics")]

mod decisions;
mod fleet;
mod placement;
mod starvation;
