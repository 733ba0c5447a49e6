//! Robot processes: how a tree of processes is started, watched, and ended without leaving anything behind.
//!
//! Invariants:
//!
//! - Every tree is started by a [`Launcher`], in a process group of its own, with the [`JobCookie`] in its environment.
//! - The main process stays unreaped until its tree has been swept. Its process id, which is also the number of its
//!   group, can therefore not pass to another process, and signals to the group reach members only.
//! - Outside the group a process is killed only after it was seen to belong to the job (by cookie, by descent, or as an
//!   orphan adopted by this worker that no other job can have started), and only if its start time still matches.
//! - Trees are swept within one second, plus the grace that was asked for.
//!
//! The parts that differ between operating systems are the functions of `unix.rs` and `windows.rs`, which are the same.

mod cookie;
mod launch;
mod leftovers;
mod registry;
mod running;
mod scan;
mod sweep;

#[cfg(unix)]
#[path = "unix.rs"]
mod platform;
#[cfg(windows)]
#[path = "windows.rs"]
mod platform;

pub use cookie::{JOB_ID_VARIABLE, JobCookie};
pub use launch::{LaunchSpec, Launcher, SpawnError};
pub use leftovers::kill_leftovers;
pub use running::{Exit, RunningProcess, Stopped};
pub use scan::Identity;
pub use sweep::{Children, FoundBy, Sweep, SweptProcess};
