//! Measures how fast the main job is and what idleness costs, with the real programs on this machine, and prints the
//! figures beside their goals and the limit that the disk sets. `compare` measures queues beside limits and peers;
//! bench/run installs these and runs everything. Build everything first: `cargo build --release --workspace`,
//! then `cargo run --release -p orchestrator-bench`. It needs PostgreSQL, python3 and setsid, and 20,000 file descriptors
//! for ten thousand workers (`ulimit -n`). The temporary folder (`TMPDIR`) has to be on a disk.

mod compare;
mod dead_worker;
mod figures;
mod idle_triggers;
mod idle_workers;
mod kill;
mod latency;
mod limits;
mod machine;
mod pages;
mod programs;
mod report;
mod same_second;
mod stamp;
mod temporary;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

use crate::compare::CompareArgs;
use crate::figures::Samples;
use crate::machine::{Database, Machine};
use crate::pages::Pages;
use crate::report::{Goal, Row, print, progress};

/// How the figures are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Measurement {
    /// Start, memory, due to spawned, many at once, kills and a killed worker.
    MainJob,
    /// Thousands of triggers that are due at one instant.
    SameSecond,
    /// A million triggers that are not due.
    IdleTriggers,
    /// Ten thousand workers that have nothing to do.
    IdleWorkers,
    /// Every page of the web UI, with a million elements and as many log lines behind it.
    Pages,
}

/// Due to spawned, many at once, kills, lost workers, start-up, and what idleness costs, on both databases.
#[derive(Debug, Parser)]
#[command(name = "orchestrator-bench", args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    comparison: Option<Comparison>,
    /// Measure only this; may be given several times.
    #[arg(long, value_enum)]
    only: Vec<Measurement>,
    /// Measure on this database only.
    #[arg(long, value_enum)]
    database: Option<Database>,
    /// Single triggers that fire one after the other, per database.
    #[arg(long, default_value_t = 200)]
    samples: usize,
    /// Triggers that are due at one instant, with a slot for each.
    #[arg(long, default_value_t = 100)]
    burst: usize,
    /// Jobs that are killed, one after the other.
    #[arg(long, default_value_t = 10)]
    kills: usize,
    /// Triggers that are due in the same second.
    #[arg(long, default_value_t = 10_000)]
    same_second: usize,
    /// Triggers that are not due: half of them scheduled, half of them watching queues.
    #[arg(long, default_value_t = 1_000_000)]
    idle_triggers: usize,
    /// Workers that have nothing to do.
    #[arg(long, default_value_t = 10_000)]
    idle_workers: usize,
    /// Elements behind the pages, and as many log lines; a tenth of it jobs, a five-hundredth triggers.
    #[arg(long, default_value_t = 1_000_000)]
    page_rows: u64,
    /// How often each page is opened, and as often its live part alone.
    #[arg(long, default_value_t = 50)]
    page_visits: usize,
    /// Only pages that have this in their address.
    #[arg(long, default_value = "/")]
    page: String,
    /// How to print: a table, or a JSON object a line.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Debug, Subcommand)]
enum Comparison {
    /// Our server beside what limits it and beside its peers, in rounds, on both databases.
    Compare(CompareArgs),
}

impl Cli {
    fn wants(&self, measurement: Measurement) -> bool {
        self.only.is_empty() || self.only.contains(&measurement)
    }

    fn show(&self, row: &Row) {
        print(row, self.output == Output::Json);
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    match arguments.get(1).and_then(|first| first.to_str()) {
        Some(stamp::PROCESS_NAME) => return stamp::run(&arguments),
        Some(compare::robot::PROCESS_NAME) => return compare::robot::run(&arguments),
        Some(compare::echo::PROCESS_NAME) => return compare::echo::serve(),
        Some(kill::PROCESS_NAME) => return kill::run(&arguments),
        Some(kill::CHILD_NAME) => return Ok(kill::wait(&arguments)),
        _ => {}
    }
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match &cli.comparison {
        Some(Comparison::Compare(args)) => runtime.block_on(compare::run(args))?,
        None => runtime.block_on(measure(&cli))?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn measure(cli: &Cli) -> anyhow::Result<()> {
    temporary::ensure_on_a_disk()?;
    let sync = limits::disk_sync(500)?;
    cli.show(&Row::limit("one commit's disk sync (8 kB more, fdatasync)", &sync));
    let databases = cli.database.map_or_else(|| vec![Database::Sqlite, Database::Postgres], |only| vec![only]);
    let spawn = if cli.wants(Measurement::MainJob) {
        let spawn = limits::process_spawn(60, Duration::from_millis(150))?;
        cli.show(&Row::limit("spawn of the robot program itself, machine idle before", &spawn));
        spawn.p50()
    } else {
        Duration::ZERO
    };
    for database in databases {
        if cli.wants(Measurement::MainJob) {
            main_job(cli, database, &sync, spawn).await?;
        }
        if cli.wants(Measurement::SameSecond) {
            same_second(cli, database).await?;
        }
        if cli.wants(Measurement::IdleTriggers) {
            idle_triggers(cli, database).await?;
        }
        if cli.wants(Measurement::IdleWorkers) {
            idle_workers(cli, database).await?;
        }
        if cli.wants(Measurement::Pages) {
            progress(&format!("{}: pages, {} elements", database.name(), cli.page_rows));
            let mut pages = Pages::start(database, cli.page_rows).await?;
            pages.measure(database, cli.page_visits, &cli.page, |row| cli.show(row)).await?;
        }
    }
    Ok(())
}

async fn main_job(cli: &Cli, database: Database, sync: &Samples, spawn: Duration) -> anyhow::Result<()> {
    progress(&format!("{}: the main job", database.name()));
    let mut machine = Machine::start(database, cli.burst, 0).await?;
    let goal = Goal::within(Duration::from_millis(300));
    cli.show(&Row::time(database, "server: exec to ready, existing database", machine.ready, goal));
    let idle = idle_triggers::cost(&machine).await?;
    let goal = Goal::at_most(40.0, "MiB");
    cli.show(&Row::number(database, "server memory, idle", idle.mebibytes, "MiB", Some(goal)));
    let latency = latency::one_by_one(&machine, cli.samples).await?;
    let goal = Goal::within(Duration::from_millis(7) + 3 * sync.p99());
    let what = "due -> robot's first instruction";
    let spawned = latency.p99().saturating_sub(spawn);
    let note = "p99 less the p50 of the spawn itself; 7 ms + 3 x p99 of a sync";
    cli.show(&Row::spread(database, what, &latency, spawned, goal).noting(note));
    let burst = latency::all_at_once(&machine, cli.burst).await?;
    let what = format!("{} due at once -> first instruction", cli.burst);
    let goal = Goal::within(Duration::from_millis(300));
    cli.show(&Row::spread(database, &what, &burst, burst.last(), goal).noting("last"));
    let kills = kill::one_by_one(&machine, cli.kills).await?;
    let goal = Goal::within(Duration::from_secs(1));
    cli.show(&Row::spread(database, "kill -> no process of the tree", &kills, kills.last(), goal).noting("last"));
    let lost = dead_worker::until_lost(&mut machine).await?;
    let goal = Goal::within(Duration::from_secs(17));
    cli.show(&Row::time(database, "killed worker -> its job is LOST", lost, goal));
    Ok(())
}

async fn same_second(cli: &Cli, database: Database) -> anyhow::Result<()> {
    progress(&format!("{}: {} triggers due at one instant", database.name(), cli.same_second));
    let machine = Machine::start(database, 1, 0).await?;
    let last = same_second::until_all_are_jobs(&machine, cli.same_second).await?;
    let what = format!("{} due at once -> the last is a job", cli.same_second);
    cli.show(&Row::time(database, &what, last, Goal::within(Duration::from_secs(2))));
    Ok(())
}

async fn idle_triggers(cli: &Cli, database: Database) -> anyhow::Result<()> {
    progress(&format!("{}: {} triggers that are not due", database.name(), cli.idle_triggers));
    let machine = Machine::start(database, 1, cli.idle_triggers / 2).await?;
    let goal = Goal::within(Duration::from_millis(300));
    let what = format!("exec to ready with {} idle triggers", cli.idle_triggers);
    cli.show(&Row::time(database, &what, machine.ready, goal));
    let cost = idle_triggers::cost(&machine).await?;
    let what = format!("memory with {} idle triggers", cli.idle_triggers);
    cli.show(&Row::number(database, &what, cost.mebibytes, "MiB", Some(Goal::at_most(40.0, "MiB"))));
    let what = format!("CPU with {} idle triggers", cli.idle_triggers);
    cli.show(&Row::number(database, &what, cost.cpu_percent, "% of a core", Some(Goal::at_most(2.0, "%"))));
    Ok(())
}

async fn idle_workers(cli: &Cli, database: Database) -> anyhow::Result<()> {
    progress(&format!("{}: {} idle workers", database.name(), cli.idle_workers));
    let machine = Machine::start(database, 1, 0).await?;
    let cost = idle_workers::cost(&machine, cli.idle_workers).await?;
    let what = format!("memory of each of {} idle workers", cli.idle_workers);
    cli.show(&Row::number(database, &what, cost.kibibytes, "KiB", Some(Goal::at_most(48.0, "KiB"))));
    let what = format!("CPU for {} idle workers", cli.idle_workers);
    cli.show(&Row::number(database, &what, cost.cpu_percent, "% of a core", Some(Goal::at_most(30.0, "%"))));
    if let Some(transactions) = cost.transactions {
        let what = format!("transactions for {} idle workers", cli.idle_workers);
        let row = Row::number(database, &what, transactions, "a second", Some(Goal::at_most(12.0, "a second")));
        cli.show(&row.noting("the server's own once-a-second looks among them"));
    }
    Ok(())
}
