//! Which process is the watchdog of a folder: it is in it, and bears its name. A machine may have several agents.

use std::path::Path;

use super::NAME;

/// The watchdog that works in this folder, where the system tells such things (`/proc`).
pub(in crate::agent) fn pid_in(folder: &Path) -> Option<u32> {
    let folder = folder.canonicalize().ok()?;
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    let pid = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse::<u32>().ok();
    processes.filter_map(pid).find(|pid| is_called_so(*pid) && is_in(*pid, &folder))
}

fn is_called_so(pid: u32) -> bool {
    let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    arguments.split(|byte| *byte == 0).next() == Some(NAME.as_bytes())
}

fn is_in(pid: u32, folder: &Path) -> bool {
    std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|working| working == folder)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::process::CommandExt as _;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn of_several_watchdogs_that_of_the_folder_is_found() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let start = |folder: &Path| {
            let mut cat = Command::new("cat");
            let piped = cat.arg0(NAME).current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = piped.spawn().unwrap();
            // It has its name when it is the program, which is a moment after it was made.
            child.stdin.as_mut().unwrap().write_all(b".").unwrap();
            child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
            child
        };
        let mut running = [start(one.path()), start(other.path())];
        let found = [pid_in(one.path()), pid_in(other.path())];
        let expected = running.each_ref().map(|child| Some(child.id()));
        for child in &mut running {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert_eq!(found, expected);
        assert_eq!(pid_in(one.path()), None);
    }
}
