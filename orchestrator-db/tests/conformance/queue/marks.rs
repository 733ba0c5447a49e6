//! Claims begin at a mark, and yet nothing is passed over.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use orchestrator_core::id::ElementId;
use orchestrator_core::queue::ElementStatus;
use orchestrator_core::text::Reference;
use orchestrator_db::{ClaimRequest, Db, DbOptions, Dialect, ElementEdit, NewElement, StatusBy};

use super::world::*;
use crate::harness::TestDb;

conformance! {
    elements_that_are_new_again_are_taken_before_younger_ones,
    what_another_server_committed_late_is_found,
    what_another_server_reopened_is_heard_of,
    an_old_element_is_taken_though_the_backlog_never_ends,
    what_was_hidden_in_numbers_is_taken_before_the_backlog,
    a_pause_hides_nothing,
    what_a_claim_that_was_undone_had_taken_comes_next,
    what_was_locked_and_stayed_new_comes_next,
    what_a_claim_that_failed_had_locked_comes_next,
    what_a_claim_by_reference_that_was_undone_had_taken_comes_next,
    whatever_two_servers_do_every_element_is_taken_in_the_end,
}

/// What another server would have: on SQLite there is none.
async fn another(db: &TestDb) -> Db {
    match db.dialect() {
        Dialect::Sqlite => Db::clone(db),
        Dialect::Postgres => Db::open(&DbOptions::new(db.url())).await.unwrap(),
    }
}

/// Claims until there is something. Where looking everywhere is expensive, as on a busy machine, it is done beside claims, and
/// seldom.
async fn claim_in_the_end(db: &Db, count: u32, seconds: i64) -> Vec<ElementId> {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(10) {
        db.queues_look_behind().await.unwrap();
        let taken = claim(db, ClaimRequest { count, ..request() }, at(seconds)).await;
        if !taken.is_empty() {
            return ids(&taken);
        }
    }
    Vec::new()
}

async fn elements_that_are_new_again_are_taken_before_younger_ones(db: TestDb) {
    let stored = some(&db, 5).await;
    for _ in 0..3 {
        claim(&db, request(), at(100)).await;
    }
    set(&db, change(stored[0], ElementStatus::Done, StatusBy::Operator), at(100)).await.unwrap();
    let mut tx = db.begin_write().await.unwrap();
    tx.element_retry(&stored[..1], at(101)).await.unwrap();
    tx.commit().await.unwrap();
    set(&db, change(stored[1], ElementStatus::New, StatusBy::Operator), at(101)).await.unwrap();
    let taken = claim(&db, ClaimRequest { count: 3, ..request() }, at(102)).await;
    assert_eq!(ids(&taken), [stored[0], stored[1], stored[3]]);
}

async fn what_a_claim_that_was_undone_had_taken_comes_next(db: TestDb) {
    let stored = some(&db, 4).await;
    claim(&db, request(), at(100)).await;
    let mut undone = db.begin_write().await.unwrap();
    undone.element_claim(&[request()], at(100)).await.unwrap();
    // On SQLite nobody else claims meanwhile.
    if db.dialect() == Dialect::Postgres {
        assert_eq!(ids(&claim(&db, request(), at(100)).await), stored[2..3]);
    }
    undone.rollback().await.unwrap();
    assert_eq!(ids(&claim(&db, request(), at(100)).await), stored[1..2]);
}

/// Four elements, of which the first has been claimed, and the second has a reference.
async fn four(db: &Db, second: i64) -> [ElementId; 4] {
    let mut all = Vec::new();
    for (after, new) in [element(), with_reference("a"), element(), element()].into_iter().enumerate() {
        all.extend(insert(db, &[new], at(second + i64::try_from(after).unwrap())).await);
    }
    assert_eq!(ids(&claim(db, request(), at(100)).await), all[..1]);
    all.try_into().unwrap()
}

/// While a transaction has locked the second of them.
async fn pass_over(db: &TestDb, four: [ElementId; 4]) {
    // On SQLite nobody else claims meanwhile.
    if db.dialect() == Dialect::Postgres {
        assert_eq!(ids(&claim(db, request(), at(100)).await), four[2..3]);
    }
}

/// Once it has ended, though there is a younger one.
async fn comes_next(db: &TestDb, four: [ElementId; 4]) {
    assert_eq!(ids(&claim(db, request(), at(100)).await), four[1..2]);
    let left = if db.dialect() == Dialect::Postgres { &four[3..] } else { &four[2..] };
    assert_eq!(ids(&claim(db, ClaimRequest { count: 9, ..request() }, at(100)).await), left);
}

async fn what_was_locked_and_stayed_new_comes_next(db: TestDb) {
    for (second, commits) in [(0, true), (10, false)] {
        let all = four(&db, second).await;
        let mut edit = db.begin_write().await.unwrap();
        edit.element_update(all[1], ElementEdit { data: Some(None), ..ElementEdit::default() }).await.unwrap();
        pass_over(&db, all).await;
        if commits {
            edit.commit().await.unwrap();
        } else {
            edit.rollback().await.unwrap();
        }
        comes_next(&db, all).await;
    }
}

async fn what_a_claim_that_failed_had_locked_comes_next(db: TestDb) {
    if db.dialect() == Dialect::Sqlite {
        return; // No two write at once.
    }
    let all = some(&db, 5).await;
    claim(&db, request(), at(100)).await;
    let known = [request()];
    let (mut first, mut failing) = (db.begin_write().await.unwrap(), db.begin_write().await.unwrap());
    first.element_claim(&known, at(100)).await.unwrap();
    let meanwhile = async {
        db.until_someone_waits().await;
        assert_eq!(ids(&claim(&db, request(), at(100)).await), all[3..4]);
        first.commit().await.unwrap();
    };
    let (failed, ()) = tokio::join!(failing.element_claim(&known, at(100)), meanwhile);
    failed.unwrap_err();
    failing.rollback().await.unwrap();
    assert_eq!(ids(&claim(&db, request(), at(100)).await), all[2..3]);
}

async fn what_a_claim_by_reference_that_was_undone_had_taken_comes_next(db: TestDb) {
    let all = four(&db, 0).await;
    let by_reference = ClaimRequest { reference: Some(Reference::parse("a", 100).unwrap()), ..request() };
    let mut undone = db.begin_write().await.unwrap();
    undone.element_claim(&[by_reference], at(100)).await.unwrap();
    pass_over(&db, all).await;
    undone.rollback().await.unwrap();
    comes_next(&db, all).await;
}

async fn what_another_server_committed_late_is_found(db: TestDb) {
    some(&db, 3).await;
    let other = another(&db).await;
    let late = element();
    if db.dialect() == Dialect::Postgres {
        let mut tx = other.begin_write().await.unwrap();
        tx.element_insert(std::slice::from_ref(&late), false, at(1)).await.unwrap();
        assert_eq!(claim(&db, ClaimRequest { count: 9, ..request() }, at(100)).await.len(), 3);
        tx.commit().await.unwrap();
    } else {
        claim(&db, ClaimRequest { count: 9, ..request() }, at(100)).await;
        insert(&other, std::slice::from_ref(&late), at(1)).await;
    }
    assert_eq!(claim_in_the_end(&db, 1, 101).await, [late.id]);
}

async fn what_another_server_reopened_is_heard_of(db: TestDb) {
    let Some(mut listener) = db.listen().await.unwrap() else { return };
    let stored = some(&db, 5).await;
    claim(&db, ClaimRequest { count: 2, ..request() }, at(100)).await;
    claim(&db, request(), at(100)).await;
    let other = another(&db).await;
    set(&other, change(stored[0], ElementStatus::New, StatusBy::Operator), at(101)).await.unwrap();
    let heard = listener.next().await.unwrap();
    assert!(format!("{heard:?}").contains("Reopened"), "{heard:?}");
    assert_eq!(ids(&claim(&db, request(), at(102)).await), stored[..1]);
}

async fn an_old_element_is_taken_though_the_backlog_never_ends(db: TestDb) {
    some(&db, 20).await;
    let other = another(&db).await;
    claim(&db, ClaimRequest { count: 10, ..request() }, at(100)).await;
    claim(&db, ClaimRequest { count: 1, ..request() }, at(100)).await;
    // Nobody tells this server of it.
    let hidden = insert(&other, &[element()], at(1)).await;
    let began = Instant::now();
    let mut second = 100;
    loop {
        second += 1;
        db.queues_look_behind().await.unwrap();
        insert(&db, &[element()], at(second)).await;
        if ids(&claim(&db, request(), at(second)).await) == hidden {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "passed over for good");
    }
}

async fn what_was_hidden_in_numbers_is_taken_before_the_backlog(db: TestDb) {
    some(&db, 20).await;
    let other = another(&db).await;
    claim(&db, ClaimRequest { count: 11, ..request() }, at(100)).await;
    let new: Vec<NewElement> = (0..50).map(|_| element()).collect();
    let hidden: HashSet<ElementId> = insert(&other, &new, at(1)).await.into_iter().collect();
    let began = Instant::now();
    let mut second = 100;
    loop {
        second += 1;
        db.queues_look_behind().await.unwrap();
        insert(&db, &[element()], at(second)).await;
        if hidden.contains(&ids(&claim(&db, request(), at(second)).await)[0]) {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "passed over for good");
    }
    // Once one of them was found, all of the others come before what is younger.
    let rest = claim(&db, ClaimRequest { count: 49, ..request() }, at(second)).await;
    assert!(rest.iter().all(|element| hidden.contains(&element.id)));
}

async fn a_pause_hides_nothing(db: TestDb) {
    let stored = some(&db, 3).await;
    let by = orchestrator_core::actor::Actor::system();
    for paused in [true, false] {
        let mut tx = db.begin_write().await.unwrap();
        tx.queue_set_paused(&queue(), paused, &by, at(50)).await.unwrap();
        tx.commit().await.unwrap();
        if paused {
            assert!(claim(&db, request(), at(100)).await.is_empty());
        }
    }
    insert(&db, &[element()], at(100)).await;
    assert_eq!(ids(&claim(&db, request(), at(100)).await), stored[..1], "the oldest comes first, as ever");
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

async fn whatever_two_servers_do_every_element_is_taken_in_the_end(db: TestDb) {
    let servers = [Db::clone(&db), another(&db).await];
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let mut all: Vec<ElementId> = Vec::new();
    for step in 0..300 {
        let server = &servers[usize::from(dice.below(2) == 0)];
        let now = at(100 + step);
        match dice.below(6) {
            0 | 1 => {
                let new: Vec<NewElement> = (0..=dice.below(3)).map(|_| element()).collect();
                // Some stamped long ago, by a server that was slow.
                let created = if dice.below(3) == 0 { at(i64::try_from(dice.below(100)).unwrap()) } else { now };
                all.extend(insert(server, &new, created).await);
            }
            2 | 3 => {
                let count = u32::try_from(dice.below(4) + 1).unwrap();
                claim(server, ClaimRequest { count, ..request() }, now).await;
            }
            4 => {
                // A claim that came to nothing.
                let mut tx = server.begin_write().await.unwrap();
                tx.element_claim(&[ClaimRequest { count: 3, ..request() }], now).await.unwrap();
                tx.rollback().await.unwrap();
            }
            _ => {
                if let Some(id) = all.get(usize::try_from(dice.below(1 + all.len() as u64)).unwrap()) {
                    set(server, change(*id, ElementStatus::New, StatusBy::Operator), now).await.unwrap();
                }
            }
        }
    }
    while counts(&db).await.new > 0 {
        assert!(!claim_in_the_end(&db, 50, 1000).await.is_empty(), "{:?}", counts(&db).await);
    }
    let mut held = HashSet::new();
    for id in &all {
        assert_eq!(get(&db, *id).await.status, ElementStatus::InProgress);
        held.insert(*id);
    }
    assert_eq!((held.len(), counts(&db).await.new), (all.len(), 0));
}
