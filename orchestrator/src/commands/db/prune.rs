//! `db prune`: deletes what is older than it has to be kept. A server does the same by itself where `[retention]` says so.

use std::sync::Arc;

use clap::Args;
use orchestrator_core::clock::SystemClock;
use orchestrator_core::secret::KeyRing;
use orchestrator_core::text::Limits;
use orchestrator_db::{Db, LaneOptions};
use orchestrator_scheduler::{PruneSummary, Retention, Scheduler, SchedulerClock, SchedulerOptions};
use serde_json::json;

use crate::app::App;
use crate::config::{self, Config, ConfigError, ConfigFlags, RetentionSection};
use crate::error::{CliError, Result};
use crate::output::{Progress, printable};
use crate::serving::{ServingError, database_options};

#[derive(Debug, Args)]
pub(crate) struct PruneArgs {
    /// Keep log lines for so long, such as 90days [default: retention.logs].
    #[arg(long, value_name = "DURATION")]
    logs: Option<String>,
    /// Keep what robots print for so long after their job [default: retention.output].
    #[arg(long, value_name = "DURATION")]
    output_of_jobs: Option<String>,
    /// Keep jobs with their output for so long after their end [default: retention.jobs].
    #[arg(long, value_name = "DURATION")]
    jobs: Option<String>,
    /// Keep queue elements for so long after their end [default: retention.elements].
    #[arg(long, value_name = "DURATION")]
    elements: Option<String>,
    /// Keep the audit trail for so long [default: retention.audit].
    #[arg(long, value_name = "DURATION")]
    audit: Option<String>,
    /// Only count what would go. Exit code 8 when that is anything.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    config: ConfigFlags,
}

pub(super) async fn prune(app: &App, args: PruneArgs) -> Result {
    check_flags(&args).map_err(|error| CliError::Usage {
        message: error.to_string(),
        next: Some("orchestrator db prune --logs 90days".to_owned()),
    })?;
    let config = Config::load(&args.config)?;
    let is_dry = args.dry_run;
    let section = kept(args, &config.retention);
    let retention = section.to_retention()?;
    let rules = rules(&section);
    if rules.is_empty() {
        return Err(CliError::Usage {
            message: "everything is kept for ever: nothing says how long".to_owned(),
            next: Some("orchestrator db prune --logs 90days, or [retention] in the configuration".to_owned()),
        });
    }
    if !is_dry {
        app.confirm(&format!("Delete for good: {}?", rules.join(", ")))?;
    }
    let db = Db::connect(&database_options(&config)?).await.map_err(ServingError::from)?;
    let steps = db.migration_status().await.map_err(ServingError::from)?;
    if steps.iter().any(|step| !step.applied) {
        return Err(CliError::Usage {
            message: "the database is older than this program".to_owned(),
            next: Some("orchestrator db migrate".to_owned()),
        });
    }
    let scheduler = scheduler(db, &config)?;
    if is_dry {
        return plan(app, &scheduler, &retention, &rules).await;
    }
    let summary = run(app, &scheduler, &retention).await?;
    let sentence = format!("Deleted: {}.", counted(&summary));
    app.printer.own(&document(&summary), || total(&summary).to_string(), || printable(&sentence))
}

/// What would go.
async fn plan(app: &App, scheduler: &Scheduler, retention: &Retention, rules: &[String]) -> Result {
    let summary = scheduler.prunable(retention, app.now).await.map_err(ServingError::from)?;
    scheduler.db().close().await;
    let sentence = format!("Would go ({}): {}.", rules.join(", "), counted(&summary));
    app.printer.own(&document(&summary), || total(&summary).to_string(), || printable(&sentence))?;
    match total(&summary) {
        0 => Ok(()),
        1 => Err(CliError::WouldChange { what: "1 row would be deleted".to_owned() }),
        rows => Err(CliError::WouldChange { what: format!("{rows} rows would be deleted") }),
    }
}

fn document(summary: &PruneSummary) -> serde_json::Value {
    json!({
        "logs": summary.logs,
        "outputChunks": summary.output,
        "jobs": summary.jobs,
        "elements": summary.elements,
        "auditEntries": summary.audit,
    })
}

fn counted(summary: &PruneSummary) -> String {
    let PruneSummary { logs, output, jobs, elements, audit } = summary;
    format!("{logs} log lines, {output} pieces of output, {jobs} jobs, {elements} elements, {audit} audit entries")
}

/// Refuses what a flag says by the name of the flag: the key of the configuration may not even be there.
fn check_flags(args: &PruneArgs) -> Result<(), ConfigError> {
    let flags = [
        ("--logs", &args.logs),
        ("--output-of-jobs", &args.output_of_jobs),
        ("--jobs", &args.jobs),
        ("--elements", &args.elements),
        ("--audit", &args.audit),
    ];
    flags.into_iter().try_for_each(|(flag, text)| config::kept(flag, text.as_deref()).map(drop))
}

/// What the flags say wins over the configuration.
fn kept(args: PruneArgs, configured: &RetentionSection) -> RetentionSection {
    RetentionSection {
        logs: args.logs.or_else(|| configured.logs.clone()),
        output: args.output_of_jobs.or_else(|| configured.output.clone()),
        jobs: args.jobs.or_else(|| configured.jobs.clone()),
        elements: args.elements.or_else(|| configured.elements.clone()),
        audit: args.audit.or_else(|| configured.audit.clone()),
    }
}

/// What goes, in words.
fn rules(section: &RetentionSection) -> Vec<String> {
    let kinds = [
        ("log lines", &section.logs),
        ("output of jobs that ended", &section.output),
        ("jobs that ended", &section.jobs),
        ("elements that ended", &section.elements),
        ("audit entries", &section.audit),
    ];
    kinds.iter().filter_map(|(what, age)| age.as_ref().map(|age| format!("{what} more than {age} ago"))).collect()
}

fn scheduler(db: Db, config: &Config) -> Result<Scheduler> {
    Ok(Scheduler::new(SchedulerOptions {
        db,
        clock: SchedulerClock::Given(Arc::new(SystemClock)),
        // Nothing is encrypted or read here.
        keys: KeyRing::generate().map_err(CliError::Random)?,
        limits: Limits::default(),
        zone: config.scheduling.time_zone,
        lanes: LaneOptions { is_on: false, ..LaneOptions::default() },
        retention: Retention::default(),
    }))
}

async fn run(app: &App, scheduler: &Scheduler, retention: &Retention) -> Result<PruneSummary> {
    let progress = Progress::counting("Deleting", app.printer.is_for_people());
    let mut all = PruneSummary::default();
    loop {
        let round = scheduler.prune(retention, app.now).await.map_err(ServingError::from)?;
        if round == PruneSummary::default() {
            break;
        }
        progress.add(usize::try_from(total(&round)).unwrap_or_default());
        all = PruneSummary {
            logs: all.logs + round.logs,
            output: all.output + round.output,
            jobs: all.jobs + round.jobs,
            elements: all.elements + round.elements,
            audit: all.audit + round.audit,
        };
    }
    scheduler.db().close().await;
    Ok(all)
}

fn total(summary: &PruneSummary) -> u64 {
    summary.logs + summary.output + summary.jobs + summary.elements + summary.audit
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(logs: &str) -> PruneArgs {
        PruneArgs {
            logs: Some(logs.to_owned()),
            output_of_jobs: None,
            jobs: None,
            elements: None,
            audit: None,
            dry_run: false,
            config: ConfigFlags::default(),
        }
    }

    #[test]
    fn what_a_flag_says_is_refused_by_its_name() {
        let refused = check_flags(&args("1s")).unwrap_err();
        assert_eq!(refused.to_string(), "--logs: '1s' is shorter than one hour");
    }

    #[test]
    fn a_flag_wins_over_the_configuration_and_the_question_names_all_that_goes() {
        let configured =
            RetentionSection { logs: Some("90days".to_owned()), jobs: Some("1year".to_owned()), ..Default::default() };
        let args = args("30days");
        let section = kept(args, &configured);
        assert_eq!(rules(&section), ["log lines more than 30days ago", "jobs that ended more than 1year ago"]);
    }
}
