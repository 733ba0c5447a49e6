//! Queues and their elements.

use orchestrator_proto::v1 as pb;

use super::{listing, single};
use crate::output::times::{exact, time};
use crate::output::{Cell, Column, Row};

const NO_QUEUES: &str = "No queues yet. A queue exists while it has elements: orchestrator queue element add QUEUE --reference 42 --data '{}'";
const NO_HISTORY: &str = "Nothing is known of these hours.";
const NO_ELEMENTS: &str = "No such elements. Add one: orchestrator queue element add QUEUE --reference 42 --data '{}'";

listing!(ListQueuesResponse, queues, Queue, NO_QUEUES, next_cursor);
listing!(GetQueueHistoryResponse, intervals, QueueInterval, NO_HISTORY);
listing!(ListElementsResponse, elements, QueueElement, NO_ELEMENTS, next_cursor);
listing!(ClaimElementsResponse, elements, QueueElement, "There is no new element to take.");
single!(Queue, queue, "queue": GetQueueResponse, PauseQueueResponse, ResumeQueueResponse, UpdateQueueSettingsResponse);
single!(QueueElement, element, "element": CreateElementResponse, GetElementResponse, SetElementStatusResponse);

impl Row for pb::Queue {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::new("Queue", |q, _| Cell::text(&q.queue_name)),
        Column::new("New", |q, _| Cell::number(q.new_count)),
        Column::new("In progress", |q, _| Cell::number(q.in_progress_count)),
        Column::new("Done", |q, _| Cell::number(q.done_count)),
        Column::new("Failed", |q, _| Cell::number(q.failed_count)),
        Column::new("Abandoned", |q, _| Cell::number(q.abandoned_count)),
        Column::new("State", |q, _| if q.paused { Cell::state("PAUSED") } else { Cell::text("") }),
        Column::wide("Oldest new", |q, look| Cell::text(time(look, q.oldest_new_at.as_ref()))),
        Column::wide("Done in last hour", |q, _| known(q.done_last_hour_count)),
        Column::wide("Attempts", |q, _| Cell::number(q.max_attempts.max(1))),
    ];

    const FACTS: &'static [Column<Self>] = &[
        Column::new("Queue", |q, _| Cell::text(&q.queue_name)),
        Column::new("State", |q, _| {
            if q.paused { Cell::state("PAUSED") } else { Cell::text("open: its elements are handed out") }
        }),
        Column::new("New", |q, _| Cell::number(q.new_count)),
        Column::new("In progress", |q, _| Cell::number(q.in_progress_count)),
        Column::new("Done", |q, _| Cell::number(q.done_count)),
        Column::new("Failed", |q, _| Cell::number(q.failed_count)),
        Column::new("Abandoned", |q, _| Cell::number(q.abandoned_count)),
        Column::new("Oldest new", |q, look| Cell::text(time(look, q.oldest_new_at.as_ref()))),
        Column::new("Done in last hour", |q, _| known(q.done_last_hour_count)),
        Column::new("Attempts", |q, _| Cell::number(q.max_attempts.max(1))),
    ];

    fn handle(&self) -> &str {
        &self.queue_name
    }
}

impl Row for pb::QueueInterval {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::new("Quarter from", |i, look| Cell::text(time(look, i.start.as_ref()))),
        Column::new("New", |i, _| known(i.new_count)),
        Column::new("In progress", |i, _| known(i.in_progress_count)),
        Column::new("Done", |i, _| Cell::number(i.done_count)),
        Column::new("Failed or abandoned", |i, _| Cell::number(i.failed_count)),
    ];

    /// It has no name: it is one of many.
    fn handle(&self) -> &'static str {
        ""
    }
}

/// A count that may not be known.
fn known(count: Option<i64>) -> Cell {
    count.map_or_else(|| Cell::text(""), Cell::number)
}

impl Row for pb::QueueElement {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::new("Reference", |e, look| Cell::clipped(look, e.reference())),
        Column::new("Status", |e, _| Cell::state(&e.status)),
        Column::new("Data", |e, look| Cell::clipped(look, e.data())),
        Column::new("Created", |e, look| Cell::text(time(look, e.created_date.as_ref()))),
        Column::new("Start", |e, look| Cell::text(time(look, e.start_date.as_ref()))),
        Column::new("End", |e, look| Cell::text(time(look, e.end_date.as_ref()))),
        Column::new("Created by", |e, look| Cell::clipped(look, e.created_by())),
        Column::new("Message", |e, look| Cell::clipped(look, e.message())),
        Column::wide("Attempt", |e, _| Cell::number(e.attempt)),
        Column::wide("Job", |e, _| Cell::text(&e.job_id)),
        Column::new("ID", |e, look| Cell::id(look, &e.id)),
    ];

    const FACTS: &'static [Column<Self>] = &[
        Column::new("Element", |e, _| Cell::text(&e.id)),
        Column::new("Queue", |e, _| Cell::text(&e.queue_name)),
        Column::new("Reference", |e, _| Cell::text(e.reference())),
        Column::new("Status", |e, _| Cell::state(&e.status)),
        Column::new("Data", |e, _| Cell::text(e.data())),
        Column::new("Message", |e, _| Cell::text(e.message())),
        Column::new("Created", |e, look| Cell::text(exact(look, e.created_date.as_ref()))),
        Column::new("Created by", |e, _| Cell::text(e.created_by())),
        Column::new("Start", |e, look| Cell::text(exact(look, e.start_date.as_ref()))),
        Column::new("End", |e, look| Cell::text(exact(look, e.end_date.as_ref()))),
        Column::new("Attempt", |e, _| Cell::number(e.attempt)),
        Column::new("Job", |e, _| Cell::text(&e.job_id)),
        Column::new("Parked", |e, _| Cell::text(if e.parked { "stays in progress when its job ends" } else { "" })),
        Column::new("Lease token", |e, _| Cell::number(e.lease_token)),
        Column::new("Lease expires", |e, look| Cell::text(time(look, e.lease_expires_at.as_ref()))),
    ];

    fn handle(&self) -> &str {
        &self.id
    }
}
