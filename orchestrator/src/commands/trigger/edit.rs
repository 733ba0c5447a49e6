//! `trigger edit`: reads the trigger, changes what was named, and writes it unless someone else did meanwhile.

use clap::Args;
use orchestrator_proto::v1 as pb;
use pb::trigger::Kind;

use super::create::Blocking;
use super::policy_flags::{ClearFlags, PolicyFlags};
use crate::app::App;
use crate::arguments::Moment;
use crate::error::{CliError, Result};
use crate::output::Single as _;

#[derive(Debug, Args)]
pub(crate) struct EditArgs {
    /// Its name, its id, or any unique end or beginning of the id.
    trigger: String,
    /// A new name.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    changes: Changes,
}

/// What may be changed of a trigger. What is not named stays.
#[derive(Debug, Default, PartialEq, Eq, Args)]
pub(super) struct Changes {
    /// The process's name.
    #[arg(long, value_name = "PROCESS")]
    process: Option<String>,
    /// The absolute path of the program on the worker, or the URL of the repository.
    #[arg(long, value_name = "PATH", allow_hyphen_values = true)]
    path: Option<String>,
    /// Handed to the process as one value; '' for none.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    args: Option<String>,
    /// The branch or tag; '' for the default branch.
    #[arg(long, value_name = "REF", allow_hyphen_values = true)]
    branch: Option<String>,
    /// The file to run inside the repository; '' to look for main.py.
    #[arg(long, value_name = "FILE")]
    entry_point: Option<String>,
    #[command(flatten)]
    blocking: Blocking,
    /// Higher goes first.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    priority: Option<i32>,
    /// Run only on this worker. May be repeated; '' for any worker.
    #[arg(long, value_name = "WORKER")]
    only_on: Option<Vec<String>>,
    /// Of a single trigger: when it fires. Of a scheduled one: the next instant.
    #[arg(long, value_name = "TIME")]
    at: Option<Moment>,
    /// Of a scheduled trigger: the cron expression.
    #[arg(long, value_name = "EXPR", allow_hyphen_values = true)]
    cron: Option<String>,
    /// Of a scheduled trigger: the zone.
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
    /// Of a queue trigger: the queue.
    #[arg(long, value_name = "QUEUE")]
    queue: Option<String>,
    /// Of a queue trigger: new elements per job.
    #[arg(long, value_name = "N")]
    min_batch: Option<u32>,
    /// Of a queue trigger: the most jobs at once.
    #[arg(long, value_name = "N")]
    max_parallel: Option<u32>,
    #[command(flatten)]
    policies: PolicyFlags,
    #[command(flatten)]
    cleared: ClearFlags,
}

pub(super) async fn edit(app: &App, args: EditArgs) -> Result {
    if args.asks_for_nothing() {
        return Err(CliError::Usage {
            message: format!("nothing was named that is to be changed of \"{}\"", args.trigger),
            next: Some("orchestrator trigger edit --help lists what can be".to_owned()),
        });
    }
    let client = app.connect().await?;
    let request = pb::GetTriggerRequest { trigger: args.trigger.clone() };
    let old = client.triggers().get(request).await?.into_inner();
    let mut trigger = args.changes.applied_to(old.get()?.clone(), app)?;
    replace(&mut trigger.name, args.name);
    let request = pb::UpdateTriggerRequest { trigger: Some(trigger) };
    let reply = client.triggers().update(request).await?.into_inner();
    let name = &reply.get()?.name;
    app.printer.done(&reply, name, &format!("Trigger \"{name}\" is changed."))
}

impl EditArgs {
    fn asks_for_nothing(&self) -> bool {
        self.name.is_none() && self.changes == Changes::default()
    }
}

impl Changes {
    pub(super) fn applied_to(self, mut trigger: pb::Trigger, app: &App) -> Result<pb::Trigger> {
        self.change_kind(&mut trigger, app)?;
        let policies = self.cleared.over(trigger.policies.take().unwrap_or_default());
        trigger.policies = Some(self.policies.over(policies));
        trigger.is_blocking = self.blocking.choice().or(trigger.is_blocking);
        trigger.priority = self.priority.unwrap_or(trigger.priority);
        replace(&mut trigger.process_name, self.process);
        replace(&mut trigger.process_path, self.path);
        replace_or_clear(&mut trigger.process_args, self.args);
        replace_or_clear(&mut trigger.git_branch, self.branch);
        replace_or_clear(&mut trigger.entry_point, self.entry_point);
        if let Some(workers) = self.only_on {
            trigger.worker_whitelist = workers.into_iter().filter(|worker| !worker.is_empty()).collect();
        }
        Ok(trigger)
    }

    fn change_kind(&self, trigger: &mut pb::Trigger, app: &App) -> Result {
        let at = self.at.map(|at| at.resolve(app.now));
        let of_schedule = self.cron.is_some() || self.zone.is_some();
        let of_queue = self.queue.is_some() || self.min_batch.is_some() || self.max_parallel.is_some();
        match &mut trigger.kind {
            Some(Kind::Single(single)) if !of_schedule && !of_queue => single.next_run = at.or(single.next_run),
            Some(Kind::Scheduled(scheduled)) if !of_queue => {
                // The old instant belongs to the old expression.
                scheduled.next_run = at.or(if of_schedule { None } else { scheduled.next_run });
                replace(&mut scheduled.cron_expr, self.cron.clone());
                replace(&mut scheduled.time_zone, self.zone.clone());
            }
            Some(Kind::Queue(queue)) if !of_schedule && at.is_none() => {
                replace(&mut queue.queue_name, self.queue.clone());
                queue.min_batch_size = self.min_batch.unwrap_or(queue.min_batch_size);
                queue.max_parallel = self.max_parallel.unwrap_or(queue.max_parallel);
            }
            _ => {
                return Err(CliError::usage(format!(
                    "\"{}\" is a {} trigger: it has no such setting",
                    trigger.name, trigger.r#type
                )));
            }
        }
        Ok(())
    }
}

fn replace(field: &mut String, given: Option<String>) {
    if let Some(given) = given {
        *field = given;
    }
}

fn replace_or_clear(field: &mut Option<String>, given: Option<String>) {
    if let Some(given) = given {
        *field = Some(given).filter(|given| !given.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: EditArgs,
    }

    #[test]
    fn an_edit_that_names_nothing_asks_for_nothing() {
        let asks_for_nothing = |line: &str| Line::try_parse_from(line.split(' ')).unwrap().args.asks_for_nothing();
        assert!(asks_for_nothing("edit night"));
        for flags in
            ["--name x", "--priority 0", "--args ", "--no-timeout", "--blocking", "--max-attempts 1", "--at now"]
        {
            assert!(!asks_for_nothing(&format!("edit night {flags}")), "{flags}");
        }
    }
}
