mod alone;
mod at_once;
mod fit;
mod on_sqlite;
mod ride;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{JobId, RequestId};
use orchestrator_core::queue::{ElementStatus, QueueElement};
use orchestrator_core::text::{QueueName, Reference};
use sqlx::types::Json;
use uuid::Uuid;

use super::count::Deltas;
use super::marks::{Marks, Position};
use super::row::{ElementRow, element_columns};
use crate::answer::{Bulk, fitting};
use crate::dialect::{Sql, on_conn, sql};
use crate::error::{DbError, Readable};
use crate::lists::{Ids, time_text};
use crate::tx::{Tx, TxInner};

pub(crate) use at_once::{elements_claim_at_once, fit_at_once};
pub(crate) use on_sqlite::{elements_ride_on_sqlite, end_ride_on_sqlite};
pub(crate) use ride::{Ridden, elements_ride_at_once, rides_fit, rides_fit_at_once};

/// Someone wants elements of a queue.
#[derive(Debug, Clone)]
pub struct ClaimRequest {
    /// The queue.
    pub queue: QueueName,
    /// Only elements with exactly this reference.
    pub reference: Option<Reference>,
    /// How many at most.
    pub count: u32,
    /// The job that will hold them; nobody's when absent.
    pub job: Option<JobId>,
    /// Names the call, so that its repetition gives the same elements.
    pub request: RequestId,
    /// The caller lost the answer of the same call: look it up first.
    pub repeat: bool,
    /// How long a claim without a job holds; for ever when absent. A job's claim holds until the job ends.
    pub lease: Option<Duration>,
}

impl ClaimRequest {
    /// A request for one element, for nobody's job, without a lease.
    pub fn new(queue: QueueName, request: RequestId) -> Self {
        Self { queue, reference: None, count: 1, job: None, request, repeat: false, lease: None }
    }

    /// The places that its elements take.
    fn places(&self) -> impl Iterator<Item = i32> {
        1..=i32::try_from(self.count).unwrap_or(i32::MAX)
    }

    /// Until when a claim that is made now holds by itself.
    fn expires_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.lease.filter(|_| self.job.is_none()).map(|lease| now + lease)
    }
}

/// Why one of several claims got nothing, not even an empty answer.
#[derive(Debug, thiserror::Error)]
pub enum ElementClaimError {
    /// The job has ended (or never began), so it can hold nothing.
    #[error("job {0} does not run any more")]
    JobEnded(JobId),
    /// An earlier claim had this id, and what it was granted is over, or is of another queue.
    #[error("request {0} was made before")]
    KnownCall(RequestId),
}

/// One element that is wanted, with whose it will be.
#[derive(Debug, Clone, Copy)]
struct Place {
    request: usize,
    /// Its place among those of the request.
    number: i32,
    job: Option<JobId>,
    id: RequestId,
    expires_at: Option<Timestamp>,
}

/// What a claim was granted.
#[derive(Debug, Clone, Default)]
pub struct Granted {
    /// The elements, oldest first.
    pub elements: Vec<QueueElement>,
    /// It was granted to an earlier call with the same id, and nothing was done.
    pub is_known: bool,
    /// How many more there were than one answer holds: they are as if they had not been claimed.
    pub given_back: usize,
}

/// The answers so far, one a request.
type Answers = Vec<Result<Granted, ElementClaimError>>;

#[derive(Debug, sqlx::FromRow)]
struct GrantedRow {
    #[sqlx(flatten)]
    element: ElementRow,
    request_id: Option<Uuid>,
}

// On PostgreSQL one statement picks and marks: `picked` is materialised, so that the locks are taken once, in order. By an
// array of one, a row can be found in no other way than by the primary key, whatever the database believes the number of rows
// to be, with `IS NOT FALSE` keeping it off the indexes of what is ready. An array of all would be sorted once a row. What a
// row gets stands in arrays at its place, where it costs no join. SQLite has no round trips to save: there one statement picks, and the next one marks.
macro_rules! claim_text {
    ($index:literal, $and_reference:literal) => {
        sql![[only postgres "WITH picked AS MATERIALIZED (
             SELECT id AS element_id, row_number() OVER (ORDER BY created_date, id) AS place FROM ("]
             "SELECT id" [only postgres ", created_date"] " FROM queues" [indexed_by $index] "
                 WHERE queue_name" [bytewise] " = $1" $and_reference " AND ready AND "
                     [only sqlite "created_date >= $2"] [only postgres "(created_date, id) >= ($2, $8)"] "
                     AND NOT EXISTS (SELECT 1 FROM queue_settings WHERE queue_name = $1 AND paused)
                 ORDER BY created_date, id LIMIT $3" [skip_locked]
         [only postgres ") AS oldest)
         UPDATE queues SET status = 'IN_PROGRESS', ready = FALSE, attention = FALSE, parked = FALSE, start_date = $4, end_date = NULL,
             attempt = attempt + 1, lease_token = lease_token + 1, job_id = ($5::uuid[])[picked.place],
             request_id = ($6::uuid[])[picked.place], request_place = ($9::int[])[picked.place],
             lease_expires_at = ($7::timestamptz[])[picked.place]
         FROM picked
         WHERE queues.id = ANY(ARRAY[picked.element_id]) AND ready IS NOT FALSE
         RETURNING id, queue_name, status, created_date, start_date, end_date, lease_token, lease_expires_at, parked, attempt,
             job_id, reference, created_by, message, data"]]
    };
}
const ELEMENT_CLAIM: Sql = claim_text!("queues_ready", "");
const ELEMENT_CLAIM_BY_REFERENCE: Sql = claim_text!("queues_ready_reference", " AND reference = $10");

// For PostgreSQL, which marks as it picks, there is only a text to prepare.
const ELEMENT_MARK: Sql = sql!["UPDATE queues SET status = 'IN_PROGRESS', ready = FALSE, attention = FALSE, parked = FALSE, start_date = $2,
         end_date = NULL, attempt = attempt + 1, lease_token = lease_token + 1, job_id = share.new_job,
         request_id = share.new_request, request_place = share.new_place, lease_expires_at = share.new_expiry
     FROM "
     [only sqlite "(SELECT unhex(substr(value, 1, 32)) AS element_id, unhex(substr(value, 33, 32)) AS new_request,
         unhex(nullif(substr(value, 65, 32), '--------------------------------')) AS new_job,
         CAST(substr(value, 97, 4) AS INTEGER) AS new_place, nullif(substr(value, 101), '') AS new_expiry
         FROM json_each($1)) AS share"]
     [only postgres "(SELECT (value->>0)::uuid AS element_id, (value->>1)::uuid AS new_job, (value->>2)::uuid AS new_request,
         (value->>3)::timestamptz AS new_expiry, (value->>4)::int AS new_place FROM json_array_elements($1::json) AS share (value)) AS share"]
     " WHERE queues.id = share.element_id AND ready RETURNING " [columns element_columns]];

const ELEMENT_GRANTED: Sql = sql!["SELECT " [columns element_columns] ", request_id
     FROM queues WHERE request_id" [in_ids "$1"] " ORDER BY created_date, id"];

const ELEMENT_PEEK: Sql = sql!["SELECT " [columns element_columns] " FROM queues" [indexed_by "queues_ready"] "
     WHERE queue_name" [bytewise] " = $1 AND ready ORDER BY created_date, id LIMIT $2"];
const ELEMENT_PEEK_BY_REFERENCE: Sql = sql!["SELECT " [columns element_columns] " FROM queues" [indexed_by "queues_ready_reference"] "
     WHERE queue_name" [bytewise] " = $1 AND reference = $3 AND ready ORDER BY created_date, id LIMIT $2"];

impl Tx {
    /// Takes the oldest new elements, by creation and then id; none of a paused queue. One statement a queue and reference
    /// selects and marks; requests that want of the same share out what there is in their order. An empty answer: there is
    /// none.
    ///
    /// [`DbError::is_of_a_known_call`] when another call with the same id was granted something, and this one is no repeat.
    pub async fn element_claim(&mut self, requests: &[ClaimRequest], now: Timestamp) -> Result<Answers, DbError> {
        let live = self.live_jobs(requests.iter().filter_map(|request| request.job)).await?;
        let requests: Vec<&ClaimRequest> = requests.iter().collect();
        self.element_claim_for(&requests, &live, now).await
    }

    /// The same, for jobs of which it is known, and locked, that they live.
    pub(crate) async fn element_claim_for(
        &mut self,
        requests: &[&ClaimRequest],
        live: &HashSet<JobId>,
        now: Timestamp,
    ) -> Result<Answers, DbError> {
        let known = self.known_grants(requests).await?;
        let mut answers: Answers = Vec::with_capacity(requests.len());
        let mut wanted: BTreeMap<(&str, Option<&str>), Vec<Place>> = BTreeMap::new();
        let mut first_of: HashMap<(RequestId, Option<JobId>), usize> = HashMap::with_capacity(requests.len());
        for (index, request) in requests.iter().enumerate() {
            if let Some(job) = request.job.filter(|job| !live.contains(job)) {
                answers.push(Err(ElementClaimError::JobEnded(job)));
                continue;
            }
            let call = (request.request, request.job);
            let granted = known.get(&call).filter(|_| request.repeat).cloned();
            if granted.iter().flatten().any(|element| element.queue_name != request.queue) {
                answers.push(Err(ElementClaimError::KnownCall(request.request)));
                continue;
            }
            answers.push(Ok(Granted {
                is_known: granted.is_some(),
                elements: granted.unwrap_or_default(),
                given_back: 0,
            }));
            // A call that is repeated while it waits may be here twice.
            let is_first = *first_of.entry(call).or_insert(index) == index;
            if is_first && !answers[index].as_ref().is_ok_and(|answer| answer.is_known) {
                let (job, id, expires_at) = (request.job, request.request, request.expires_at(now));
                let place = |number| Place { request: index, number, job, id, expires_at };
                let key = (request.queue.as_str(), request.reference.as_ref().map(Reference::as_str));
                wanted.entry(key).or_default().extend(request.places().map(place));
            }
        }
        let mut deltas = Deltas::default();
        for ((queue, reference), places) in wanted {
            let taken = self.claim_group(queue, reference, &places, now, &mut answers).await?;
            deltas.add_text(queue, ElementStatus::New, -taken);
            deltas.add_text(queue, ElementStatus::InProgress, taken);
        }
        self.counts_append(deltas).await?;
        self.fit_into_answers(answers.iter_mut().flatten(), now).await?;
        for (index, request) in requests.iter().enumerate() {
            if let Some(first) = first_of.get(&(request.request, request.job)).filter(|first| **first < index)
                && let Ok(answer) = &answers[*first]
            {
                answers[index] = Ok(Granted { is_known: true, elements: answer.elements.clone(), given_back: 0 });
            }
        }
        Ok(answers)
    }

    /// Takes for one queue and reference, in the order of creation.
    async fn claim_group(
        &mut self,
        queue: &str,
        reference: Option<&str>,
        places: &[Place],
        now: Timestamp,
        answers: &mut Answers,
    ) -> Result<i64, DbError> {
        let marks = self.marks.clone().filter(|_| reference.is_none());
        let rows = match marks {
            Some(marks) => self.claim_from_mark(&marks, queue, places, now).await?,
            None => self.claim_rows(queue, reference, None, places, now).await?,
        };
        let taken = rows.len();
        for (row, place) in rows.into_iter().zip(places) {
            // One that cannot be read stays claimed: nobody would get past it otherwise.
            let readable = Readable::collect(std::iter::once(QueueElement::try_from(row)));
            if let Ok(answer) = &mut answers[place.request] {
                answer.elements.extend(readable.rows);
            }
        }
        Ok(i64::try_from(taken).unwrap_or(i64::MAX))
    }

    /// Takes from the queue's mark on, and everywhere for what was not found there.
    async fn claim_from_mark(
        &mut self,
        marks: &Marks,
        queue: &str,
        places: &[Place],
        now: Timestamp,
    ) -> Result<Vec<ElementRow>, DbError> {
        let start = marks.start(queue);
        let mut rows = match start.mark {
            Some(_) => self.claim_rows(queue, None, start.mark, places, now).await?,
            None => Vec::new(),
        };
        let mut last = rows.last().map(ElementRow::position);
        if rows.len() < places.len() && (start.mark.is_none() || marks.may_sweep(queue)) {
            let began = Instant::now();
            let everywhere = self.claim_rows(queue, None, None, &places[rows.len()..], now).await?;
            marks.swept(queue, began.elapsed());
            if let Some(oldest) = everywhere.first() {
                marks.found(queue, oldest.position());
            }
            last = last.max(everywhere.last().map(ElementRow::position));
            rows.extend(everywhere);
        }
        if let Some(last) = last {
            self.mark_changes.advance(start.advance(queue, last, now));
        }
        Ok(rows)
    }

    async fn claim_rows(
        &mut self,
        queue: &str,
        reference: Option<&str>,
        mark: Option<Position>,
        places: &[Place],
        now: Timestamp,
    ) -> Result<Vec<ElementRow>, DbError> {
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let text = if reference.is_some() { ELEMENT_CLAIM_BY_REFERENCE } else { ELEMENT_CLAIM };
        let from = mark.unwrap_or_else(Position::first);
        self.mark_changes.asks(queue, from);
        let most = i64::try_from(places.len()).unwrap_or(i64::MAX);
        let rows: Result<Vec<ElementRow>, _> = match &mut self.inner {
            TxInner::Sqlite(transaction) => {
                let query = sqlx::query_scalar(text.sqlite).bind(queue).bind(from.created).bind(most);
                // Numbered parameters may be bound beyond those that a text has between.
                let query = match reference {
                    Some(reference) => query.bind(0).bind(0).bind(0).bind(0).bind(0).bind(0).bind(reference),
                    None => query,
                };
                let picked: Result<Vec<Uuid>, _> = query.fetch_all(&mut **transaction).await;
                match picked {
                    Ok(picked) if picked.is_empty() => Ok(Vec::new()),
                    Ok(picked) => {
                        let shares: Vec<_> =
                            picked.into_iter().zip(places).map(|(id, place)| place.share(id)).collect();
                        sqlx::query_as(ELEMENT_MARK.sqlite)
                            .bind(Json(shares))
                            .bind(now)
                            .fetch_all(&mut **transaction)
                            .await
                    }
                    Err(error) => Err(error),
                }
            }
            TxInner::Postgres(transaction) => {
                let jobs: Vec<Option<Uuid>> = places.iter().map(|place| place.job.map(JobId::as_uuid)).collect();
                let requests: Vec<Uuid> = places.iter().map(|place| place.id.as_uuid()).collect();
                let expiries: Vec<Option<Timestamp>> = places.iter().map(|place| place.expires_at).collect();
                let query = sqlx::query_as(text.postgres).bind(queue).bind(from.created).bind(most).bind(now);
                let numbers: Vec<i32> = places.iter().map(|place| place.number).collect();
                let query = query.bind(jobs).bind(requests).bind(expiries).bind(from.id).bind(numbers);
                match reference {
                    Some(reference) => query.bind(reference),
                    None => query,
                }
                .fetch_all(&mut **transaction)
                .await
            }
        };
        let mut rows = rows.map_err(DbError::in_op("element_claim"))?;
        rows.sort_unstable_by_key(ElementRow::position);
        self.mark_changes.claimed(rows.first().map(ElementRow::position));
        Ok(rows)
    }

    /// What repeated calls were granted before: what of it is still held. A grant that is over is an empty answer.
    async fn known_grants(
        &mut self,
        requests: &[&ClaimRequest],
    ) -> Result<BTreeMap<(RequestId, Option<JobId>), Vec<QueueElement>>, DbError> {
        let repeated: HashSet<Uuid> =
            requests.iter().filter(|request| request.repeat).map(|request| request.request.as_uuid()).collect();
        let mut grants: BTreeMap<_, Vec<QueueElement>> = BTreeMap::new();
        if repeated.is_empty() {
            return Ok(grants);
        }
        let ids: Ids = repeated.into_iter().collect();
        let rows: Vec<GrantedRow> = on_conn!(self, |conn, dialect| {
            sqlx::query_as(ELEMENT_GRANTED.text(dialect)).bind(&ids).fetch_all(conn).await
        })
        .map_err(DbError::in_op("element_claim_repeat"))?;
        for row in rows {
            let Some(request) = row.request_id.map(RequestId::from_uuid) else { continue };
            let grant = grants.entry((request, row.element.job_id.map(JobId::from_uuid))).or_default();
            let readable = Readable::collect(std::iter::once(QueueElement::try_from(row.element)));
            grant.extend(readable.rows.into_iter().filter(|element| element.status == ElementStatus::InProgress));
        }
        Ok(grants)
    }

    /// The elements that a claim would get, marked in no way; no more than one answer holds.
    pub async fn element_peek(
        &mut self,
        queue: &QueueName,
        reference: Option<&Reference>,
        count: u32,
    ) -> Result<Vec<QueueElement>, DbError> {
        let text = if reference.is_some() { ELEMENT_PEEK_BY_REFERENCE } else { ELEMENT_PEEK };
        let rows: Vec<ElementRow> = on_conn!(self, |conn, dialect| {
            let query = sqlx::query_as(text.text(dialect)).bind(queue.as_str()).bind(i64::from(count));
            match reference {
                Some(reference) => query.bind(reference.as_str()),
                None => query,
            }
            .fetch_all(conn)
            .await
        })
        .map_err(DbError::in_op("element_peek"))?;
        let mut elements = Readable::collect(rows.into_iter().map(QueueElement::try_from)).rows;
        elements.truncate(fitting(elements.iter().map(Bulk::bytes)));
        Ok(elements)
    }
}

impl Place {
    /// What the element at this place gets, as a text whose fields stand at fixed places: a list in a list would be parsed
    /// anew for each of them.
    fn share(&self, element: Uuid) -> String {
        let job = self.job.map_or_else(|| "-".repeat(32), |job| job.as_uuid().simple().to_string());
        let expiry = self.expires_at.map(time_text).unwrap_or_default();
        format!("{}{}{job}{:4}{expiry}", element.simple(), self.id.as_uuid().simple(), self.number)
    }
}

#[cfg(test)]
crate::statements::statements![
    ELEMENT_CLAIM,
    ELEMENT_CLAIM_BY_REFERENCE,
    ELEMENT_MARK,
    ELEMENT_GRANTED,
    ELEMENT_PEEK,
    ELEMENT_PEEK_BY_REFERENCE;
    alone, at_once, on_sqlite, ride
];
