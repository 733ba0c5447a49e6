//! Our server beside its limits and its peers: everything on this machine, in rounds, so that what the machine does to one
//! it does to all.

mod args;
mod calls;
pub(crate) mod echo;
mod figure;
mod goals;
mod history;
mod load;
mod names;
mod ours;
mod peers;
mod pgbench;
mod report_open;
pub(crate) mod robot;
mod scratch;
mod shared;
mod spawned;
mod table;

use std::path::Path;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::Output;
use crate::machine::Database;
use crate::report::progress;
use crate::{limits, temporary};
use args::{Contender, Sizes};
use figure::Figure;
use table::Rounds;

pub(crate) use args::CompareArgs;

/// Measured once a round, in this order: limits next to what is held against them.
const EACH_ROUND: [Contender; 10] = [
    Contender::Pgbench,
    Contender::Echo,
    Contender::Postgres,
    Contender::Sqlite,
    Contender::LanesOff,
    Contender::GraphileWorker,
    Contender::Spawned,
    Contender::PgBoss,
    Contender::Pgqueuer,
    Contender::Openorchestrator,
];

/// Compares, and prints the tables.
pub(crate) async fn run(args: &CompareArgs) -> anyhow::Result<()> {
    let sizes = args.sizes();
    let sync = if sizes.rounds > 0 { Some(disk()?) } else { None };
    let mut rounds: Rounds = vec![Vec::new(); sizes.rounds];
    for (number, round) in rounds.iter_mut().enumerate() {
        for contender in EACH_ROUND.into_iter().filter(|contender| args.wants(*contender)) {
            progress(&format!("round {}: {contender:?}", number + 1));
            let figures = measure(contender, args, &sizes).await;
            add(round, figures.with_context(|| format!("{contender:?}"))?);
        }
    }
    if args.wants(Contender::History) {
        for database in [Database::Postgres, Database::Sqlite] {
            progress(&format!("history on {}", database.name()));
            history::measure(database, &sizes.payload(), &sizes, &mut rounds).await.context("history")?;
        }
    }
    if args.wants(Contender::Report) {
        progress("a report is open");
        let round = rounds.first_mut().context("a report takes a round")?;
        add(round, report_open::measure(&sizes.payload(), &sizes).await.context("report")?);
    }
    for path in &args.with {
        rounds.extend(read(path).with_context(|| path.display().to_string())?);
    }
    print(args, &sizes, sync, &rounds);
    Ok(())
}

/// How long a sync takes where everything is going to be kept, in milliseconds (p50).
fn disk() -> anyhow::Result<f64> {
    temporary::ensure_on_a_disk()?;
    Ok(figure::millis(limits::disk_sync(500)?.p50()))
}

/// The rounds of an earlier run.
fn read(path: &Path) -> anyhow::Result<Rounds> {
    let run: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let rounds = run["rounds"].as_array().context("there are no rounds in it")?;
    let figures = |round: &Value| round.as_array()?.iter().map(Figure::read).collect::<Option<Vec<_>>>();
    rounds.iter().map(|round| figures(round).context("there is no round in it")).collect()
}

fn add(round: &mut Vec<Figure>, figures: Vec<Figure>) {
    for figure in &figures {
        progress(&format!("    {}", figure.json()));
    }
    round.extend(figures);
}

async fn measure(contender: Contender, args: &CompareArgs, sizes: &Sizes) -> anyhow::Result<Vec<Figure>> {
    let payload = sizes.payload();
    match contender {
        Contender::Echo => echo::measure(&payload, sizes.window).await,
        Contender::Pgbench => pgbench::measure(&payload, sizes).await,
        Contender::Postgres => ours::measure(Database::Postgres, &payload, sizes).await,
        Contender::Sqlite => ours::measure(Database::Sqlite, &payload, sizes).await,
        Contender::LanesOff => Ok(vec![
            ours::measure_alone(Database::Postgres, &payload, sizes).await?,
            ours::measure_alone(Database::Sqlite, &payload, sizes).await?,
        ]),
        Contender::Spawned => Ok(vec![
            spawned::measure(Database::Postgres, sizes.spawned).await?,
            spawned::measure(Database::Sqlite, sizes.spawned).await?,
        ]),
        Contender::Openorchestrator => peers::python(&args.peers, "openorchestrator_drive.py", sizes),
        Contender::GraphileWorker => peers::node(&args.peers, "graphile-worker.mjs", sizes),
        Contender::PgBoss => peers::node(&args.peers, "pg-boss.mjs", sizes),
        Contender::Pgqueuer => peers::python(&args.peers, "pgqueuer_drive.py", sizes),
        // They take rounds of their own.
        Contender::History | Contender::Report => Ok(Vec::new()),
    }
}

#[expect(clippy::print_stdout, reason = "the tables are what the program is for")]
fn print(args: &CompareArgs, sizes: &Sizes, sync: Option<f64>, rounds: &Rounds) {
    let goals = goals::goals(sizes).into_iter().map(|goal| goal.reached(rounds));
    if args.output == Output::Json {
        let rounds: Vec<Vec<_>> = rounds.iter().map(|round| round.iter().map(Figure::json).collect()).collect();
        let goals: Vec<_> = goals.map(|goal| goal.json()).collect();
        println!("{}", json!({ "seed": sizes.seed, "sync_p50_ms": sync, "rounds": rounds, "goals": goals }));
        return;
    }
    let rows = table::rows(rounds);
    let first = rows.iter().find(|row| row.is(&names::echo(256))).and_then(table::Row::median_rate);
    println!("Medians [least..most] of {} rounds, seed {}. L1: the echo at 256 connections.", rounds.len(), sizes.seed);
    if let Some(sync) = sync {
        println!("A sync of the disk, which each commit takes: {sync:.2} ms (p50).");
    }
    println!();
    println!("{}", table::heading());
    for row in rows {
        println!("{}", row.line(first));
    }
    println!("\nGoals, each a ratio within a round:\n");
    for goal in goals {
        println!("{}", goal.line());
    }
}
