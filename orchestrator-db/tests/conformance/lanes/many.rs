//! Claims of many elements at once, which have lanes apart, beside claims of one and beside their repetitions.

use orchestrator_core::id::{ElementId, RequestId};
use orchestrator_db::{ClaimRequest, ElementCall};

use super::world::{claim, claim_of, taken, world};
use crate::harness::TestDb;
use crate::queue::world::request;

conformance! {
    claims_of_many_and_of_one_share_out_what_there_is,
    the_repetition_of_a_claim_of_many_comes_after_it,
}

/// A claim of fifty, by an id whose last byte is this.
fn of_fifty(last: u8) -> ElementCall {
    let mut id = RequestId::generate().as_uuid().into_bytes();
    id[15] = last;
    claim_of(ClaimRequest { count: 50, request: RequestId::from_uuid(uuid::Uuid::from_bytes(id)), ..request() })
}

async fn claims_of_many_and_of_one_share_out_what_there_is(db: TestDb) {
    let world = world(db);
    let stored = world.stored(104).await;
    let calls = [of_fifty(0), of_fifty(1), claim(), claim(), of_fifty(2)];
    let begun: Vec<_> = calls.into_iter().map(|call| world.begin(call)).collect();
    let mut got: Vec<ElementId> = Vec::new();
    for call in begun {
        got.extend(taken(call.await.unwrap()).iter().map(|element| element.id));
    }
    got.sort_unstable();
    assert_eq!(got, stored, "each once");
}

async fn the_repetition_of_a_claim_of_many_comes_after_it(db: TestDb) {
    let world = world(db);
    for last in 0..4 {
        // Enough for both, so that a repetition that looks too early finds others.
        world.stored(100).await;
        let call = of_fifty(last);
        let mut again = call.clone();
        again.claim.as_mut().unwrap().repeat = true;
        let first = world.hold_up(|world| world.begin(call)).await;
        let again = world.begin(again);
        world.until_waiting(1).await;
        world.gate.open();
        let [first, again] = [first.await, again.await].map(|answer| taken(answer.unwrap()));
        assert_eq!(first.len(), 50);
        assert_eq!(again, first);
    }
}
