//! Claims that are made twice, because whoever made them did not hear the answer.

use orchestrator_core::id::RequestId;
use orchestrator_core::queue::ElementStatus;
use orchestrator_core::text::QueueName;
use orchestrator_db::{ClaimRequest, ElementCall, ElementClaimError, LaneError, NewElement, StatusChange};

use super::world::*;
use crate::harness::TestDb;
use crate::queue::world::{counts, element, request, running_job, t0};

conformance! {
    a_claim_that_is_repeated_while_it_waits_is_granted_once,
    a_claim_that_is_overtaken_by_its_repetition_is_granted_once,
    a_claim_that_is_repeated_while_another_server_makes_it_is_granted_once,
    a_claim_under_the_id_of_one_that_is_over_is_refused_and_its_repetition_gets_nothing,
    a_claim_under_the_id_of_somebody_elses_is_refused_and_its_neighbours_are_not,
    a_claim_under_the_id_of_one_of_another_queue_is_refused,
    a_repetition_gets_nothing_of_what_somebody_else_was_granted_since,
    a_repetition_that_takes_something_is_audited_and_one_that_is_known_is_not,
}

fn again(request: &ClaimRequest) -> ElementCall {
    claim_of(ClaimRequest { repeat: true, ..request.clone() })
}

async fn a_claim_that_is_repeated_while_it_waits_is_granted_once(db: TestDb) {
    let world = world(db);
    world.stored(20).await;
    let mut in_progress = 0;
    for count in [1, 3] {
        let wanted = ClaimRequest { count, ..request() };
        let first = world.hold_up(|world| world.begin(claim())).await;
        let calls = [world.begin(claim_of(wanted.clone())), world.begin(again(&wanted)), world.begin(claim())];
        world.until_waiting(calls.len()).await;
        world.gate.open();
        taken(first.await.unwrap());
        let [call, repetition, neighbour] = calls;
        let granted = taken(call.await.unwrap());
        assert_eq!(granted.len(), count as usize);
        assert_eq!(taken(repetition.await.unwrap()), granted);
        assert_eq!(taken(neighbour.await.unwrap()).len(), 1);
        in_progress += 2 + i64::from(count);
        assert_eq!(counts(&world.db).await.in_progress, in_progress);
    }
}

async fn a_claim_that_is_overtaken_by_its_repetition_is_granted_once(db: TestDb) {
    let world = world(db);
    world.stored(100).await;
    for count in [1, 3, 60] {
        let wanted = ClaimRequest { count, ..request() };
        let granted = taken(world.lanes.elements(again(&wanted)).await);
        assert!(!granted.is_empty());
        assert_eq!(taken(world.lanes.elements(claim_of(wanted)).await), granted);
    }
    assert_eq!(counts(&world.db).await.in_progress, 64);
}

async fn a_claim_under_the_id_of_one_that_is_over_is_refused_and_its_repetition_gets_nothing(db: TestDb) {
    let world = world(db);
    world.stored(2).await;
    let over = request();
    let granted = taken(world.lanes.elements(claim_of(over.clone())).await);
    let end = ElementCall { changes: vec![done(granted[0].id)], claim: None, actor: None, with_data: false };
    world.lanes.elements(end).await.unwrap();
    let refused = world.lanes.elements(claim_of(over.clone())).await.unwrap().claimed;
    assert!(matches!(refused, Err(ElementClaimError::KnownCall(id)) if id == over.request));
    assert!(taken(world.lanes.elements(again(&over)).await).is_empty());
    assert_eq!(counts(&world.db).await.new, 1);
}

async fn a_claim_that_is_repeated_while_another_server_makes_it_is_granted_once(db: TestDb) {
    let world = world(db);
    world.stored(10).await;
    for repeat in [true, false] {
        let wanted = ClaimRequest { count: 2, ..request() };
        let mut tx = world.db.begin_write().await.unwrap();
        let granted = tx.element_claim(std::slice::from_ref(&wanted), t0()).await.unwrap().remove(0).unwrap().elements;
        let repetition = world.begin(claim_of(ClaimRequest { repeat, ..wanted }));
        world.until_taken().await;
        tx.commit().await.unwrap();
        assert_eq!(taken(repetition.await.unwrap()), granted);
    }
    assert_eq!(counts(&world.db).await.in_progress, 4);
}

async fn a_claim_under_the_id_of_somebody_elses_is_refused_and_its_neighbours_are_not(db: TestDb) {
    let world = world(db);
    world.stored(5).await;
    let job = running_job(&world.db).await;
    let theirs = ClaimRequest { job: Some(job), ..request() };
    taken(world.lanes.elements(claim_of(theirs.clone())).await);
    let first = world.hold_up(|world| world.begin(claim())).await;
    let mine = world.begin(claim_of(ClaimRequest { job: None, ..theirs }));
    let neighbour = world.begin(claim());
    world.until_waiting(2).await;
    world.gate.open();
    taken(first.await.unwrap());
    assert_eq!(taken(neighbour.await.unwrap()).len(), 1);
    let Err(LaneError::Db(error)) = mine.await.unwrap() else { panic!("it was granted") };
    assert!(error.is_of_a_known_call(), "{error}");
    assert_eq!(counts(&world.db).await.in_progress, 3);
}

async fn a_claim_under_the_id_of_one_of_another_queue_is_refused(db: TestDb) {
    let world = world(db);
    world.stored(2).await;
    let elsewhere = QueueName::parse("Orders").unwrap();
    let there = NewElement { queue_name: elsewhere.clone(), ..element() };
    world.lanes.create(create(there)).await.unwrap().unwrap();
    let mine = request();
    let granted = taken(world.lanes.elements(claim_of(mine.clone())).await);
    for repeat in [false, true] {
        let other = ClaimRequest { queue: elsewhere.clone(), repeat, ..mine.clone() };
        let refused = world.lanes.elements(claim_of(other)).await.unwrap().claimed;
        assert!(matches!(refused, Err(ElementClaimError::KnownCall(id)) if id == mine.request), "{refused:?}");
    }
    assert_eq!(taken(world.lanes.elements(again(&mine)).await), granted, "it holds what it was granted");
}

async fn a_repetition_gets_nothing_of_what_somebody_else_was_granted_since(db: TestDb) {
    let world = world(db);
    world.stored(1).await;
    let mine = request();
    let granted = taken(world.lanes.elements(claim_of(mine.clone())).await);
    for status in [ElementStatus::Failed, ElementStatus::InProgress] {
        let set = StatusChange { status, ..done(granted[0].id) };
        let call = ElementCall { changes: vec![set], claim: None, actor: None, with_data: false };
        world.lanes.elements(call).await.unwrap().changed.remove(0).unwrap();
    }
    assert!(taken(world.lanes.elements(again(&mine)).await).is_empty(), "its token is somebody else's");
}

async fn a_repetition_that_takes_something_is_audited_and_one_that_is_known_is_not(db: TestDb) {
    let world = world(db);
    world.stored(2).await;
    let of_ann = |claim: ElementCall| ElementCall { actor: Some(user("ann")), ..claim };
    let wanted = ClaimRequest { request: RequestId::generate(), ..request() };
    let granted = taken(world.lanes.elements(of_ann(again(&wanted))).await);
    assert_eq!(granted[0].status, ElementStatus::InProgress);
    assert_eq!(taken(world.lanes.elements(of_ann(again(&wanted))).await), granted);
    let audited = world.audited("element.claim").await;
    assert_eq!(audited.len(), 1);
    assert_eq!(audited[0].1["elements"][0], granted[0].id.to_string());
}
