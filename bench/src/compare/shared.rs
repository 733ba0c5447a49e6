//! How many calls share a transaction, as the server's own figures say.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use anyhow::{Context as _, ensure};

use crate::machine::Machine;

/// Since the server started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shared {
    calls: f64,
    transactions: f64,
}

impl Shared {
    pub(crate) fn read(machine: &Machine) -> anyhow::Result<Self> {
        let place = machine.address().strip_prefix("http://").context("no address")?;
        let mut stream = TcpStream::connect(place)?;
        let token = machine.token();
        write!(
            stream,
            "GET /metrics HTTP/1.1\r\nHost: {place}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        ensure!(answer.starts_with("HTTP/1.1 200"), "metrics: {}", answer.lines().next().unwrap_or_default());
        let sum = |name: &str| {
            let of_name = answer.lines().filter(|line| line.starts_with(name));
            of_name.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
        };
        Ok(Self {
            calls: sum("orchestrator_lane_batch_size_sum"),
            transactions: sum("orchestrator_lane_batch_size_count"),
        })
    }

    /// Calls a transaction since then; none without lanes.
    pub(crate) fn since(self, before: Self) -> Option<f64> {
        let transactions = self.transactions - before.transactions;
        (transactions > 0.0).then(|| (self.calls - before.calls) / transactions)
    }
}
