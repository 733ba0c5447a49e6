//! Heartbeats, and who has none.

use std::collections::HashSet;

use orchestrator_core::clock::Timestamp;
use orchestrator_core::text::{Reason, WorkerName};
use serde::Serialize;
use sqlx::types::Json;
use uuid::Uuid;

use super::WorkerBeat;
use crate::dialect::{Sql, sql};
use crate::error::DbError;
use crate::lists::time_text;
use crate::rows::{execute, fetch_scalars};
use crate::tx::Tx;

#[derive(Debug, Serialize)]
struct Beat<'a> {
    worker: &'a str,
    session: Uuid,
    heard_at: String,
    draining: bool,
    trouble: Option<&'a str>,
}

// The sub-select locks in the order of names, as everything does. A heartbeat that was overtaken does not turn time back.
const WORKER_BEAT: Sql = sql!["UPDATE workers SET
        last_heartbeat = CASE WHEN v.heard_at > workers.last_heartbeat THEN v.heard_at ELSE workers.last_heartbeat END,
        state = CASE WHEN v.draining OR workers.drain_requested THEN 'DRAINING' ELSE 'UP' END,
        trouble = v.trouble FROM "
    [only sqlite "(SELECT value->>'worker' AS worker, unhex(value->>'session', '-') AS session,
        value->>'heard_at' AS heard_at, value->>'draining' AS draining,
        value->>'trouble' AS trouble FROM json_each($1)) v"]
    [only postgres "jsonb_to_recordset($1) AS v(worker text, session uuid, heard_at timestamptz, draining boolean, trouble text)"]
    " WHERE workers.name = v.worker AND workers.session_id = v.session AND workers.state <> 'STOPPED'
        AND workers.name " [only postgres "= ANY(ARRAY(SELECT w.name FROM workers w WHERE w.name IN
            (SELECT n.worker FROM jsonb_to_recordset($1) AS n(worker text)) ORDER BY w.name FOR UPDATE))"]
    [only sqlite "IS NOT NULL"]
    " RETURNING name"];

const WORKER_MARK_LOST: Sql = sql![
    "UPDATE workers SET state = 'LOST'
     WHERE state IN ('UP', 'DRAINING') AND last_heartbeat < $1 RETURNING name"
];

// What a clock wrote that was ahead would keep a dead worker alive until that instant has come.
const WORKER_HEARD_AHEAD: Sql = sql!["UPDATE workers SET last_heartbeat = $1 WHERE last_heartbeat > $2"];

impl Tx {
    /// Notes heartbeats, all at once; the latest of several of one worker counts. Returns the workers whose session is over:
    /// another one registered, it said good-bye, or it is unknown.
    pub async fn worker_beat(&mut self, rows: &[WorkerBeat]) -> Result<Vec<WorkerName>, DbError> {
        // A statement may change a row only once.
        let mut latest: Vec<&WorkerBeat> = rows.iter().collect();
        latest.sort_by(|a, b| (&a.worker, a.session, b.at).cmp(&(&b.worker, b.session, a.at)));
        latest.dedup_by(|later, kept| later.worker == kept.worker && later.session == kept.session);
        if latest.is_empty() {
            return Ok(Vec::new());
        }
        let beats: Vec<Beat<'_>> = latest
            .iter()
            .map(|beat| Beat {
                worker: beat.worker.as_str(),
                session: beat.session.as_uuid(),
                heard_at: time_text(beat.at),
                draining: beat.draining,
                trouble: beat.trouble.as_ref().map(Reason::as_str),
            })
            .collect();
        let alive = fetch_scalars!(self, "worker_beat", WORKER_BEAT, as String, [Json(&beats)])?;
        let alive: HashSet<String> = alive.into_iter().collect();
        let mut over: Vec<WorkerName> =
            latest.iter().map(|row| &row.worker).filter(|name| !alive.contains(name.as_str())).cloned().collect();
        over.dedup();
        Ok(over)
    }

    /// Workers that seem to have been heard of after `ahead` were heard of now. How many those were.
    pub async fn worker_lower_heartbeats(&mut self, ahead: Timestamp, now: Timestamp) -> Result<u64, DbError> {
        execute!(self, "worker_lower_heartbeats", WORKER_HEARD_AHEAD, [now, ahead])
    }

    /// Marks the workers that were not heard of since `before` as LOST. Returns those, by name.
    pub async fn worker_mark_lost(&mut self, before: Timestamp) -> Result<Vec<WorkerName>, DbError> {
        let mut lost = fetch_scalars!(self, "worker_mark_lost", WORKER_MARK_LOST, as String, [before])?;
        lost.sort();
        Ok(lost.into_iter().map(WorkerName::from_stored).collect())
    }
}

#[cfg(test)]
crate::statements::statements![WORKER_BEAT, WORKER_MARK_LOST, WORKER_HEARD_AHEAD];
