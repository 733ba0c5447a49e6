//! `orchestrator dev`: everything in one process, with sample robots, one of which has run.

mod greeting;
mod local_worker;
mod remembered;
mod samples;

pub(crate) use greeting::Greeting;
pub(crate) use local_worker::{LocalWorker, start_worker};
pub(crate) use remembered::Remembered;
pub(crate) use samples::{Samples, add_samples};
