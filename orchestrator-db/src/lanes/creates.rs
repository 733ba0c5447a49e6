use std::collections::{BTreeSet, HashSet};

use orchestrator_core::actor::Actor;
use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::ElementId;
use orchestrator_core::queue::QueueElement;

use super::audited::Trail;
use super::waiting::Weight;
use super::work::{Done, DoneAtOnce, Work};
use crate::audit::AuditRow;
use crate::connect::{Db, LaneLine};
use crate::error::DbError;
use crate::hint::Hint;
use crate::queue::{NewElement, creations_fit_at_once, elements_create_at_once, elements_create_on_sqlite};
use crate::tx::Tx;

/// Elements to create, all or none.
#[derive(Debug, Clone)]
pub struct CreateCall {
    /// The elements, at least one.
    pub elements: Vec<NewElement>,
    /// The caller lost the answer of the same call: those that are there already are left as they are.
    pub repeat: bool,
    /// Who the audit names; work of robots is told by the elements themselves.
    pub actor: Option<Actor>,
}

/// What was created.
#[derive(Debug)]
pub struct Created {
    /// The element as it is stored, where the call was about one.
    pub one: Option<QueueElement>,
}

/// Why nothing was created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// An element with one of the ids exists.
    #[error("a queue element with one of these ids exists")]
    Exists,
}

/// Creates elements of many calls with one statement.
pub(super) struct Creates;

impl Work for Creates {
    type Call = CreateCall;
    type Answer = Result<Created, CreateError>;

    fn key(call: &CreateCall) -> String {
        call.elements.first().map(|element| element.queue_name.as_str().to_owned()).unwrap_or_default()
    }

    fn weight(call: &CreateCall) -> Weight {
        Weight { rows: call.elements.len(), bytes: call.elements.iter().map(NewElement::bytes).sum() }
    }

    async fn run(
        &self,
        tx: &mut Tx,
        calls: &[CreateCall],
        now: Timestamp,
    ) -> Result<Done<Result<Created, CreateError>>, DbError> {
        let elements: Vec<&NewElement> = calls.iter().flat_map(|call| &call.elements).collect();
        let mut created: HashSet<ElementId> = tx.element_insert_missing(&elements, now).await?;
        let mut answers = Vec::with_capacity(calls.len());
        let mut trail = Trail::default();
        let mut queues = BTreeSet::new();
        for call in calls {
            // An id that two calls of this transaction have belongs to the first of them.
            let new: Vec<&NewElement> = call.elements.iter().filter(|new| created.remove(&new.id)).collect();
            if new.len() < call.elements.len() && !(call.repeat && is_of_its_queue(tx, call).await?) {
                // What this call alone has written must not stay.
                if !new.is_empty() {
                    return Err(DbError::Conflict { constraint: "queues.id".to_owned() });
                }
                answers.push(Err(CreateError::Exists));
                continue;
            }
            for element in &new {
                queues.insert(element.queue_name.as_str());
                if let Some(actor) = &call.actor {
                    trail.created(actor, &element.queue_name, element.id);
                }
            }
            answers.push(Ok(Created { one: one(tx, call, &new, now).await? }));
        }
        tx.audit_insert(&trail.into_rows(), now).await?;
        let hints = queues.into_iter().map(|name| Hint::Queue { name: name.to_owned() }).collect();
        Ok(Done { answers, hints, here: Vec::new() })
    }

    async fn run_at_once(
        &self,
        db: &Db,
        line: &LaneLine,
        calls: &[CreateCall],
        now: Timestamp,
    ) -> Result<DoneAtOnce<Result<Created, CreateError>>, DbError> {
        let Some(elements) = single(calls) else { return Ok(DoneAtOnce::nothing()) };
        let audited = audited(calls, &elements);
        let new = (elements.as_slice(), audited.as_ref());
        let created = match (line, db.marks()) {
            (LaneLine::Postgres(line), Some(marks)) => {
                let mut connection = line.take_for_statement().await.map_err(DbError::in_op("lane"))?;
                let created = elements_create_at_once(&mut connection, marks, new, db.origin(), now).await;
                if matches!(&created, Ok(()) | Err(sqlx::Error::Database(_))) {
                    connection.keep();
                }
                created
            }
            (LaneLine::Sqlite(line), _) => {
                let mut connection = line.take_for_text().await.map_err(DbError::in_op("lane"))?;
                let created = elements_create_on_sqlite(&mut connection, new, now).await;
                connection.after_text(created).await
            }
            (LaneLine::Postgres(_), None) => return Ok(DoneAtOnce::nothing()),
        };
        match created {
            Ok(()) => {}
            // One of them is there already, or all are to be told why: nothing was done.
            Err(sqlx::Error::Database(_)) => return Ok(DoneAtOnce::nothing()),
            Err(error) => return Err(DbError::in_op("elements_create_at_once")(error)),
        }
        let here = elements.first().map(|element| Hint::Queue { name: element.queue_name.as_str().to_owned() });
        let answer = |element: &&NewElement| Some(Ok(Created { one: Some(element.as_stored(now)) }));
        Ok(DoneAtOnce { answers: elements.iter().map(answer).collect(), here: here.into_iter().collect() })
    }
}

/// What the audit says of the creation of all these.
fn audited(calls: &[CreateCall], elements: &[&NewElement]) -> Option<AuditRow> {
    let actor = calls.first()?.actor.as_ref()?;
    let mut trail = Trail::default();
    for element in elements {
        trail.created(actor, &element.queue_name, element.id);
    }
    trail.into_rows().pop()
}

/// The elements of calls that one statement may serve: one each, of one queue, created by one actor, none of which is likely to
/// be there already.
fn single(calls: &[CreateCall]) -> Option<Vec<&NewElement>> {
    let actor = &calls.first()?.actor;
    let alone = |call: &CreateCall| call.elements.len() == 1 && !call.repeat && call.actor == *actor;
    let elements: Vec<&NewElement> = calls.iter().filter(|call| alone(call)).flat_map(|call| &call.elements).collect();
    (elements.len() == calls.len() && creations_fit_at_once(&elements)).then_some(elements)
}

/// Whether what is there of a repeated call is in the call's queue: else it is not what the first one made.
async fn is_of_its_queue(tx: &mut Tx, call: &CreateCall) -> Result<bool, DbError> {
    let elements: Vec<&NewElement> = call.elements.iter().collect();
    Ok(!tx.element_any_elsewhere(&elements).await?)
}

/// The element of a call that is about one.
async fn one(
    tx: &mut Tx,
    call: &CreateCall,
    new: &[&NewElement],
    now: Timestamp,
) -> Result<Option<QueueElement>, DbError> {
    match (call.elements.as_slice(), new) {
        ([_], [new]) => Ok(Some(new.as_stored(now))),
        ([there], _) => Ok(Some(tx.element_get(there.id).await?)),
        _ => Ok(None),
    }
}
