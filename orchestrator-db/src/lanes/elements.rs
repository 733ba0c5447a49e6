use std::collections::{BTreeSet, HashMap};

use orchestrator_core::actor::Actor;
use orchestrator_core::clock::Timestamp;
use orchestrator_core::queue::ElementStatus;
use sqlx::Sqlite;

use super::audited::Trail;
use super::waiting::Weight;
use super::work::{Done, DoneAtOnce, Work};
use crate::audit::AuditRow;
use crate::connect::{Db, LaneLine};
use crate::error::DbError;
use crate::hint::Hint;
use crate::line::Line;
use crate::queue::{
    ClaimRequest, ElementClaimError, Granted, Ridden, StatusBy, StatusChange, StatusError, StatusSet,
    elements_claim_at_once, elements_end_at_once, elements_ride_at_once, elements_ride_on_sqlite, end_ride_on_sqlite,
    fit_at_once, rides_fit, rides_fit_at_once,
};
use crate::tx::Tx;

/// Statuses to set, and then elements to claim, for one caller.
#[derive(Debug, Clone)]
pub struct ElementCall {
    /// The statuses. One that is refused leaves the others as they are.
    pub changes: Vec<StatusChange>,
    /// What to claim.
    pub claim: Option<ClaimRequest>,
    /// Who the audit names; work of robots is told by the elements themselves.
    pub actor: Option<Actor>,
    /// The changed elements are answered with what they carry.
    pub with_data: bool,
}

/// What became of an [`ElementCall`].
#[derive(Debug)]
pub struct ElementAnswer {
    /// One a change, in order.
    pub changed: Vec<Result<StatusSet, StatusError>>,
    /// The elements that were claimed.
    pub claimed: Result<Granted, ElementClaimError>,
}

/// Sets statuses and claims for many calls with a few statements.
pub(super) struct Elements;

impl Work for Elements {
    type Call = ElementCall;
    type Answer = ElementAnswer;

    fn key(call: &ElementCall) -> String {
        match (&call.claim, call.changes.first().map(|change| change.by)) {
            (Some(claim), _) => claim.queue.as_str().to_owned(),
            (None, Some(StatusBy::Job(job))) => job.to_string(),
            (None, _) => call.actor.as_ref().map(|actor| actor.name.as_str().to_owned()).unwrap_or_default(),
        }
    }

    fn weight(call: &ElementCall) -> Weight {
        let messages = call.changes.iter().filter_map(|change| change.message.as_ref());
        Weight {
            rows: call.changes.len() + call.claim.as_ref().map_or(0, |claim| claim.count as usize),
            bytes: 300 + 100 * call.changes.len() + messages.map(|message| message.as_str().len()).sum::<usize>(),
        }
    }

    fn mark_as_repeat(call: &mut ElementCall) {
        if let Some(claim) = &mut call.claim {
            claim.repeat = true;
        }
    }

    /// A call that was overtaken by its repetition gets what that got. What was granted to an earlier call, and is over, is no
    /// answer to one that is made for the first time: its id was used before.
    fn answered_as_repeat(call: &ElementCall, answer: &mut ElementAnswer) {
        let Some(claim) = call.claim.as_ref().filter(|claim| !claim.repeat) else { return };
        if answer.claimed.as_ref().is_ok_and(|granted| granted.is_known && granted.elements.is_empty()) {
            answer.claimed = Err(ElementClaimError::KnownCall(claim.request));
        }
    }

    async fn run(&self, tx: &mut Tx, calls: &[ElementCall], now: Timestamp) -> Result<Done<ElementAnswer>, DbError> {
        let changes: Vec<&StatusChange> = calls.iter().flat_map(|call| &call.changes).collect();
        let claims: Vec<&ClaimRequest> = calls.iter().filter_map(|call| call.claim.as_ref()).collect();
        // Jobs are locked before elements, those of both at once.
        let jobs = changes.iter().filter_map(|change| change.by.job());
        let live = tx.live_jobs(jobs.chain(claims.iter().filter_map(|claim| claim.job))).await?;
        let with_data = calls.iter().any(|call| call.with_data);
        let mut set = tx.element_set_status_of(&changes, &live, with_data, now).await?.into_iter();
        let mut claimed = tx.element_claim_for(&claims, &live, now).await?.into_iter();
        let mut answers = Vec::with_capacity(calls.len());
        for call in calls {
            let results = set.by_ref().take(call.changes.len()).collect();
            let claimed = call.claim.as_ref().and_then(|_| claimed.next()).unwrap_or_else(|| Ok(Granted::default()));
            answers.push(ElementAnswer { changed: results, claimed });
        }
        tx.audit_insert(&audited(calls.iter().zip(&answers)), now).await?;
        let mut hints = renewed(answers.iter().flat_map(|answer| answer.changed.iter().flatten()));
        hints.extend(given_back(calls.iter().zip(&answers)));
        let here = told_here(answers.iter());
        Ok(Done { answers, hints, here })
    }

    async fn run_at_once(
        &self,
        db: &Db,
        line: &LaneLine,
        calls: &[ElementCall],
        now: Timestamp,
    ) -> Result<DoneAtOnce<ElementAnswer>, DbError> {
        let line = match line {
            LaneLine::Sqlite(line) => return run_on_sqlite(line, calls, now).await,
            LaneLine::Postgres(line) => line,
        };
        let Some(marks) = db.marks() else { return Ok(DoneAtOnce::nothing()) };
        let Some(plan) = AtOnce::of(calls) else { return Ok(DoneAtOnce::nothing()) };
        let mut connection = line.take_for_statement().await.map_err(DbError::in_op("lane"))?;
        let answers: Result<Vec<Option<ElementAnswer>>, DbError> = match plan {
            AtOnce::Claims(claims) => {
                let actor = calls.first().and_then(|call| call.actor.as_ref());
                let claimed = elements_claim_at_once(&mut connection, marks, &claims, actor, now).await;
                let answer = |elements| ElementAnswer { changed: Vec::new(), claimed: Ok(Granted::anew(elements)) };
                claimed.map(|claimed| claimed.into_iter().map(|elements| elements.map(answer)).collect())
            }
            AtOnce::Rides(ends, claims) => {
                let actor = calls.first().and_then(|call| call.actor.as_ref());
                let with_data = calls.iter().any(|call| call.with_data);
                let ridden = elements_ride_at_once(&mut connection, marks, &ends, &claims, actor, with_data, now).await;
                ridden.map(|ridden| {
                    let answers = ridden.map(|ridden| shared_out(calls, ridden)).unwrap_or_default();
                    answers.into_iter().map(Some).collect()
                })
            }
            AtOnce::Ends(ends) => elements_end_at_once(&mut connection, &ends, now).await.map(|mut ended| {
                let answer = |set| ElementAnswer { changed: vec![Ok(set)], claimed: Ok(Granted::default()) };
                ends.iter().map(|end| ended.remove(&end.id).map(answer)).collect()
            }),
        };
        let mut answers = answers?;
        connection.keep();
        if answers.iter().flatten().any(is_too_large) {
            // In a transaction of its own: what fails here is done when the caller repeats the call.
            fit_into_answers(db, calls, &mut answers, now).await?;
        }
        let mut here = told_here(answers.iter().flatten());
        let answered = calls.iter().zip(&answers).filter_map(|(call, answer)| Some((call, answer.as_ref()?)));
        here.extend(given_back(answered));
        Ok(DoneAtOnce { answers, here })
    }
}

/// In two texts, where calls fit them.
async fn run_on_sqlite(
    line: &Line<Sqlite>,
    calls: &[ElementCall],
    now: Timestamp,
) -> Result<DoneAtOnce<ElementAnswer>, DbError> {
    let ends: Vec<&StatusChange> = calls.iter().flat_map(|call| &call.changes).collect();
    let claims: Vec<&ClaimRequest> = calls.iter().filter_map(|call| call.claim.as_ref()).collect();
    if !rides_fit(&ends, &claims) || !claims.is_empty() && claims.len() < calls.len() {
        return Ok(DoneAtOnce::nothing());
    }
    let with_data = calls.iter().any(|call| call.with_data);
    let mut connection = line.take_for_text().await.map_err(DbError::in_op("lane"))?;
    let answers = async {
        let ridden = elements_ride_on_sqlite(&mut connection, &ends, &claims, with_data, now).await?;
        let Some(ridden) = ridden else { return Ok(None) };
        let queue = claims.first().map(|claim| &claim.queue);
        let (ended, taken) = (ridden.counts(queue), shared_out(calls, ridden));
        if taken.iter().any(is_too_large) {
            return Ok(None);
        }
        let audited = audited(calls.iter().zip(&taken));
        end_ride_on_sqlite(&mut connection, ended, &audited, now).await?;
        Ok(Some(taken))
    };
    let answers = match answers.await {
        Ok(Some(answers)) => connection.after_text(Ok(answers)).await,
        Ok(None) => {
            // What does not fit is undone.
            connection.rollback().await.map_err(DbError::in_op("lane"))?;
            return Ok(DoneAtOnce::nothing());
        }
        Err(error) => connection.after_text(Err(error)).await,
    };
    match answers {
        Ok(answers) => {
            let here = told_here(answers.iter());
            Ok(DoneAtOnce { answers: answers.into_iter().map(Some).collect(), here })
        }
        // It was undone; the several statements tell why.
        Err(sqlx::Error::Database(_)) => Ok(DoneAtOnce::nothing()),
        Err(error) => Err(DbError::in_op("elements_ride_on_sqlite")(error)),
    }
}

fn is_too_large(answer: &ElementAnswer) -> bool {
    answer.claimed.as_ref().is_ok_and(Granted::is_too_large)
}

/// Gives back what was claimed beyond what one answer holds, and writes it down where the claim is.
async fn fit_into_answers(
    db: &Db,
    calls: &[ElementCall],
    answers: &mut [Option<ElementAnswer>],
    now: Timestamp,
) -> Result<(), DbError> {
    let granted = answers.iter_mut().flatten().filter_map(|answer| answer.claimed.as_mut().ok());
    let mut tx = db.begin_write().await?;
    let left_over = tx.fit_into_answers(granted, now).await?;
    // All of them are one actor's.
    if let Some(actor) = calls.first().and_then(|call| call.actor.as_ref()) {
        let mut trail = Trail::default();
        trail.given_back(actor, &left_over);
        tx.audit_insert(&trail.into_rows(), now).await?;
    }
    let answered = calls.iter().zip(&*answers).filter_map(|(call, answer)| Some((call, answer.as_ref()?)));
    tx.notify(&given_back(answered)).await?;
    tx.commit().await
}

/// Whoever waits for elements of a queue hears of those that were too much for one answer.
fn given_back<'a>(answered: impl Iterator<Item = (&'a ElementCall, &'a ElementAnswer)>) -> Vec<Hint> {
    let queue = |(call, answer): (&ElementCall, &'a ElementAnswer)| {
        answer.claimed.as_ref().ok().filter(|granted| granted.given_back > 0)?;
        Some(call.claim.as_ref()?.queue.as_str().to_owned())
    };
    let queues: BTreeSet<String> = answered.filter_map(queue).collect();
    queues.into_iter().map(|name| Hint::Queue { name }).collect()
}

/// What the audit says of calls.
fn audited<'a>(answered: impl Iterator<Item = (&'a ElementCall, &'a ElementAnswer)>) -> Vec<AuditRow> {
    let mut trail = Trail::default();
    for (call, answer) in answered {
        let Some(actor) = &call.actor else { continue };
        trail.changed(actor, answer.changed.iter().flatten());
        if let (Some(claim), Ok(granted)) = (&call.claim, &answer.claimed) {
            trail.claimed(actor, &claim.queue, granted);
        }
    }
    trail.into_rows()
}

/// Calls that one statement may serve.
enum AtOnce<'a> {
    /// Claims of one element each, of one queue and by one actor.
    Claims(Vec<&'a ClaimRequest>),
    /// Ends of different elements and claims of one queue, by one actor.
    Rides(Vec<&'a StatusChange>, Vec<&'a ClaimRequest>),
    /// Ends of different elements, told by the jobs that work on them.
    Ends(Vec<&'a StatusChange>),
}

impl<'a> AtOnce<'a> {
    fn of(calls: &'a [ElementCall]) -> Option<Self> {
        let first = calls.first()?;
        if first.claim.is_some() {
            let same = calls.iter().filter(|call| call.actor == first.actor);
            let claims: Vec<_> = same.filter_map(|call| call.claim.as_ref()).collect();
            if claims.len() < calls.len() {
                return None;
            }
            let ends: Vec<_> = calls.iter().flat_map(|call| &call.changes).collect();
            return if ends.is_empty() && fit_at_once(&claims) {
                Some(Self::Claims(claims))
            } else {
                rides_fit_at_once(&ends, &claims).then_some(Self::Rides(ends, claims))
            };
        }
        let alone = |call: &&ElementCall| call.claim.is_none() && call.actor.is_none() && call.changes.len() == 1;
        let ends: Vec<_> = calls.iter().filter(alone).flat_map(|call| &call.changes).collect();
        let different: BTreeSet<_> = ends.iter().map(|end| end.id).collect();
        let fit = different.len() == calls.len() && ends.iter().all(|end| end.fits_at_once());
        fit.then_some(Self::Ends(ends))
    }
}

/// One answer a call; all of them claim, or none does.
fn shared_out(calls: &[ElementCall], ridden: Ridden) -> Vec<ElementAnswer> {
    let mut ended: HashMap<_, _> = ridden.ended.into_iter().map(|set| (set.element.id, set)).collect();
    let mut claimed = ridden.claimed.into_iter();
    let answer = |call: &ElementCall| {
        let changed = call.changes.iter().filter_map(|change| ended.remove(&change.id)).map(Ok).collect();
        let elements = claimed.next().unwrap_or_default();
        ElementAnswer { changed, claimed: Ok(Granted::anew(elements)) }
    };
    calls.iter().map(answer).collect()
}

/// Viewers on this server see it at once. Those on others look every now and then: a notification for every element would
/// slow every commit.
fn told_here<'a>(mut answers: impl Iterator<Item = &'a ElementAnswer>) -> Vec<Hint> {
    let is_changed = answers.any(|answer| {
        answer.changed.iter().any(Result::is_ok)
            || answer.claimed.as_ref().is_ok_and(|granted| !granted.elements.is_empty())
    });
    if is_changed { vec![Hint::Elements] } else { Vec::new() }
}

/// Whoever waits for elements of a queue hears of those that are new again.
fn renewed<'a>(changed: impl Iterator<Item = &'a StatusSet>) -> Vec<Hint> {
    let new = changed.filter(|set| set.before != ElementStatus::New && set.element.status == ElementStatus::New);
    let queues: std::collections::BTreeSet<&str> = new.map(|set| set.element.queue_name.as_str()).collect();
    queues.into_iter().map(|name| Hint::Queue { name: name.to_owned() }).collect()
}
