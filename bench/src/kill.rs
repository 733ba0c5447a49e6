//! From the kill of a job to the end of its last process.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use orchestrator_proto::v1;

use crate::figures::Samples;
use crate::machine::Machine;
use crate::{latency, stamp};

/// The process name under which this program is a robot that has a child of its own session.
pub(crate) const PROCESS_NAME: &str = "family";

/// The process name of that child.
pub(crate) const CHILD_NAME: &str = "family-child";

/// How long killed processes are waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Jobs that are killed, one after the other, and how long each took to be gone.
pub(crate) async fn one_by_one(machine: &Machine, count: usize) -> anyhow::Result<Samples> {
    let mut samples = Vec::with_capacity(count);
    for number in 0..count {
        let due = stamp::now() + latency::AHEAD;
        let trigger = latency::create(machine, &format!("family-{number}"), PROCESS_NAME, due).await?;
        let job = latency::job_of(machine, &trigger).await?;
        let family = until(|| members(&machine.stamps(), &job)).await.context("the robot did not start")?;
        let began = stamp::now();
        machine.jobs().kill(machine.request(v1::KillJobRequest { job })?).await?;
        until(|| family.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists()).then_some(()))
            .await
            .context("a process of the job outlived its kill")?;
        samples.push(stamp::now().saturating_sub(began));
    }
    Ok(Samples::new(samples))
}

/// A job that runs until it is killed.
pub(crate) async fn running(machine: &Machine, name: &str) -> anyhow::Result<String> {
    let trigger = latency::create(machine, name, PROCESS_NAME, stamp::now() + latency::AHEAD).await?;
    let job = latency::job_of(machine, &trigger).await?;
    until(|| members(&machine.stamps(), &job)).await.context("the robot did not start")?;
    Ok(job)
}

/// The numbers of both processes, once both are there.
fn members(folder: &Path, job: &str) -> Option<Vec<u32>> {
    let text = std::fs::read_to_string(folder.join(format!("{job}.family"))).ok()?;
    let members: Vec<u32> = text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
    (members.len() == 2 && text.ends_with('\n')).then_some(members)
}

/// Looks again and again.
async fn until<T>(look: impl Fn() -> Option<T>) -> Option<T> {
    let end = stamp::now() + PATIENCE;
    while stamp::now() < end {
        if let Some(found) = look() {
            return Some(found);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    None
}

/// Called as a robot is: starts a child that leaves its session, writes both numbers down, and waits.
pub(crate) fn run(arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    let folder = Path::new(arguments.get(4).context("no folder")?);
    let job = arguments.get(6).context("no job")?.to_string_lossy().into_owned();
    let mut child = Command::new("setsid")
        .arg(std::env::current_exe()?)
        .arg(CHILD_NAME)
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    std::fs::write(folder.join(format!("{job}.family")), format!("{} {}\n", std::process::id(), child.id()))?;
    child.wait()?;
    Ok(ExitCode::SUCCESS)
}

/// The child: waits for as long as the measurement's folder is there, and so outlives it by a moment at most.
#[expect(clippy::disallowed_methods, reason = "a process that does nothing but wait")]
pub(crate) fn wait(arguments: &[OsString]) -> ExitCode {
    while arguments.get(2).is_some_and(|folder| Path::new(folder).exists()) {
        std::thread::sleep(Duration::from_millis(500));
    }
    ExitCode::SUCCESS
}
