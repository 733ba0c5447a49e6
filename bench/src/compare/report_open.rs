//! Claims while someone else's long transaction keeps the database from cleaning up.

use std::io::Write as _;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;

use super::args::{Queues, Sizes};
use super::calls::{Claiming, InTurns};
use super::figure::Figure;
use super::load::{self, Called, Caller, Window};
use super::names;
use super::ours::Ours;
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
            drop(report);
            figures.push(Figure::of_load(names::report(backlog, open), &load));
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
}

impl Report {
    fn open(url: &str) -> anyhow::Result<Self> {
        let mut client: Child = command("psql")
            .args(["--no-psqlrc", "--quiet", url])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        let input = client.stdin.as_mut().context("no input")?;
        input.write_all(b"BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM queues;\n")?;
        input.flush()?;
        Ok(Self { _client: Killed(client) })
    }
}
