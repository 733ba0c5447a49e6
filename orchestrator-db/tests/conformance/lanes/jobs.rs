//! Robots ask for one element and say how it ended, one call at a time: what they are answered, and what is kept.

use orchestrator_core::id::{ElementId, JobId};
use orchestrator_core::job::Outcome;
use orchestrator_core::lease::LeaseToken;
use orchestrator_core::queue::{ElementStatus, QueueElement};
use orchestrator_core::text::Message;
use orchestrator_db::{
    ElementClaimError, ElementFilter, Hint, PageRequest, StatusBy, StatusChange, StatusError, StatusSet,
};

use super::world::*;
use crate::harness::TestDb;
use crate::queue::world::{counts, get, of_job, queue, running_job, set_job, t0};

conformance! {
    a_job_that_asks_alone_gets_the_oldest_element_as_its_own,
    a_job_that_has_ended_gets_nothing,
    a_job_says_how_its_element_ended,
    an_end_without_a_message_leaves_the_one_before,
    an_end_is_told_with_the_commit,
    an_end_under_a_stale_token_is_refused,
    an_end_by_a_job_that_has_ended_is_refused,
    an_end_beside_the_end_of_its_job_changes_nothing_that_was_taken_back,
    an_end_by_another_job_is_refused_while_the_first_one_runs,
    an_element_that_nobody_has_taken_may_be_ended_too,
    an_element_that_cannot_be_read_is_left_as_it_is,
}

async fn claim_for(world: &World, job: JobId) -> QueueElement {
    taken(world.lanes.elements(claim_of(of_job(job))).await).pop().expect("an element")
}

fn end(id: ElementId, status: ElementStatus, job: JobId) -> StatusChange {
    StatusChange { status, by: StatusBy::Job(job), ..done(id) }
}

async fn set(world: &World, change: StatusChange) -> Result<StatusSet, StatusError> {
    world.lanes.elements(status(change)).await.unwrap().changed.pop().expect("an answer")
}

async fn a_job_that_asks_alone_gets_the_oldest_element_as_its_own(db: TestDb) {
    let world = world(db);
    let (job, stored) = (running_job(&world.db).await, world.stored(2).await);
    let got = claim_for(&world, job).await;
    assert_eq!((got.id, got.job_id, got.status), (stored[0], Some(job), ElementStatus::InProgress));
    assert_eq!((got.lease_token, got.attempt, got.lease_expires_at), (LeaseToken::new(1), 1, None));
    assert_eq!(get(&world.db, got.id).await, got);
    assert_eq!((counts(&world.db).await.new, counts(&world.db).await.in_progress), (1, 1));
}

async fn a_job_that_has_ended_gets_nothing(db: TestDb) {
    let world = world(db);
    let (job, stored) = (running_job(&world.db).await, world.stored(1).await);
    set_job(&world.db, job, "DONE").await;
    let answer = world.lanes.elements(claim_of(of_job(job))).await.unwrap();
    assert!(matches!(answer.claimed, Err(ElementClaimError::JobEnded(ended)) if ended == job));
    assert_eq!(get(&world.db, stored[0]).await.status, ElementStatus::New);
}

async fn a_job_says_how_its_element_ended(db: TestDb) {
    let world = world(db);
    let job = running_job(&world.db).await;
    world.stored(3).await;
    for status in [ElementStatus::Done, ElementStatus::Failed, ElementStatus::Abandoned] {
        let held = claim_for(&world, job).await;
        let message = Some(Message::cut("why"));
        let change =
            StatusChange { message: message.clone(), token: Some(held.lease_token), ..end(held.id, status, job) };
        let set = set(&world, change).await.unwrap();
        assert_eq!((set.before, set.message_before), (ElementStatus::InProgress, None));
        let after = get(&world.db, held.id).await;
        assert_eq!((after.status, after.times.end_date, after.job_id), (status, Some(t0()), Some(job)));
        assert_eq!((&after.message, after.times.start_date), (&message, held.times.start_date));
        assert_eq!(set.element, after);
    }
    let counts = counts(&world.db).await;
    assert_eq!((counts.in_progress, counts.done, counts.failed, counts.abandoned), (0, 1, 1, 1));
    // Both together are found by the flag of those that want a person.
    let bad = vec![ElementStatus::Failed, ElementStatus::Abandoned];
    let filter = ElementFilter { statuses: bad, ..ElementFilter::of(queue()) };
    let mut tx = world.db.begin_read().await.unwrap();
    assert_eq!(tx.element_list(&filter, &PageRequest::first(9)).await.unwrap().0.rows.len(), 2);
}

async fn an_end_without_a_message_leaves_the_one_before(db: TestDb) {
    let world = world(db);
    let job = running_job(&world.db).await;
    world.stored(1).await;
    let held = claim_for(&world, job).await;
    let noted = StatusChange { message: Some(Message::cut("half")), ..end(held.id, ElementStatus::InProgress, job) };
    set(&world, noted).await.unwrap();
    let set = set(&world, end(held.id, ElementStatus::Done, job)).await.unwrap();
    assert_eq!(set.message_before, Some(Message::cut("half")));
    assert_eq!(get(&world.db, held.id).await.message, Some(Message::cut("half")));
}

async fn an_end_is_told_with_the_commit(db: TestDb) {
    let world = world(db);
    let job = running_job(&world.db).await;
    world.stored(1).await;
    let held = claim_for(&world, job).await;
    set(&world, end(held.id, ElementStatus::Done, job)).await.unwrap();
    assert_eq!((world.commits(), world.told_last()), (2, vec![Hint::Elements]));
}

async fn an_end_under_a_stale_token_is_refused(db: TestDb) {
    let world = world(db);
    let job = running_job(&world.db).await;
    world.stored(1).await;
    let held = claim_for(&world, job).await;
    let stale = StatusChange { token: Some(LeaseToken::new(7)), ..end(held.id, ElementStatus::Done, job) };
    assert!(matches!(set(&world, stale).await, Err(StatusError::LeaseLost(_))));
    assert_eq!(get(&world.db, held.id).await, held);
}

async fn an_end_by_a_job_that_has_ended_is_refused(db: TestDb) {
    let world = world(db);
    let job = running_job(&world.db).await;
    world.stored(1).await;
    let held = claim_for(&world, job).await;
    set_job(&world.db, job, "FAILED").await;
    let late = set(&world, end(held.id, ElementStatus::Done, job)).await;
    assert!(matches!(late, Err(StatusError::JobEnded(ended)) if ended == job));
    assert_eq!(get(&world.db, held.id).await, held);
}

async fn an_end_beside_the_end_of_its_job_changes_nothing_that_was_taken_back(db: TestDb) {
    let world = world(db);
    let job = running_job(&world.db).await;
    world.stored(1).await;
    let held = claim_for(&world, job).await;
    let mut ending = world.db.begin_write().await.unwrap();
    assert!(ending.job_finish(job, LeaseToken::new(1), Outcome::Failed, None, None, t0()).await.unwrap());
    let back = ending.element_release_of_job(&[job], t0()).await.unwrap().taken_back;
    let late = world.begin(status(end(held.id, ElementStatus::Done, job)));
    world.until_taken().await;
    ending.commit().await.unwrap();
    let late = late.await.unwrap().unwrap().changed.pop().expect("an answer");
    assert!(matches!(late, Err(StatusError::JobEnded(ended)) if ended == job), "{late:?}");
    assert_eq!([get(&world.db, held.id).await], back[..]);
    assert_eq!(counts(&world.db).await.done, 0);
}

async fn an_end_by_another_job_is_refused_while_the_first_one_runs(db: TestDb) {
    let world = world(db);
    let (job, other) = (running_job(&world.db).await, running_job(&world.db).await);
    world.stored(1).await;
    let held = claim_for(&world, job).await;
    let foreign = set(&world, end(held.id, ElementStatus::Done, other)).await;
    assert!(matches!(foreign, Err(StatusError::HeldByOther { job: holder, .. }) if holder == job));
    assert_eq!(get(&world.db, held.id).await, held);
}

async fn an_element_that_nobody_has_taken_may_be_ended_too(db: TestDb) {
    let world = world(db);
    let (job, stored) = (running_job(&world.db).await, world.stored(1).await);
    let set = set(&world, end(stored[0], ElementStatus::Done, job)).await.unwrap();
    assert_eq!((set.before, set.element.job_id), (ElementStatus::New, Some(job)));
    assert_eq!((counts(&world.db).await.new, counts(&world.db).await.done), (0, 1));
}

async fn an_element_that_cannot_be_read_is_left_as_it_is(db: TestDb) {
    let world = world(db);
    let job = running_job(&world.db).await;
    world.stored(1).await;
    let held = claim_for(&world, job).await;
    world.db.execute("UPDATE queues SET attempt = -1").await;
    let spoilt = set(&world, end(held.id, ElementStatus::Done, job)).await;
    assert!(matches!(spoilt, Err(StatusError::Corrupt(corrupt)) if corrupt.row == held.id.to_string()));
    assert_eq!((counts(&world.db).await.done, counts(&world.db).await.in_progress), (0, 1));
}
