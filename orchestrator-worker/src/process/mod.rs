//! Robot processes: how a tree of processes is started, watched, and ended without leaving anything behind.
//!
//! Invariants:
//!
//! - Every tree is started by a [`Launcher`], in a process group of its own, with the [`JobCookie`] in its environment.
//! - The main process stays unreaped until its tree has been swept. Its process id, which is also the number of its
//!   group, can therefore not pass to another process, and signals to the group reach members only.
//! - Outside the group a process is killed only after it was seen to belong to the job (by cookie, by descent, or as an
//!   orphan adopted by this worker that no other job, and nothing else, can have started), and only if its start time still
//!   matches.
//! - A cookie names the job and the grant: the same job under another grant is somebody else's, on this machine too.
//! - What an earlier agent noted of a tree names processes by id and start time, within one [`Era`]; never by their id alone.
//! - Trees are swept within one second, plus the grace that was asked for.
//! - Besides trees there are `Companion`s, which are of no job, and which no sweep touches.
//!
//! The parts that differ between operating systems are the functions of `unix.rs` and `windows.rs`, which are the same; both
//! look at what runs through `procfs.rs` (Linux) or `surveyed.rs` (elsewhere).

mod companion;
mod cookie;
mod launch;
mod leftovers;
#[cfg(target_os = "linux")]
mod procfs;
mod registry;
mod running;
mod scan;
#[cfg(not(target_os = "linux"))]
mod surveyed;
mod sweep;
mod watch;

pub(crate) use companion::Companion;
pub(crate) use platform::{own_program, sees_others, set_name, started_at_second};

#[cfg(unix)]
#[path = "unix.rs"]
mod platform;
#[cfg(windows)]
#[path = "windows.rs"]
mod platform;

pub use cookie::{Grant, JOB_GRANT_VARIABLE, JOB_ID_VARIABLE, JobCookie, NotAGrant};
pub use launch::{LaunchSpec, Launcher, SpawnError};
pub use leftovers::{Leftover, kill_leftovers, kill_survivors};
pub use running::{Exit, RunningProcess, Stopped};
pub use scan::{Era, Identity};
pub use sweep::{Children, FoundBy, Sweep, SweptProcess};
pub use watch::Strays;
