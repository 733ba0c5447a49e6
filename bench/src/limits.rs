//! What this machine cannot do faster.

use std::io::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::figures::Samples;
use crate::programs::command;
use crate::stamp;

/// How much of the file is there before: a log that grows pays for the file's size, too.
const PREPARED: u64 = 16 << 20;

/// How long the disk takes to keep 8 kB more at the end of a log, as each commit of a database does.
pub(crate) fn disk_sync(count: usize) -> anyhow::Result<Samples> {
    let folder = tempfile::tempdir()?;
    let mut file = std::fs::File::create(folder.path().join("log"))?;
    std::io::copy(&mut std::io::Read::take(std::io::repeat(0), PREPARED), &mut file)?;
    file.sync_all()?;
    std::io::Seek::rewind(&mut file)?;
    let block = vec![7_u8; 8192];
    let mut samples = Vec::with_capacity(count);
    for _ in 0..count {
        let began = Instant::now();
        file.write_all(&block)?;
        file.sync_data()?;
        samples.push(began.elapsed());
    }
    Ok(Samples::new(samples))
}

/// How long the robot program takes from its spawn to its first instruction, on a machine that was idle for the pause
/// before: what a robot finds whose trigger is the only one that is due.
#[expect(clippy::disallowed_methods, reason = "nothing else is to happen meanwhile")]
pub(crate) fn process_spawn(count: usize, pause: Duration) -> anyhow::Result<Samples> {
    let folder = tempfile::tempdir()?;
    let mut samples = Vec::with_capacity(count);
    for number in 0..count {
        std::thread::sleep(pause);
        let job = format!("spawn-{number}");
        let before = stamp::now();
        let mut child = command(std::env::current_exe()?)
            .args([stamp::PROCESS_NAME, "none", "none"])
            .arg(folder.path())
            .args(["no-trigger", &job])
            .stdin(Stdio::null())
            .spawn()?;
        child.wait()?;
        samples.push(stamp::read(folder.path(), &job).context("no stamp")?.saturating_sub(before));
    }
    Ok(Samples::new(samples))
}
