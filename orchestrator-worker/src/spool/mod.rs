//! What robots wrote while the server was away: one file for each job, in order, on disk before a robot is answered.
//!
//! A file holds the entries of its job and how far they were delivered. Entries are delivered in order, and may be
//! delivered more than once: what they do is named by ids, so that it is done once. A file goes when nothing waits in it;
//! what the server refuses for good is kept where people can read it.

mod budget;
mod damage;
mod file;
mod folder;
mod gap;
mod record;
mod refused;
#[cfg(test)]
mod tests;

pub(crate) use damage::Damage;
pub(crate) use file::{AppendError, Lost, SpoolFile};
pub(crate) use folder::Spools;
pub use folder::{SpoolError, SpoolLimits};
pub(crate) use record::{Entry, Head};
