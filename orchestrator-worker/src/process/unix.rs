//! What is particular to Unix: process groups, signals, adopted orphans (Linux only), exit statuses that are looked at
//! before they are collected.

use std::io;
use std::path::PathBuf;

use nix::unistd::getpgrp;
use process_wrap::tokio::{ChildWrapper, CommandWrap, ProcessGroup, ProcessSession};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};
use tokio::signal::unix::{SignalKind, signal};

use super::Exit;
#[cfg(target_os = "linux")]
pub(crate) use super::procfs::{era, kernel_now, look_at, look_at_all, sees_others, started_at_second};
use super::scan::Seen;
#[cfg(not(target_os = "linux"))]
pub(crate) use super::surveyed::{era, kernel_now, look_at, look_at_all, sees_others, started_at_second};

/// Makes this process the parent of orphaned descendants.
#[cfg(target_os = "linux")]
pub(crate) fn adopt_orphans() -> io::Result<()> {
    // The value only has to be non-zero.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).map_err(io::Error::from)
}

/// Only Linux has this.
#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature on every system")]
pub(crate) fn adopt_orphans() -> io::Result<()> {
    Ok(())
}

/// Gives the process a group of its own.
pub(crate) fn isolate(command: &mut CommandWrap) {
    command.wrap(ProcessGroup::leader());
}

/// Gives the process a session of its own, and with it a group.
pub(crate) fn set_apart(command: &mut CommandWrap) {
    command.wrap(ProcessSession);
}

/// How this very program is started again: also after its file was replaced by another version's.
#[cfg(target_os = "linux")]
#[expect(clippy::unnecessary_wraps, reason = "the same signature on every system")]
pub(crate) fn own_program() -> Option<PathBuf> {
    Some(PathBuf::from("/proc/self/exe"))
}

/// How this program is started again.
#[cfg(not(target_os = "linux"))]
pub(crate) fn own_program() -> Option<PathBuf> {
    std::env::current_exe().ok()
}

/// Names this process, for `ps` and for who kills by name. Of up to 15 bytes.
pub(crate) fn set_name(name: &str) {
    // Only Linux has this. Without it the process is called as its file is.
    if let Err(error) = std::fs::write("/proc/self/comm", name) {
        tracing::debug!(%error, "this process keeps the name of its program");
    }
}

/// Waits until the process has ended, and leaves its exit status to be collected by [`release`].
///
/// Every child's end wakes every waiter, which costs each one system call.
pub(crate) async fn exited(_child: &mut Box<dyn ChildWrapper>, pid: u32) -> io::Result<Exit> {
    let pid = to_pid(pid).ok_or_else(|| io::Error::other("process id out of range"))?;
    // Before the first look, so that no end falls between.
    let mut child_ends = signal(SignalKind::child())?;
    loop {
        if let Some(exit) = look_at_exit(pid)? {
            return Ok(exit);
        }
        child_ends.recv().await;
    }
}

fn look_at_exit(pid: Pid) -> io::Result<Option<Exit>> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let status = waitid(WaitId::Pid(pid), options)?;
    Ok(status.and_then(|status| {
        status.exit_status().map(Exit::Code).or_else(|| status.terminating_signal().map(Exit::Signal))
    }))
}

/// Collects the exit status of a process that has ended. Only the main process's: the group's wrapper would wait for all
/// members.
pub(crate) async fn release(child: &mut Box<dyn ChildWrapper>) -> bool {
    child.inner_mut().wait().await.is_ok()
}

/// TERM to the group. Says whether there is anything to wait for.
pub(crate) fn ask_to_end(child: &dyn ChildWrapper) -> bool {
    child.signal(Signal::TERM.as_raw()).is_ok()
}

/// KILL to the group. The main process must not be reaped yet.
pub(crate) fn kill_group(child: &mut Box<dyn ChildWrapper>) {
    // Fails only if nobody is left, or nobody whom this user may signal: the sweep reports those.
    let _ = child.start_kill();
}

/// The group of a process, ended ones included.
#[cfg(not(target_os = "linux"))]
pub(crate) fn group_of(pid: u32) -> Option<u32> {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).ok()?);
    nix::unistd::getpgid(Some(pid)).ok().and_then(|group| u32::try_from(group.as_raw()).ok())
}

/// Whether a process is known to be in another group than this process.
pub(crate) fn is_in_other_group(seen: &Seen) -> bool {
    seen.group.is_some_and(|group| i64::from(group) != i64::from(getpgrp().as_raw()))
}

/// Whether orphans become this process's children that were never below what it starts: it is the first process of its
/// container or machine, or has children already, whose own orphans it adopts.
pub(crate) fn adopts_strangers() -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    std::process::id() == 1 || waitid(WaitId::All, options).is_ok()
}

/// KILL to one process, provided that `is_still_it` says so while the process id cannot change its meaning. One that is gone
/// is no error.
#[cfg(target_os = "linux")]
pub(crate) fn kill_if(pid: u32, is_still_it: impl FnOnce() -> bool) -> io::Result<()> {
    use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};

    let Some(raw) = to_pid(pid) else { return Ok(()) };
    match pidfd_open(raw, PidfdFlags::empty()) {
        Ok(handle) => {
            if is_still_it() {
                unless_gone(pidfd_send_signal(handle, Signal::KILL))
            } else {
                Ok(())
            }
        }
        // Kernels before 5.3.
        Err(rustix::io::Errno::NOSYS) => kill_by_number(pid, is_still_it),
        Err(error) => unless_gone(Err(error)),
    }
}

/// KILL to one process, provided that `is_still_it` says so. One that is gone is no error.
#[cfg(not(target_os = "linux"))]
pub(crate) fn kill_if(pid: u32, is_still_it: impl FnOnce() -> bool) -> io::Result<()> {
    kill_by_number(pid, is_still_it)
}

fn kill_by_number(pid: u32, is_still_it: impl FnOnce() -> bool) -> io::Result<()> {
    match to_pid(pid) {
        Some(raw) if is_still_it() => unless_gone(rustix::process::kill_process(raw, Signal::KILL)),
        _ => Ok(()),
    }
}

fn unless_gone(outcome: rustix::io::Result<()>) -> io::Result<()> {
    match outcome {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Whether a child, whichever, has ended and waits for its exit status to be collected.
pub(crate) fn has_ended_children() -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    matches!(waitid(WaitId::All, options), Ok(Some(_)))
}

/// Collects the exit status of an adopted orphan that has ended.
pub(crate) fn reap(pid: u32) {
    if let Some(pid) = to_pid(pid) {
        // Nothing to collect is what was wanted.
        let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
    }
}

fn to_pid(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}
