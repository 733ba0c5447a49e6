use std::collections::HashSet;

use orchestrator_core::id::{ElementId, RequestId};
use orchestrator_core::lease::LeaseToken;
use orchestrator_core::queue::ElementStatus;
use orchestrator_db::{ClaimRequest, ElementCall, Hint, LaneOptions, StatusChange, StatusError};
use tokio::task::JoinSet;

use super::world::*;
use crate::harness::TestDb;
use crate::queue::world::{QUEUE, counts, get, of_job, request, running_job};

conformance! {
    calls_that_come_while_a_transaction_is_in_flight_share_the_next_one,
    an_idle_lane_commits_a_single_call_at_once,
    callers_get_elements_in_the_order_in_which_they_came,
    many_callers_claim_and_complete_every_element_exactly_once,
    what_is_finished_rides_on_the_next_claim_in_one_transaction,
    a_completion_that_is_refused_keeps_nothing_else_from_being_done,
    a_repeated_claim_gives_the_same_elements_whoever_shares_its_transaction,
    changes_of_one_element_in_one_transaction_are_made_in_order,
    without_lanes_each_call_has_a_transaction_of_its_own,
    what_one_actor_did_in_one_commit_is_one_row_of_the_audit,
    an_element_that_is_new_again_is_told_of,
    a_paused_queue_gives_nothing_even_to_a_caller_alone,
    a_person_alone_gets_the_oldest_element_and_is_named_for_it,
}

async fn calls_that_come_while_a_transaction_is_in_flight_share_the_next_one(db: TestDb) {
    let world = world(db);
    world.stored(21).await;
    let first = world.hold_up(|world| world.begin(claim())).await;
    let others: Vec<_> = (0..20).map(|_| world.begin(claim())).collect();
    world.until_waiting(20).await;
    world.gate.open();
    let mut all: HashSet<ElementId> = HashSet::new();
    for call in std::iter::once(first).chain(others) {
        let elements = taken(call.await.unwrap());
        assert_eq!(elements.len(), 1);
        all.insert(elements[0].id);
    }
    assert_eq!((all.len(), world.commits()), (21, 2));
    assert_eq!(counts(&world.db).await.in_progress, 21);
}

async fn an_idle_lane_commits_a_single_call_at_once(db: TestDb) {
    let world = world(db);
    let stored = world.stored(1).await;
    assert_eq!(taken(world.lanes.elements(claim()).await)[0].id, stored[0]);
    assert!(taken(world.lanes.elements(claim()).await).is_empty());
    assert_eq!(world.commits(), 2);
}

async fn callers_get_elements_in_the_order_in_which_they_came(db: TestDb) {
    let world = world(db);
    let stored = world.stored(6).await;
    let mut calls = vec![world.hold_up(|world| world.begin(claim())).await];
    for waiting in 1..=3 {
        let count = if waiting == 2 { 3 } else { 1 };
        calls.push(world.begin(claim_of(ClaimRequest { count, ..request() })));
        world.until_waiting(waiting).await;
    }
    world.gate.open();
    let mut got = Vec::new();
    for call in calls {
        got.push(taken(call.await.unwrap()).iter().map(|element| element.id).collect::<Vec<_>>());
    }
    assert_eq!(got, [stored[..1].to_vec(), stored[1..2].to_vec(), stored[2..5].to_vec(), stored[5..].to_vec()]);
}

async fn many_callers_claim_and_complete_every_element_exactly_once(db: TestDb) {
    let world = world(db);
    let stored = world.stored(1000).await;
    let mut callers = JoinSet::new();
    for _ in 0..256 {
        let lanes = world.lanes.clone();
        callers.spawn(async move {
            let mut mine: Vec<ElementId> = Vec::new();
            let mut held: Vec<StatusChange> = Vec::new();
            loop {
                let call = ElementCall { changes: std::mem::take(&mut held), ..claim() };
                let answer = lanes.elements(call).await.unwrap();
                assert!(answer.changed.iter().all(Result::is_ok), "{:?}", answer.changed);
                let elements = answer.claimed.unwrap().elements;
                if elements.is_empty() {
                    return mine;
                }
                mine.extend(elements.iter().map(|element| element.id));
                held = elements
                    .iter()
                    .map(|element| StatusChange { token: Some(element.lease_token), ..done(element.id) })
                    .collect();
            }
        });
    }
    let all: Vec<ElementId> = callers.join_all().await.into_iter().flatten().collect();
    assert_eq!(all.len(), 1000);
    assert_eq!(all.into_iter().collect::<HashSet<_>>(), stored.into_iter().collect());
    assert_eq!((counts(&world.db).await.done, counts(&world.db).await.in_progress), (1000, 0));
    assert!(world.commits() < 1000, "{} commits", world.commits());
}

async fn what_is_finished_rides_on_the_next_claim_in_one_transaction(db: TestDb) {
    let world = world(db);
    let stored = world.stored(2).await;
    taken(world.lanes.elements(claim()).await);
    let answer = world.lanes.elements(ElementCall { changes: vec![done(stored[0])], ..claim() }).await.unwrap();
    assert_eq!(answer.changed[0].as_ref().unwrap().element.status, ElementStatus::Done);
    assert_eq!(answer.claimed.unwrap().elements[0].id, stored[1]);
    assert_eq!(world.commits(), 2);
}

async fn a_completion_that_is_refused_keeps_nothing_else_from_being_done(db: TestDb) {
    let world = world(db);
    let stored = world.stored(3).await;
    taken(world.lanes.elements(claim_of(ClaimRequest { count: 2, ..request() })).await);
    let stale = StatusChange { token: Some(LeaseToken::new(7)), ..done(stored[0]) };
    let changes = vec![stale, done(ElementId::generate()), done(stored[1])];
    let answer = world.lanes.elements(ElementCall { changes, ..claim() }).await.unwrap();
    assert!(matches!(answer.changed[0], Err(StatusError::LeaseLost(id)) if id == stored[0]));
    assert!(matches!(answer.changed[1], Err(StatusError::NotFound(_))));
    assert!(answer.changed[2].is_ok());
    assert_eq!(answer.claimed.unwrap().elements[0].id, stored[2]);
    assert_eq!(get(&world.db, stored[0]).await.status, ElementStatus::InProgress);
}

async fn a_repeated_claim_gives_the_same_elements_whoever_shares_its_transaction(db: TestDb) {
    let world = world(db);
    world.stored(4).await;
    let lost = ClaimRequest { count: 2, ..request() };
    let granted = taken(world.lanes.elements(claim_of(lost.clone())).await);
    let first = world.hold_up(|world| world.begin(claim())).await;
    let repeated = world.begin(claim_of(ClaimRequest { repeat: true, ..lost }));
    let unheard = world.begin(claim_of(ClaimRequest { repeat: true, request: RequestId::generate(), ..request() }));
    world.until_waiting(2).await;
    world.gate.open();
    assert_eq!(taken(first.await.unwrap()).len(), 1);
    assert_eq!(taken(repeated.await.unwrap()), granted);
    assert_eq!(taken(unheard.await.unwrap()).len(), 1, "a call that was never heard is made for the first time");
}

async fn changes_of_one_element_in_one_transaction_are_made_in_order(db: TestDb) {
    let world = world(db);
    let stored = world.stored(2).await;
    let first = world.hold_up(|world| world.begin(status(done(stored[1])))).await;
    let claimed = StatusChange { status: ElementStatus::InProgress, ..done(stored[0]) };
    let one = world.begin(status(claimed));
    world.until_waiting(1).await;
    let fenced = StatusChange { token: Some(LeaseToken::new(1)), ..done(stored[0]) };
    let two = world.begin(status(fenced));
    world.until_waiting(2).await;
    world.gate.open();
    for call in [first, one, two] {
        assert!(call.await.unwrap().unwrap().changed[0].is_ok());
    }
    assert_eq!((get(&world.db, stored[0]).await.status, world.commits()), (ElementStatus::Done, 2));
}

async fn without_lanes_each_call_has_a_transaction_of_its_own(db: TestDb) {
    let world = world_with(db, LaneOptions { is_on: false, ..LaneOptions::default() });
    world.stored(30).await;
    let calls: Vec<_> = (0..30).map(|_| world.begin(claim())).collect();
    let mut all = HashSet::new();
    for call in calls {
        all.insert(taken(call.await.unwrap())[0].id);
    }
    assert_eq!((all.len(), world.commits()), (30, 30));
}

async fn what_one_actor_did_in_one_commit_is_one_row_of_the_audit(db: TestDb) {
    let world = world(db);
    let stored = world.stored(4).await;
    let by = |name: &str| ElementCall { actor: Some(user(name)), ..claim() };
    let calls = [
        world.hold_up(|world| world.begin(by("ann"))).await,
        world.begin(by("ann")),
        world.begin(by("bob")),
        world.begin(by("ann")),
    ];
    world.until_waiting(3).await;
    world.gate.open();
    for call in calls {
        taken(call.await.unwrap());
    }
    let rows = world.audited("element.claim").await;
    let mut counts: Vec<usize> = rows.iter().map(|(_, after)| after["elements"].as_array().unwrap().len()).collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 1, 2]);
    assert!(rows.iter().all(|(subject, _)| subject == QUEUE));
    let changes = stored.iter().map(|id| done(*id)).collect();
    world
        .lanes
        .elements(ElementCall { changes, claim: None, actor: Some(user("ann")), with_data: false })
        .await
        .unwrap();
    let rows = world.audited("element.set_status").await;
    assert_eq!((rows.len(), rows[0].0.as_str()), (1, QUEUE));
    assert_eq!(rows[0].1["elements"]["DONE"].as_array().unwrap().len(), 4);
    let alone = ElementCall {
        actor: Some(user("ann")),
        ..status(StatusChange { status: ElementStatus::Failed, ..done(stored[0]) })
    };
    world.lanes.elements(alone).await.unwrap();
    assert_eq!(world.audited("element.set_status").await[0].0, stored[0].to_string());
}

async fn an_element_that_is_new_again_is_told_of(db: TestDb) {
    let world = world(db);
    let stored = world.stored(1).await;
    taken(world.lanes.elements(claim()).await);
    assert_eq!(world.told_last(), [Hint::Elements], "only viewers look");
    taken(world.lanes.elements(claim()).await);
    assert!(world.told_last().is_empty(), "nothing was taken");
    let again = StatusChange { status: ElementStatus::New, ..done(stored[0]) };
    world.lanes.elements(status(again)).await.unwrap();
    assert_eq!(world.told_last(), [Hint::Queue { name: QUEUE.to_owned() }, Hint::Elements]);
}

async fn a_paused_queue_gives_nothing_even_to_a_caller_alone(db: TestDb) {
    let world = world(db);
    let job = running_job(&world.db).await;
    let stored = world.stored(3).await;
    let callers = || [claim(), ElementCall { actor: Some(user("ann")), ..claim() }, claim_of(of_job(job))];
    for paused in [true, false] {
        let mut tx = world.db.begin_write().await.unwrap();
        tx.queue_set_paused(&request().queue, paused, &user("ann"), crate::queue::world::at(1)).await.unwrap();
        tx.commit().await.unwrap();
        for (call, id) in callers().into_iter().zip(&stored) {
            let given = taken(world.lanes.elements(call).await);
            assert_eq!(given.first().map(|element| element.id), Some(*id).filter(|_| !paused));
        }
    }
}

async fn a_person_alone_gets_the_oldest_element_and_is_named_for_it(db: TestDb) {
    let world = world(db);
    let stored = world.stored(2).await;
    let lease = Some(std::time::Duration::from_mins(1));
    let call = ElementCall { actor: Some(user("ann")), ..claim_of(ClaimRequest { lease, ..request() }) };
    let got = taken(world.lanes.elements(call).await).remove(0);
    assert_eq!((got.id, got.job_id, got.status), (stored[0], None, ElementStatus::InProgress));
    assert_eq!((got.lease_token, got.attempt), (LeaseToken::new(1), 1));
    assert_eq!(got.lease_expires_at, Some(crate::queue::world::at(60)));
    assert_eq!(get(&world.db, got.id).await, got);
    assert_eq!((counts(&world.db).await.new, counts(&world.db).await.in_progress), (1, 1));
    let rows = world.audited("element.claim").await;
    assert_eq!((rows.len(), rows[0].0.as_str()), (1, QUEUE));
    assert_eq!(rows[0].1, serde_json::json!({ "elements": [got.id.to_string()] }));
}
