//! Claims of more than one answer holds: most clients refuse a message of more than 4 MiB, and would hold what it gave them
//! without ever having seen it.

use orchestrator_core::id::ElementId;
use orchestrator_core::lease::LeaseToken;
use orchestrator_core::queue::{ElementStatus, QueueElement};
use orchestrator_core::text::ElementData;
use orchestrator_db::{ANSWER_BYTES, ClaimRequest, Db, DbOptions, Dialect, ElementCall, Heard, Hint, NewElement};
use serde_json::json;

use super::world::*;
use crate::harness::TestDb;
use crate::queue::world::{QUEUE, claim as claimed, counts, element, execute, get, ids, insert, queue, request, t0};

conformance! {
    a_claim_takes_what_one_answer_holds_and_leaves_the_rest_to_the_next_one,
    one_element_is_claimed_however_large_it_is,
    a_repeated_claim_of_too_much_gives_what_fits_and_gives_back_the_rest,
    what_was_given_back_is_not_told_to_have_been_claimed,
    other_servers_hear_of_what_was_given_back,
    a_look_shows_what_one_answer_holds,
}

const MIB: usize = 1 << 20;

fn large(bytes: usize) -> NewElement {
    NewElement { data: Some(ElementData::parse(&"x".repeat(bytes), 8 * MIB).unwrap()), ..element() }
}

async fn stored(world: &World, sizes: &[usize]) -> Vec<ElementId> {
    let mut ids = Vec::new();
    for size in sizes {
        ids.extend(insert(&world.db, &[large(*size)], t0()).await);
    }
    ids
}

fn of(count: u32) -> ElementCall {
    claim_of(ClaimRequest { count, ..request() })
}

fn bytes(elements: &[QueueElement]) -> usize {
    elements.iter().map(|element| element.data.as_ref().map_or(0, |data| data.as_str().len())).sum()
}

async fn a_claim_takes_what_one_answer_holds_and_leaves_the_rest_to_the_next_one(db: TestDb) {
    let world = world(db);
    let all = stored(&world, &[MIB; 8]).await;
    let ended = world.stored(1).await;
    let held = taken(world.lanes.elements(of(3)).await);
    assert_eq!(ids(&held), all[..3]);
    for (count, expected) in [(1000, &all[3..6]), (5, &all[6..])] {
        let granted = taken(world.lanes.elements(of(count)).await);
        assert!(bytes(&granted) <= ANSWER_BYTES);
        assert_eq!(ids(&granted[..expected.len()]), *expected, "the oldest, without a gap");
        if count == 1000 {
            assert!(world.told_last().contains(&Hint::Queue { name: QUEUE.to_owned() }));
            let back = get(&world.db, all[6]).await;
            assert_eq!((back.status, back.attempt, back.job_id), (ElementStatus::New, 0, None));
            assert_eq!((back.times.start_date, back.lease_token), (None, LeaseToken::new(1)), "tokens only grow");
            let counts = counts(&world.db).await;
            assert_eq!((counts.new, counts.in_progress), (3, 6));
        } else {
            assert_eq!(ids(&granted[expected.len()..]), ended);
        }
    }
    assert_eq!(counts(&world.db).await.in_progress, 9);
}

async fn one_element_is_claimed_however_large_it_is(db: TestDb) {
    let world = world(db);
    let all = stored(&world, &[5 * MIB, 10, 5 * MIB]).await;
    for (count, id) in [(3, all[0]), (3, all[1]), (1, all[2])] {
        assert_eq!(ids(&taken(world.lanes.elements(of(count)).await)), [id]);
    }
}

async fn a_repeated_claim_of_too_much_gives_what_fits_and_gives_back_the_rest(db: TestDb) {
    let world = world(db);
    let all = stored(&world, &[10; 5]).await;
    let wanted = ClaimRequest { count: 5, ..request() };
    assert_eq!(claimed(&world.db, wanted.clone(), t0()).await.len(), 5);
    // Whoever made the claim ended before it gave anything back.
    execute(&world.db, format!("UPDATE queues SET data = '{}'", "x".repeat(MIB))).await;
    let done = ElementCall { changes: vec![done(all[4])], claim: None, actor: None, with_data: false };
    world.lanes.elements(done).await.unwrap();
    for _ in 0..2 {
        let again = claim_of(ClaimRequest { repeat: true, ..wanted.clone() });
        assert_eq!(ids(&taken(world.lanes.elements(again).await)), all[..3]);
    }
    let counts = counts(&world.db).await;
    assert_eq!((counts.new, counts.in_progress, counts.done), (1, 3, 1), "what ended stays so");
}

async fn what_was_given_back_is_not_told_to_have_been_claimed(db: TestDb) {
    let world = world(db);
    let all = stored(&world, &[MIB; 4]).await;
    world.lanes.elements(ElementCall { actor: Some(user("ann")), ..of(4) }).await.unwrap();
    let claimed = world.audited("element.claim").await;
    let back = world.audited("element.set_status").await;
    let whole = (QUEUE.to_owned(), json!({ "elements": all }));
    let fitting = (QUEUE.to_owned(), json!({ "elements": all[..3] }));
    let is_told = if back.is_empty() {
        claimed == [fitting]
    } else {
        claimed == [whole] && back == [(QUEUE.to_owned(), json!({ "elements": { "NEW": [all[3]] } }))]
    };
    assert!(is_told, "{claimed:?} {back:?}");
}

async fn other_servers_hear_of_what_was_given_back(db: TestDb) {
    let world = world(db);
    stored(&world, &[MIB; 4]).await;
    if world.db.dialect() == Dialect::Sqlite {
        return; // It has one server.
    }
    let other = Db::open(&DbOptions::new(world.db.url())).await.unwrap();
    let mut listener = other.listen().await.unwrap().unwrap();
    taken(world.lanes.elements(ElementCall { actor: Some(user("ann")), ..of(4) }).await);
    let heard = listener.next().await.unwrap();
    assert!(
        matches!(&heard, Heard::Hints(hints) if hints.contains(&Hint::Queue { name: QUEUE.to_owned() })),
        "{heard:?}"
    );
}

async fn a_look_shows_what_one_answer_holds(db: TestDb) {
    let world = world(db);
    let all = stored(&world, &[MIB; 4]).await;
    let peeked = world.db.begin_read().await.unwrap().element_peek(&queue(), None, 4).await.unwrap();
    assert_eq!(ids(&peeked), all[..3]);
}
