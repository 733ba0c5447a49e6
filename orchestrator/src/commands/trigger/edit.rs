//! `trigger edit`: reads the trigger, changes what was named, and writes it unless someone else did meanwhile.

use clap::Args;
use orchestrator_core::clock::Timestamp;
use orchestrator_proto::v1 as pb;
use pb::trigger::Kind;

use super::at;
use super::create::Blocking;
use super::policy_flags::{ClearFlags, PolicyFlags};
use crate::app::App;
use crate::arguments::{Moment, When};
use crate::connection::Client;
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
    /// Of a single trigger: when it fires. Of a scheduled one: the next instant. As `now`, a local time such as '2026-11-22
    /// 12:00', or one with its zone as in 2026-11-22T11:00:00Z.
    #[arg(long, value_name = "TIME")]
    at: Option<When>,
    /// Of a scheduled trigger: the cron expression.
    #[arg(long, value_name = "EXPR", allow_hyphen_values = true)]
    cron: Option<String>,
    /// Of a scheduled trigger: the zone. Of a single one: that of the local time of --at; the server's unless given.
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
    let old = old.get()?.clone();
    let at = args.changes.moment(&client, &old).await?;
    let mut trigger = args.changes.applied_to(old, at, app.now)?;
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
    /// The instant that was named, in the zone of a schedule where it is a local time of one.
    pub(super) async fn moment(&self, client: &Client, trigger: &pb::Trigger) -> Result<Option<Moment>> {
        let Some(when) = self.at else { return Ok(None) };
        let zone = self.zone.as_deref();
        let moment = if let Some(Kind::Scheduled(scheduled)) = &trigger.kind {
            at::of_schedule(client, when, zone.unwrap_or(&scheduled.time_zone)).await
        } else {
            at::in_zone_or_servers(client, when, zone.map(at::named).transpose()?).await
        };
        moment.map(Some)
    }

    pub(super) fn applied_to(
        self,
        mut trigger: pb::Trigger,
        at: Option<Moment>,
        now: Timestamp,
    ) -> Result<pb::Trigger> {
        self.change_kind(&mut trigger, at, now)?;
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

    fn change_kind(&self, trigger: &mut pb::Trigger, at: Option<Moment>, now: Timestamp) -> Result {
        let at = at.map(|at| at.resolve(now));
        let of_schedule = self.cron.is_some() || self.zone.is_some();
        // Of a single trigger the zone is that of the time beside it.
        let of_schedule_only = self.cron.is_some() || (self.zone.is_some() && at.is_none());
        let of_queue = self.queue.is_some() || self.min_batch.is_some() || self.max_parallel.is_some();
        match &mut trigger.kind {
            Some(Kind::Single(single)) if !of_schedule_only && !of_queue => single.next_run = at.or(single.next_run),
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

    fn changed(line: &str, kind: Kind) -> Result<pb::Trigger> {
        let changes = Line::try_parse_from(line.split(' ')).unwrap().args.changes;
        let at = match changes.at {
            Some(When::Moment(at)) => Some(at),
            Some(When::Local(local)) => Some(Moment::At(local.and_utc())),
            None => None,
        };
        let trigger = pb::Trigger { kind: Some(kind), ..pb::Trigger::default() };
        changes.applied_to(trigger, at, "2026-11-22T12:00:00Z".parse().unwrap())
    }

    #[test]
    fn a_zone_beside_a_time_is_no_setting_of_a_single_trigger_and_alone_it_is_none_that_it_has() {
        let single = || Kind::Single(pb::SingleKind::default());
        let later = changed("edit once --at 2026-11-22T13:00 --zone Europe/Copenhagen", single()).unwrap();
        let Some(Kind::Single(later)) = later.kind else { panic!("{later:?}") };
        assert_eq!(later.next_run.unwrap().seconds, 1_795_352_400);
        let refused = changed("edit once --zone Europe/Copenhagen", single()).unwrap_err().message();
        assert!(refused.contains("no such setting"), "{refused}");
    }
}
