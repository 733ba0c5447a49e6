//! Holding a queue, letting go of it, and deleting it.

use orchestrator_core::actor::Actor;
use orchestrator_core::text::QueueName;
use orchestrator_db::{Hint, QueueSummary};
use orchestrator_proto::v1;
use orchestrator_scheduler::Scheduler;
use serde_json::json;
use tonic::{Code, Status};

use crate::audit;
use crate::status::{Refusal, reason};
use crate::transaction::in_transaction;

/// Elements that one transaction deletes: others must get their turn between.
const BATCH: u32 = 5_000;
/// How many triggers a refusal names.
const NAMED: u32 = 5;

pub(super) async fn set_paused(
    scheduler: &Scheduler,
    actor: &Actor,
    name: QueueName,
    paused: bool,
) -> Result<QueueSummary, Status> {
    in_transaction!(scheduler, |tx| {
        let now = scheduler.now();
        super::known(tx, &name).await?;
        if tx.queue_set_paused(&name, paused, actor, now).await? {
            let action = if paused { "queue.pause" } else { "queue.resume" };
            let document = |paused: bool| Some(json!({ "paused": paused }));
            let row = audit::row(actor, action, "queue", &name, (document(!paused), document(paused)));
            tx.audit_insert(&[row], now).await?;
        }
        // Triggers that wait for its elements look at once when it goes on.
        let hints = vec![if paused { Hint::Elements } else { Hint::Queue { name: name.as_str().to_owned() } }];
        Ok((tx.queue_get(&name).await?, hints))
    })
}

/// Pauses the queue, so that what is left of it cannot be claimed, and deletes it batch by batch.
pub(super) async fn delete(
    scheduler: &Scheduler,
    actor: &Actor,
    name: QueueName,
) -> Result<v1::DeleteQueueResponse, Status> {
    in_transaction!(scheduler, |tx| {
        let now = scheduler.now();
        let before = super::known(tx, &name).await?;
        if before.counts.in_progress > 0 {
            Err(busy(&name, before.counts.in_progress))?;
        }
        let watching = tx.trigger_names_watching(&name, NAMED).await?;
        if !watching.is_empty() {
            Err(watched(&name, &watching))?;
        }
        tx.queue_set_paused(&name, true, actor, now).await?;
        let counts = &before.counts;
        let document = json!({
            "new": counts.new,
            "done": counts.done,
            "failed": counts.failed,
            "abandoned": counts.abandoned,
            "max_attempts": before.settings.max_attempts,
        });
        let row = audit::row(actor, "queue.delete", "queue", &name, (Some(document), None));
        tx.audit_insert(&[row], now).await?;
        Ok(((), vec![Hint::Elements]))
    })?;
    let mut deleted = 0;
    loop {
        let count = in_transaction!(scheduler, |tx| {
            let count = tx.element_delete_of_queue(&name, BATCH).await?;
            Ok((count, vec![Hint::Elements]))
        })?;
        if count == 0 {
            break;
        }
        deleted += count;
    }
    let remaining = in_transaction!(scheduler, |tx| {
        let left = tx.queue_get(&name).await?.counts.total();
        if left == 0 {
            tx.queue_settings_delete(&name).await?;
            tx.queue_history_delete(&name).await?;
        }
        Ok((left, vec![Hint::Elements]))
    })?;
    Ok(v1::DeleteQueueResponse {
        deleted_count: i64::try_from(deleted).unwrap_or(i64::MAX),
        remaining_count: remaining,
    })
}

fn busy(name: &QueueName, count: i64) -> Status {
    let message = format!(
        "queue '{name}' has elements in progress ({count}): pause it and wait until their robots have ended, or set their status"
    );
    Refusal::new(Code::FailedPrecondition, reason::QUEUE_BUSY, message).with("in_progress", &count).status()
}

fn watched(name: &QueueName, triggers: &[String]) -> Status {
    let names = triggers.join("', '");
    let message =
        format!("queue '{name}' is watched by '{names}': delete these triggers, or give them another queue, first");
    Refusal::new(Code::FailedPrecondition, reason::QUEUE_WATCHED, message)
        .with("triggers", &triggers.join(", "))
        .status()
}
