//! Measures how fast the main job is, with the real programs on this machine, and prints the figures beside the limit
//! that the disk sets. Build everything first: `cargo build --release --workspace`, then
//! `cargo run --release -p orchestrator-bench`.

mod figures;
mod latency;
mod limits;
mod machine;
mod report;
mod stamp;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

/// Due to spawned, a hundred at once, start-up, memory and idle CPU, on both databases.
#[derive(Debug, Parser)]
#[command(name = "orchestrator-bench")]
struct Cli {
    /// Single triggers that fire one after the other, per database.
    #[arg(long, default_value_t = 200)]
    samples: usize,
    /// Triggers that are due at one instant.
    #[arg(long, default_value_t = 100)]
    burst: usize,
    /// Triggers that are not due while the idle server is watched.
    #[arg(long, default_value_t = 10_000)]
    idle_triggers: usize,
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if arguments.get(1).is_some_and(|first| first == stamp::PROCESS_NAME) {
        return stamp::run(&arguments);
    }
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure(&cli))?;
    Ok(ExitCode::SUCCESS)
}

async fn measure(cli: &Cli) -> anyhow::Result<()> {
    let sync = limits::disk_sync(200)?;
    let spawn = limits::process_spawn(100)?;
    let mut rows = vec![
        report::Row::limit("one disk sync (fdatasync of 8 kB)", &sync),
        report::Row::limit("spawn of the robot program itself", &spawn),
    ];
    for database in [machine::Database::Sqlite, machine::Database::Postgres] {
        let machine = machine::Machine::start(database, cli.burst).await?;
        rows.push(report::Row::one(database, "server: exec to ready, existing database", machine.ready, "<= 500 ms"));
        let latency = latency::one_by_one(&machine, cli.samples).await?;
        let goal =
            format!("p99 <= {:.1} ms (10 ms + 3 x p99 of a sync)", 10.0 + 3.0 * sync.p99().as_secs_f64() * 1000.0);
        rows.push(report::Row::spread(database, "due -> robot's first instruction", &latency, &goal));
        let burst = latency::all_at_once(&machine, cli.burst).await?;
        rows.push(report::Row::spread(
            database,
            &format!("{} due at once -> first instruction", cli.burst),
            &burst,
            "last <= 1 s, processes excluded",
        ));
        let idle = machine.idle(cli.idle_triggers).await?;
        rows.push(report::Row::text(
            database,
            "server memory, idle",
            format!("{:.1} MiB", idle.mebibytes),
            "<= 40 MiB",
        ));
        let cpu = format!("{:.2} % of one core with {} triggers", idle.cpu_percent, cli.idle_triggers);
        rows.push(report::Row::text(database, "server CPU, idle", cpu, "near zero"));
    }
    report::print(&rows, cli.json)
}
