//! What stands between a queue trigger and its next job.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::text::QueueName;
use orchestrator_core::trigger::{Hold, Trigger, TriggerKind};
use orchestrator_db::{DbError, Tx};
use orchestrator_proto::{convert, v1};

/// What it waits for, where it is a queue trigger that is not on hold. Elements are not counted: their sums are kept.
pub(super) async fn of(tx: &mut Tx, trigger: &Trigger, now: Timestamp) -> Result<Option<v1::QueueWait>, DbError> {
    let TriggerKind::Queue { queue_name, min_batch_size, max_parallel } = &trigger.kind else { return Ok(None) };
    if trigger.hold != Hold::None {
        return Ok(None);
    }
    let queue = tx.queue_get(queue_name).await?;
    let active = tx.trigger_active_jobs(&[trigger.id]).await?.remove(&trigger.id).unwrap_or_default();
    let standing = Standing {
        queue: queue_name,
        batch: *min_batch_size,
        most: *max_parallel,
        waiting: u64::try_from(queue.counts.new).unwrap_or_default(),
        paused: queue.paused,
        active: active.total(),
        failures: trigger.consecutive_failures,
        backs_off_until: tx.trigger_get(trigger.id).await?.due_at.filter(|until| *until > now),
    };
    Ok(Some(v1::QueueWait {
        reason: standing.reason(),
        waiting: standing.waiting,
        needed: standing.needed(),
        active_jobs: standing.active,
        queue_paused: standing.paused,
        backs_off_until: standing.backs_off_until.map(convert::timestamp),
    }))
}

/// A queue trigger and its queue at one moment.
#[derive(Debug, Clone, Copy)]
struct Standing<'a> {
    queue: &'a QueueName,
    batch: u32,
    most: u32,
    waiting: u64,
    paused: bool,
    active: u32,
    failures: u32,
    backs_off_until: Option<Timestamp>,
}

impl Standing<'_> {
    fn needed(self) -> u64 {
        u64::from(self.batch) * (u64::from(self.active) + 1)
    }

    /// The first thing that keeps it from making a job.
    fn reason(self) -> String {
        let Self { queue, batch, most, waiting, active, failures, .. } = self;
        let needed = self.needed();
        if self.paused {
            return format!("queue \"{queue}\" is paused; {waiting} new elements wait in it, {needed} are needed");
        }
        if self.backs_off_until.is_some() {
            let why = match failures {
                0 => "its last run took nothing from the queue".to_owned(),
                1 => "its last run failed".to_owned(),
                _ => format!("its last {failures} runs failed"),
            };
            return format!("it backs off, since {why}; {waiting} new elements wait in queue \"{queue}\"");
        }
        if active >= most {
            let jobs = if most == 1 {
                "its job is active".to_owned()
            } else {
                format!("all of its {most} jobs at once are active")
            };
            return format!("{jobs}; {waiting} new elements wait in queue \"{queue}\"");
        }
        let found = format!("{waiting} of {needed} new elements wait in queue \"{queue}\"");
        if waiting >= needed {
            return format!("{found}: enough, the next look at the queue makes a job");
        }
        match active {
            0 => found,
            _ => format!("{found}: {batch} for each job, {active} active already"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_thing_that_keeps_a_queue_trigger_waiting_is_said() {
        let queue = QueueName::parse("invoices").unwrap();
        let until = Some(Timestamp::UNIX_EPOCH);
        let idle = Standing {
            queue: &queue,
            batch: 5,
            most: 2,
            waiting: 3,
            paused: false,
            active: 0,
            failures: 0,
            backs_off_until: None,
        };
        let cases = [
            (idle, "3 of 5 new elements wait in queue \"invoices\""),
            (
                Standing { active: 1, waiting: 7, ..idle },
                "7 of 10 new elements wait in queue \"invoices\": 5 for each job, 1 active already",
            ),
            (
                Standing { waiting: 5, ..idle },
                "5 of 5 new elements wait in queue \"invoices\": enough, the next look at the queue makes a job",
            ),
            (
                Standing { active: 2, waiting: 40, ..idle },
                "all of its 2 jobs at once are active; 40 new elements wait in queue \"invoices\"",
            ),
            (Standing { active: 1, most: 1, ..idle }, "its job is active; 3 new elements wait in queue \"invoices\""),
            (
                Standing { backs_off_until: until, ..idle },
                "it backs off, since its last run took nothing from the queue; 3 new elements wait in queue \"invoices\"",
            ),
            (
                Standing { backs_off_until: until, failures: 2, ..idle },
                "it backs off, since its last 2 runs failed; 3 new elements wait in queue \"invoices\"",
            ),
            (
                Standing { paused: true, backs_off_until: until, ..idle },
                "queue \"invoices\" is paused; 3 new elements wait in it, 5 are needed",
            ),
        ];
        for (standing, expected) in cases {
            assert_eq!(standing.reason(), expected);
        }
    }
}
