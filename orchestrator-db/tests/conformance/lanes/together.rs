//! Calls of several robots that come at the same moment: each is answered as if it had come alone.

use orchestrator_core::id::{ElementId, JobId};
use orchestrator_core::lease::LeaseToken;
use orchestrator_core::queue::ElementStatus;
use orchestrator_core::text::Message;
use orchestrator_db::{
    ClaimRequest, CreateCall, Db, DbOptions, Dialect, ElementAnswer, ElementCall, ElementClaimError, Heard, Hint,
    LaneError, NewElement, StatusBy, StatusChange, StatusError, StatusSet,
};
use tokio::task::JoinHandle;

use super::world::*;
use crate::harness::TestDb;
use crate::queue::world::{
    QUEUE, at, claim as claim_at, counts, element, get, insert, of_job, request, running_job, set_job,
};

conformance! {
    claims_of_several_jobs_share_what_there_is,
    a_job_that_has_ended_keeps_the_others_from_nothing,
    ends_are_each_decided_on_their_own,
    ends_keep_what_elements_carry,
    an_element_that_cannot_be_read_keeps_the_others_from_nothing,
    creations_are_each_decided_on_their_own,
    creations_are_counted_audited_and_told_of_once,
    what_is_created_by_a_clock_that_was_set_back_is_taken_first,
    what_several_callers_end_and_claim_is_one_transaction_and_one_row_each_of_the_audit,
    what_one_caller_ends_and_claims_is_audited_by_its_element,
    what_rides_on_a_claim_of_nothing_is_done,
    one_ride_that_is_refused_keeps_the_others_from_nothing,
    who_rides_finds_what_is_hidden_behind_the_mark,
}

type Call = JoinHandle<Result<ElementAnswer, LaneError>>;

/// Makes the calls while another one is in flight, so that they share the next transaction.
async fn together(world: &World, first: ElementCall, calls: Vec<ElementCall>) -> Vec<ElementAnswer> {
    let mut begun: Vec<Call> = vec![world.hold_up(|world| world.begin(first)).await];
    for call in calls {
        begun.push(world.begin(call));
        world.until_waiting(begun.len() - 1).await;
    }
    world.gate.open();
    let mut answers = Vec::new();
    for call in begun {
        answers.push(call.await.unwrap().unwrap());
    }
    answers
}

fn ids(answer: &ElementAnswer) -> Vec<ElementId> {
    answer.claimed.as_ref().unwrap().elements.iter().map(|element| element.id).collect()
}

fn end(id: ElementId, status: ElementStatus, job: JobId) -> StatusChange {
    StatusChange { status, by: StatusBy::Job(job), ..done(id) }
}

fn set(answer: &ElementAnswer) -> Result<&StatusSet, &StatusError> {
    answer.changed[0].as_ref()
}

async fn claims_of_several_jobs_share_what_there_is(db: TestDb) {
    let world = world(db);
    let stored = world.stored(3).await;
    let mut jobs = Vec::new();
    for _ in 0..4 {
        jobs.push(running_job(&world.db).await);
    }
    let calls = jobs[1..].iter().map(|job| claim_of(of_job(*job))).collect();
    let answers = together(&world, claim_of(of_job(jobs[0])), calls).await;
    let got: Vec<_> = answers.iter().map(ids).collect();
    assert_eq!(got, [vec![stored[0]], vec![stored[1]], vec![stored[2]], vec![]]);
    for (job, id) in jobs.iter().zip(&stored) {
        let element = get(&world.db, *id).await;
        assert_eq!((element.job_id, element.lease_token, element.attempt), (Some(*job), LeaseToken::new(1), 1));
    }
    assert_eq!((counts(&world.db).await.new, counts(&world.db).await.in_progress), (0, 3));
    assert!(world.audited("element.claim").await.is_empty(), "robots' work is told by the elements");
}

async fn a_job_that_has_ended_keeps_the_others_from_nothing(db: TestDb) {
    let world = world(db);
    let stored = world.stored(3).await;
    let (one, over, other) = (running_job(&world.db).await, running_job(&world.db).await, running_job(&world.db).await);
    set_job(&world.db, over, "DONE").await;
    let calls = vec![claim_of(of_job(over)), claim_of(of_job(other))];
    let answers = together(&world, claim_of(of_job(one)), calls).await;
    assert_eq!((ids(&answers[0]), ids(&answers[2])), (vec![stored[0]], vec![stored[1]]));
    assert!(matches!(answers[1].claimed, Err(ElementClaimError::JobEnded(job)) if job == over));
    assert_eq!(get(&world.db, stored[2]).await.status, ElementStatus::New);
}

async fn ends_are_each_decided_on_their_own(db: TestDb) {
    let world = world(db);
    let (job, other, over) = (running_job(&world.db).await, running_job(&world.db).await, running_job(&world.db).await);
    let stored = world.stored(7).await;
    for _ in 0..5 {
        taken(world.lanes.elements(claim_of(of_job(job))).await);
    }
    let lost = taken(world.lanes.elements(claim_of(of_job(over))).await).remove(0);
    set_job(&world.db, over, "FAILED").await;
    let message = Some(Message::cut("why"));
    let calls = vec![
        status(end(stored[1], ElementStatus::Done, job)),
        status(StatusChange { message: message.clone(), ..end(stored[2], ElementStatus::Failed, job) }),
        status(StatusChange { token: Some(LeaseToken::new(9)), ..end(stored[3], ElementStatus::Done, job) }),
        status(end(stored[4], ElementStatus::Done, other)),
        status(end(lost.id, ElementStatus::Done, over)),
        status(end(stored[6], ElementStatus::Abandoned, other)),
    ];
    let answers = together(&world, status(end(stored[0], ElementStatus::Done, job)), calls).await;
    for at in [0, 1] {
        let set = set(&answers[at]).unwrap();
        assert_eq!((set.before, set.element.status), (ElementStatus::InProgress, ElementStatus::Done));
        assert_eq!(set.element, get(&world.db, stored[at]).await);
    }
    let failed = set(&answers[2]).unwrap();
    assert_eq!((&failed.message_before, &failed.element.message), (&None, &message));
    assert!(matches!(set(&answers[3]), Err(StatusError::LeaseLost(id)) if *id == stored[3]));
    assert!(matches!(set(&answers[4]), Err(StatusError::HeldByOther { job: holder, .. }) if *holder == job));
    assert!(matches!(set(&answers[5]), Err(StatusError::JobEnded(ended)) if *ended == over));
    assert_eq!(get(&world.db, lost.id).await, lost);
    let never_taken = set(&answers[6]).unwrap();
    assert_eq!((never_taken.before, never_taken.element.job_id), (ElementStatus::New, Some(other)));
    let counts = counts(&world.db).await;
    assert_eq!((counts.new, counts.in_progress), (0, 3));
    assert_eq!((counts.done, counts.failed, counts.abandoned), (2, 1, 1));
}

async fn ends_keep_what_elements_carry(db: TestDb) {
    let world = world(db);
    let stored = world.stored(3).await;
    for _ in &stored {
        taken(world.lanes.elements(claim()).await);
    }
    let before = get(&world.db, stored[1]).await;
    // Of an operator, and without being asked for what the elements carry.
    let calls = stored[1..].iter().map(|id| ElementCall { with_data: false, ..status(done(*id)) }).collect();
    let answers = together(&world, status(done(stored[0])), calls).await;
    assert_eq!(set(&answers[0]).unwrap().element.data, before.data, "who asks for it gets it");
    let after = get(&world.db, stored[1]).await;
    assert_eq!((&after.data, &after.reference, after.job_id), (&before.data, &before.reference, before.job_id));
    assert_eq!((after.status, after.times.start_date), (ElementStatus::Done, before.times.start_date));
}

async fn an_element_that_cannot_be_read_keeps_the_others_from_nothing(db: TestDb) {
    let world = world(db);
    let stored = world.stored(3).await;
    let mut jobs = Vec::new();
    for _ in &stored {
        let job = running_job(&world.db).await;
        taken(world.lanes.elements(claim_of(of_job(job))).await);
        jobs.push(job);
    }
    world.db.execute("UPDATE queues SET attempt = -1 WHERE id IN (SELECT id FROM queues ORDER BY created_date DESC, id DESC LIMIT 1)").await;
    let calls = (1..3).map(|at| status(end(stored[at], ElementStatus::Done, jobs[at]))).collect();
    let answers = together(&world, status(end(stored[0], ElementStatus::Done, jobs[0])), calls).await;
    for at in [0, 1] {
        assert_eq!(set(&answers[at]).unwrap().element.status, ElementStatus::Done);
        assert_eq!(get(&world.db, stored[at]).await.status, ElementStatus::Done);
    }
    assert!(matches!(set(&answers[2]), Err(StatusError::Corrupt(corrupt)) if corrupt.row == stored[2].to_string()));
    assert_eq!((counts(&world.db).await.done, counts(&world.db).await.in_progress), (2, 1));
}

fn of_ann(new: NewElement) -> CreateCall {
    CreateCall { actor: Some(user("ann")), ..create(new) }
}

async fn creations_are_each_decided_on_their_own(db: TestDb) {
    let world = world(db);
    let (there, twice, good) = (element(), element(), element());
    world.lanes.create(create(there.clone())).await.unwrap().unwrap();
    let first = world.hold_up(|world| world.begin_create(create(element()))).await;
    let repeated = CreateCall { repeat: true, ..create(there.clone()) };
    let second = NewElement { reference: None, ..twice.clone() };
    let mut others = Vec::new();
    for call in [create(there), repeated, create(twice.clone()), create(second), create(good.clone())] {
        others.push(world.begin_create(call));
        world.until_waiting(others.len()).await;
    }
    world.gate.open();
    assert!(first.await.unwrap().unwrap());
    let mut created = Vec::new();
    for other in others {
        created.push(other.await.unwrap().unwrap());
    }
    assert_eq!(created, [false, true, true, false, true]);
    assert_eq!(get(&world.db, twice.id).await.reference, twice.reference, "the first of two with one id");
    assert_eq!(get(&world.db, good.id).await.status, ElementStatus::New);
    assert_eq!(counts(&world.db).await.new, 4);
}

async fn creations_are_counted_audited_and_told_of_once(db: TestDb) {
    let world = world(db);
    let mut listener = None;
    if world.db.dialect() == Dialect::Postgres {
        listener = Db::open(&DbOptions::new(world.db.url())).await.unwrap().listen().await.unwrap();
    }
    let first = world.hold_up(|world| world.begin_create(of_ann(element()))).await;
    let mut ids = Vec::new();
    let mut others = Vec::new();
    for _ in 0..3 {
        let new = element();
        ids.push(new.id.to_string());
        others.push(world.begin_create(of_ann(new)));
        world.until_waiting(others.len()).await;
    }
    let commits = world.commits();
    world.gate.open();
    assert!(first.await.unwrap().unwrap());
    for other in others {
        assert!(other.await.unwrap().unwrap());
    }
    assert_eq!((world.commits(), counts(&world.db).await.new), (commits + 2, 4));
    let told = vec![Hint::Queue { name: QUEUE.to_owned() }];
    assert_eq!(world.told_last(), told);
    let audited = world.audited("element.create").await;
    let all = serde_json::json!({ "queue": QUEUE, "count": 3, "elements": ids });
    assert_eq!((audited.len(), &audited[0]), (2, &(QUEUE.to_owned(), all)));
    assert_eq!(audited[1].1, serde_json::json!({ "queue": QUEUE, "count": 1 }));
    if let Some(listener) = &mut listener {
        for _ in 0..2 {
            assert_eq!(listener.next().await.unwrap(), Heard::Hints(told.clone()));
        }
    }
}

async fn what_is_created_by_a_clock_that_was_set_back_is_taken_first(db: TestDb) {
    let world = world(db);
    let later: Vec<_> = (0..5).map(|_| element()).collect();
    insert(&world.db, &later, at(3600)).await;
    claim_at(&world.db, request(), at(7200)).await;
    // The clock of lanes stands still, an hour before.
    let new = element();
    world.lanes.create(create(new.clone())).await.unwrap().unwrap();
    assert_eq!(claim_at(&world.db, request(), at(7200)).await[0].id, new.id);
}

fn ride(changes: Vec<StatusChange>, count: u32) -> ElementCall {
    let claim = ClaimRequest { count, ..request() };
    ElementCall { changes, actor: Some(user("ann")), ..claim_of(claim) }
}

fn failed(id: ElementId) -> StatusChange {
    StatusChange { status: ElementStatus::Failed, ..done(id) }
}

async fn what_several_callers_end_and_claim_is_one_transaction_and_one_row_each_of_the_audit(db: TestDb) {
    let world = world(db);
    let stored = world.stored(10).await;
    taken(world.lanes.elements(claim_of(ClaimRequest { count: 4, ..request() })).await);
    let commits = world.commits();
    let rides = vec![
        ride(vec![done(stored[0])], 1),
        ride(vec![failed(stored[1]), done(stored[2])], 3),
        ride(vec![failed(stored[3])], 1),
    ];
    let answers = together(&world, claim(), rides).await;
    let got: Vec<_> = answers.iter().map(ids).collect();
    assert_eq!(got[0], stored[4..5]);
    assert_eq!(got[1..], [stored[5..6].to_vec(), stored[6..9].to_vec(), stored[9..].to_vec()]);
    assert_eq!(world.commits(), commits + 2);
    let after: Vec<_> = answers.iter().flat_map(|answer| &answer.changed).map(|set| set.as_ref().unwrap()).collect();
    let statuses: Vec<_> = after.iter().map(|set| (set.element.id, set.before, set.element.status)).collect();
    let ended = |at: usize, status| (stored[at], ElementStatus::InProgress, status);
    let (done, failed) = (ElementStatus::Done, ElementStatus::Failed);
    assert_eq!(statuses, [ended(0, done), ended(1, failed), ended(2, done), ended(3, failed)]);
    let counts = counts(&world.db).await;
    assert_eq!((counts.new, counts.in_progress, counts.done, counts.failed), (0, 6, 2, 2));
    let rows = world.audited("element.set_status").await;
    let by_status = serde_json::json!({ "DONE": [stored[0], stored[2]], "FAILED": [stored[1], stored[3]] });
    assert_eq!(rows, [(QUEUE.to_owned(), serde_json::json!({ "elements": by_status }))]);
    let rows = world.audited("element.claim").await;
    assert_eq!(rows, [(QUEUE.to_owned(), serde_json::json!({ "elements": stored[5..] }))]);
}

async fn what_one_caller_ends_and_claims_is_audited_by_its_element(db: TestDb) {
    let world = world(db);
    let stored = world.stored(2).await;
    taken(world.lanes.elements(claim()).await);
    let answer = world.lanes.elements(ride(vec![failed(stored[0])], 1)).await.unwrap();
    assert_eq!((ids(&answer), set(&answer).unwrap().element.data.as_ref()), (vec![stored[1]], None));
    let after = serde_json::json!({ "queue": QUEUE, "status": "FAILED", "message": null });
    assert_eq!(world.audited("element.set_status").await, [(stored[0].to_string(), after)]);
    assert_eq!(get(&world.db, stored[0]).await.status, ElementStatus::Failed);
}

async fn what_rides_on_a_claim_of_nothing_is_done(db: TestDb) {
    let world = world(db);
    let stored = world.stored(2).await;
    taken(world.lanes.elements(claim_of(ClaimRequest { count: 2, ..request() })).await);
    let rides = vec![ride(vec![done(stored[0])], 1), ride(vec![done(stored[1])], 2)];
    let answers = together(&world, claim(), rides).await;
    for answer in &answers[1..] {
        assert!(ids(answer).is_empty());
        assert_eq!(set(answer).unwrap().element.status, ElementStatus::Done);
    }
    assert_eq!((counts(&world.db).await.in_progress, counts(&world.db).await.done), (0, 2));
    assert!(world.audited("element.claim").await.is_empty());
}

async fn one_ride_that_is_refused_keeps_the_others_from_nothing(db: TestDb) {
    let world = world(db);
    let stored = world.stored(6).await;
    taken(world.lanes.elements(claim_of(ClaimRequest { count: 3, ..request() })).await);
    let stale = StatusChange { token: Some(LeaseToken::new(9)), ..done(stored[1]) };
    let fenced = StatusChange { token: Some(LeaseToken::new(1)), ..done(stored[0]) };
    let answers = together(&world, claim(), vec![ride(vec![fenced], 1), ride(vec![stale], 1)]).await;
    assert_eq!(set(&answers[1]).unwrap().element.status, ElementStatus::Done);
    assert!(matches!(set(&answers[2]), Err(StatusError::LeaseLost(id)) if *id == stored[1]));
    assert_eq!((ids(&answers[1]), ids(&answers[2])), (vec![stored[4]], vec![stored[5]]));
    assert_eq!(get(&world.db, stored[1]).await.status, ElementStatus::InProgress);
    assert_eq!((counts(&world.db).await.in_progress, counts(&world.db).await.done), (5, 1));
}

async fn who_rides_finds_what_is_hidden_behind_the_mark(db: TestDb) {
    if db.dialect() == Dialect::Sqlite {
        // There is no other server, and no mark.
        return;
    }
    let world = world(db);
    let before: Vec<_> = (0..3).map(|_| element()).collect();
    let stored = insert(&world.db, &before, at(-3600)).await;
    let held = claim_at(&world.db, ClaimRequest { count: 2, ..request() }, at(0)).await;
    claim_at(&world.db, request(), at(0)).await;
    // Nobody tells this server of it.
    let other = Db::open(&DbOptions::new(world.db.url())).await.unwrap();
    let hidden = insert(&other, &[element()], at(-7200)).await;
    let mut answer = world.lanes.elements(ride(vec![done(held[0].id)], 1)).await.unwrap();
    assert_eq!(
        (set(&answer).unwrap().element.id, set(&answer).unwrap().before),
        (stored[0], ElementStatus::InProgress)
    );
    // Where looking everywhere is expensive, as on a busy machine, it is done beside claims, and seldom.
    let began = std::time::Instant::now();
    while ids(&answer).is_empty() && began.elapsed() < std::time::Duration::from_secs(10) {
        world.db.queues_look_behind().await.unwrap();
        answer = world.lanes.elements(ride(vec![done(held[1].id)], 1)).await.unwrap();
    }
    assert_eq!(ids(&answer), hidden);
}
