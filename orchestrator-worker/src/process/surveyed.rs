//! Processes on systems without `/proc`. **Untested**: neither compiled nor run where the rest is tested; it is kept to calls
//! of `sysinfo`.

use std::ffi::OsString;
use std::io;

use sysinfo::{Pid, Process, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind};

use super::Identity;
use super::cookie::Mark;
use super::platform;
use super::scan::Seen;

/// All processes.
pub(crate) fn look_at_all() -> io::Result<Vec<Seen>> {
    look(ProcessesToUpdate::All)
}

/// One process; none when it is gone.
pub(crate) fn look_at(pid: u32) -> io::Result<Option<Seen>> {
    let seen = look(ProcessesToUpdate::Some(&[Pid::from_u32(pid)]))?;
    Ok(seen.into_iter().find(|seen| seen.identity.pid == pid))
}

/// Whether this process is shown those of other users.
pub(crate) fn sees_others() -> bool {
    true
}

fn look(which: ProcessesToUpdate<'_>) -> io::Result<Vec<Seen>> {
    // The only cause of an error is a system that sysinfo does not know.
    let mut system = System::new().map_err(|_| io::Error::from(io::ErrorKind::Unsupported))?;
    let kind = ProcessRefreshKind::nothing().with_environ(UpdateKind::Always).without_tasks();
    system.refresh_processes_specifics(which, true, kind);
    Ok(system.processes().values().map(seen).collect())
}

fn seen(process: &Process) -> Seen {
    let pid = process.pid().as_u32();
    Seen {
        identity: Identity { pid, started: process.start_time() },
        parent: process.parent().map(Pid::as_u32),
        group: platform::group_of(pid),
        name: process.name().to_string_lossy().into_owned(),
        mark: Mark::in_environment(
            process.environ().iter().map(OsString::as_os_str).map(std::ffi::OsStr::as_encoded_bytes),
        ),
        is_dead: matches!(process.status(), ProcessStatus::Zombie | ProcessStatus::Dead),
    }
}

/// The present, as start times are counted.
pub(crate) fn kernel_now() -> u64 {
    let (boot, uptime) = (System::boot_time().unwrap_or_default(), System::uptime().unwrap_or_default());
    boot.saturating_add(uptime)
}

/// Start times are instants of the calendar here: they name a process across restarts of the machine.
pub(crate) fn era() -> String {
    String::new()
}

/// The process with this id if it started at this second.
pub(crate) fn started_at_second(pid: u32, second: u64) -> Option<Identity> {
    look_at(pid).ok()?.map(|seen| seen.identity).filter(|identity| identity.started == second)
}
