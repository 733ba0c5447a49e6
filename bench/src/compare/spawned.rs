//! From the creation of an element to the robot that a queue trigger starts for it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use orchestrator_proto::v1;
use v1::queue_service_client::QueueServiceClient;

use super::figure::{Figure, millis};
use super::names;
use super::robot::{self, QUEUE};
use super::scratch::Scratch;
use crate::figures::Samples;
use crate::machine::{Database, Machine, Setup};
use crate::{limits, stamp};

/// Elements that are not counted.
const WARM_UP: usize = 5;
const PATIENCE: Duration = Duration::from_secs(30);

/// How long the robot program takes by itself: no orchestrator can do anything about it.
pub(crate) fn spawn() -> anyhow::Result<Duration> {
    Ok(limits::process_spawn(50, Duration::from_millis(100))?.p50())
}

/// A trigger that starts a robot for each element of a queue. Its id.
pub(crate) async fn watch(machine: &Machine) -> anyhow::Result<String> {
    let trigger = v1::Trigger {
        name: QUEUE.to_owned(),
        process_name: robot::PROCESS_NAME.to_owned(),
        process_path: std::env::current_exe()?.display().to_string(),
        process_args: Some(machine.stamps().display().to_string()),
        is_blocking: Some(false),
        kind: Some(v1::trigger::Kind::Queue(v1::QueueKind {
            queue_name: QUEUE.to_owned(),
            min_batch_size: 1,
            max_parallel: 1,
        })),
        ..v1::Trigger::default()
    };
    let request = v1::CreateTriggerRequest { trigger: Some(trigger), ..Default::default() };
    let created = machine.triggers().create(machine.request(request)?).await?.into_inner();
    Ok(created.trigger.context("no trigger")?.id)
}

/// One element after the other, each on an idle system.
pub(crate) async fn one_by_one(machine: &Machine, trigger: &str, count: usize) -> anyhow::Result<Samples> {
    let mut samples = Vec::with_capacity(count);
    for _ in 0..WARM_UP + count {
        samples.push(once(machine, trigger).await?);
    }
    Ok(Samples::new(samples.split_off(WARM_UP)))
}

/// The robot takes its element: one that was left would be a reason to start another.
async fn once(machine: &Machine, trigger: &str) -> anyhow::Result<Duration> {
    let create = machine.request(v1::CreateElementRequest {
        queue_name: QUEUE.to_owned(),
        element: Some(v1::NewElement::default()),
        ..Default::default()
    })?;
    let before = stamp::now();
    QueueServiceClient::new(machine.channel()).create(create).await?;
    let (path, ran) = first_stamp(machine, trigger).await?;
    std::fs::remove_file(path)?;
    ended(machine, trigger).await?;
    Ok(ran.saturating_sub(before))
}

async fn first_stamp(machine: &Machine, trigger: &str) -> anyhow::Result<(PathBuf, Duration)> {
    let (folder, until) = (machine.stamps(), stamp::now() + PATIENCE);
    while stamp::now() < until {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let Some(found) = std::fs::read_dir(&folder)?.next().transpose()? else { continue };
        let name = found.file_name();
        if let Some(ran) = name.to_str().and_then(|job| stamp::read(&folder, job)) {
            return Ok((found.path(), ran));
        }
    }
    let latest = latest(machine, trigger).await?.map(|job| format!("the latest job is {}: {}", job.status, job.reason));
    anyhow::bail!("no robot was started within 30 s; {}", latest.unwrap_or_else(|| "there is no job".to_owned()))
}

async fn latest(machine: &Machine, trigger: &str) -> anyhow::Result<Option<v1::Job>> {
    let request = v1::ListJobsRequest { trigger: trigger.to_owned(), ..v1::ListJobsRequest::default() };
    Ok(machine.jobs().list(machine.request(request)?).await?.into_inner().jobs.into_iter().next())
}

async fn ended(machine: &Machine, trigger: &str) -> anyhow::Result<()> {
    let until = stamp::now() + PATIENCE;
    while stamp::now() < until {
        if latest(machine, trigger).await?.is_some_and(|job| job.status == "DONE") {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    anyhow::bail!("the robot did not end within 30 s")
}

/// The row, without the spawn itself.
pub(crate) fn figure(what: String, samples: &Samples, spawn: Duration) -> Figure {
    Figure {
        what,
        p50: Some(millis(samples.p50().saturating_sub(spawn))),
        p99: Some(millis(samples.p99().saturating_sub(spawn))),
        ..Figure::default()
    }
}

/// Both databases, on machines of their own.
pub(crate) async fn measure(database: Database, count: usize) -> anyhow::Result<Figure> {
    let spawn = spawn()?;
    let setup = Setup { slots: Some(2), ..Setup::server(database) };
    let machine = Machine::set_up(setup).await?;
    let trigger = watch(&machine).await?;
    let samples = one_by_one(&machine, &trigger, count).await?;
    drop(Scratch::left_by(machine));
    Ok(figure(names::spawned(database), &samples, spawn))
}
