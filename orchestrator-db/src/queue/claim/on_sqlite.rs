//! Ends of elements and claims, for several callers, in two texts of several statements each: on SQLite a statement costs a turn
//! of the thread that has the database, whatever it does. All of the ends are as they mostly are, or nothing is done.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::JobId;
use orchestrator_core::queue::ElementStatus;
use orchestrator_core::text::QueueName;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, SqliteConnection};
use uuid::Uuid;

use super::ClaimRequest;
use super::ride::{Ridden, RiddenRow, ended, share_out, shares_of};
use crate::audit::{AUDIT_INSERT, AuditRow, as_lists};
use crate::dialect::{Sql, sql};
use crate::lists::{Ids, time_text};
use crate::queue::count::Deltas;
use crate::queue::row::element_columns;
use crate::queue::status::{ELEMENTS_END, StatusChange, flat_end};

/// As long as a place in a claim and an instant are as texts, at most; the statement cuts by it.
const PLACE: usize = 4;
const INSTANT: usize = 40;

// What a row gets stands at its place in two blobs, which costs no look at what stands before it. Where a job is over, nothing is
// claimed. For PostgreSQL there is only a text to prepare.
const CLAIM_IN_PLACES: Sql = sql![
    [only sqlite "UPDATE queues SET status = 'IN_PROGRESS', ready = FALSE, attention = FALSE, parked = FALSE, start_date = $2, end_date = NULL,
         attempt = attempt + 1, lease_token = lease_token + 1, request_id = substr($6, 1 + 32 * share.place, 16),
         job_id = nullif(substr($6, 17 + 32 * share.place, 16), zeroblob(16)),
         request_place = CAST(substr($7, 1 + 44 * share.place, 4) AS INTEGER),
         lease_expires_at = nullif(rtrim(CAST(substr($7, 5 + 44 * share.place, 40) AS TEXT)), '')
     FROM (SELECT id AS element_id, row_number() OVER (ORDER BY created_date, id) - 1 AS place FROM (
         SELECT id, created_date FROM queues INDEXED BY queues_ready WHERE queue_name = $4 AND ready
             AND NOT EXISTS (SELECT 1 FROM queue_settings WHERE queue_name = $4 AND paused)
             AND (SELECT COUNT(*) FROM jobs WHERE id IN (SELECT unhex(value) FROM json_each($8))
                 AND status IN ('ASSIGNED', 'RUNNING', 'LOST')) = $9
         ORDER BY created_date, id LIMIT $5)) AS share
     WHERE queues.id = share.element_id RETURNING "] [only postgres "SELECT "]
    [columns element_columns] ", TRUE AS is_claimed" [only postgres " FROM queues WHERE id IS NULL"]
];

const COUNTS_IN_TEXT: Sql = sql![
    [only sqlite "INSERT INTO queue_counts (queue_name, status, delta)
     SELECT value->>0, value->>1, value->>2 FROM json_each($3)"]
    [only postgres "SELECT 1"]
];

// A text has only what there is to do: each of its statements is a turn of the thread that has the database, and wakes up
// whoever waits for what it answers.
static ENDS: LazyLock<Arc<str>> =
    LazyLock::new(|| format!("BEGIN IMMEDIATE; {}, FALSE AS is_claimed", ELEMENTS_END.sqlite).into());
static CLAIMS: LazyLock<Arc<str>> = LazyLock::new(|| format!("BEGIN IMMEDIATE; {}", CLAIM_IN_PLACES.sqlite).into());
static RIDE: LazyLock<Arc<str>> = LazyLock::new(|| format!("{}; {}", *ENDS, CLAIM_IN_PLACES.sqlite).into());
static COUNTED: LazyLock<Arc<str>> = LazyLock::new(|| format!("{}; COMMIT", COUNTS_IN_TEXT.sqlite).into());
static AUDITED: LazyLock<Arc<str>> =
    LazyLock::new(|| format!("{}; {}; COMMIT", COUNTS_IN_TEXT.sqlite, AUDIT_INSERT.sqlite).into());

/// Begins a transaction, sets the ends and then claims; `None` when that is to be undone and done in another way. The
/// transaction is left open.
pub(crate) async fn elements_ride_on_sqlite(
    connection: &mut SqliteConnection,
    ends: &[&StatusChange],
    claims: &[&ClaimRequest],
    with_data: bool,
    now: Timestamp,
) -> Result<Option<Ridden>, sqlx::Error> {
    let mut shares = shares_of(claims);
    let asks = || shares.iter().map(|share| claims[share.claim]);
    let jobs: BTreeSet<Uuid> = claims.iter().filter_map(|claim| claim.job.map(JobId::as_uuid)).collect();
    let expects_jobs = !jobs.is_empty();
    let holders: Vec<u8> = asks()
        .flat_map(|claim| [claim.request.as_uuid(), claim.job.map_or(Uuid::nil(), JobId::as_uuid)])
        .flat_map(Uuid::into_bytes)
        .collect();
    let mut grants: Vec<u8> = Vec::with_capacity((PLACE + INSTANT) * shares.len());
    for share in &shares {
        let filled = grants.len() + PLACE + INSTANT;
        let expiry = claims[share.claim].expires_at(now).map(time_text).unwrap_or_default();
        grants.extend(format!("{:4}{expiry}", share.place).into_bytes());
        grants.resize(filled, b' ');
    }
    let text = match (ends, claims) {
        ([], _) => &CLAIMS,
        (_, []) => &ENDS,
        _ => &RIDE,
    };
    let rows: Vec<RiddenRow> = sqlx::query_as(AssertSqlSafe((*text).clone()))
        .bind(Json(ends.iter().map(|end| flat_end(end)).collect::<Vec<_>>()))
        .bind(now)
        .bind(with_data)
        .bind(claims.first().map(|claim| claim.queue.as_str()))
        .bind(i64::try_from(shares.len()).unwrap_or(i64::MAX))
        .bind(holders)
        .bind(grants)
        .bind(Ids(jobs.iter().copied().collect()))
        .bind(i64::try_from(jobs.len()).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?;
    let (claimed, changed): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.is_claimed);
    // One of the jobs may be over, and not the queue empty.
    if changed.len() < ends.len() || expects_jobs && claimed.is_empty() {
        return Ok(None);
    }
    let Ok(ended) = changed.into_iter().map(|row| ended(row.element)).collect::<Result<_, _>>() else {
        return Ok(None);
    };
    let mut answers = vec![Vec::new(); claims.len()];
    let taken = share_out(claimed, &mut shares, &mut answers).len();
    Ok(Some(Ridden { ended, claimed: answers, taken }))
}

impl Ridden {
    /// What it changed of the counts, where it claimed of this queue.
    pub(crate) fn counts(&self, queue: Option<&QueueName>) -> Deltas {
        let mut deltas = Deltas::default();
        for set in &self.ended {
            deltas.add(&set.element.queue_name, set.before, -1);
            deltas.add(&set.element.queue_name, set.element.status, 1);
        }
        if let Some(queue) = queue {
            let taken = i64::try_from(self.taken).unwrap_or(i64::MAX);
            deltas.add(queue, ElementStatus::New, -taken);
            deltas.add(queue, ElementStatus::InProgress, taken);
        }
        deltas
    }
}

/// Counts and audits what was done, and ends the transaction.
pub(crate) async fn end_ride_on_sqlite(
    connection: &mut SqliteConnection,
    counts: Deltas,
    audited: &[AuditRow],
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let text = if audited.is_empty() { &COUNTED } else { &AUDITED };
    sqlx::query(AssertSqlSafe((*text).clone()))
        .bind(Json(as_lists(audited)))
        .bind(now)
        .bind(Json(counts.into_rows()))
        .execute(connection)
        .await
        .map(drop)
}

#[cfg(test)]
crate::statements::statements![CLAIM_IN_PLACES, COUNTS_IN_TEXT];
