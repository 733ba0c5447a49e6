//! The pages of the web UI on a database with a month of much work in it: how long each takes to answer.

mod addresses;
mod fill;
mod visitor;

use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::figures::Samples;
use crate::machine::{Database, Machine, Setup};
use crate::report::{Goal, Row, progress};
use crate::stamp;
use addresses::Address;
use fill::World;
use visitor::{Part, Visitor};

/// What a page may take.
const GOAL: Duration = Duration::from_millis(100);

/// A database that is full, its server, and somebody who is signed in.
#[derive(Debug)]
pub(crate) struct Pages {
    machine: Machine,
    visitor: Visitor,
    addresses: Vec<Address>,
}

impl Pages {
    /// So many elements, as many log lines, and a tenth of it jobs.
    pub(crate) async fn start(database: Database, rows: u64) -> anyhow::Result<Self> {
        let world = World::new(database, rows, stamp::now().as_secs());
        let machine =
            Machine::set_up(Setup { statements: Some(world.statements()), ..Setup::server(database) }).await?;
        if let Some(url) = machine.url() {
            // As it is a minute later, when the database has done so by itself.
            orchestrator_test_postgres::execute(url, "VACUUM ANALYZE");
            orchestrator_test_postgres::execute(url, "CHECKPOINT");
        }
        let visitor = Visitor::sign_in(machine.address(), machine.token()).await?;
        Ok(Self { machine, visitor, addresses: addresses::all(world) })
    }

    /// Opens every page so many times whole and as many times its live part; shows each, and tells which was the slowest.
    pub(crate) async fn measure(
        &mut self,
        database: Database,
        count: usize,
        only: &str,
        show: impl Fn(&Row),
    ) -> anyhow::Result<()> {
        let mut worst: Option<(Duration, String)> = None;
        let mut wrong = Vec::new();
        let addresses: Vec<Address> =
            self.addresses.iter().filter(|address| address.path.contains(only)).cloned().collect();
        ensure!(!addresses.is_empty(), "no page has {only} in its address");
        for address in addresses {
            let path = self.go_on(&address).await?;
            let mut samples = Vec::with_capacity(2 * count);
            for part in [Part::Whole, Part::Live] {
                // The first visit finds what the others left out of reach.
                let (_, body) = self.visitor.open(&path, part).await?;
                if part == Part::Whole && !body.contains(address.holds) {
                    wrong.push(format!("{path}, which does not hold {}", address.holds));
                }
                for _ in 0..count {
                    samples.push(self.visitor.open(&path, part).await?.0);
                }
            }
            let samples = Samples::new(samples);
            let what = if address.deep == 0 { path } else { format!("{}, page {}", address.path, address.deep + 1) };
            show(&Row::spread(database, &what, &samples, samples.p99(), Goal::within(GOAL)));
            if worst.as_ref().is_none_or(|(most, _)| *most < samples.p99()) {
                worst = Some((samples.p99(), what));
            }
        }
        let (most, what) = worst.context("no page")?;
        show(&Row::time(database, &format!("slowest page: {what}"), most, Goal::within(GOAL)));
        progress(&format!("{}: server memory {:.0} MiB", database.name(), self.machine.server_memory()?));
        ensure!(wrong.is_empty(), "another page was measured than the one that is meant: {wrong:#?}");
        Ok(())
    }

    /// Where a page is so many pages further on; the last one of a list that is shorter.
    async fn go_on(&mut self, address: &Address) -> anyhow::Result<String> {
        let mut path = address.path.clone();
        for _ in 0..address.deep {
            let (_, body) = self.visitor.open(&path, Part::Whole).await?;
            let link = body.split("rel=\"next\" href=\"").nth(1).and_then(|rest| rest.split('"').next());
            let Some(link) = link else { break };
            path = link.replace("&#38;", "&");
        }
        Ok(path)
    }
}
