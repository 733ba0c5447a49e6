//! What is compared, and how long.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::load::Window;
use crate::Output;

/// Who or what is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Contender {
    /// A bare gRPC echo: the limit of the wire.
    Echo,
    /// pgbench on our own table: the limit of the database.
    Pgbench,
    /// Our server on PostgreSQL.
    Postgres,
    /// Our server on SQLite.
    Sqlite,
    /// Our server on both, each call in a transaction of its own.
    LanesOff,
    /// An element is created, and a robot spawned for it.
    Spawned,
    /// OpenOrchestrator 3.0.0.
    Openorchestrator,
    /// graphile-worker 0.18.0.
    GraphileWorker,
    /// pg-boss 10.4.2.
    PgBoss,
    /// pgqueuer 1.6.0.
    Pgqueuer,
    /// Our server with finished elements behind what it does.
    History,
    /// Our server while a report is open.
    Report,
}

/// How full the queues are of which claims are made while a report is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Queues {
    /// Always full.
    Backlog,
    /// What is created is claimed at once.
    Short,
}

/// The same things done by all, one after the other, in rounds.
#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// Compare only this; may be given several times.
    #[arg(long, value_enum)]
    only: Vec<Contender>,
    /// Each contender is measured once a round.
    #[arg(long, default_value_t = 3)]
    pub(crate) rounds: usize,
    /// One short round, to see that it works: its figures say little.
    #[arg(long)]
    pub(crate) quick: bool,
    /// How long each row is looked at, in seconds.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Finished elements behind a claim; may be given several times. 1,000,000 and 10,000,000 when absent.
    #[arg(long)]
    history: Vec<u64>,
    /// How long a report has been open when claims are counted, in seconds. The goal is stated for 600 and not judged below:
    /// `--only report --report-seconds 600` takes three quarters of an hour.
    #[arg(long, default_value_t = 60)]
    report_seconds: u64,
    /// Which queues claims are made of meanwhile; may be given several times. Both when absent.
    #[arg(long, value_enum)]
    report_queues: Vec<Queues>,
    /// Where bench/run has installed the peers.
    #[arg(long, default_value = "target/bench-peers")]
    pub(crate) peers: PathBuf,
    /// Rounds of an earlier run (`-o json`), to be shown with these; may be given several times. With --rounds 0 nothing is
    /// measured.
    #[arg(long)]
    pub(crate) with: Vec<PathBuf>,
    /// For pgbench, and for what the elements carry.
    #[arg(long, default_value_t = 42)]
    pub(crate) seed: u64,
    /// How to print: tables, or one JSON object.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
}

/// How much is done.
#[derive(Debug, Clone)]
pub(crate) struct Sizes {
    pub(crate) rounds: usize,
    pub(crate) window: Window,
    pub(crate) bulk: usize,
    /// Elements created one by one, and robots spawned for them.
    pub(crate) spawned: usize,
    pub(crate) history: Vec<u64>,
    pub(crate) report: Duration,
    pub(crate) report_queues: Vec<Queues>,
    pub(crate) seed: u64,
}

impl CompareArgs {
    pub(crate) fn wants(&self, contender: Contender) -> bool {
        self.rounds > 0 && (self.only.is_empty() || self.only.contains(&contender))
    }

    pub(crate) fn sizes(&self) -> Sizes {
        let seconds = if self.quick { 1.0 } else { self.seconds };
        let history = match (self.history.as_slice(), self.quick) {
            ([], true) => vec![100_000],
            ([], false) => vec![1_000_000, 10_000_000],
            (given, _) => given.to_vec(),
        };
        Sizes {
            rounds: if self.quick && self.rounds > 0 { 1 } else { self.rounds },
            window: Window {
                warm_up: Duration::from_secs_f64(seconds / 4.0),
                measured: Duration::from_secs_f64(seconds),
            },
            bulk: 100_000,
            spawned: if self.quick { 20 } else { 100 },
            history,
            report: Duration::from_secs(if self.quick { 5 } else { self.report_seconds }),
            report_queues: match self.report_queues.as_slice() {
                [] => vec![Queues::Backlog, Queues::Short],
                given => given.to_vec(),
            },
            seed: self.seed,
        }
    }
}

impl Sizes {
    /// Enough for the warm-up and the window at so many a second.
    pub(crate) fn elements(&self, a_second: u32) -> usize {
        let seconds = self.window.warm_up + self.window.measured;
        usize::try_from((seconds * a_second).as_secs()).unwrap_or(usize::MAX)
    }

    /// What an element carries: 200 bytes.
    pub(crate) fn payload(&self) -> String {
        let word = format!("{:016x}", self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        word.repeat(13).chars().take(200).collect()
    }
}
