use orchestrator_core::queue::ElementStatus;
use orchestrator_core::text::QueueName;
use orchestrator_db::{ClaimRequest, CreateCall, LaneError, LaneOptions, NewElement};

use super::world::*;
use crate::harness::TestDb;
use crate::queue::world::{claim as claim_alone, counts, element, get, insert, request, t0, with_data, with_reference};

conformance! {
    a_claim_that_the_database_refuses_fails_none_of_its_ninety_nine_neighbours,
    a_creation_that_the_database_refuses_fails_none_of_its_ninety_nine_neighbours,
    a_call_of_several_elements_of_which_one_exists_creates_none_and_fails_alone,
    a_caller_that_is_gone_before_its_transaction_takes_nothing,
    what_a_caller_that_left_too_late_was_granted_waits_for_its_repetition,
    a_full_lane_refuses_with_its_limit_and_takes_more_afterwards,
    a_queue_that_fills_a_lane_makes_room_for_another_one,
    a_lane_goes_on_after_its_connection_broke,
    a_write_that_was_dropped_half_way_leaves_nothing_and_blocks_nobody,
}

async fn a_claim_that_the_database_refuses_fails_none_of_its_ninety_nine_neighbours(db: TestDb) {
    poison(&db).await;
    let world = world(db);
    world.stored(100).await;
    insert(&world.db, &[with_reference("poison")], t0()).await;
    let first = world.hold_up(|world| world.begin(claim())).await;
    let mut calls = Vec::new();
    for number in 0..100 {
        let reference = with_reference("poison").reference.filter(|_| number == 41);
        calls.push(world.begin(claim_of(ClaimRequest { reference, ..request() })));
    }
    world.until_waiting(100).await;
    world.gate.open();
    assert_eq!(taken(first.await.unwrap()).len(), 1);
    for (number, call) in calls.into_iter().enumerate() {
        match call.await.unwrap() {
            Err(error) => assert!(number == 41 && matches!(error, LaneError::Db(_)), "{number}: {error}"),
            Ok(answer) => assert!(number != 41 && answer.claimed.unwrap().elements.len() == 1, "{number}"),
        }
    }
    assert_eq!((counts(&world.db).await.in_progress, counts(&world.db).await.new), (100, 1));
}

async fn a_creation_that_the_database_refuses_fails_none_of_its_ninety_nine_neighbours(db: TestDb) {
    poison(&db).await;
    let world = world(db);
    let mut calls = vec![world.hold_up(|world| world.begin_create(create(element()))).await];
    for number in 0..100 {
        let new = if number == 41 { with_data("poison") } else { element() };
        calls.push(world.begin_create(create(new)));
    }
    world.until_waiting(100).await;
    world.gate.open();
    let mut refused = 0;
    for call in calls {
        refused += usize::from(call.await.unwrap().is_err());
    }
    assert_eq!((refused, counts(&world.db).await.new), (1, 100));
}

async fn a_call_of_several_elements_of_which_one_exists_creates_none_and_fails_alone(db: TestDb) {
    let world = world(db);
    let there = element();
    world.lanes.create(create(there.clone())).await.unwrap().unwrap();
    let first = world.hold_up(|world| world.begin_create(create(element()))).await;
    let partly = CreateCall { elements: vec![element(), there, element()], repeat: false, actor: None };
    let partly = world.begin_create(partly);
    let neighbour = world.begin_create(create(element()));
    world.until_waiting(2).await;
    world.gate.open();
    assert!(first.await.unwrap().unwrap());
    assert!(matches!(partly.await.unwrap(), Err(LaneError::Db(_))));
    assert!(neighbour.await.unwrap().unwrap());
    assert_eq!(counts(&world.db).await.new, 3);
}

async fn a_caller_that_is_gone_before_its_transaction_takes_nothing(db: TestDb) {
    let world = world(db);
    let stored = world.stored(3).await;
    let first = world.hold_up(|world| world.begin(claim())).await;
    let gone = world.begin(claim());
    world.until_waiting(1).await;
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    let here = world.begin(claim());
    world.until_waiting(2).await;
    world.gate.open();
    assert_eq!(taken(first.await.unwrap())[0].id, stored[0]);
    assert_eq!(taken(here.await.unwrap())[0].id, stored[1], "the one that is gone was passed over");
    assert_eq!(get(&world.db, stored[2]).await.status, ElementStatus::New);
}

async fn what_a_caller_that_left_too_late_was_granted_waits_for_its_repetition(db: TestDb) {
    let world = world(db);
    let stored = world.stored(2).await;
    let lost = request();
    let stopped = world.db.stopped().await;
    let leaving = world.begin(claim_of(lost.clone()));
    world.until_taken().await;
    leaving.abort();
    assert!(leaving.await.unwrap_err().is_cancelled());
    stopped.go_on().await;
    let repeated = taken(world.lanes.elements(claim_of(ClaimRequest { repeat: true, ..lost })).await);
    assert_eq!(repeated[0].id, stored[0]);
    assert_eq!(counts(&world.db).await.in_progress, 1);
}

async fn a_full_lane_refuses_with_its_limit_and_takes_more_afterwards(db: TestDb) {
    let world = world_with(db, LaneOptions { most_calls: 2, ..LaneOptions::default() });
    world.stored(4).await;
    let first = world.hold_up(|world| world.begin(claim())).await;
    let waiting = [world.begin(claim()), world.begin(claim())];
    world.until_waiting(2).await;
    let refused = world.lanes.elements(claim()).await.unwrap_err();
    assert!(matches!(refused, LaneError::Full { lane: "claim", waiting: 2 }), "{refused}");
    world.gate.open();
    assert_eq!(taken(first.await.unwrap()).len(), 1);
    for call in waiting {
        assert_eq!(taken(call.await.unwrap()).len(), 1);
    }
    assert_eq!(taken(world.lanes.elements(claim()).await).len(), 1);
}

async fn a_queue_that_fills_a_lane_makes_room_for_another_one(db: TestDb) {
    let world = world_with(db, LaneOptions { most_calls: 2, ..LaneOptions::default() });
    world.stored(4).await;
    let orders = QueueName::parse("Orders").unwrap();
    insert(&world.db, &[NewElement { queue_name: orders.clone(), ..element() }], t0()).await;
    let first = world.hold_up(|world| world.begin(claim())).await;
    let older = world.begin(claim());
    world.until_waiting(1).await;
    let newest = world.begin(claim());
    world.until_waiting(2).await;
    let other = world.begin(claim_of(ClaimRequest { queue: orders.clone(), ..request() }));
    let refused = newest.await.unwrap().unwrap_err();
    assert!(matches!(refused, LaneError::Full { lane: "claim", waiting: 2 }), "{refused}");
    world.gate.open();
    assert_eq!(taken(other.await.unwrap())[0].queue_name, orders);
    for call in [first, older] {
        assert_eq!(taken(call.await.unwrap()).len(), 1);
    }
}

async fn a_lane_goes_on_after_its_connection_broke(db: TestDb) {
    let world = world(db);
    world.stored(2).await;
    assert_eq!(taken(world.lanes.elements(claim()).await).len(), 1);
    if world.db.dialect() == orchestrator_db::Dialect::Postgres {
        world
            .db
            .execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )
            .await;
    }
    assert_eq!(taken(world.lanes.elements(claim()).await).len(), 1);
    world.lanes.close().await;
    assert_eq!(counts(&world.db).await.in_progress, 2);
}

async fn a_write_that_was_dropped_half_way_leaves_nothing_and_blocks_nobody(db: TestDb) {
    let world = world(db);
    world.stored(1).await;
    let mut tx = world.db.begin_write().await.unwrap();
    tx.element_insert(&[element()], false, t0()).await.unwrap();
    drop(tx);
    assert_eq!(claim_alone(&world.db, ClaimRequest { count: 9, ..request() }, t0()).await.len(), 1);
    assert_eq!(counts(&world.db).await.new, 0);
}
