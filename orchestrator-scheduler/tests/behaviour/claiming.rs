//! Section 3.2: who gets what, in which order.

use orchestrator_core::id::{JobId, SessionId};
use orchestrator_scheduler::ClaimError;

use crate::world::{Agent, World, every_minute, queue, single, worker_name};

behaviours! {
    jobs_are_claimed_by_priority_then_kind_then_instant_then_age,
    a_job_with_a_whitelist_goes_to_a_named_worker_only,
    an_exclusive_worker_takes_only_what_names_it,
    a_worker_gets_no_more_than_its_slots_whatever_it_asks,
    a_draining_worker_gets_nothing,
    a_worker_that_said_good_bye_gets_nothing,
    a_claim_of_an_earlier_session_is_refused,
    a_due_trigger_is_created_and_assigned_in_one_look,
    a_claim_that_waits_gets_what_comes,
    a_dropped_claim_gets_nothing,
}

async fn jobs_are_claimed_by_priority_then_kind_then_instant_then_age(world: World) {
    world.add_elements("q", 1).await;
    let by_queue = world.create(queue("q")).await;
    let late = world.create(every_minute("late")).await;
    let mut urgent = every_minute("urgent");
    urgent.priority = 1;
    let urgent = world.create(urgent).await;
    let (twin_a, twin_b) = (world.create(every_minute("a")).await, world.create(every_minute("b")).await);
    let once = world.create(single("once", 70)).await;
    world.tick().await;
    world.turn_to(10);
    let manual = world.run_now(twin_a).await;
    world.tick_at(70).await;
    let agent = world.agent("w", 10, false).await;
    let mut order = Vec::new();
    while let Some(grant) = world.claim(&agent, 1).await.pop() {
        order.push((grant.job.trigger_id, grant.job.id));
    }
    let triggers: Vec<_> = order.iter().map(|(trigger, _)| *trigger).collect();
    assert_eq!(triggers[..3], [urgent, once, twin_a], "the run by hand is the earliest");
    assert_eq!(order[2].1, manual);
    assert_eq!(*triggers.last().unwrap(), by_queue);
    let same_instant: Vec<JobId> = order[3..order.len() - 1].iter().map(|(_, job)| *job).collect();
    assert!(same_instant.is_sorted(), "by id");
    assert!(triggers.contains(&late) && triggers.contains(&twin_b));
}

async fn a_job_with_a_whitelist_goes_to_a_named_worker_only(world: World) {
    let (other, named) = (world.worker("robot1").await, world.worker("Robot1").await);
    let mut draft = single("t", 0);
    draft.worker_whitelist = vec![worker_name("Robot1")];
    world.create(draft).await;
    assert!(world.claim(&other, 1).await.is_empty(), "names match exactly");
    assert_eq!(world.claim(&named, 1).await.len(), 1);
}

async fn an_exclusive_worker_takes_only_what_names_it(world: World) {
    let agent = world.agent("w", 4, true).await;
    world.create(single("any", 0)).await;
    let mut draft = single("named", 0);
    draft.worker_whitelist = vec![worker_name("w")];
    let named = world.create(draft).await;
    let grants = world.claim(&agent, 4).await;
    assert_eq!(grants.iter().map(|grant| grant.job.trigger_id).collect::<Vec<_>>(), [named]);
}

async fn a_worker_gets_no_more_than_its_slots_whatever_it_asks(world: World) {
    let agent = world.agent("w", 2, false).await;
    for name in ["a", "b", "c"] {
        world.create(single(name, 0)).await;
    }
    assert_eq!(world.claim(&agent, 1).await.len(), 1);
    assert_eq!(world.claim(&agent, 9).await.len(), 1);
    assert!(world.claim(&agent, 9).await.is_empty());
}

async fn a_draining_worker_gets_nothing(world: World) {
    let agent = world.worker("w").await;
    world.create(single("t", 0)).await;
    set_drain(&world, &agent, true).await;
    assert!(world.claim(&agent, 1).await.is_empty());
    set_drain(&world, &agent, false).await;
    assert_eq!(world.claim(&agent, 1).await.len(), 1);
}

async fn set_drain(world: &World, agent: &Agent, drain: bool) {
    let mut tx = world.db.begin_write().await.unwrap();
    assert!(tx.worker_set_drain(&agent.name, drain).await.unwrap());
    tx.commit().await.unwrap();
}

async fn a_worker_that_said_good_bye_gets_nothing(world: World) {
    let agent = world.worker("w").await;
    world.create(single("t", 0)).await;
    world.server.leave(&agent.name, agent.session).await.unwrap();
    assert!(world.claim(&agent, 1).await.is_empty());
}

async fn a_claim_of_an_earlier_session_is_refused(world: World) {
    let agent = world.worker("w").await;
    world.create(single("t", 0)).await;
    let stale = Agent { session: SessionId::generate(), ..agent.clone() };
    assert!(matches!(world.try_claim(World::ask(&stale, 1)).await, Err(ClaimError::SessionOver)));
    world.register("w", agent.instance, Vec::new()).await.unwrap();
    assert!(matches!(world.try_claim(World::ask(&agent, 1)).await, Err(ClaimError::SessionOver)));
}

async fn a_due_trigger_is_created_and_assigned_in_one_look(world: World) {
    let agent = world.worker("w").await;
    world.create(single("t", 0)).await;
    let asking = world.server.claim_jobs(World::ask(&agent, 1));
    let look = async {
        let summary = world.tick().await;
        assert_eq!((summary.created, summary.assigned, summary.more), (1, 1, false));
    };
    let (granted, ()) = tokio::join!(asking, look);
    assert_eq!(granted.unwrap().len(), 1);
}

async fn a_claim_that_waits_gets_what_comes(world: World) {
    let agent = world.worker("w").await;
    let asking = world.server.claim_jobs(World::ask(&agent, 1));
    let later = async {
        world.tick().await;
        world.create(single("t", 0)).await;
        world.tick().await;
    };
    let (granted, ()) = tokio::join!(asking, later);
    assert_eq!(granted.unwrap().len(), 1);
}

async fn a_dropped_claim_gets_nothing(world: World) {
    let agent = world.worker("w").await;
    drop(tokio::time::timeout(std::time::Duration::ZERO, world.server.claim_jobs(World::ask(&agent, 1))).await);
    world.create(single("t", 0)).await;
    assert_eq!(world.tick().await.assigned, 0);
}
