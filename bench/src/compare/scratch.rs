//! Databases of the cluster that everyone measured shares.

use anyhow::{Context as _, ensure};

use crate::machine::Machine;
use crate::programs::command;

/// A database, gone when this is.
#[derive(Debug)]
pub(crate) struct Scratch(String);

impl Scratch {
    /// An empty one, with nothing of its predecessors left to be written.
    pub(crate) fn new() -> Self {
        let scratch = Self(orchestrator_test_postgres::database_url());
        orchestrator_test_postgres::execute(&scratch.0, "CHECKPOINT");
        scratch
    }

    /// The database that a machine had, without its programs; none where it is a file.
    pub(crate) fn left_by(machine: Machine) -> Option<Self> {
        let url = machine.url().map(ToOwned::to_owned);
        drop(machine);
        url.map(Self)
    }

    pub(crate) fn url(&self) -> &str {
        &self.0
    }

    pub(crate) fn execute(&self, statements: &str) {
        orchestrator_test_postgres::execute(&self.0, statements);
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = remove(&self.0);
    }
}

fn remove(url: &str) -> anyhow::Result<()> {
    let (server, rest) = url.rsplit_once('/').context("no database in the URL")?;
    let name = rest.split('?').next().unwrap_or(rest);
    let drop = format!("DROP DATABASE \"{name}\" WITH (FORCE)");
    query(&format!("{server}/postgres?sslmode=disable"), &drop)?;
    Ok(())
}

/// The answer of one statement.
pub(crate) fn query(url: &str, statement: &str) -> anyhow::Result<String> {
    let answer =
        command("psql").args(["--no-psqlrc", "-At", "-v", "ON_ERROR_STOP=1", "-c", statement, url]).output()?;
    ensure!(answer.status.success(), "psql: {}", String::from_utf8_lossy(&answer.stderr));
    Ok(String::from_utf8(answer.stdout)?.trim().to_owned())
}
