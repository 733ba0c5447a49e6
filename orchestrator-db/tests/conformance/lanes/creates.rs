use std::collections::HashSet;

use orchestrator_core::id::LogId;
use orchestrator_db::{CreateCall, Hint, LogFilter, PageRequest};

use super::world::*;
use crate::harness::TestDb;
use crate::queue::world::{QUEUE, claim as claim_alone, counts, element, get, request, t0, with_data};

conformance! {
    elements_of_many_calls_are_created_in_one_transaction,
    of_two_calls_with_one_id_the_first_creates_it,
    a_repeated_creation_gives_the_element_as_it_is,
    what_is_there_already_keeps_no_other_from_being_created,
    creations_of_one_actor_in_one_commit_are_one_row_of_the_audit,
    lines_of_many_callers_are_written_once_in_one_transaction,
}

async fn elements_of_many_calls_are_created_in_one_transaction(db: TestDb) {
    let world = world(db);
    let first = world.hold_up(|world| world.begin_create(create(element()))).await;
    let others: Vec<_> = (0..20).map(|_| world.begin_create(create(element()))).collect();
    world.until_waiting(20).await;
    world.gate.open();
    for call in std::iter::once(first).chain(others) {
        assert!(call.await.unwrap().unwrap());
    }
    assert_eq!((counts(&world.db).await.new, world.commits()), (21, 2));
    assert_eq!(world.told_last(), [Hint::Queue { name: QUEUE.to_owned() }]);
}

async fn of_two_calls_with_one_id_the_first_creates_it(db: TestDb) {
    let world = world(db);
    let twice = with_data("first");
    let second = orchestrator_db::NewElement { id: twice.id, ..with_data("second") };
    let first = world.hold_up(|world| world.begin_create(create(element()))).await;
    let one = world.begin_create(create(twice.clone()));
    world.until_waiting(1).await;
    let two = world.begin_create(create(second));
    world.until_waiting(2).await;
    world.gate.open();
    assert!(first.await.unwrap().unwrap());
    assert_eq!((one.await.unwrap().unwrap(), two.await.unwrap().unwrap()), (true, false));
    assert_eq!(get(&world.db, twice.id).await.data, twice.data);
    assert_eq!(counts(&world.db).await.new, 2);
}

async fn a_repeated_creation_gives_the_element_as_it_is(db: TestDb) {
    let world = world(db);
    let new = element();
    let created = world.lanes.create(create(new.clone())).await.unwrap().unwrap().one.unwrap();
    assert_eq!(created, get(&world.db, new.id).await);
    let held = claim_alone(&world.db, request(), t0()).await;
    let repeated = CreateCall { repeat: true, ..create(new.clone()) };
    assert_eq!(world.lanes.create(repeated).await.unwrap().unwrap().one, Some(held[0].clone()));
    assert!(world.lanes.create(create(new.clone())).await.unwrap().is_err());
    // What another queue has under this id is no earlier try of this call.
    let queue_name = orchestrator_core::text::QueueName::parse("another").unwrap();
    let elsewhere = orchestrator_db::NewElement { queue_name, ..new };
    let elsewhere = CreateCall { repeat: true, ..create(elsewhere) };
    assert!(world.lanes.create(elsewhere).await.unwrap().is_err());
}

async fn creations_of_one_actor_in_one_commit_are_one_row_of_the_audit(db: TestDb) {
    let world = world(db);
    let alone = CreateCall { actor: Some(user("ann")), ..create(element()) };
    let id = alone.elements[0].id.to_string();
    world.lanes.create(alone).await.unwrap().unwrap();
    assert_eq!(world.audited("element.create").await[0].0, id);
    let many = CreateCall { elements: vec![element(), element()], actor: Some(user("ann")), repeat: false };
    world.lanes.create(many).await.unwrap().unwrap();
    let rows = world.audited("element.create").await;
    assert_eq!((rows.len(), rows[0].0.as_str(), &rows[0].1["count"]), (2, QUEUE, &2.into()));
}

async fn what_is_there_already_keeps_no_other_from_being_created(db: TestDb) {
    let world = world(db);
    let there = element();
    world.lanes.create(create(there.clone())).await.unwrap().unwrap();
    let first = world.hold_up(|world| world.begin_create(create(element()))).await;
    let calls = [create(element()), create(there), create(element())];
    let calls: Vec<_> = calls.into_iter().map(|call| world.begin_create(call)).collect();
    world.until_waiting(3).await;
    world.gate.open();
    assert!(first.await.unwrap().unwrap());
    let mut created = Vec::new();
    for call in calls {
        created.push(call.await.unwrap().unwrap());
    }
    assert_eq!(created, [true, false, true]);
    assert_eq!(counts(&world.db).await.new, 4);
}

async fn lines_of_many_callers_are_written_once_in_one_transaction(db: TestDb) {
    let world = world(db);
    let repeated = line("again", t0());
    let write = |world: &World| {
        let (lanes, both) = (world.lanes.clone(), vec![line("a", t0()), repeated.clone()]);
        world.callers.spawn(async move { lanes.log(both).await })
    };
    let mut calls = vec![world.hold_up(write).await];
    calls.extend((0..4).map(|_| write(&world)));
    world.until_waiting(4).await;
    world.gate.open();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    let mut tx = world.db.begin_read().await.unwrap();
    let (lines, _) = tx.log_list(&LogFilter::default(), &PageRequest::first(100)).await.unwrap();
    let ids: HashSet<LogId> = lines.rows.iter().map(|line| line.id).collect();
    assert_eq!((ids.len(), lines.rows.len(), world.commits()), (6, 6, 2));
    assert_eq!(world.told_last(), [Hint::Logs]);
}
