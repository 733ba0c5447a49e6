//! Jobs.

use orchestrator_proto::v1 as pb;

use super::{listing, single};
use crate::output::times::{elapsed, exact, time};
use crate::output::{Cell, Column, Row};

listing!(ListJobsResponse, jobs, Job, "No jobs. Start one: orchestrator trigger run TRIGGER", next_cursor);
single!(Job, job, "job":
    DismissJobResponse, GetJobResponse, KillJobResponse, RetryJobResponse, RunNowResponse);

/// The columns of OpenOrchestrator's list first.
impl Row for pb::Job {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::new("Process name", |j, _| Cell::text(&j.process_name)),
        Column::new("Worker", |j, _| Cell::text(&j.worker_name)),
        Column::new("Start time", |j, look| Cell::text(time(look, j.start_time.as_ref()))),
        Column::new("End time", |j, look| Cell::text(time(look, j.end_time.as_ref()))),
        Column::new("Took", |j, look| Cell::text(elapsed(look, j.start_time.as_ref(), j.end_time.as_ref()))),
        Column::new("Status", |j, _| Cell::state(&j.status)),
        Column::new("Exit", |j, _| exit(j)),
        Column::wide("Attempt", |j, _| Cell::number(j.attempt)),
        Column::wide("Scheduled", |j, look| Cell::text(exact(look, j.scheduled_at.as_ref()))),
        Column::wide("Reason", |j, _| Cell::text(reason(j))),
        Column::new("Trigger", |j, _| Cell::text(&j.trigger_name)),
        Column::new("ID", |j, look| Cell::id(look, &j.id)),
    ];

    const FACTS: &'static [Column<Self>] = &[
        Column::new("Job", |j, _| Cell::text(&j.id)),
        Column::new("Status", |j, _| Cell::state(&j.status)),
        Column::new("Why it waits", |j, _| Cell::text(&j.waiting_reason)),
        Column::new("Kill requested", |j, _| Cell::flag(j.kill_requested)),
        Column::new("Exit code", |j, _| exit(j)),
        Column::new("Reason", |j, _| Cell::text(&j.reason)),
        Column::new("Trigger", |j, _| Cell::text(format!("{} ({})", j.trigger_name, j.trigger_id))),
        Column::new("Worker", |j, _| Cell::text(&j.worker_name)),
        Column::new("Attempt", |j, _| Cell::number(j.attempt)),
        Column::new("Superseded by", |j, _| Cell::text(&j.superseded_by)),
        Column::new("Scheduled", |j, look| Cell::text(exact(look, j.scheduled_at.as_ref()))),
        Column::new("Queued", |j, look| Cell::text(exact(look, j.queued_at.as_ref()))),
        Column::new("Not before", |j, look| Cell::text(exact(look, j.not_before.as_ref()))),
        Column::new("Start time", |j, look| Cell::text(exact(look, j.start_time.as_ref()))),
        Column::new("End time", |j, look| Cell::text(exact(look, j.end_time.as_ref()))),
        Column::new("Took", |j, look| Cell::text(elapsed(look, j.start_time.as_ref(), j.end_time.as_ref()))),
        Column::new("Process name", |j, _| Cell::text(&j.process_name)),
        Column::new("Path", |j, _| Cell::text(&j.process_path)),
        Column::new("Branch or tag", |j, _| Cell::text(j.git_branch())),
        Column::new("Commit", |j, _| Cell::text(&j.commit)),
        Column::new("Arguments", |j, _| Cell::text(j.process_args())),
        Column::new("Blocking", |j, _| Cell::flag(j.is_blocking)),
        Column::new("Priority", |j, _| Cell::number(j.priority)),
        Column::new("Only on", |j, _| Cell::text(j.worker_whitelist.join(", "))),
    ];

    fn handle(&self) -> &str {
        &self.id
    }
}

fn exit(job: &pb::Job) -> Cell {
    job.exit_code.map_or_else(|| Cell::text(""), Cell::number)
}

fn reason(job: &pb::Job) -> &str {
    if job.waiting_reason.is_empty() { &job.reason } else { &job.waiting_reason }
}
