//! The robot: writes down when its first instruction ran, and ends.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;

/// The process name under which this program is a robot.
pub(crate) const PROCESS_NAME: &str = "stamp";

/// The wall clock, since the epoch.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Called as a robot is: process name, endpoint, placeholder, arguments (a folder), trigger, job.
pub(crate) fn run(arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    let now = now();
    let folder = Path::new(arguments.get(4).context("no folder")?);
    let job = arguments.get(6).context("no job")?;
    write(folder, job, now)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes down when a robot ran.
pub(crate) fn write(folder: &Path, job: impl AsRef<Path>, ran: Duration) -> std::io::Result<()> {
    std::fs::write(folder.join(job), ran.as_nanos().to_string())
}

/// When the robot of a job ran.
pub(crate) fn read(folder: &Path, job: &str) -> Option<Duration> {
    let text = std::fs::read_to_string(folder.join(job)).ok()?;
    text.parse().ok().map(Duration::from_nanos)
}
