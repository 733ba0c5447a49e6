//! Triggers that are not due: what they cost the server.

use std::time::Duration;

use crate::machine::Machine;

/// How long the server is watched.
const WATCHED: Duration = Duration::from_secs(10);

/// What an idle server costs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) mebibytes: f64,
    /// Of one core.
    pub(crate) cpu_percent: f64,
}

/// Watches the server, as it is.
pub(crate) async fn cost(machine: &Machine) -> anyhow::Result<Cost> {
    let before = machine.server_cpu()?;
    tokio::time::sleep(WATCHED).await;
    let used = machine.server_cpu()?.saturating_sub(before);
    let cpu_percent = 100.0 * used.as_secs_f64() / WATCHED.as_secs_f64();
    Ok(Cost { mebibytes: machine.server_memory()?, cpu_percent })
}

/// Statements that put so many scheduled triggers and as many queue triggers, none of them due, into a database, beside
/// the program: over the wire a million would take an hour. `{id}` makes an id from the number `i`.
pub(crate) fn statements(count: usize, id: &str) -> String {
    let numbers = format!(
        "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT i FROM n) numbers"
    );
    let trigger = |kind: &str, name: &str, due: &str, first: &str| {
        format!(
            "INSERT INTO triggers (id, trigger_name, process_name, process_path, process_status, is_git_repo, is_blocking, \
                type, hold, worker_whitelist, priority, policies, due_at, consecutive_failures, created_at, updated_at) \
             SELECT {}, '{name}-' || i, 'idle', 'idle.py', 'IDLE', FALSE, FALSE, '{kind}', 'NONE', '[]', 0, '{{}}', {due}, \
                0, '2026-01-01T00:00:00+00:00', '2026-01-01T00:00:00+00:00' FROM {numbers};",
            id.replace("{first}", first)
        )
    };
    let never = "'2099-01-01T00:00:00+00:00'";
    [
        trigger("SCHEDULED", "idle", never, "a"),
        format!(
            "INSERT INTO scheduled_triggers (id, cron_expr, next_run, time_zone) \
             SELECT {}, '0 6 1 1 *', {never}, 'UTC' FROM {numbers};",
            id.replace("{first}", "a")
        ),
        trigger("QUEUE", "watcher", "NULL", "b"),
        format!(
            "INSERT INTO queue_triggers (id, queue_name, min_batch_size, max_parallel) \
             SELECT {}, 'queue-' || i, 1, 1 FROM {numbers};",
            id.replace("{first}", "b")
        ),
    ]
    .concat()
}
