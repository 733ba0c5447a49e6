//! Claims while someone else's long transaction keeps the database from cleaning up.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::args::{Queues, Sizes};
use super::calls::{Claiming, InTurns};
use super::figure::Figure;
use super::load::{self, Called, Caller, Window};
use super::names;
use super::ours::Ours;
use super::scratch::query;
use crate::machine::{Database, Setup};
use crate::programs::{Killed, command};

/// How long claims are counted at the end: there is a vacuum a minute, and each row is to have one.
const COUNTED: Duration = Duration::from_mins(1);
/// So many elements wait in a backlog, at least.
const BACKLOG: u64 = 100_000;
const QUEUE: &str = "worked on";

/// With and without a report, for each kind of queue.
pub(crate) async fn measure(payload: &str, sizes: &Sizes) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for backlog in sizes.report_queues.iter().map(|queues| *queues == Queues::Backlog) {
        for open in [false, true] {
            let ours = Ours::start(Setup::server(Database::Postgres), payload).await?;
            let report = open.then(|| Report::open(ours.machine.url().unwrap_or_default())).transpose()?;
            let measured = COUNTED.min(sizes.report);
            let window = Window { warm_up: sizes.report, measured };
            let load = if backlog { claims(&ours, window).await? } else { turns(&ours, window).await? };
            if let Some(report) = report {
                report.close()?;
            }
            figures.push(Figure::of_load(names::report(backlog, open, sizes.report), &load));
            ours.end();
        }
    }
    Ok(figures)
}

/// A queue that is kept full.
async fn claims(ours: &Ours, window: Window) -> anyhow::Result<load::Load> {
    let mut added = 2 * BACKLOG;
    for _ in 0..2 {
        ours.add(QUEUE, 100_000).await?;
    }
    let (over, claimed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let counted = |channel| {
        let claiming = Claiming::new(channel, &ours.bearer, QUEUE, 1, true);
        Counted { claiming, claimed: claimed.clone() }
    };
    let callers = ours.channels(256).await?.into_iter().map(counted).collect();
    let full = async {
        while !over.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(200)).await;
            if added.saturating_sub(claimed.load(Ordering::Relaxed)) < BACKLOG {
                ours.add(QUEUE, 20_000).await?;
                added += 20_000;
            }
        }
        anyhow::Ok(())
    };
    let load = async {
        let load = load::run(callers, window).await;
        over.store(true, Ordering::Relaxed);
        load
    };
    let (load, filled) = tokio::join!(load, full);
    filled?;
    load
}

/// Says what it claimed. The database is not asked: a count of its rows would be a report of its own.
#[derive(Debug)]
struct Counted {
    claiming: Claiming,
    claimed: Arc<AtomicU64>,
}

impl Caller for Counted {
    async fn call(&mut self) -> anyhow::Result<Called> {
        let called = self.claiming.call().await?;
        if let Called::Did(count) = called {
            self.claimed.fetch_add(count.try_into()?, Ordering::Relaxed);
        }
        Ok(called)
    }

    fn taken(self) -> Vec<String> {
        self.claiming.taken()
    }
}

async fn turns(ours: &Ours, window: Window) -> anyhow::Result<load::Load> {
    let callers = ours.channels(256).await?.into_iter();
    let callers = callers.map(|channel| InTurns::new(channel, &ours.bearer, QUEUE, &ours.payload)).collect();
    load::run(callers, window).await
}

/// A repeatable-read transaction that has read something and stays open.
#[derive(Debug)]
struct Report {
    _client: Killed,
    url: String,
    backend: Backend,
}

/// Who serves it, and since when: both stay the same while the transaction is open.
#[derive(Debug, PartialEq, Eq)]
struct Backend {
    pid: u32,
    began: String,
}

impl Report {
    /// It is open when this returns.
    fn open(url: &str) -> anyhow::Result<Self> {
        let mut client: Child = command("psql")
            .args(["--no-psqlrc", "--quiet", "-At", "-v", "ON_ERROR_STOP=1", url])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("psql does not run")?;
        let (input, output) = (client.stdin.take(), client.stdout.take());
        let mut client = Killed(client);
        let mut input = input.context("no input")?;
        input.write_all(BEGIN.as_bytes())?;
        input.flush()?;
        // At its end psql would leave.
        client.0.stdin = Some(input);
        let mut answer = String::new();
        BufReader::new(output.context("no output")?).read_line(&mut answer)?;
        let pid = answer.split('|').next().and_then(|pid| pid.parse().ok());
        let pid = pid.with_context(|| format!("the report was not opened: psql answers '{}'", answer.trim()))?;
        let backend = backend(url, pid)?.context("the report's transaction ended at once")?;
        Ok(Self { _client: client, url: url.to_owned(), backend })
    }

    /// Fails where its transaction is not the one that was opened: what was measured would be no report.
    fn close(self) -> anyhow::Result<()> {
        let now = backend(&self.url, self.backend.pid)?;
        ensure!(
            now.as_ref() == Some(&self.backend),
            "the report did not stay open: its transaction of {} had ended when the claims were counted",
            self.backend.began
        );
        Ok(())
    }
}

/// Opens the report, and says who serves it.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_backend_pid(), count(*) FROM queues;\n";

/// The transaction of a backend that keeps the database from cleaning up; none where it has ended.
fn backend(url: &str, pid: u32) -> anyhow::Result<Option<Backend>> {
    let statement = format!("SELECT xact_start FROM pg_stat_activity WHERE pid = {pid} AND backend_xmin IS NOT NULL");
    let began = query(url, &statement)?;
    Ok((!began.is_empty()).then_some(Backend { pid, began }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database() -> String {
        let url = orchestrator_test_postgres::database_url();
        orchestrator_test_postgres::execute(&url, "CREATE TABLE queues (id INTEGER)");
        url
    }

    #[test]
    fn a_report_that_stays_open_is_one() -> anyhow::Result<()> {
        Report::open(&database())?.close()
    }

    #[test]
    fn a_report_whose_transaction_was_ended_is_an_error() -> anyhow::Result<()> {
        let url = database();
        let report = Report::open(&url)?;
        let waits = format!("SELECT pg_terminate_backend({}, 10000)", report.backend.pid);
        assert_eq!(query(&url, &waits)?, "t");
        let error = report.close().expect_err("it was ended").to_string();
        assert!(error.starts_with("the report did not stay open"), "{error}");
        Ok(())
    }

    #[test]
    fn a_report_that_cannot_read_is_an_error() {
        let url = orchestrator_test_postgres::database_url();
        let error = Report::open(&url).expect_err("there is no table").to_string();
        assert!(error.starts_with("the report was not opened"), "{error}");
    }
}
