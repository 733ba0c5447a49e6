//! The robot: writes down when its first instruction ran, and ends.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;

/// The process name under which this program is a robot.
pub(crate) const PROCESS_NAME: &str = "stamp";

/// The same, for a robot that ends when what it wrote is gone.
pub(crate) const HOLDING_NAME: &str = "stamp-and-hold";

/// The wall clock, since the epoch.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Called as a robot is: process name, endpoint, placeholder, arguments (a folder), trigger, job.
pub(crate) fn run(arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    let now = now();
    let is_holding = arguments.get(1).is_some_and(|name| name == HOLDING_NAME);
    let folder = Path::new(arguments.get(4).context("no folder")?);
    let job = arguments.get(6).context("no job")?;
    let stamp = folder.join(job);
    std::fs::write(&stamp, now.as_nanos().to_string())?;
    while is_holding && stamp.exists() {
        pause();
    }
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::disallowed_methods, reason = "a robot without a runtime")]
fn pause() {
    std::thread::sleep(Duration::from_millis(2));
}

/// When the robot of a job ran.
pub(crate) fn read(folder: &Path, job: &str) -> Option<Duration> {
    let text = std::fs::read_to_string(folder.join(job)).ok()?;
    text.parse().ok().map(Duration::from_nanos)
}
