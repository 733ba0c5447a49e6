//! The limit of the database: claims by pgbench on the server's own table, with ids as it makes them.

use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::args::Sizes;
use super::figure::Figure;
use super::load::Window;
use super::names;
use super::scratch::{Scratch, query};
use crate::machine::{Database, Machine, Setup};
use crate::programs::command;

/// Clients that claim one element a transaction.
const CLIENTS: [usize; 3] = [1, 8, 32];

/// The least that a claim has to do: nothing is counted, audited or leased.
fn claim(count: usize) -> String {
    format!(
        "UPDATE queues SET status = 'IN_PROGRESS', ready = FALSE, start_date = now(), attempt = attempt + 1, \
         lease_token = lease_token + 1 WHERE id = ANY(ARRAY(SELECT id FROM queues \
         WHERE queue_name COLLATE \"C\" = 'limit' AND ready ORDER BY created_date, id LIMIT {count} \
         FOR UPDATE SKIP LOCKED)) RETURNING id, data, reference, attempt, lease_token;"
    )
}

/// Elements with ids of version 7 that grow with their time, and a tenth as many finished ones, as in a queue that is in use.
fn fill(count: usize, payload: &str) -> String {
    format!(
        "INSERT INTO queues (id, queue_name, status, ready, attention, created_date, lease_token, attempt, \
         data) SELECT CAST(lpad(to_hex(1790000000000 + i / 10), 12, '0') || '7' || lpad(to_hex(i % 4096), 3, '0') || '8' || \
         substr(md5(CAST(i AS TEXT)), 1, 15) AS uuid), 'limit', CASE WHEN i % 11 = 0 THEN 'DONE' ELSE 'NEW' END, i % 11 > 0, FALSE, \
         TIMESTAMPTZ '2026-01-01 00:00:00+00' + i * INTERVAL '100 microseconds', 0, 0, '{payload}' \
         FROM generate_series(1, {}) AS i; ANALYZE queues;",
        count + count / 10 + 1
    )
}

/// Empties the table and fills it again. The checkpoint comes between, as it does for our server: what is written first
/// to a page after one goes to the log as the whole page, which claims would pay for.
fn refill(scratch: &Scratch, count: usize, payload: &str) {
    for statements in ["TRUNCATE queues", "CHECKPOINT", &fill(count, payload)] {
        scratch.execute(statements);
    }
}

/// One pgbench run: transactions a second, and the milliseconds of one.
fn pgbench(url: &str, script: &str, clients: usize, length: [&str; 2], seed: u64) -> anyhow::Result<(f64, f64)> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("claim.sql");
    std::fs::write(&file, script)?;
    let clients = clients.to_string();
    let threads = if clients == "1" { "1" } else { "2" };
    let answer = command("pgbench")
        .args(["--no-vacuum", "-M", "prepared", "-c", &clients, "-j", threads, "--random-seed", &seed.to_string()])
        .args(length)
        .arg("-f")
        .arg(&file)
        .arg(url)
        .output()
        .context("pgbench does not run")?;
    ensure!(answer.status.success(), "pgbench: {}", String::from_utf8_lossy(&answer.stderr));
    let text = String::from_utf8(answer.stdout)?;
    let number = |before: &str| -> anyhow::Result<f64> {
        let found = text.lines().find_map(|line| line.strip_prefix(before)).context("pgbench says something else")?;
        Ok(found.split_whitespace().next().context("no number")?.parse()?)
    };
    Ok((number("tps = ")?, number("latency average = ")?))
}

/// The figures, each on fresh rows.
pub(crate) async fn measure(payload: &str, sizes: &Sizes) -> anyhow::Result<Vec<Figure>> {
    // The server makes its table.
    let machine = Machine::set_up(Setup::server(Database::Postgres)).await?;
    let scratch = Scratch::left_by(machine).context("no database")?;
    let run = |count, clients, length: [&str; 2]| pgbench(scratch.url(), &claim(count), clients, length, sizes.seed);
    let Seconds { warm_up, measured } = Seconds::of(sizes.window);
    let mut figures = Vec::new();
    for clients in CLIENTS {
        refill(&scratch, 15_000 * usize::try_from(warm_up + measured)?, payload);
        run(1, clients, ["-T", &warm_up.to_string()])?;
        let (rate, average) = run(1, clients, ["-T", &measured.to_string()])?;
        left(scratch.url())?;
        figures.push(Figure { average: Some(average), ..Figure::of_rate(names::limit_claim(clients), rate) });
    }
    let transactions = sizes.elements(60_000) / 100;
    refill(&scratch, transactions * 100, payload);
    // The share that the warm-up has of a window.
    let warm_up = transactions / 5;
    run(100, 1, ["-t", &warm_up.to_string()])?;
    let (rate, average) = run(100, 1, ["-t", &(transactions - warm_up).to_string()])?;
    figures.push(Figure { average: Some(average), ..Figure::of_rate(names::LIMIT_BATCH.to_owned(), rate * 100.0) });
    Ok(figures)
}

/// Whole seconds, as pgbench counts them.
#[derive(Debug, PartialEq, Eq)]
struct Seconds {
    warm_up: u64,
    measured: u64,
}

impl Seconds {
    /// At least one each.
    fn of(window: Window) -> Self {
        let whole = |time: Duration| time.as_millis().div_ceil(1000).max(1).try_into().unwrap_or(u64::MAX);
        Self { warm_up: whole(window.warm_up), measured: whole(window.measured) }
    }
}

/// A claim that finds nothing is no claim.
fn left(url: &str) -> anyhow::Result<()> {
    let left: u64 =
        query(url, "SELECT count(*) FROM (SELECT 1 FROM queues WHERE ready LIMIT 1) AS waiting")?.parse()?;
    ensure!(left > 0, "pgbench had too few elements");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_whole_seconds_and_never_none() {
        let seconds = |warm_up, measured| {
            Seconds::of(Window { warm_up: Duration::from_millis(warm_up), measured: Duration::from_millis(measured) })
        };
        assert_eq!(seconds(750, 3000), Seconds { warm_up: 1, measured: 3 });
        assert_eq!(seconds(2500, 10_000), Seconds { warm_up: 3, measured: 10 });
        assert_eq!(seconds(0, 100), Seconds { warm_up: 1, measured: 1 });
    }
}
