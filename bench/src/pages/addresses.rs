//! Every page there is, with each of its filters and orders: what takes longest first.

use super::fill::{PROCESS, QUEUE, World};

/// One page.
#[derive(Debug, Clone)]
pub(super) struct Address {
    pub(super) path: String,
    /// What has to be in it, so that no empty page is measured for a full one.
    pub(super) holds: &'static str,
    /// How many pages further on than its first one.
    pub(super) deep: usize,
}

const ROWS: &str = "<tr id=";

/// Nothing that is stored.
const NOTHING: &str = "zebra";

/// All of them.
pub(super) fn all(world: World) -> Vec<Address> {
    let page = |path: String, holds| Address { path, holds, deep: 0 };
    let deep = |path: &str| Address { path: path.to_owned(), holds: ROWS, deep: 15 };
    let plain = |paths: &[&'static str], holds| -> Vec<Address> {
        paths.iter().map(|path| page((*path).to_owned(), holds)).collect()
    };
    let (from, to) = (world.days_ago(16), world.days_ago(15));
    let (trigger, job, worked) = (world.trigger(1), world.job(60), world.job_with_elements());
    let element = world.element(1000);
    let invoices = format!("/queues/{QUEUE}");
    let span = format!("from={from}&to={to}");
    [
        plain(&["/", "/calendar", "/calendar?week=2026-06-01"], "<h1"),
        // Triggers.
        plain(&["/triggers", "/triggers?q=trigger-19", "/triggers?status=FAILED", "/triggers?type=QUEUE"], ROWS),
        ["PRIORITY", "STATUS", "PROCESS", "LAST_RUN", "NEXT_RUN"]
            .map(|sort| page(format!("/triggers?sort={sort}&order=desc"), ROWS))
            .into(),
        vec![
            deep("/triggers"),
            page(format!("/triggers?q={NOTHING}"), "No trigger"),
            page("/triggers?status=OVERDUE".to_owned(), "No trigger"),
            page(format!("/triggers/{trigger}"), "trigger-1"),
            page(format!("/triggers/{trigger}/edit"), "trigger-1"),
            page(format!("/triggers/{trigger}/run"), "trigger-1"),
            page(format!("/triggers/{trigger}/kill"), "trigger-1"),
            page(format!("/triggers/{trigger}/delete"), "trigger-1"),
        ],
        plain(&["/triggers/new/scheduled", "/triggers/preview?cron_expr=0+6+*+*+*&time_zone=UTC"], "<"),
        // Queues.
        plain(&["/queues"], ROWS),
        vec![
            page(invoices.clone(), ROWS),
            page(format!("{invoices}?order=new"), ROWS),
            deep(&invoices),
            page(format!("{invoices}?{span}"), ROWS),
        ],
        ["NEW", "IN_PROGRESS", "DONE", "FAILED", "ABANDONED"]
            .into_iter()
            .flat_map(|status| ["", "&order=new"].map(|order| page(format!("{invoices}?status={status}{order}"), ROWS)))
            .collect(),
        vec![
            // Not among the oldest.
            page(format!("{invoices}?status=NEW&{span}"), "No element fits"),
            page(format!("{invoices}?status=IN_PROGRESS&{span}"), "No element fits"),
            page(format!("{invoices}?reference=reference-1000"), ROWS),
            page(format!("{invoices}?q=Consulting"), ROWS),
            page(format!("{invoices}?q={NOTHING}"), "Search further"),
            page(format!("{invoices}?q={NOTHING}&order=new"), "Search further"),
            page(format!("{invoices}?q={NOTHING}&status=NEW"), "No element fits"),
            page(format!("{invoices}?q={NOTHING}&status=FAILED"), "No element fits"),
            page(format!("{invoices}?q={NOTHING}&status=IN_PROGRESS"), "<"),
            page(format!("/elements/{element}"), "Customer"),
            page(format!("{invoices}/new"), QUEUE),
            page(format!("{invoices}/import"), QUEUE),
            page(format!("{invoices}/settings"), QUEUE),
        ],
        // Machines.
        plain(&["/workers", "/workers/enroll", "/workers/worker-1/remove"], "<"),
        plain(&["/jobs"], ROWS),
        ["active", "queued", "running", "lost", "failed", "killed", "cancelled", "done"]
            .map(|status| page(format!("/jobs?status={status}"), ROWS))
            .into(),
        vec![
            deep("/jobs"),
            deep("/jobs?status=failed"),
            page(format!("/jobs?process={PROCESS}"), ROWS),
            page(format!("/jobs?process={PROCESS}&status=failed"), ROWS),
            // There are none.
            page(format!("/jobs?process={PROCESS}&status=killed"), "No job"),
            page(format!("/jobs?process={PROCESS}&status=lost"), "<"),
            page(format!("/jobs?process={NOTHING}"), "No job"),
            page(format!("/jobs?trigger={trigger}"), ROWS),
            page(format!("/jobs?trigger={trigger}&status=cancelled"), "No job"),
            page("/jobs?worker=worker-7".to_owned(), ROWS),
            page("/jobs?worker=worker-7&status=cancelled".to_owned(), "<"),
            page(format!("/jobs?worker=worker-7&process={PROCESS}&status=killed"), "No job"),
            page("/jobs?worker=worker-7&process=process-9&status=timed_out".to_owned(), "<"),
            page("/jobs?since=1h".to_owned(), ROWS),
            page("/jobs?since=7d&status=failed".to_owned(), ROWS),
            page(format!("/jobs/{job}"), "xxxxxxxx"),
            page(format!("/jobs/{worked}"), "reference-"),
            page(format!("/jobs/{job}/output"), "xxxxxxxx"),
        ],
        // Logs.
        plain(&["/logs", "/logs?level=error", "/logs?level=info", "/logs?level=trace", "/logs?q=booked"], ROWS),
        vec![
            deep("/logs"),
            page(format!("/logs?{span}"), ROWS),
            page(format!("/logs?process={PROCESS}"), ROWS),
            page(format!("/logs?process={PROCESS}&level=error"), ROWS),
            // It traces nothing.
            page(format!("/logs?process={PROCESS}&level=trace"), "<"),
            page(format!("/logs?process={PROCESS}&level=error&{span}"), ROWS),
            page(format!("/logs?job={worked}"), ROWS),
            page(format!("/logs?q={NOTHING}"), "Search further"),
            page(format!("/logs?q={NOTHING}&level=error"), "<"),
            page(format!("/logs?q={NOTHING}&level=trace"), "Search further"),
            page(format!("/logs?q={NOTHING}&process={PROCESS}"), "Search further"),
            page(format!("/logs?q={NOTHING}&job={worked}"), "No line"),
        ],
        // The trail.
        plain(&["/audit", "/audit?actor=user-7", "/audit?subject=trigger-7", "/audit?action=trigger.update"], ROWS),
        vec![
            deep("/audit"),
            page(format!("/audit?since={from}&until={to}"), ROWS),
            page("/audit?action=constant.set".to_owned(), "<"),
            page(format!("/audit?q={NOTHING}"), "Search further"),
            page(format!("/audit?q={NOTHING}&actor=user-7"), "<"),
        ],
        // The rest. Users are numbered as triggers are.
        vec![page(format!("/settings/users/{trigger}"), "user-1")],
        plain(
            &[
                "/constants",
                "/constants/constant",
                "/constants/constant/constant-7",
                "/constants/credential",
                "/settings",
                "/settings/sessions",
                "/settings/tokens",
                "/settings/tokens/new",
                "/settings/users",
                "/settings/users/new",
                "/profile",
            ],
            "<",
        ),
    ]
    .concat()
}
