//! Cleaning up after a run, however it ended.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// Waits for the process to go, then kills the server and removes the folder. The sub-shell outlives its parent, and the
/// process group of its own keeps it from the signals that end a test.
const SCRIPT: &str = r#"(
    while kill -0 "$1" 2>/dev/null && [ -d "$2" ]; do sleep 1; done
    read -r server < "$2/data/postmaster.pid" && kill -QUIT "$server"
    for i in 1 2 3 4 5 6 7 8 9 10; do [ -e "$2/data/postmaster.pid" ] || break; sleep 0.5; done
    rm -rf "$2" "$2.lock"
) </dev/null >/dev/null 2>&1 &"#;

pub(crate) fn remove_after(runner: u32, folder: &Path) {
    let started = Command::new("/bin/sh")
        .args(["-c", SCRIPT, "watchdog", &runner.to_string()])
        .arg(folder)
        .process_group(0)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(started.is_ok_and(|status| status.success()), "the watchdog of the test database did not start");
}
