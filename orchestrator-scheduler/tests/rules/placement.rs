use orchestrator_core::worker::WorkerState;
use orchestrator_db::{Candidate, WorkerLoad};
use orchestrator_scheduler::place;

use crate::fleet::{ask, blocking, job, name, worker};

#[test]
fn a_worker_gets_as_many_jobs_as_it_has_free_slots_in_claim_order() {
    let jobs = [job(), job(), job()];
    let placement = place(&[ask("a", 2)], &[worker("a")], &[], &jobs);
    assert_eq!(placement.assignments, [(jobs[0].id, 0), (jobs[1].id, 0)]);
}

#[test]
fn jobs_spread_over_the_workers_with_most_room() {
    let jobs = [job(), job()];
    let placement = place(&[ask("a", 1), ask("b", 2)], &[worker("a"), worker("b")], &[], &jobs);
    let asks: Vec<usize> = placement.assignments.iter().map(|(_, ask)| *ask).collect();
    assert_eq!(asks, [1, 0]);
}

#[test]
fn a_whitelisted_job_goes_to_a_named_worker_only() {
    let picky = Candidate { whitelist: vec![name("b")], ..job() };
    let jobs = [picky.clone()];
    assert!(place(&[ask("a", 1)], &[worker("a")], &[], &jobs).assignments.is_empty());
    let placement = place(&[ask("a", 1), ask("b", 1)], &[worker("a"), worker("b")], &[], &jobs);
    assert_eq!(placement.assignments, [(picky.id, 1)]);
}

#[test]
fn an_exclusive_worker_takes_only_jobs_that_name_it() {
    let exclusive = WorkerLoad { exclusive: true, ..worker("a") };
    assert!(place(&[ask("a", 1)], std::slice::from_ref(&exclusive), &[], &[job()]).assignments.is_empty());
    let named = Candidate { whitelist: vec![name("a")], ..job() };
    assert_eq!(place(&[ask("a", 1)], &[exclusive], &[], std::slice::from_ref(&named)).assignments.len(), 1);
}

#[test]
fn nothing_starts_beside_a_blocking_job() {
    let busy = WorkerLoad { active: 1, active_blocking: 1, ..worker("a") };
    assert!(place(&[ask("a", 3)], &[busy], &[], &[job(), blocking()]).assignments.is_empty());
}

#[test]
fn a_blocking_job_starts_on_an_idle_worker_and_nothing_follows_it() {
    let jobs = [blocking(), job()];
    let placement = place(&[ask("a", 3)], &[worker("a")], &[worker("a")], &jobs);
    assert_eq!(placement.assignments, [(jobs[0].id, 0)]);
}

#[test]
fn a_blocking_job_reserves_the_eligible_worker_with_the_fewest_jobs() {
    let fleet = [
        WorkerLoad { active: 3, ..worker("a") },
        WorkerLoad { active: 1, ..worker("b") },
        WorkerLoad { active: 0, state: WorkerState::Draining, ..worker("c") },
    ];
    let jobs = [blocking(), job()];
    let placement = place(&[ask("a", 1)], &fleet[..1], &fleet, &jobs);
    assert_eq!(placement.reservations, [(jobs[0].id, Some(name("b")))]);
    assert_eq!(placement.assignments, [(jobs[1].id, 0)], "the other worker goes on");
}

#[test]
fn a_reserved_worker_takes_nothing_that_ranks_lower() {
    let busy = WorkerLoad { active: 1, ..worker("a") };
    let jobs = [Candidate { reserved_worker: Some(name("a")), ..blocking() }, job()];
    let placement = place(&[ask("a", 2)], std::slice::from_ref(&busy), std::slice::from_ref(&busy), &jobs);
    assert!(placement.assignments.is_empty());
    assert!(placement.reservations.is_empty(), "it keeps what it has");
}

#[test]
fn a_higher_ranked_job_goes_first_even_on_a_reserved_worker() {
    let busy = WorkerLoad { active: 1, ..worker("a") };
    let jobs = [job(), Candidate { reserved_worker: Some(name("a")), ..blocking() }];
    let placement = place(&[ask("a", 2)], std::slice::from_ref(&busy), std::slice::from_ref(&busy), &jobs);
    assert_eq!(placement.assignments, [(jobs[0].id, 0)]);
}

#[test]
fn a_reservation_falls_when_its_worker_drains() {
    let draining = WorkerLoad { active: 1, drain_requested: true, ..worker("a") };
    let other = WorkerLoad { active: 2, ..worker("b") };
    let jobs = [Candidate { reserved_worker: Some(name("a")), ..blocking() }];
    let placement = place(&[ask("b", 1)], std::slice::from_ref(&other), &[draining, other.clone()], &jobs);
    assert_eq!(placement.reservations, [(jobs[0].id, Some(name("b")))]);
}

#[test]
fn two_blocking_jobs_reserve_two_workers() {
    let fleet = [WorkerLoad { active: 1, ..worker("a") }, WorkerLoad { active: 2, ..worker("b") }];
    let jobs = [blocking(), blocking()];
    let placement = place(&[ask("a", 1)], &fleet[..1], &fleet, &jobs);
    assert_eq!(placement.reservations, [(jobs[0].id, Some(name("a"))), (jobs[1].id, Some(name("b")))]);
}

#[test]
fn a_draining_worker_gets_nothing() {
    let draining = WorkerLoad { drain_requested: true, ..worker("a") };
    assert!(place(&[ask("a", 1)], &[draining], &[], &[job(), blocking()]).assignments.is_empty());
}

#[test]
fn slots_are_counted_from_what_a_worker_holds_whatever_it_believes() {
    let half_full = orchestrator_db::WorkerLoad { active: 3, ..worker("a") };
    let jobs = [job(), job(), job()];
    let placement = place(&[ask("a", 2), ask("a", 2)], std::slice::from_ref(&half_full), &[], &jobs);
    assert_eq!(placement.assignments.len(), 1, "it has four");
}
