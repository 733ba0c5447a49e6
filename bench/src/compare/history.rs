//! What finished elements behind it cost a claim and a queue trigger.

use super::args::Sizes;
use super::figure::Figure;
use super::names;
use super::ours::{Ours, Shape};
use super::robot::QUEUE as WATCHED;
use super::spawned;
use crate::machine::{Database, Setup};

/// Elements that are done, in the very queue that is measured.
fn statements(database: Database, count: u64, payload: &str) -> Option<String> {
    let id = match database {
        Database::Postgres => "CAST('019000000000' || '7000' || '8000' || lpad(to_hex(i), 12, '0') AS uuid)",
        Database::Sqlite => "unhex('01900000000070008000' || printf('%012x', i))",
    };
    (count > 0).then(|| {
        let time = "'2026-01-01T00:00:00+00:00'";
        format!(
            "INSERT INTO queues (id, queue_name, status, ready, attention, created_date, start_date, end_date, lease_token, \
                attempt, data) \
             SELECT {id}, queue, 'DONE', FALSE, FALSE, {time}, {time}, {time}, 1, 1, '{payload}' FROM \
                (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT i FROM n) numbers, \
                (SELECT '{QUEUE}' AS queue UNION ALL SELECT '{WATCHED}') AS names WHERE (i % 2 = 0) = (queue = '{QUEUE}'); \
             INSERT INTO queue_counts (queue_name, status, delta) VALUES ('{QUEUE}', 'DONE', {count} / 2), \
                ('{WATCHED}', 'DONE', {count} - {count} / 2);"
        )
    })
}

const QUEUE: &str = "worked on";

/// None and each history, one after the other, in rounds of their own: filling takes longer than measuring.
pub(crate) async fn measure(
    database: Database,
    payload: &str,
    sizes: &Sizes,
    rounds: &mut [Vec<Figure>],
) -> anyhow::Result<()> {
    let spawn = spawned::spawn()?;
    let mut all = Vec::new();
    for rows in std::iter::once(0).chain(sizes.history.iter().copied()) {
        let statements = statements(database, rows, payload);
        let ours = Ours::start(Setup { slots: Some(2), statements, ..Setup::server(database) }, payload).await?;
        if let Some(url) = ours.machine.url() {
            // As autovacuum leaves it.
            orchestrator_test_postgres::execute(url, "VACUUM ANALYZE queues");
            orchestrator_test_postgres::execute(url, "CHECKPOINT");
        }
        let trigger = spawned::watch(&ours.machine).await?;
        all.push((rows, ours, trigger));
    }
    for round in rounds {
        for (rows, ours, trigger) in &all {
            let claims = Shape { clients: 1, count: 1, rides: false };
            let what = names::history_claim(database, *rows);
            round.push(ours.claims_of(QUEUE, what, sizes.elements(4_000), sizes.window, claims).await?);
            let samples = spawned::one_by_one(&ours.machine, trigger, sizes.spawned / 2).await?;
            round.push(spawned::figure(names::history_due(database, *rows), &samples, spawn));
        }
    }
    for (_, ours, _) in all {
        ours.end();
    }
    Ok(())
}
