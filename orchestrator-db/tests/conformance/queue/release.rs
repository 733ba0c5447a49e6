use std::time::Duration;

use orchestrator_core::actor::Actor;
use orchestrator_core::id::JobId;
use orchestrator_core::job::Outcome;
use orchestrator_core::lease::LeaseToken;
use orchestrator_core::queue::ElementStatus::{Abandoned, Done, Failed, InProgress, New};
use orchestrator_core::queue::QueueElement;
use orchestrator_core::text::Message;
use orchestrator_db::{ClaimRequest, QueueSettings, StatusBy, StatusChange};

use super::world::*;
use crate::harness::TestDb;

conformance! {
    what_a_job_still_holds_at_its_end_is_abandoned,
    what_it_finished_and_what_others_hold_stays,
    an_element_is_new_again_while_its_queue_grants_another_attempt,
    a_claim_outside_a_job_expires_when_it_asked_for_a_lease,
    an_expired_claim_goes_back_while_attempts_are_left,
    a_claim_without_a_lease_never_expires,
    a_job_that_took_something_is_known,
    what_is_taken_back_tells_why_unless_someone_wrote_something,
    what_a_robot_itself_set_in_progress_stays_so_when_its_job_ends,
    what_was_parked_is_taken_back_again_once_it_was_claimed_anew,
}

async fn what_a_robot_itself_set_in_progress_stays_so_when_its_job_ends(db: TestDb) {
    grant_attempts(&db, 2).await;
    let ids = some(&db, 4).await;
    let job = running_job(&db).await;
    let by = StatusBy::Job(job);
    // Claimed and set so again, taken without a claim, retried after a failure; the last is only claimed.
    claim(&db, of_job(job), at(9)).await;
    let waits = StatusChange { message: Some(Message::cut("invoice ordered")), ..change(ids[0], InProgress, by) };
    set(&db, waits, at(10)).await.unwrap();
    set(&db, change(ids[1], InProgress, by), at(11)).await.unwrap();
    set(&db, change(ids[2], Failed, by), at(12)).await.unwrap();
    set(&db, change(ids[2], InProgress, by), at(13)).await.unwrap();
    claim(&db, of_job(job), at(14)).await;

    let mut tx = db.begin_write().await.unwrap();
    assert!(tx.job_finish(job, LeaseToken::new(1), Outcome::Failed, None, None, at(50)).await.unwrap());
    let released = tx.element_release_of_job(&[job], at(50)).await.unwrap();
    tx.commit().await.unwrap();

    assert_eq!(released.parked, 3);
    assert_eq!(released.taken_back.iter().map(|element| element.id).collect::<Vec<_>>(), [ids[3]]);
    for id in &ids[..3] {
        let element = get(&db, *id).await;
        assert_eq!((element.status, element.parked, element.job_id), (InProgress, true, Some(job)));
        assert_eq!(element.times.end_date, None);
    }
    assert_eq!(get(&db, ids[0]).await.message, Some(Message::cut("invoice ordered")));
    let counted = counts(&db).await;
    assert_eq!((counted.new, counted.in_progress), (1, 3));

    // A later run goes on with it.
    let later = running_job(&db).await;
    let done = set(&db, change(ids[0], Done, StatusBy::Job(later)), at(60)).await.unwrap();
    assert_eq!((done.status, done.parked), (Done, false));
}

async fn what_was_parked_is_taken_back_again_once_it_was_claimed_anew(db: TestDb) {
    let id = some(&db, 1).await[0];
    let job = running_job(&db).await;
    set(&db, change(id, InProgress, StatusBy::Job(job)), at(9)).await.unwrap();
    // One statement that reads nothing ends it; the next two make it new and take it.
    set(&db, change(id, Done, StatusBy::Job(job)), at(10)).await.unwrap();
    assert!(!get(&db, id).await.parked);
    set(&db, change(id, New, StatusBy::Operator), at(11)).await.unwrap();
    claim(&db, of_job(job), at(12)).await;
    assert_eq!(release(&db, &[job]).await.len(), 1);
    assert_eq!(get(&db, id).await.status, Abandoned);
}

async fn what_is_taken_back_tells_why_unless_someone_wrote_something(db: TestDb) {
    grant_attempts(&db, 2).await;
    let id = some(&db, 1).await[0];
    let message = async || get(&db, id).await.message.map(|message| message.as_str().to_owned()).unwrap_or_default();
    let leased = ClaimRequest { lease: Some(Duration::from_secs(10)), ..request() };
    claim(&db, leased, at(9)).await;
    expire(&db, 20).await;
    assert_eq!(message().await, format!("the lease of its claim ended at {} before it was finished", text(19)));
    // The reason of an earlier time gives way to the latest.
    let job = running_job(&db).await;
    claim(&db, of_job(job), at(21)).await;
    release(&db, &[job]).await;
    assert_eq!(message().await, format!("job {job} ended at {} before it was finished", text(50)));

    let id = some(&db, 1).await[0];
    let job = running_job(&db).await;
    claim(&db, of_job(job), at(60)).await;
    let written =
        StatusChange { message: Some(Message::cut("half done")), ..change(id, InProgress, StatusBy::Operator) };
    set(&db, written, at(61)).await.unwrap();
    release(&db, &[job]).await;
    let element = get(&db, id).await;
    assert_eq!((element.status, element.message), (New, Some(Message::cut("half done"))));
}

fn text(seconds: i64) -> String {
    at(seconds).to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

async fn release(db: &TestDb, jobs: &[JobId]) -> Vec<QueueElement> {
    let mut tx = db.begin_write().await.unwrap();
    let released = tx.element_release_of_job(jobs, at(50)).await.unwrap();
    tx.commit().await.unwrap();
    released.taken_back
}

async fn expire(db: &TestDb, now: i64) -> Vec<QueueElement> {
    let mut tx = db.begin_write().await.unwrap();
    let expired = tx.element_expire_claims(at(now), 100).await.unwrap();
    tx.commit().await.unwrap();
    expired
}

async fn grant_attempts(db: &TestDb, max_attempts: u32) {
    let mut tx = db.begin_write().await.unwrap();
    tx.queue_settings_set(&queue(), QueueSettings { max_attempts }, &Actor::system(), t0()).await.unwrap();
    tx.commit().await.unwrap();
}

async fn what_a_job_still_holds_at_its_end_is_abandoned(db: TestDb) {
    let job = running_job(&db).await;
    let stored = some(&db, 2).await;
    claim(&db, ClaimRequest { count: 2, ..of_job(job) }, at(9)).await;
    assert_eq!(release(&db, &[job]).await.len(), 2);
    for id in stored {
        let element = get(&db, id).await;
        assert_eq!((element.status, element.times.end_date), (Abandoned, Some(at(50))));
        assert_eq!(element.job_id, Some(job), "it stays visible whose it was");
    }
    assert_eq!(counts(&db).await.abandoned, 2);
    assert!(release(&db, &[job]).await.is_empty(), "again changes nothing");
}

async fn what_it_finished_and_what_others_hold_stays(db: TestDb) {
    let (job, other) = (running_job(&db).await, running_job(&db).await);
    let stored = some(&db, 2).await;
    claim(&db, of_job(job), at(9)).await;
    set(&db, change(stored[0], Done, StatusBy::Job(job)), at(10)).await.unwrap();
    claim(&db, of_job(other), at(11)).await;
    assert!(release(&db, &[job]).await.is_empty());
    assert_eq!((get(&db, stored[0]).await.status, get(&db, stored[1]).await.status), (Done, InProgress));
}

async fn an_element_is_new_again_while_its_queue_grants_another_attempt(db: TestDb) {
    grant_attempts(&db, 2).await;
    let id = some(&db, 1).await[0];
    for expected in [New, Abandoned] {
        let job = running_job(&db).await;
        let claimed = claim(&db, of_job(job), at(9)).await.remove(0);
        let released = release(&db, &[job]).await.remove(0);
        assert_eq!((released.id, released.status), (id, expected));
        assert_eq!((released.lease_token, released.attempt), (claimed.lease_token, claimed.attempt));
    }
}

async fn a_claim_outside_a_job_expires_when_it_asked_for_a_lease(db: TestDb) {
    let id = some(&db, 1).await[0];
    claim(&db, ClaimRequest { lease: Some(Duration::from_secs(10)), ..request() }, at(5)).await;
    assert!(expire(&db, 14).await.is_empty());
    assert_eq!(expire(&db, 15).await[0].status, Abandoned);
    assert_eq!(get(&db, id).await.lease_expires_at, None);
    assert!(expire(&db, 16).await.is_empty());
}

async fn an_expired_claim_goes_back_while_attempts_are_left(db: TestDb) {
    grant_attempts(&db, 2).await;
    some(&db, 1).await;
    let leased = ClaimRequest { lease: Some(Duration::from_secs(10)), ..request() };
    claim(&db, leased, at(5)).await;
    assert_eq!(expire(&db, 15).await[0].status, New);
    assert_eq!(claim(&db, request(), at(16)).await[0].attempt, 2);
}

async fn a_claim_without_a_lease_never_expires(db: TestDb) {
    some(&db, 1).await;
    claim(&db, request(), at(5)).await;
    assert!(expire(&db, 1_000_000_000).await.is_empty());
}

async fn a_job_that_took_something_is_known(db: TestDb) {
    let (busy, idle) = (running_job(&db).await, running_job(&db).await);
    some(&db, 1).await;
    claim(&db, of_job(busy), at(5)).await;
    let mut tx = db.begin_read().await.unwrap();
    assert!(tx.element_any_of_job(busy).await.unwrap());
    assert!(!tx.element_any_of_job(idle).await.unwrap());
}
