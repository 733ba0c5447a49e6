//! What is particular to Windows: Job Objects.
//!
//! **Untested**: this file is neither compiled nor run where the rest is tested. It is kept to calls of `process-wrap` and
//! `sysinfo`. Known differences from Unix:
//!
//! - There is no TERM: a stop ends the tree at once, whatever the grace.
//! - All descendants are in the Job Object, also those that shed the cookie, so there are no orphans to adopt.
//! - A main process that has ended holds its process id only as long as its handle is open, which tokio sees to.

use std::io;
use std::path::PathBuf;

use process_wrap::tokio::{ChildWrapper, CommandWrap, JobObject};
use sysinfo::{Pid, ProcessesToUpdate, System};

use super::Exit;
use super::scan::Seen;
pub(crate) use super::surveyed::{era, kernel_now, look_at, look_at_all, sees_others, started_at_second};

/// Job Objects keep descendants together; nothing is adopted.
#[expect(clippy::unnecessary_wraps, reason = "the same signature on every system")]
pub(crate) fn adopt_orphans() -> io::Result<()> {
    Ok(())
}

/// Puts the process into a Job Object of its own.
pub(crate) fn isolate(command: &mut CommandWrap) {
    command.wrap(JobObject);
}

/// Nothing to do: there are no sessions of this kind.
pub(crate) fn set_apart(_command: &mut CommandWrap) {}

/// No watchdog is started here.
pub(crate) fn own_program() -> Option<PathBuf> {
    None
}

/// A process is called as its file is.
pub(crate) fn set_name(_name: &str) {}

/// Waits until the main process has ended, not for the rest of the Job Object.
pub(crate) async fn exited(child: &mut Box<dyn ChildWrapper>, _pid: u32) -> io::Result<Exit> {
    let status = child.inner_mut().wait().await?;
    Ok(Exit::Code(status.code().unwrap_or(-1)))
}

/// Nothing is left to collect.
pub(crate) async fn release(child: &mut Box<dyn ChildWrapper>) -> bool {
    child.inner_mut().wait().await.is_ok()
}

/// Windows has no request that all programs understand.
pub(crate) fn ask_to_end(_child: &dyn ChildWrapper) -> bool {
    false
}

/// Ends the Job Object.
pub(crate) fn kill_group(child: &mut Box<dyn ChildWrapper>) {
    // Fails only if nobody is left: the sweep reports survivors.
    let _ = child.start_kill();
}

/// There are no process groups.
pub(crate) fn group_of(_pid: u32) -> Option<u32> {
    None
}

/// There are no process groups.
pub(crate) fn is_in_other_group(_seen: &Seen) -> bool {
    false
}

/// Nothing is adopted.
pub(crate) fn adopts_strangers() -> bool {
    false
}

/// Ends one process, provided that `is_still_it` says so. One that is gone is no error.
pub(crate) fn kill_if(pid: u32, is_still_it: impl FnOnce() -> bool) -> io::Result<()> {
    let mut system = System::new().map_err(|_| io::Error::other("unsupported system"))?;
    let pid = Pid::from_u32(pid);
    system.refresh_processes(ProcessesToUpdate::Some(&[pid]), true);
    match system.process(pid) {
        Some(process) if is_still_it() && !process.kill() => Err(io::Error::other("the system refused to end it")),
        _ => Ok(()),
    }
}

/// Nothing waits to be collected.
pub(crate) fn has_ended_children() -> bool {
    false
}

/// Nothing waits to be collected.
pub(crate) fn reap(_pid: u32) {}
