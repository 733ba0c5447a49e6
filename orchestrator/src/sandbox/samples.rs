//! Sample robots, triggers and work for a sandbox that has none.

use std::path::{Path, PathBuf};
use std::time::Duration;

use orchestrator_core::actor::Actor;
use orchestrator_core::cron::CronExpr;
use orchestrator_core::id::{ElementId, TriggerId};
use orchestrator_core::job::{Job, JobStatus};
use orchestrator_core::policy::Policies;
use orchestrator_core::text::{
    CreatedBy, ElementData, ProcessName, ProcessPath, QueueName, Reason, Reference, TriggerName,
};
use orchestrator_core::trigger::{ProcessSpec, TriggerDraft, TriggerKind};
use orchestrator_db::{Hint, JobFilter, NewElement, PageRequest, TriggerFilter};
use orchestrator_scheduler::Scheduler;

use crate::error::{CliError, Result};
use crate::serving::ServingError;

const ROBOTS: [(&str, &str); 3] = [
    ("hello.py", include_str!("robots/hello.py")),
    ("morning_report.py", include_str!("robots/morning_report.py")),
    ("invoices.py", include_str!("robots/invoices.py")),
];

/// Elements in the sample queue: five fewer than its trigger waits for.
const ELEMENTS: usize = 20;

/// How long the first run of the sample robot is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a sandbox has to play with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Samples {
    /// How many triggers there are.
    pub(crate) triggers: usize,
    /// The sample robot's first run, when this start made it.
    pub(crate) first_run: Option<FirstRun>,
}

/// How the sample robot's first run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FirstRun {
    /// DONE, if all is well.
    pub(crate) status: JobStatus,
    /// From its start to its end.
    pub(crate) took: Duration,
    /// Why it ended so.
    pub(crate) reason: String,
}

/// Adds samples to a sandbox without triggers and, where there is a worker, waits for the first run of one.
pub(crate) async fn add_samples(scheduler: &Scheduler, data: &Path, has_worker: bool) -> Result<Samples> {
    let mut tx = scheduler.db().begin_read().await.map_err(ServingError::from)?;
    let page = PageRequest { limit: 1000, cursor: None };
    let (known, _) = tx.trigger_list(&TriggerFilter::default(), &page).await.map_err(ServingError::from)?;
    drop(tx);
    if !known.rows.is_empty() {
        return Ok(Samples { triggers: known.rows.len(), first_run: None });
    }
    let folder = write_robots(data)?;
    add_elements(scheduler).await.map_err(ServingError::from)?;
    let mut changes = scheduler.changes();
    let drafts = drafts(&folder);
    let count = drafts.len();
    let mut hello = None;
    for draft in drafts {
        let id = TriggerId::generate();
        if draft.name.as_str() == "hello" {
            hello = Some(id);
        }
        let created = scheduler.create_trigger(&Actor::system(), id, draft, false).await;
        created.map_err(|error| CliError::Sample(error.to_string()))?;
    }
    let first_run = match hello {
        Some(id) if has_worker => Some(wait_for_run(scheduler, id, &mut changes).await?),
        _ => None,
    };
    Ok(Samples { triggers: count, first_run })
}

fn write_robots(data: &Path) -> Result<PathBuf> {
    let folder = std::path::absolute(data.join("robots")).unwrap_or_else(|_| data.join("robots"));
    std::fs::create_dir_all(&folder).map_err(CliError::file("create", &folder))?;
    for (name, text) in ROBOTS {
        let file = folder.join(name);
        std::fs::write(&file, text).map_err(CliError::file("write", &file))?;
    }
    Ok(folder)
}

async fn add_elements(scheduler: &Scheduler) -> Result<(), orchestrator_db::DbError> {
    let queue = QueueName::from_stored("demo".to_owned());
    let elements: Vec<NewElement> = (1..=ELEMENTS)
        .map(|number| NewElement {
            id: ElementId::generate(),
            queue_name: queue.clone(),
            reference: Some(Reference::from_stored(format!("invoice-{number:03}"))),
            data: Some(ElementData::from_stored(format!(r#"{{"amount": {}}}"#, number * 125))),
            created_by: Some(CreatedBy::from_stored("orchestrator dev".to_owned())),
        })
        .collect();
    let mut tx = scheduler.db().begin_write().await?;
    tx.element_insert(&elements, false, scheduler.now()).await?;
    scheduler.commit(tx, &[Hint::Queue { name: "demo".to_owned() }]).await
}

fn drafts(folder: &Path) -> Vec<TriggerDraft> {
    let cron = CronExpr::parse("0 6 * * 1-5").ok();
    let scheduled =
        cron.map(|cron| TriggerKind::Scheduled { cron, zone: chrono_tz::Europe::Copenhagen, next_run: None });
    let queue_name = QueueName::from_stored("demo".to_owned());
    let queue = TriggerKind::Queue { queue_name, min_batch_size: 25, max_parallel: 1 };
    [
        Some(draft("hello", "hello", &folder.join("hello.py"), TriggerKind::Single { next_run: None })),
        scheduled.map(|kind| draft("morning-report", "Morning report", &folder.join("morning_report.py"), kind)),
        Some(draft("invoices", "Invoices", &folder.join("invoices.py"), queue)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn draft(name: &str, process: &str, path: &Path, kind: TriggerKind) -> TriggerDraft {
    TriggerDraft {
        name: TriggerName::from_stored(name.to_owned()),
        process: ProcessSpec {
            name: ProcessName::from_stored(process.to_owned()),
            path: ProcessPath::from_stored(path.display().to_string()),
            args: None,
            is_git_repo: false,
            git_branch: None,
            entry_point: None,
        },
        kind,
        is_blocking: false,
        priority: 0,
        worker_whitelist: Vec::new(),
        policies: Policies::default(),
    }
}

/// Waits until the trigger's job has ended.
async fn wait_for_run(
    scheduler: &Scheduler,
    trigger: TriggerId,
    changes: &mut tokio::sync::broadcast::Receiver<Hint>,
) -> Result<FirstRun> {
    let waiting = async {
        loop {
            if let Some(run) = ended_run(scheduler, trigger).await.map_err(ServingError::from)? {
                return Ok(run);
            }
            // Any word will do; a lagging receiver has missed some and looks as well.
            let _ = changes.recv().await;
        }
    };
    match tokio::time::timeout(PATIENCE, waiting).await {
        Ok(run) => run,
        Err(_) => Err(CliError::Sample("the sample robot did not end within 30 s".to_owned())),
    }
}

async fn ended_run(scheduler: &Scheduler, trigger: TriggerId) -> Result<Option<FirstRun>, orchestrator_db::DbError> {
    let mut tx = scheduler.db().begin_read().await?;
    let filter = JobFilter { trigger_id: Some(trigger), ..JobFilter::default() };
    let (jobs, _) = tx.job_list(&filter, &PageRequest { limit: 1, cursor: None }).await?;
    Ok(jobs.rows.into_iter().find(|job: &Job| !job.state.status().is_active()).map(|job| FirstRun {
        status: job.state.status(),
        took: job.start_time.zip(job.end_time).and_then(|(start, end)| (end - start).to_std().ok()).unwrap_or_default(),
        reason: job.reason.map(Reason::into_string).unwrap_or_default(),
    }))
}
