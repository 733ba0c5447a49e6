use std::time::Duration;

use orchestrator_core::lease::LeaseToken;
use orchestrator_core::queue::ElementStatus;
use orchestrator_core::text::Reference;
use orchestrator_db::{ClaimRequest, ElementClaimError, StatusBy};

use super::world::*;
use crate::harness::TestDb;

conformance! {
    the_oldest_new_element_is_taken_first,
    elements_of_one_instant_are_taken_in_the_order_of_their_ids,
    a_claim_marks_what_it_takes,
    an_empty_queue_gives_an_empty_answer,
    a_reference_is_matched_exactly,
    peeking_marks_nothing,
    a_repeated_claim_gives_the_same_elements,
    a_repeated_claim_that_was_lost_on_the_way_takes_elements,
    a_repeat_of_a_claim_that_is_over_gives_nothing_more,
    another_job_cannot_repeat_a_claim,
    requests_of_one_call_share_out_the_elements_in_order,
    every_grant_raises_the_token,
    a_job_that_has_ended_claims_nothing,
    a_claim_of_a_job_has_no_lease_of_its_own,
    an_element_that_cannot_be_read_does_not_stop_the_others,
}

async fn the_oldest_new_element_is_taken_first(db: TestDb) {
    let late = insert(&db, &[element()], at(5)).await;
    let early = insert(&db, &[element()], at(1)).await;
    assert_eq!(ids(&claim(&db, request(), at(9)).await), early);
    assert_eq!(ids(&claim(&db, request(), at(9)).await), late);
}

async fn elements_of_one_instant_are_taken_in_the_order_of_their_ids(db: TestDb) {
    let mut elements = vec![element(), element(), element()];
    elements.reverse();
    let mut expected = insert(&db, &elements, t0()).await;
    expected.reverse();
    assert_eq!(ids(&claim(&db, ClaimRequest { count: 3, ..request() }, at(1)).await), expected);
}

async fn a_claim_marks_what_it_takes(db: TestDb) {
    let job = running_job(&db).await;
    let id = insert(&db, &[with_data("17")], t0()).await[0];
    let claimed = claim(&db, of_job(job), at(3)).await.remove(0);
    assert_eq!(claimed, get(&db, id).await);
    assert_eq!(claimed.status, ElementStatus::InProgress);
    assert_eq!(claimed.times.start_date, Some(at(3)));
    assert_eq!((claimed.job_id, claimed.attempt), (Some(job), 1));
    assert_eq!(claimed.lease_token, LeaseToken::new(1));
    assert_eq!(claimed.data.unwrap().as_str(), "17");
}

async fn an_empty_queue_gives_an_empty_answer(db: TestDb) {
    assert!(claim(&db, request(), t0()).await.is_empty());
}

async fn a_reference_is_matched_exactly(db: TestDb) {
    let wanted = with_reference("A-1");
    let others = [with_reference("A-10"), with_reference("a-1"), element()];
    insert(&db, &others, t0()).await;
    let wanted = insert(&db, &[wanted], at(1)).await;
    let by_reference = ClaimRequest { reference: Some(Reference::parse("A-1", 100).unwrap()), count: 5, ..request() };
    assert_eq!(ids(&claim(&db, by_reference, at(2)).await), wanted);
}

async fn peeking_marks_nothing(db: TestDb) {
    let stored = some(&db, 2).await;
    let mut tx = db.begin_read().await.unwrap();
    let peeked = tx.element_peek(&queue(), None, 1).await.unwrap();
    drop(tx);
    assert_eq!(ids(&peeked), stored[..1]);
    assert_eq!(get(&db, stored[0]).await.status, ElementStatus::New);
}

async fn a_repeated_claim_gives_the_same_elements(db: TestDb) {
    some(&db, 3).await;
    let first = ClaimRequest { count: 2, ..request() };
    let again = ClaimRequest { repeat: true, ..first.clone() };
    let granted = claim(&db, first, at(5)).await;
    assert_eq!(claim(&db, again, at(6)).await, granted);
    assert_eq!(counts(&db).await.new, 1);
}

async fn a_repeated_claim_that_was_lost_on_the_way_takes_elements(db: TestDb) {
    let stored = some(&db, 1).await;
    assert_eq!(ids(&claim(&db, ClaimRequest { repeat: true, ..request() }, at(5)).await), stored);
}

async fn a_repeat_of_a_claim_that_is_over_gives_nothing_more(db: TestDb) {
    some(&db, 2).await;
    let first = request();
    let again = ClaimRequest { repeat: true, ..first.clone() };
    let taken = claim(&db, first, at(5)).await.remove(0);
    set(&db, change(taken.id, ElementStatus::Done, StatusBy::Operator), at(6)).await.unwrap();
    assert!(claim(&db, again, at(7)).await.is_empty());
}

async fn another_job_cannot_repeat_a_claim(db: TestDb) {
    let (mine, other) = (running_job(&db).await, running_job(&db).await);
    let stored = some(&db, 2).await;
    let first = of_job(mine);
    let stolen = ClaimRequest { repeat: true, job: Some(other), ..first.clone() };
    assert_eq!(ids(&claim(&db, first, at(5)).await), stored[..1]);
    let mut tx = db.begin_write().await.unwrap();
    let refused = tx.element_claim(&[stolen], at(6)).await.unwrap_err();
    assert!(refused.is_of_a_known_call(), "{refused}");
}

async fn requests_of_one_call_share_out_the_elements_in_order(db: TestDb) {
    let (a, b) = (running_job(&db).await, running_job(&db).await);
    let stored = some(&db, 4).await;
    let requests = [
        ClaimRequest { count: 2, ..of_job(a) },
        ClaimRequest { lease: Some(Duration::from_mins(1)), ..request() },
        ClaimRequest { count: 3, ..of_job(b) },
        request(),
    ];
    let mut tx = db.begin_write().await.unwrap();
    let answers = tx.element_claim(&requests, at(9)).await.unwrap();
    tx.commit().await.unwrap();
    let answers: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().elements).collect();
    assert_eq!(ids(&answers[0]), stored[..2]);
    assert_eq!(ids(&answers[1]), stored[2..3]);
    assert_eq!(ids(&answers[2]), stored[3..]);
    assert!(answers[3].is_empty());
    assert_eq!(answers[0][1].job_id, Some(a));
    assert_eq!((answers[1][0].job_id, answers[1][0].lease_expires_at), (None, Some(at(69))));
    assert_eq!((answers[2][0].job_id, answers[2][0].lease_expires_at), (Some(b), None));
    let repeated = ClaimRequest { repeat: true, ..requests[1].clone() };
    assert_eq!(ids(&claim(&db, repeated, at(10)).await), stored[2..3]);
}

async fn every_grant_raises_the_token(db: TestDb) {
    let id = some(&db, 1).await[0];
    for round in 1..=3 {
        let taken = claim(&db, request(), at(round)).await.remove(0);
        assert_eq!(taken.lease_token, LeaseToken::new(round));
        set(&db, change(id, ElementStatus::New, StatusBy::Operator), at(round)).await.unwrap();
    }
}

async fn a_job_that_has_ended_claims_nothing(db: TestDb) {
    some(&db, 1).await;
    for status in ["QUEUED", "DONE", "FAILED", "KILLED", "TIMED_OUT", "CANCELLED"] {
        let job = running_job(&db).await;
        set_job(&db, job, status).await;
        let mut tx = db.begin_write().await.unwrap();
        let answers = tx.element_claim(&[of_job(job), request()], at(1)).await.unwrap();
        assert!(matches!(answers[0], Err(ElementClaimError::JobEnded(ended)) if ended == job), "{status}");
        assert_eq!(answers[1].as_ref().unwrap().elements.len(), 1, "its neighbour is served");
    }
}

async fn a_claim_of_a_job_has_no_lease_of_its_own(db: TestDb) {
    some(&db, 1).await;
    let job = running_job(&db).await;
    set_job(&db, job, "LOST").await;
    let leased = ClaimRequest { lease: Some(Duration::from_secs(5)), ..of_job(job) };
    assert_eq!(claim(&db, leased, at(1)).await[0].lease_expires_at, None);
}

async fn an_element_that_cannot_be_read_does_not_stop_the_others(db: TestDb) {
    let stored = some(&db, 3).await;
    execute(&db, format!("UPDATE queues SET attempt = -7 WHERE id = {}", literal(&db, stored[0].as_uuid()))).await;
    let both = claim(&db, ClaimRequest { count: 2, ..request() }, at(9)).await;
    assert_eq!(ids(&both), stored[1..2]);
    assert_eq!(ids(&claim(&db, request(), at(9)).await), stored[2..]);
}
