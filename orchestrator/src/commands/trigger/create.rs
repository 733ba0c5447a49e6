//! `trigger create single|scheduled|queue`.

use chrono_tz::Tz;
use clap::{ArgAction, Args, Subcommand};
use orchestrator_core::clock::Timestamp;
use orchestrator_core::cron::parse_zone;
use orchestrator_core::id::TriggerId;
use orchestrator_proto::v1 as pb;
use pb::trigger::Kind;

use super::at;
use super::policy_flags::PolicyFlags;
use crate::app::App;
use crate::arguments::{Moment, When};
use crate::call::repeatable;
use crate::connection::Client;
use crate::error::Result;
use crate::output::Single as _;

#[derive(Debug, Subcommand)]
pub(crate) enum CreateCommand {
    /// Fires once.
    Single {
        /// When: `now`, a local time such as '2026-11-22 12:00', or one with its zone as in 2026-11-22T11:00:00Z.
        #[arg(long, value_name = "TIME", default_value = "now")]
        at: When,
        /// The zone of a local time, such as Europe/Copenhagen; the server's unless given.
        #[arg(long, value_name = "ZONE", value_parser = zone)]
        zone: Option<Tz>,
        #[command(flatten)]
        common: Box<Common>,
    },
    /// Fires by a cron expression.
    Scheduled {
        /// Minute, hour, day of month, month, day of week, as in '0 6 * * 1-5'.
        #[arg(long, value_name = "EXPR", allow_hyphen_values = true)]
        cron: String,
        /// The zone it is meant in, such as Europe/Copenhagen; the server's unless given.
        #[arg(long, value_name = "ZONE", default_value_t, hide_default_value = true)]
        zone: String,
        /// The first instant, when it is another than the expression's next: `now`, a local time of its zone such as '2026-11-22
        /// 12:00', or one with its zone as in 2026-11-22T11:00:00Z.
        #[arg(long, value_name = "TIME")]
        at: Option<When>,
        #[command(flatten)]
        common: Box<Common>,
    },
    /// Fires when a queue has enough new elements.
    Queue {
        /// The queue.
        #[arg(long, value_name = "QUEUE")]
        queue: String,
        /// New elements per job.
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        min_batch: u32,
        /// The most jobs at once.
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        max_parallel: u32,
        #[command(flatten)]
        common: Box<Common>,
    },
}

/// What every kind of trigger has.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// The trigger's name.
    name: String,
    /// The process's name, which jobs and logs show.
    #[arg(long, value_name = "PROCESS")]
    process: String,
    /// The absolute path of the program on the worker, or with --git the URL of a repository.
    #[arg(long, value_name = "PATH", allow_hyphen_values = true)]
    path: String,
    /// Handed to the process as one value.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    args: Option<String>,
    /// The path is the URL of a git repository.
    #[arg(long)]
    git: bool,
    /// The branch or tag; the repository's default branch unless given.
    #[arg(long, value_name = "REF", requires = "git", allow_hyphen_values = true)]
    branch: Option<String>,
    /// The file to run inside the repository; main.py is looked for unless given.
    #[arg(long, value_name = "FILE")]
    entry_point: Option<String>,
    #[command(flatten)]
    blocking: Blocking,
    /// Higher goes first.
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    priority: i32,
    /// Run only on this worker. May be repeated.
    #[arg(long, value_name = "WORKER", num_args = 1..)]
    only_on: Vec<String>,
    /// Create it paused: it fires only after `trigger enable`.
    #[arg(long)]
    paused: bool,
    #[command(flatten)]
    policies: PolicyFlags,
}

/// A pair of flags of which the last one counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Args)]
pub(super) struct Blocking {
    /// Run alone on the worker (the default).
    #[arg(long, action = ArgAction::SetTrue, overrides_with = "no_blocking")]
    blocking: bool,
    /// Run beside other jobs, up to the worker's slots.
    #[arg(long, action = ArgAction::SetTrue, overrides_with = "blocking")]
    no_blocking: bool,
}

impl Blocking {
    /// What was said, if anything.
    pub(super) fn choice(self) -> Option<bool> {
        match (self.blocking, self.no_blocking) {
            (true, _) => Some(true),
            (false, true) => Some(false),
            (false, false) => None,
        }
    }
}

pub(super) async fn create(app: &App, command: CreateCommand) -> Result {
    let paused = command.common().paused;
    let client = app.connect().await?;
    let at = command.moment(&client).await?;
    send(app, &client, command.into_trigger(at, app.now), paused).await
}

pub(super) fn zone(text: &str) -> Result<Tz, String> {
    parse_zone(text).map_err(|error| error.to_string())
}

/// Creates a trigger that has its id already, and says what it is now.
pub(super) async fn send(app: &App, client: &Client, trigger: pb::Trigger, paused: bool) -> Result {
    let request = |repeat| pb::CreateTriggerRequest { trigger: Some(trigger.clone()), repeat, paused };
    let reply = repeatable(async |repeat| client.triggers().create(request(repeat)).await).await?;
    let created = reply.get()?;
    let next = if paused {
        format!(" It is paused: orchestrator trigger enable {}", quoted(&created.name))
    } else {
        String::new()
    };
    let sentence = format!("Trigger \"{}\" is created ({}).{next}", created.name, created.id);
    app.printer.done(&reply, &created.name, &sentence)
}

/// A name as a shell takes it.
pub(super) fn quoted(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if plain { name.to_owned() } else { format!("'{}'", name.replace('\'', "'\\''")) }
}

impl CreateCommand {
    fn common(&self) -> &Common {
        match self {
            Self::Single { common, .. } | Self::Scheduled { common, .. } | Self::Queue { common, .. } => common,
        }
    }

    /// The instant that was named.
    async fn moment(&self, client: &Client) -> Result<Option<Moment>> {
        match self {
            Self::Single { at: when, zone, .. } => at::in_zone_or_servers(client, *when, *zone).await.map(Some),
            Self::Scheduled { at: Some(when), zone, .. } => at::of_schedule(client, *when, zone).await.map(Some),
            Self::Scheduled { at: None, .. } | Self::Queue { .. } => Ok(None),
        }
    }

    fn into_trigger(self, at: Option<Moment>, now: Timestamp) -> pb::Trigger {
        match self {
            Self::Single { common, .. } => {
                common.with(Kind::Single(pb::SingleKind { next_run: at.and_then(Moment::or_server_now) }))
            }
            Self::Scheduled { common, cron, zone, .. } => common.with(Kind::Scheduled(pb::ScheduledKind {
                cron_expr: cron,
                time_zone: zone,
                next_run: at.map(|at| at.resolve(now)),
            })),
            Self::Queue { common, queue, min_batch, max_parallel } => {
                common.with(Kind::Queue(pb::QueueKind { queue_name: queue, min_batch_size: min_batch, max_parallel }))
            }
        }
    }
}

impl Common {
    fn with(self, kind: Kind) -> pb::Trigger {
        pb::Trigger {
            // Made here, so that a repeated call is no second trigger.
            id: TriggerId::generate().to_string(),
            name: self.name,
            process_name: self.process,
            process_path: self.path,
            process_args: self.args,
            is_git_repo: self.git,
            git_branch: self.branch,
            entry_point: self.entry_point,
            is_blocking: Some(self.blocking.choice().unwrap_or(true)),
            priority: self.priority,
            worker_whitelist: self.only_on,
            policies: self.policies.of_new(),
            kind: Some(kind),
            ..pb::Trigger::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(subcommand)]
        command: CreateCommand,
    }

    fn parse(line: &str) -> pb::Trigger {
        let words = std::iter::once("create").chain(line.split(' '));
        let command = Line::try_parse_from(words).unwrap().command;
        let at = match &command {
            CreateCommand::Single { at: When::Moment(at), .. } => Some(*at),
            _ => None,
        };
        command.into_trigger(at, "2026-11-22T12:00:00Z".parse().unwrap())
    }

    #[test]
    fn a_trigger_is_blocking_unless_told_otherwise() {
        let line = "single hello --process p --path /p.py";
        assert_eq!(parse(line).is_blocking, Some(true));
        assert_eq!(parse(&format!("{line} --no-blocking")).is_blocking, Some(false));
        assert_eq!(parse(&format!("{line} --no-blocking --blocking")).is_blocking, Some(true));
    }

    #[test]
    fn a_single_trigger_fires_when_the_server_gets_it_unless_told_otherwise() {
        let line = "single hello --process p --path /p.py";
        assert_eq!(parse(line).kind, Some(Kind::Single(pb::SingleKind { next_run: None })));
        let Some(Kind::Single(kind)) = parse(&format!("{line} --at 2026-11-22T12:00:00Z")).kind else { panic!() };
        assert_eq!(kind.next_run.unwrap().seconds, 1_795_348_800);
    }

    #[test]
    fn every_flag_reaches_the_wire() {
        let trigger = parse(
            "queue work --queue q --min-batch 5 --max-parallel 2 --process p --path https://git.example.org/r.git --git \
             --branch v1 --entry-point run.py --args --dry --priority -3 --only-on a --only-on b --timeout 90s \
             --kill-grace 5s --stop-grace 1m --keep-children --max-attempts 2 --max-consecutive-failures 1 \
             --overlap skip --missed all:4",
        );
        let expected = pb::QueueKind { queue_name: "q".to_owned(), min_batch_size: 5, max_parallel: 2 };
        assert_eq!(trigger.kind, Some(Kind::Queue(expected)));
        assert_eq!((trigger.process_args(), trigger.git_branch(), trigger.entry_point()), ("--dry", "v1", "run.py"));
        assert_eq!((trigger.priority, trigger.worker_whitelist), (-3, vec!["a".to_owned(), "b".to_owned()]));
        let policies = trigger.policies.unwrap();
        assert_eq!(policies.timeout.unwrap().seconds, 90);
        assert_eq!((policies.max_attempts, policies.max_consecutive_failures), (2, 1));
        assert_eq!((policies.overlap.as_str(), policies.missed.as_str(), policies.missed_most), ("SKIP", "ALL", 4));
        assert!(policies.keep_children);
    }

    #[test]
    fn a_name_is_quoted_where_a_shell_would_break_it() {
        assert_eq!(quoted("morning-report"), "morning-report");
        assert_eq!(quoted("Bob's report"), "'Bob'\\''s report'");
    }

    #[test]
    fn each_trigger_gets_an_id_of_its_own() {
        let line = "single hello --process p --path /p.py";
        assert_ne!(parse(line).id, parse(line).id);
    }
}
