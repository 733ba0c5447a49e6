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

/// Of a list without rows, whether it ends there or offers to search further.
const EMPTY: &str = "class=\"empty\"";

/// Nothing that is stored.
const NOTHING: &str = "zebra";

/// All of them.
pub(super) fn all(world: World) -> Vec<Address> {
    [
        plain(&["/", "/calendar", "/calendar?week=2026-06-01"], "<h1"),
        triggers(world),
        queues(world),
        machines(world),
        logs(world),
        trail(world),
        rest(world),
    ]
    .concat()
}

fn page(path: String, holds: &'static str) -> Address {
    Address { path, holds, deep: 0 }
}

fn deep(path: &str) -> Address {
    Address { path: path.to_owned(), holds: ROWS, deep: 15 }
}

fn plain(paths: &[&'static str], holds: &'static str) -> Vec<Address> {
    paths.iter().map(|path| page((*path).to_owned(), holds)).collect()
}

/// A day in the middle of all, as the address of a list says it.
fn span(world: World) -> String {
    format!("from={}&to={}", world.days_ago(16), world.days_ago(15))
}

fn triggers(world: World) -> Vec<Address> {
    let trigger = world.trigger(1);
    [
        plain(&["/triggers", "/triggers?q=trigger-19", "/triggers?status=FAILED", "/triggers?type=QUEUE"], ROWS),
        ["PRIORITY", "STATUS", "PROCESS", "LAST_RUN", "NEXT_RUN"]
            .map(|sort| page(format!("/triggers?sort={sort}&order=desc"), ROWS))
            .into(),
        vec![
            deep("/triggers"),
            page(format!("/triggers?q={NOTHING}"), EMPTY),
            page("/triggers?status=OVERDUE".to_owned(), EMPTY),
            page(format!("/triggers/{trigger}"), "trigger-1"),
            page(format!("/triggers/{trigger}/edit"), "trigger-1"),
            page(format!("/triggers/{trigger}/run"), "trigger-1"),
            page(format!("/triggers/{trigger}/kill"), "trigger-1"),
            page(format!("/triggers/{trigger}/delete"), "trigger-1"),
        ],
        plain(&["/triggers/new/scheduled", "/triggers/preview?cron_expr=0+6+*+*+*&time_zone=UTC"], "<"),
    ]
    .concat()
}

fn queues(world: World) -> Vec<Address> {
    let (invoices, span, element) = (format!("/queues/{QUEUE}"), span(world), world.element(1000));
    [
        plain(&["/queues"], ROWS),
        vec![
            page(invoices.clone(), ROWS),
            page(format!("{invoices}?order=new"), ROWS),
            deep(&invoices),
            page(format!("{invoices}?{span}"), ROWS),
        ],
        ["NEW", "IN_PROGRESS", "DONE", "FAILED", "ABANDONED"]
            .into_iter()
            .flat_map(|status| ["", "&order=new"].map(|order| (status, order)))
            .map(|(status, order)| {
                // What is done is behind all that waits.
                let holds = if (status, order) == ("DONE", "&order=new") { EMPTY } else { ROWS };
                page(format!("{invoices}?status={status}{order}"), holds)
            })
            .collect(),
        vec![
            // Not among the oldest.
            page(format!("{invoices}?status=NEW&{span}"), EMPTY),
            page(format!("{invoices}?status=IN_PROGRESS&{span}"), EMPTY),
            page(format!("{invoices}?reference=reference-1000"), ROWS),
            page(format!("{invoices}?q=Consulting"), ROWS),
            page(format!("{invoices}?q={NOTHING}"), EMPTY),
            page(format!("{invoices}?q={NOTHING}&order=new"), EMPTY),
            page(format!("{invoices}?q={NOTHING}&status=NEW"), EMPTY),
            page(format!("{invoices}?q={NOTHING}&status=FAILED"), EMPTY),
            page(format!("{invoices}?q={NOTHING}&status=IN_PROGRESS"), "<"),
            page(format!("/elements/{element}"), "Customer"),
            page(format!("{invoices}/new"), QUEUE),
            page(format!("{invoices}/import"), QUEUE),
            page(format!("{invoices}/settings"), QUEUE),
        ],
    ]
    .concat()
}

fn machines(world: World) -> Vec<Address> {
    let (trigger, job, worked) = (world.trigger(1), world.job(60), world.job_with_elements());
    [
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
            page(format!("/jobs?process={PROCESS}&status=killed"), EMPTY),
            page(format!("/jobs?process={PROCESS}&status=lost"), "<"),
            page(format!("/jobs?process={NOTHING}"), EMPTY),
            page(format!("/jobs?trigger={trigger}"), ROWS),
            page(format!("/jobs?trigger={trigger}&status=cancelled"), EMPTY),
            page("/jobs?worker=worker-7".to_owned(), ROWS),
            page("/jobs?worker=worker-7&status=cancelled".to_owned(), "<"),
            page(format!("/jobs?worker=worker-7&process={PROCESS}&status=killed"), EMPTY),
            page("/jobs?worker=worker-7&process=process-9&status=timed_out".to_owned(), "<"),
            page("/jobs?since=1h".to_owned(), ROWS),
            page("/jobs?since=7d&status=failed".to_owned(), ROWS),
            page(format!("/jobs/{job}"), "xxxxxxxx"),
            page(format!("/jobs/{worked}"), "reference-"),
            page(format!("/jobs/{job}/output"), "xxxxxxxx"),
        ],
    ]
    .concat()
}

fn logs(world: World) -> Vec<Address> {
    let (span, worked) = (span(world), world.job_with_elements());
    [
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
            page(format!("/logs?q={NOTHING}"), EMPTY),
            page(format!("/logs?q={NOTHING}&level=error"), "<"),
            page(format!("/logs?q={NOTHING}&level=trace"), EMPTY),
            page(format!("/logs?q={NOTHING}&process={PROCESS}"), EMPTY),
            page(format!("/logs?q={NOTHING}&job={worked}"), EMPTY),
        ],
    ]
    .concat()
}

fn trail(world: World) -> Vec<Address> {
    let (from, to) = (world.days_ago(16), world.days_ago(15));
    [
        plain(&["/audit", "/audit?actor=user-7", "/audit?subject=trigger-7", "/audit?action=trigger.update"], ROWS),
        vec![
            deep("/audit"),
            page(format!("/audit?since={from}&until={to}"), ROWS),
            page("/audit?action=constant.set".to_owned(), "<"),
            page(format!("/audit?q={NOTHING}"), EMPTY),
            page(format!("/audit?q={NOTHING}&actor=user-7"), "<"),
        ],
    ]
    .concat()
}

fn rest(world: World) -> Vec<Address> {
    // Users are numbered as triggers are.
    let user = world.trigger(1);
    [
        vec![page(format!("/settings/users/{user}"), "user-1")],
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
