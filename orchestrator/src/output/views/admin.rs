//! Workers, the server's state, and who one is.

use orchestrator_proto::v1 as pb;

use super::{listing, single};
use crate::output::times::{duration, time};
use crate::output::{Cell, Column, Row, Single};

const NO_WORKERS: &str = "No workers yet. Make a token for one: orchestrator token create worker NAME --out worker.token\n\
                          then, on its machine: orchestrator-worker start --server URL --token-file worker.token";

listing!(ListWorkersResponse, workers, Worker, NO_WORKERS);
single!(Worker, worker, "worker": GetWorkerResponse, DrainWorkerResponse, ResumeWorkerResponse);

impl Row for pb::Worker {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::new("Worker", |w, _| Cell::text(&w.name)),
        Column::new("State", |w, _| Cell::state(&w.state)),
        Column::new("Jobs", |w, _| Cell::text(format!("{}/{}", w.active_jobs, w.slots))),
        Column::new("Last connection", |w, look| Cell::text(time(look, w.last_heartbeat.as_ref()))),
        Column::new("Latest trigger", |w, _| Cell::text(&w.latest_trigger)),
        Column::new("Time", |w, look| Cell::text(time(look, w.latest_trigger_time.as_ref()))),
        Column::new("Exclusive", |w, _| Cell::flag(w.exclusive)),
        Column::new("Version", |w, _| Cell::text(&w.version)),
        Column::new("Trouble", |w, _| Cell::text(&w.trouble)),
        Column::wide("Registered", |w, look| Cell::text(time(look, w.registered_at.as_ref()))),
    ];

    fn handle(&self) -> &str {
        &self.name
    }
}

impl Row for pb::GetStatusResponse {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::new("Server", |s, _| Cell::text(format!("version {}", s.version))),
        Column::new("Started", |s, look| Cell::text(time(look, s.started_at.as_ref()))),
        Column::new("Database", |s, _| Cell::text(&s.database)),
        Column::new("Database outage", |s, _| Cell::text(&s.database_outage).alarming()),
        Column::new("Clock offset", |s, _| Cell::text(duration(s.clock_offset.as_ref()))),
        Column::new("Time zone", |s, _| Cell::text(&s.time_zone)),
        Column::new("Certificate ends", |s, look| Cell::text(time(look, s.certificate_ends_at.as_ref()))),
        Column::new("Workers up", |s, _| Cell::number(s.workers_up)),
        Column::new("Jobs running", |s, _| Cell::number(s.jobs_running)),
        Column::new("Jobs queued", |s, _| Cell::number(s.jobs_queued)),
        Column::new("Jobs lost", |s, _| trouble(s.jobs_lost)),
        Column::new("Triggers failed", |s, _| trouble(s.triggers_failed)),
        Column::new("Triggers overdue", |s, _| trouble(s.triggers_overdue)),
    ];

    fn handle(&self) -> &str {
        &self.version
    }
}

impl Single for pb::GetStatusResponse {
    type Row = Self;

    const WHAT: &'static str = "status";

    fn row(&self) -> Option<&Self> {
        Some(self)
    }
}

impl Row for pb::WhoAmIResponse {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::new("Name", |w, _| Cell::text(&w.name)),
        Column::new("Kind", |w, _| Cell::text(&w.kind)),
        Column::new("Role", |w, _| Cell::text(&w.role)),
    ];

    fn handle(&self) -> &str {
        &self.name
    }
}

impl Single for pb::WhoAmIResponse {
    type Row = Self;

    const WHAT: &'static str = "identity";

    fn row(&self) -> Option<&Self> {
        Some(self)
    }
}

/// A count that should be nought.
fn trouble(count: u32) -> Cell {
    let cell = Cell::number(count);
    if count == 0 { cell } else { cell.alarming() }
}
