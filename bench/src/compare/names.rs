//! What the rows are called: rows and goals find each other by these.

use std::time::Duration;

use crate::machine::Database;

pub(crate) fn echo(connections: usize) -> String {
    format!("limit: gRPC echo, {connections} x 1")
}

pub(crate) fn limit_claim(clients: usize) -> String {
    format!("limit: pgbench claim, 1 a transaction, {clients} clients")
}

pub(crate) const LIMIT_BATCH: &str = "limit: pgbench claim, 100 a transaction";

pub(crate) fn claim(database: Database, clients: usize) -> String {
    format!("ours, {}: claim, {clients} clients", database.name())
}

pub(crate) fn claim_alone(database: Database) -> String {
    format!("ours, {}, lanes off: claim, 256 clients", database.name())
}

pub(crate) fn ride(database: Database) -> String {
    format!("ours, {}: claim + complete in one call, 256 clients", database.name())
}

pub(crate) fn batch(database: Database) -> String {
    format!("ours, {}: 100 claimed + 100 completed a call, 8 clients", database.name())
}

pub(crate) fn create(database: Database) -> String {
    format!("ours, {}: create, 256 clients", database.name())
}

pub(crate) fn bulk(database: Database) -> String {
    format!("ours, {}: bulk create of 100,000", database.name())
}

pub(crate) fn logs(database: Database) -> String {
    format!("ours, {}: log lines of 200 bytes, 5,000 a call, 4 clients", database.name())
}

pub(crate) fn spawned(database: Database) -> String {
    format!("ours, {}: created -> robot spawned", database.name())
}

pub(crate) fn history_claim(database: Database, rows: u64) -> String {
    format!("ours, {}: claim, 1 client, {rows} finished behind it", database.name())
}

pub(crate) fn history_due(database: Database, rows: u64) -> String {
    format!("ours, {}: queue trigger fires, {rows} finished behind it", database.name())
}

/// With a backlog, or with short queues; after so long with a report open, or without.
pub(crate) fn report(backlog: bool, open: bool, length: Duration) -> String {
    let queues = if backlog { "a backlog" } else { "short queues" };
    let (report, seconds) = (if open { "report open" } else { "no report" }, length.as_secs());
    format!("ours, PostgreSQL: claims with {queues}, {report} for {seconds} s")
}

pub(crate) const GRAPHILE_QUEUE: &str = "graphile-worker 0.18.0, concurrency 24, local queue 500";
pub(crate) const GRAPHILE_START: &str = "graphile-worker 0.18.0: added -> started";
pub(crate) const PG_BOSS: &str = "pg-boss 10.4.2, fetch(1000), 2 loops";
pub(crate) const PGQUEUER: &str = "pgqueuer 1.6.0, batches of 1000";
