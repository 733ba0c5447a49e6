use std::time::Duration;

use orchestrator_core::id::ElementId;
use orchestrator_core::lease::LeaseToken;
use orchestrator_core::queue::ElementStatus::{self, Abandoned, Done, Failed, InProgress, New};
use orchestrator_core::text::Message;
use orchestrator_db::{ClaimRequest, StatusBy, StatusChange, StatusError};

use super::world::*;
use crate::harness::TestDb;

conformance! {
    a_claimed_element_is_brought_to_its_end,
    an_unknown_element_is_named,
    a_job_cannot_touch_what_another_live_job_holds,
    what_a_job_held_is_free_once_it_has_ended,
    a_stale_token_is_refused_and_changes_nothing,
    a_job_that_has_ended_sets_nothing,
    setting_the_same_status_twice_is_no_error,
    changes_of_one_call_are_made_in_order,
    one_refused_change_does_not_stop_its_neighbours,
    an_element_that_is_new_again_can_be_claimed_again,
    a_message_is_stored_and_stays_until_the_next,
}

async fn a_claimed_element_is_brought_to_its_end(db: TestDb) {
    let job = running_job(&db).await;
    for end in [Done, Failed, Abandoned] {
        let id = insert(&db, &[element()], t0()).await[0];
        let claimed = claim(&db, of_job(job), at(1)).await.remove(0);
        let with_token = StatusChange { token: Some(claimed.lease_token), ..change(id, end, StatusBy::Job(job)) };
        let ended = set(&db, with_token, at(2)).await.unwrap();
        assert_eq!(ended, get(&db, id).await);
        assert_eq!(ended.status, end);
        assert_eq!((ended.times.start_date, ended.times.end_date), (Some(at(1)), Some(at(2))));
        assert_eq!(ended.job_id, Some(job));
        assert!(claim(&db, request(), at(3)).await.is_empty());
    }
}

async fn an_unknown_element_is_named(db: TestDb) {
    let unknown = ElementId::generate();
    let refused = set(&db, change(unknown, Done, StatusBy::Operator), t0()).await.unwrap_err();
    assert_eq!(refused.to_string(), format!("queue element '{unknown}' does not exist"));
}

async fn a_job_cannot_touch_what_another_live_job_holds(db: TestDb) {
    let (holder, other) = (running_job(&db).await, running_job(&db).await);
    let id = some(&db, 1).await[0];
    claim(&db, of_job(holder), at(1)).await;
    for live in ["ASSIGNED", "RUNNING", "LOST"] {
        set_job(&db, holder, live).await;
        let refused = set(&db, change(id, Done, StatusBy::Job(other)), at(2)).await.unwrap_err();
        assert!(matches!(refused, StatusError::HeldByOther { job, .. } if job == holder), "{refused}");
    }
    assert_eq!(get(&db, id).await.status, InProgress);
    assert_eq!(set(&db, change(id, Failed, StatusBy::Operator), at(3)).await.unwrap().status, Failed);
}

async fn what_a_job_held_is_free_once_it_has_ended(db: TestDb) {
    let (holder, other) = (running_job(&db).await, running_job(&db).await);
    let id = some(&db, 1).await[0];
    claim(&db, of_job(holder), at(1)).await;
    set_job(&db, holder, "FAILED").await;
    let done = set(&db, change(id, Done, StatusBy::Job(other)), at(2)).await.unwrap();
    assert_eq!((done.status, done.job_id), (Done, Some(other)));
}

async fn a_stale_token_is_refused_and_changes_nothing(db: TestDb) {
    let id = some(&db, 1).await[0];
    let old = claim(&db, request(), at(1)).await.remove(0);
    set(&db, change(id, New, StatusBy::Operator), at(2)).await.unwrap();
    let late = StatusChange { token: Some(old.lease_token), ..change(id, Done, StatusBy::Operator) };
    let refused = set(&db, late.clone(), at(3)).await.unwrap_err();
    assert!(matches!(refused, StatusError::LeaseLost(lost) if lost == id), "given back: {refused}");
    let new = claim(&db, request(), at(4)).await.remove(0);
    assert!(new.lease_token > old.lease_token);
    let refused = set(&db, late, at(5)).await.unwrap_err();
    assert!(matches!(refused, StatusError::LeaseLost(_)), "granted to another: {refused}");
    assert_eq!(get(&db, id).await, new);
}

async fn a_job_that_has_ended_sets_nothing(db: TestDb) {
    let job = running_job(&db).await;
    let id = some(&db, 1).await[0];
    set_job(&db, job, "KILLED").await;
    let refused = set(&db, change(id, Done, StatusBy::Job(job)), at(1)).await.unwrap_err();
    assert!(matches!(refused, StatusError::JobEnded(ended) if ended == job));
    assert_eq!(get(&db, id).await.status, New);
}

async fn setting_the_same_status_twice_is_no_error(db: TestDb) {
    let id = some(&db, 1).await[0];
    for status in [InProgress, Done, Failed, Abandoned, New] {
        let first = set(&db, change(id, status, StatusBy::Operator), at(1)).await.unwrap();
        let second = set(&db, change(id, status, StatusBy::Operator), at(9)).await.unwrap();
        assert_eq!(first, second);
        assert_eq!(second, get(&db, id).await);
    }
}

async fn changes_of_one_call_are_made_in_order(db: TestDb) {
    let job = running_job(&db).await;
    let id = some(&db, 1).await[0];
    let by = StatusBy::Job(job);
    let changes = [change(id, InProgress, by), change(id, Done, by), change(id, Failed, by)];
    let mut tx = db.begin_write().await.unwrap();
    let results = tx.element_set_status(&changes, at(2)).await.unwrap();
    tx.commit().await.unwrap();
    let statuses: Vec<ElementStatus> = results.into_iter().map(|result| result.unwrap().status).collect();
    assert_eq!(statuses, [InProgress, Done, Failed]);
    let after = get(&db, id).await;
    assert_eq!((after.status, after.lease_token), (Failed, LeaseToken::new(1)));
    assert_eq!((counts(&db).await.failed, counts(&db).await.new), (1, 0));
}

async fn one_refused_change_does_not_stop_its_neighbours(db: TestDb) {
    let stored = some(&db, 3).await;
    execute(&db, format!("UPDATE queues SET status = 'OPEN' WHERE id = {}", literal(&db, stored[1].as_uuid()))).await;
    let changes: Vec<StatusChange> = stored.iter().map(|id| change(*id, Done, StatusBy::Operator)).collect();
    let mut tx = db.begin_write().await.unwrap();
    let results = tx.element_set_status(&changes, at(2)).await.unwrap();
    tx.commit().await.unwrap();
    assert!(results[0].is_ok() && results[2].is_ok());
    let refused = results[1].as_ref().unwrap_err().to_string();
    assert!(refused.starts_with(&format!("table queues, row {}, column status", stored[1])), "{refused}");
}

async fn an_element_that_is_new_again_can_be_claimed_again(db: TestDb) {
    let id = some(&db, 1).await[0];
    let leased = ClaimRequest { lease: Some(Duration::from_mins(1)), ..request() };
    claim(&db, leased, at(1)).await;
    let new = set(&db, change(id, New, StatusBy::Operator), at(2)).await.unwrap();
    assert_eq!((new.times.start_date, new.job_id, new.lease_expires_at), (None, None, None));
    assert_eq!(ids(&claim(&db, request(), at(3)).await), [id]);
}

async fn a_message_is_stored_and_stays_until_the_next(db: TestDb) {
    let id = some(&db, 1).await[0];
    let said = StatusChange { message: Some(Message::cut("half\0way")), ..change(id, InProgress, StatusBy::Operator) };
    set(&db, said, at(1)).await.unwrap();
    set(&db, change(id, Done, StatusBy::Operator), at(2)).await.unwrap();
    assert_eq!(get(&db, id).await.message.unwrap().as_str(), "half\u{fffd}way");
}
