//! From the due instant to the robot's first instruction.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use orchestrator_proto::v1;

use crate::figures::Samples;
use crate::machine::Machine;
use crate::stamp;

/// How far ahead triggers are set, so that their creation does not disturb them.
pub(crate) const AHEAD: Duration = Duration::from_millis(150);

/// How far the server's clock, which follows its database's, may be from this program's.
const CLOCK_ERROR: Duration = Duration::from_millis(1);

/// How long robots are waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Triggers that fire before any is measured: a server's first statements are planned, its first pages read.
const WARM_UP: usize = 10;

/// Triggers that fire one after the other on an idle system.
pub(crate) async fn one_by_one(machine: &Machine, count: usize) -> anyhow::Result<Samples> {
    let mut samples = Vec::with_capacity(count);
    for number in 0..WARM_UP + count {
        let due = stamp::now() + AHEAD;
        let trigger = create(machine, &format!("one-{number}"), stamp::PROCESS_NAME, due).await?;
        samples.push(wait(machine, &trigger, due).await?);
    }
    Ok(Samples::new(samples.split_off(WARM_UP)))
}

/// Triggers that fire at one instant.
pub(crate) async fn all_at_once(machine: &Machine, count: usize) -> anyhow::Result<Samples> {
    let due = stamp::now() + AHEAD * u32::try_from(count / 10 + 10)?;
    let mut triggers = Vec::with_capacity(count);
    for number in 0..count {
        triggers.push(create(machine, &format!("burst-{number}"), stamp::PROCESS_NAME, due).await?);
    }
    let mut samples = Vec::with_capacity(count);
    for trigger in &triggers {
        samples.push(wait(machine, trigger, due).await?);
    }
    Ok(Samples::new(samples))
}

/// Creates a trigger that fires once and runs this program as one of its robots. Its id.
pub(crate) async fn create(machine: &Machine, name: &str, robot: &str, due: Duration) -> anyhow::Result<String> {
    let trigger = single(machine, name, robot, due)?;
    let request = v1::CreateTriggerRequest { trigger: Some(trigger), ..Default::default() };
    let created = machine.triggers().create(machine.request(request)?).await?.into_inner();
    Ok(created.trigger.context("no trigger")?.id)
}

pub(crate) fn single(machine: &Machine, name: &str, robot: &str, due: Duration) -> anyhow::Result<v1::Trigger> {
    // Databases keep microseconds.
    let micros = u32::try_from(due.as_micros() % 1_000_000)?;
    let next_run = v1::SingleKind { next_run: Some(timestamp(due, micros)?) };
    Ok(v1::Trigger {
        name: name.to_owned(),
        process_name: robot.to_owned(),
        process_path: std::env::current_exe()?.display().to_string(),
        process_args: Some(machine.stamps().display().to_string()),
        is_blocking: Some(false),
        kind: Some(v1::trigger::Kind::Single(next_run)),
        ..v1::Trigger::default()
    })
}

/// The job of a trigger that fires soon.
pub(crate) async fn job_of(machine: &Machine, trigger: &str) -> anyhow::Result<String> {
    let until = stamp::now() + PATIENCE;
    while stamp::now() < until {
        let request = v1::ListJobsRequest { trigger: trigger.to_owned(), ..v1::ListJobsRequest::default() };
        let jobs = machine.jobs().list(machine.request(request)?).await?.into_inner().jobs;
        if let Some(job) = jobs.into_iter().next() {
            return Ok(job.id);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    anyhow::bail!("trigger {trigger} did not run within 30 s")
}

fn timestamp(due: Duration, micros: u32) -> anyhow::Result<prost_types::Timestamp> {
    Ok(prost_types::Timestamp { seconds: i64::try_from(due.as_secs())?, nanos: i32::try_from(micros * 1000)? })
}

async fn wait(machine: &Machine, trigger: &str, due: Duration) -> anyhow::Result<Duration> {
    let until = stamp::now() + PATIENCE;
    while stamp::now() < until {
        let request = v1::ListJobsRequest { trigger: trigger.to_owned(), ..v1::ListJobsRequest::default() };
        let jobs = machine.jobs().list(machine.request(request)?).await?.into_inner().jobs;
        if let Some(ran) = jobs.first().and_then(|job| stamp::read(&machine.stamps(), &job.id)) {
            let early = due.saturating_sub(ran);
            ensure!(early <= CLOCK_ERROR, "the robot of trigger {trigger} ran {early:?} before its instant");
            return Ok(ran.saturating_sub(due));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("trigger {trigger} did not run within 30 s")
}
