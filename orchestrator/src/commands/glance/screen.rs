//! The one screen of `status`: what is going on, what is wrong, and what to type about it.

use std::fmt::Write as _;

use orchestrator_proto::v1 as pb;

use crate::certificate::{RENEW, Remaining, end_in_words, remaining};
use crate::output::{Cell, Column, Look, duration, elapsed, facts_table, instant, printable, rows_table, time};

/// What the screen shows.
#[derive(Debug, Default)]
pub(in crate::commands) struct Facts {
    pub(in crate::commands) url: String,
    pub(in crate::commands) status: pb::GetStatusResponse,
    pub(in crate::commands) workers: Vec<pb::Worker>,
    pub(in crate::commands) running: Vec<pb::Job>,
    pub(in crate::commands) waiting: Vec<pb::Job>,
    pub(in crate::commands) lost: Vec<pb::Job>,
    pub(in crate::commands) failed: Vec<pb::Trigger>,
    pub(in crate::commands) overdue: Vec<pb::Trigger>,
}

const WORKERS: &[Column<pb::Worker>] = &[
    Column::new("Worker", |w, _| Cell::text(&w.name)),
    Column::new("State", |w, _| Cell::state(&w.state)),
    Column::new("Jobs", |w, _| Cell::text(format!("{}/{}", w.active_jobs, w.slots))),
    Column::new("Last connection", |w, look| Cell::text(time(look, w.last_heartbeat.as_ref()))),
];
const RUNNING: &[Column<pb::Job>] = &[
    Column::new("Running", |j, _| Cell::text(&j.trigger_name)),
    Column::new("Worker", |j, _| Cell::text(&j.worker_name)),
    Column::new("For", |j, look| Cell::text(elapsed(look, j.start_time.as_ref(), None))),
    Column::new("Job", |j, look| Cell::id(look, &j.id)),
];
const WAITING: &[Column<pb::Job>] = &[
    Column::new("Waiting", |j, _| Cell::text(&j.trigger_name)),
    Column::new("Since", |j, look| Cell::text(time(look, j.queued_at.as_ref()))),
    Column::new("Why", |j, look| Cell::clipped(look, &j.waiting_reason)),
    Column::new("Job", |j, look| Cell::id(look, &j.id)),
];
const LOST: &[Column<pb::Job>] = &[
    Column::new("Lost", |j, _| Cell::text(&j.trigger_name).alarming()),
    Column::new("Worker", |j, _| Cell::text(&j.worker_name)),
    Column::new("Started", |j, look| Cell::text(time(look, j.start_time.as_ref()))),
    Column::new("Job", |j, look| Cell::id(look, &j.id)),
];
const FAILED: &[Column<pb::Trigger>] = &[
    Column::new("Failing", |t, _| Cell::text(&t.name).alarming()),
    Column::new("Failures in a row", |t, _| Cell::number(t.consecutive_failures)),
    Column::new("Last run", |t, look| Cell::text(time(look, t.last_run.as_ref()))),
    Column::new("Process name", |t, _| Cell::text(&t.process_name)),
];
const OVERDUE: &[Column<pb::Trigger>] = &[
    Column::new("Overdue", |t, _| Cell::text(&t.name).alarming()),
    Column::new("Was due", |t, look| Cell::text(time(look, t.next_run.as_ref()))),
    Column::new("Status", |t, _| Cell::state(&t.status)),
];

const SUMMARY: &[Column<Facts>] = &[
    Column::new("Server", |f, _| Cell::text(format!("{}, version {}", f.url, f.status.version))),
    Column::new("Started", |f, look| Cell::text(time(look, f.status.started_at.as_ref()))),
    Column::new("Database", |f, _| {
        let offset = duration(f.status.clock_offset.as_ref());
        match outage(&f.status) {
            "" => Cell::text(format!("{}, clock offset {offset}", f.status.database)),
            outage => Cell::text(format!("{}, which {outage}", f.status.database)).alarming(),
        }
    }),
    Column::new("Time zone", |f, _| Cell::text(&f.status.time_zone)),
    Column::new("Workers", |f, _| workers(f)),
    Column::new("Jobs", |f, _| {
        let s = &f.status;
        let cell = Cell::text(format!("{} running, {} waiting, {} lost", s.jobs_running, s.jobs_queued, s.jobs_lost));
        if s.jobs_lost > 0 { cell.alarming() } else { cell }
    }),
    Column::new("Triggers", |f, _| {
        let s = &f.status;
        let cell = Cell::text(format!("{} failed, {} overdue", s.triggers_failed, s.triggers_overdue));
        if s.triggers_failed + s.triggers_overdue > 0 { cell.alarming() } else { cell }
    }),
    Column::new("Certificate", |f, _| {
        certificate(&f.status).map_or_else(|| Cell::text(""), |words| Cell::text(words).alarming())
    }),
];

/// All of it, as text.
pub(super) fn screen(look: &Look, facts: &Facts) -> String {
    let status = &facts.status;
    let mut parts = vec![facts_table(look, SUMMARY, facts)];
    part(&mut parts, look, WORKERS, &facts.workers, facts.workers.len());
    part(&mut parts, look, LOST, &facts.lost, count(status.jobs_lost));
    part(&mut parts, look, OVERDUE, &facts.overdue, count(status.triggers_overdue));
    part(&mut parts, look, FAILED, &facts.failed, count(status.triggers_failed));
    part(&mut parts, look, RUNNING, &facts.running, count(status.jobs_running));
    part(&mut parts, look, WAITING, &facts.waiting, count(status.jobs_queued));
    parts.push(next(facts));
    parts.join("\n\n")
}

/// A list, and how many more there are than it shows.
fn part<T>(parts: &mut Vec<String>, look: &Look, columns: &[Column<T>], rows: &[T], total: usize) {
    if rows.is_empty() {
        return;
    }
    let mut text = rows_table(look, columns, rows);
    if total > rows.len() {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n… and {} more", total - rows.len());
    }
    parts.push(text);
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn workers(facts: &Facts) -> Cell {
    let of = |state: &str| facts.workers.iter().filter(|worker| worker.state == state).count();
    let mut text = format!("{} up", facts.status.workers_up);
    for (state, word) in [("DRAINING", "draining"), ("LOST", "lost"), ("STOPPED", "stopped")] {
        if of(state) > 0 {
            let _ = write!(text, ", {} {word}", of(state));
        }
    }
    let unfit = facts.workers.iter().filter(|worker| is_unfit(worker)).count();
    if unfit > 0 {
        let _ = write!(text, ", {unfit} of them in trouble");
    }
    let cell = Cell::text(text);
    if unfit > 0 || of("LOST") > 0 || facts.status.workers_up == 0 { cell.alarming() } else { cell }
}

/// Whether a worker is connected and its machine can start nothing.
fn is_unfit(worker: &pb::Worker) -> bool {
    worker.state == "UP" && !worker.trouble.is_empty()
}

/// What is wrong with the database although it answers.
fn outage(status: &pb::GetStatusResponse) -> &'static str {
    match status.database_outage.as_str() {
        "" => "",
        "NO_WRITES" => "takes no writes",
        "DISK_FULL" => "has a full disk",
        _ => "does not answer in time",
    }
}

/// When the server's certificate ends, where that is soon.
fn certificate(status: &pb::GetStatusResponse) -> Option<String> {
    let (until, now) = (instant(status.certificate_ends_at.as_ref())?, instant(status.now.as_ref())?);
    (remaining(until, now) != Remaining::Long).then(|| end_in_words(until, now))
}

/// What to type about what is wrong, the worst first.
fn next(facts: &Facts) -> String {
    let name = |name: &str| printable(&format!("\"{name}\""));
    let mut steps = Vec::new();
    match outage(&facts.status) {
        "" => {}
        outage => steps.push(format!("nothing starts, since the database {outage}; what to do: orchestrator doctor")),
    }
    if let Some(words) = certificate(&facts.status) {
        steps.push(format!("the server's certificate {words}; renew it {RENEW}"));
    }
    if facts.workers.is_empty() {
        steps.push("connect a worker: orchestrator worker enroll NAME".to_owned());
    } else if facts.status.workers_up == 0 {
        steps.push("no worker is up: start orchestrator-worker on its machine; orchestrator worker list".to_owned());
    }
    if let Some(worker) = facts.workers.iter().find(|worker| is_unfit(worker)) {
        steps.push(format!("a worker takes nothing for now: orchestrator worker show {}", name(&worker.name)));
    }
    if let Some(job) = facts.lost.first() {
        steps.push(format!("a job is lost, its robot may still run: orchestrator job show {}", job.id));
    }
    if let Some(trigger) = facts.failed.first() {
        steps.push(format!("why it fails: orchestrator trigger show {}", name(&trigger.name)));
        steps.push(format!("let it run again: orchestrator trigger enable {}", name(&trigger.name)));
    }
    if let Some(trigger) = facts.overdue.first() {
        steps.push(format!("why it waits: orchestrator trigger show {}", name(&trigger.name)));
    }
    if steps.is_empty() {
        return "All is well. See also: orchestrator job watch, orchestrator log tail -f".to_owned();
    }
    steps.push("more checks, each with its fix: orchestrator doctor".to_owned());
    format!("Next:  {}", steps.join("\n       "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Option<prost_types::Timestamp> {
        text.parse().ok().map(crate::arguments::time_to_wire)
    }

    fn facts() -> Facts {
        Facts {
            url: "http://127.0.0.1:8420".to_owned(),
            status: pb::GetStatusResponse {
                version: "0.1.0".to_owned(),
                database: "SQLITE".to_owned(),
                started_at: at("2026-11-22T09:00:00Z"),
                time_zone: "Europe/Copenhagen".to_owned(),
                clock_offset: Some(prost_types::Duration { seconds: 0, nanos: 1_000_000 }),
                ..pb::GetStatusResponse::default()
            },
            ..Facts::default()
        }
    }

    fn worker(name: &str, state: &str) -> pb::Worker {
        let last_heartbeat = at("2026-11-22T11:59:57Z");
        pb::Worker { name: name.to_owned(), state: state.to_owned(), slots: 2, last_heartbeat, ..pb::Worker::default() }
    }

    fn job(id: u8, trigger: &str) -> pb::Job {
        pb::Job {
            id: format!("0199c1de-7a10-7000-8000-0000000000{id:02}"),
            trigger_name: trigger.to_owned(),
            worker_name: "rpa-01".to_owned(),
            start_time: at("2026-11-22T11:58:00Z"),
            queued_at: at("2026-11-22T11:57:00Z"),
            waiting_reason: "all slots of its workers are taken".to_owned(),
            ..pb::Job::default()
        }
    }

    #[test]
    fn a_quiet_night_is_short() {
        let mut facts = facts();
        facts.status.workers_up = 1;
        facts.workers = vec![worker("rpa-01", "UP")];
        insta::assert_snapshot!(screen(&Look::of_tests(), &facts));
    }

    #[test]
    fn what_is_wrong_is_named_with_what_to_type() {
        let mut facts = facts();
        facts.status.workers_up = 1;
        facts.status.jobs_running = 7;
        facts.status.jobs_queued = 1;
        facts.status.jobs_lost = 1;
        facts.status.triggers_failed = 1;
        facts.status.triggers_overdue = 1;
        facts.workers = vec![worker("rpa-01", "UP"), worker("rpa-02", "LOST")];
        facts.running = vec![job(1, "hello")];
        facts.waiting = vec![job(2, "Night report")];
        facts.lost = vec![job(3, "invoices")];
        let trigger = |name: &str| pb::Trigger {
            name: name.to_owned(),
            status: "IDLE".to_owned(),
            process_name: "p".to_owned(),
            next_run: at("2026-11-22T11:30:00Z"),
            consecutive_failures: 3,
            ..pb::Trigger::default()
        };
        facts.failed = vec![trigger("Mail \u{1b}[2J")];
        facts.overdue = vec![trigger("Late one")];
        insta::assert_snapshot!(screen(&Look::of_tests(), &facts));
    }

    #[test]
    fn a_worker_that_can_start_nothing_is_told_of() {
        let mut facts = facts();
        facts.status.workers_up = 1;
        facts.workers = vec![pb::Worker { trouble: "no space".to_owned(), ..worker("rpa-01", "UP") }];
        let text = screen(&Look::of_tests(), &facts);
        assert!(text.contains("1 up, 1 of them in trouble"), "{text}");
        assert!(text.contains("orchestrator worker show \"rpa-01\""), "{text}");
    }

    #[test]
    fn a_certificate_is_told_of_when_it_ends_soon() {
        let mut facts = facts();
        facts.status.now = at("2026-11-22T12:00:00Z");
        facts.status.certificate_ends_at = at("2027-11-22T12:00:00Z");
        assert!(!screen(&Look::of_tests(), &facts).contains("ertificate"), "that is long");
        facts.status.certificate_ends_at = at("2026-11-27T12:00:00Z");
        let text = screen(&Look::of_tests(), &facts);
        assert!(text.contains("the server's certificate ends on 2026-11-27, in 5 days; renew it where"), "{text}");
        assert!(text.contains("orchestrator cert issue NAME… --ca FOLDER --replace, with all its names"), "{text}");
    }

    #[test]
    fn a_new_server_is_told_how_to_get_a_worker() {
        assert!(screen(&Look::of_tests(), &facts()).contains("orchestrator worker enroll NAME"));
    }
}
