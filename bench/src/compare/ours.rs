//! Our server over gRPC.

use std::time::Instant;

use anyhow::Context as _;
use tonic::transport::Channel;

use super::args::Sizes;
use super::calls::{Bearer, Claiming, Creating, Logging, bulk};
use super::figure::Figure;
use super::load::{self, Caller, Window};
use super::names;
use super::scratch::Scratch;
use super::shared::Shared;
use crate::machine::{Database, Machine, Setup};

/// Lines of one call: as many as a worker puts into one.
const LINES: usize = 5000;

/// A server, and a queue of its own for every row.
pub(crate) struct Ours {
    pub(crate) machine: Machine,
    pub(crate) bearer: Bearer,
    pub(crate) payload: String,
    queues: usize,
}

impl Ours {
    pub(crate) async fn start(setup: Setup, payload: &str) -> anyhow::Result<Self> {
        let machine = Machine::set_up(setup).await?;
        if let Some(url) = machine.url() {
            orchestrator_test_postgres::execute(url, "CHECKPOINT");
        }
        let bearer = format!("Bearer {}", machine.token()).parse()?;
        Ok(Self { machine, bearer, payload: payload.to_owned(), queues: 0 })
    }

    pub(crate) async fn channels(&self, count: usize) -> anyhow::Result<Vec<Channel>> {
        load::connect(self.machine.address(), count).await
    }

    /// Adds elements to a queue.
    pub(crate) async fn add(&self, queue: &str, count: usize) -> anyhow::Result<()> {
        let mut left = count;
        while left > 0 {
            let part = left.min(100_000);
            bulk(self.machine.channel(), &self.bearer, queue, part, &self.payload).await?;
            left -= part;
        }
        Ok(())
    }

    fn queue(&mut self) -> String {
        self.queues += 1;
        format!("queue {}", self.queues)
    }

    /// Claims from a fresh queue.
    async fn claims(&mut self, what: String, elements: usize, window: Window, shape: Shape) -> anyhow::Result<Figure> {
        let queue = self.queue();
        self.claims_of(&queue, what, elements, window, shape).await
    }

    /// Claims from this queue, which gets so many elements before.
    pub(crate) async fn claims_of(
        &self,
        queue: &str,
        what: String,
        elements: usize,
        window: Window,
        Shape { clients, count, rides }: Shape,
    ) -> anyhow::Result<Figure> {
        self.add(queue, elements).await?;
        let callers = self.channels(clients).await?.into_iter();
        let callers = callers.map(|channel| Claiming::new(channel, &self.bearer, queue, count, rides)).collect();
        self.load(what, callers, window).await
    }

    /// A row, with how many calls shared a transaction.
    async fn load<C: Caller>(&self, what: String, callers: Vec<C>, window: Window) -> anyhow::Result<Figure> {
        let before = Shared::read(&self.machine)?;
        let load = load::run(callers, window).await?;
        let shared = Shared::read(&self.machine)?.since(before);
        Ok(Figure { shared, ..Figure::of_load(what, &load) })
    }

    async fn creates(&mut self, what: String, window: Window) -> anyhow::Result<Figure> {
        let queue = self.queue();
        let callers = self.channels(256).await?.into_iter();
        let callers = callers.map(|channel| Creating::new(channel, &self.bearer, &queue, &self.payload)).collect();
        self.load(what, callers, window).await
    }

    async fn bulk(&mut self, what: String, count: usize) -> anyhow::Result<Figure> {
        let queue = self.queue();
        let began = Instant::now();
        bulk(self.machine.channel(), &self.bearer, &queue, count, &self.payload).await?;
        let seconds = began.elapsed().as_secs_f64();
        Ok(Figure::of_rate(what, f64::from(u32::try_from(count)?) / seconds))
    }

    async fn logs(&mut self, what: String, window: Window) -> anyhow::Result<Figure> {
        Logging::begin(self.machine.channel(), &self.bearer).await?;
        let callers = self.channels(4).await?.into_iter().enumerate();
        let callers = callers
            .map(|(number, channel)| Logging::new(channel, &self.bearer, &self.payload, LINES, number))
            .collect();
        self.load(what, callers, window).await
    }

    /// Ends it, and removes its data.
    pub(crate) fn end(self) {
        drop(Scratch::left_by(self.machine));
    }
}

/// Who claims how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) clients: usize,
    pub(crate) count: u32,
    /// What was claimed is completed with the next claim.
    pub(crate) rides: bool,
}

const ONE: Shape = Shape { clients: 256, count: 1, rides: false };

/// All rows with lanes on.
pub(crate) async fn measure(database: Database, payload: &str, sizes: &Sizes) -> anyhow::Result<Vec<Figure>> {
    let mut ours = Ours::start(Setup::server(database), payload).await?;
    let window = sizes.window;
    let mut figures = Vec::new();
    for (clients, rate) in [(1, 6_000), (32, 30_000), (256, 35_000)] {
        let what = names::claim(database, clients);
        figures.push(ours.claims(what, sizes.elements(rate), window, Shape { clients, ..ONE }).await?);
    }
    let ride = Shape { rides: true, ..ONE };
    figures.push(ours.claims(names::ride(database), sizes.elements(30_000), window, ride).await?);
    let batch = Shape { clients: 8, count: 100, rides: true };
    figures.push(ours.claims(names::batch(database), sizes.elements(120_000), window, batch).await?);
    figures.push(ours.creates(names::create(database), window).await?);
    figures.push(ours.bulk(names::bulk(database), sizes.bulk).await?);
    figures.push(ours.logs(names::logs(database), window).await?);
    ours.end();
    Ok(figures)
}

/// Claims with a transaction each.
pub(crate) async fn measure_alone(database: Database, payload: &str, sizes: &Sizes) -> anyhow::Result<Figure> {
    let setup = Setup { lanes: false, ..Setup::server(database) };
    let mut ours = Ours::start(setup, payload).await?;
    let elements = sizes.elements(15_000);
    let figure = ours.claims(names::claim_alone(database), elements, sizes.window, ONE).await.context("lanes off")?;
    ours.end();
    Ok(figure)
}
