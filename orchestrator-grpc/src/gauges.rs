//! How things stand, as gauges of `GET /metrics`: read when they are asked for, so that what is gone is not told any more.

use std::fmt::{Display, Write as _};

use orchestrator_core::clock::Timestamp;
use orchestrator_core::job::JobStatus;
use orchestrator_core::trigger::Hold;
use orchestrator_core::worker::WorkerState;
use orchestrator_db::{DbError, Figures};
use orchestrator_scheduler::Scheduler;

/// How many queues are told of, those with most new elements first.
const MOST_QUEUES: u32 = 100;

/// The gauges of this moment, in the form that Prometheus reads.
pub(crate) async fn render(scheduler: &Scheduler) -> Result<String, DbError> {
    let now = scheduler.now();
    let mut tx = scheduler.db().begin_read().await?;
    let figures = tx.figures(now, MOST_QUEUES).await?;
    let overdue = tx.trigger_counts(now).await?.overdue;
    Ok(text(&figures, overdue, now))
}

/// Whether the database can be worked with, which is told also when its gauges could not be read.
pub(crate) fn database_up(is_up: bool) -> String {
    let mut page = Page::default();
    page.gauge("orchestrator_database_up", "1 while this server can read its database and write to it, else 0.");
    page.plain(u8::from(is_up));
    page.0
}

fn text(figures: &Figures, overdue: u64, now: Timestamp) -> String {
    let mut page = Page::default();
    page.gauge("orchestrator_workers", "Workers by state: UP and DRAINING are connected.");
    for state in WorkerState::ALL {
        page.labelled("state", state, count_of(&figures.workers, *state));
    }
    page.gauge("orchestrator_jobs", "Active jobs by status.");
    for status in JobStatus::ALL.iter().filter(|status| status.is_active()) {
        page.labelled("status", status, count_of(&figures.jobs, *status));
    }
    page.gauge(
        "orchestrator_oldest_queued_job_age_seconds",
        "For how long the oldest job waits for a worker; 0 when none does.",
    );
    let age = figures.oldest_queued.map_or(0, |since| (now - since).num_seconds().max(0));
    page.plain(age);
    page.gauge("orchestrator_triggers_on_hold", "Triggers by what holds them: FAILED ones need someone.");
    for hold in [Hold::Paused, Hold::Failed, Hold::Killed] {
        page.labelled("hold", hold, count_of(&figures.held, hold));
    }
    page.gauge(
        "orchestrator_triggers_overdue",
        "Triggers that were due more than 10 s ago and that no server has looked at.",
    );
    page.plain(overdue);
    page.gauge(
        "orchestrator_queue_new_elements",
        "New elements of the 100 queues that have most; a queue without any is left out.",
    );
    for (queue, count) in &figures.queues {
        page.labelled("queue", queue, *count);
    }
    page.0
}

fn count_of<T: PartialEq + Copy>(counts: &[(T, u64)], of: T) -> u64 {
    counts.iter().filter(|(name, _)| *name == of).map(|(_, count)| count).sum()
}

/// Text in Prometheus' form.
#[derive(Debug, Default)]
struct Page(String, &'static str);

impl Page {
    fn gauge(&mut self, name: &'static str, help: &str) {
        // Writing to a String cannot fail.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} gauge\n");
        self.1 = name;
    }

    fn plain(&mut self, value: impl Display) {
        let _ = writeln!(self.0, "{} {value}", self.1);
    }

    fn labelled(&mut self, label: &str, text: impl Display, value: u64) {
        let text = text.to_string().replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let _ = writeln!(self.0, "{}{{{label}=\"{text}\"}} {value}", self.1);
    }
}

#[cfg(test)]
mod tests {
    use orchestrator_core::text::QueueName;

    use super::*;

    #[test]
    fn what_there_is_none_of_is_0_and_names_stay_inside_their_quotes() {
        let now = Timestamp::UNIX_EPOCH + chrono::TimeDelta::seconds(90);
        let figures = Figures {
            jobs: vec![(JobStatus::Lost, 2)],
            oldest_queued: Some(Timestamp::UNIX_EPOCH),
            queues: vec![(QueueName::from_stored("a\"} 1\\".to_owned()), 7)],
            ..Figures::default()
        };
        let text = text(&figures, 1, now);
        for line in [
            "# TYPE orchestrator_workers gauge",
            "orchestrator_workers{state=\"UP\"} 0",
            "orchestrator_jobs{status=\"QUEUED\"} 0",
            "orchestrator_jobs{status=\"LOST\"} 2",
            "orchestrator_oldest_queued_job_age_seconds 90",
            "orchestrator_triggers_on_hold{hold=\"FAILED\"} 0",
            "orchestrator_triggers_overdue 1",
            "orchestrator_queue_new_elements{queue=\"a\\\"} 1\\\\\"} 7",
        ] {
            assert!(text.lines().any(|there| there == line), "no {line} in\n{text}");
        }
        assert!(!text.contains("\"DONE\""), "{text}");
    }
}
