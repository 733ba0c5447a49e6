//! Several servers, and verbs that meet: nobody does a thing twice, nobody waits for ever.

use std::time::Duration;

use orchestrator_core::job::Outcome;
use orchestrator_core::policy::{Overlap, Policies};
use orchestrator_db::{DbError, Dialect};
use orchestrator_scheduler::{Claim, ClaimError, Condition, FinishError, StartError};

use crate::world::{Agent, World, admin, every_minute, single, with};

behaviours! {
    two_servers_make_one_job_of_an_instant,
    two_servers_give_a_slot_once,
    two_servers_keep_a_worker_free_for_what_blocks,
    verbs_that_meet_all_come_to_an_end,
    a_running_server_grants_what_comes,
    a_session_that_another_server_ended_renews_nothing,
}

async fn two_servers_make_one_job_of_an_instant(world: World) {
    let other = world.another_server().await;
    let mut triggers = Vec::new();
    for n in 0..30 {
        triggers.push(world.create(every_minute(&format!("t{n}"))).await);
    }
    for minute in 1..=3 {
        world.turn_to(minute * 60);
        let now = world.server.now();
        let (a, b) = tokio::join!(world.server.tick(now), other.server.tick(now));
        assert_eq!(a.unwrap().created + b.unwrap().created, if minute == 1 { 30 } else { 0 });
    }
    world.check().await;
    for trigger in triggers {
        assert_eq!(world.jobs(trigger).await.len(), 1);
    }
}

/// Both servers at once; what they granted together.
async fn claims(world: &World, other: &World, agent: &Agent, free_slots: u32) -> usize {
    let ask = || Claim { wait: Duration::from_millis(500), ..World::ask(agent, free_slots) };
    let tick = async |world: &World| {
        for _ in 0..3 {
            world.server.tick(world.server.now()).await.unwrap();
        }
    };
    let (a, b, (), ()) =
        tokio::join!(world.server.claim_jobs(ask()), other.server.claim_jobs(ask()), tick(world), tick(other));
    let granted = [a, b].into_iter().map(|grants: Result<_, ClaimError>| grants.unwrap().len()).sum();
    world.check().await;
    granted
}

async fn two_servers_give_a_slot_once(world: World) {
    let other = world.another_server().await;
    let agent = world.agent("w", 1, false).await;
    for n in 0..5 {
        world.create(single(&format!("t{n}"), 0)).await;
    }
    world.tick().await;
    assert_eq!(claims(&world, &other, &agent, 1).await, 1);
}

async fn two_servers_keep_a_worker_free_for_what_blocks(world: World) {
    let other = world.another_server().await;
    let agent = world.worker("w").await;
    world.create(single("small", 0)).await;
    let small = world.run(&agent).await;
    let mut lone = single("lone", 0);
    lone.is_blocking = true;
    world.create(lone).await;
    for n in 0..5 {
        world.create(single(&format!("t{n}"), 0)).await;
    }
    world.tick().await;
    assert_eq!(claims(&world, &other, &agent, 3).await, 0);
    world.finish(&agent, &small, Outcome::Done).await;
    assert_eq!(claims(&world, &other, &agent, 4).await, 1, "the one that blocks, alone");
}

async fn verbs_that_meet_all_come_to_an_end(world: World) {
    let other = world.another_server().await;
    let policies = Policies { overlap: Overlap::Allow { most: 50 }, max_attempts: 2, ..Policies::default() };
    let mut agent = world.agent("w", 100, false).await;
    let mut triggers = Vec::new();
    for n in 0..5 {
        let trigger = world.create(with(every_minute(&format!("t{n}")), policies.clone())).await;
        triggers.push(trigger);
    }
    for round in 1..=8 {
        world.forget_at(round * 60, &agent).await;
        world.tick().await;
        for trigger in &triggers {
            world.run_now(*trigger).await;
        }
        let held = world.claim(&agent, 20).await;
        assert!(held.len() >= 5);
        for grant in &held[..held.len() / 2] {
            world.start(&agent, grant).await;
        }
        let now = world.server.now();
        let report = |grant| World::report(&agent, grant, orchestrator_scheduler::FinishReport::Ended(Outcome::Failed));
        let finishing = async {
            for grant in held.iter().take(3) {
                if let Err(FinishError::Db(error)) = other.server.finish_job(report(grant)).await {
                    panic!("{error:?}");
                }
            }
        };
        let starting = async {
            for grant in held.iter().skip(held.len() / 2) {
                let hash = grant.job.id.as_uuid().into_bytes();
                let (job, token) = (grant.job.id, grant.lease.token);
                let started = world.server.start_job(&agent.name, agent.session, job, token, &hash, None).await;
                if let Err(StartError::Db(error)) = started {
                    panic!("{error:?}");
                }
            }
        };
        let killing = async {
            for trigger in &triggers {
                other.server.kill_trigger(&admin(), *trigger).await.unwrap();
                world.server.enable_trigger(&admin(), *trigger, None).await.unwrap();
            }
        };
        let ticking = async {
            for _ in 0..5 {
                let (a, b): (Result<_, DbError>, _) = tokio::join!(world.server.tick(now), other.server.tick(now));
                a.unwrap();
                b.unwrap();
            }
        };
        let registering = world.register_unchecked("w", agent.instance, &held[..held.len().min(1)]);
        let rescuing = other.server.rescue(now + Duration::from_secs(20));
        let all = async { tokio::join!(finishing, starting, killing, ticking, registering, rescuing) };
        let ((), (), (), (), registered, rescued) =
            tokio::time::timeout(Duration::from_mins(1), Box::pin(all)).await.expect("nobody waits for ever");
        rescued.unwrap();
        agent.session = registered.unwrap().session;
        world.check().await;
    }
    assert_no_deadlock(world, other).await;
}

/// Reruns hide a wrong order of locks; the database has counted what it had to break up.
async fn assert_no_deadlock(world: World, other: World) {
    if world.db.dialect() == Dialect::Sqlite {
        return;
    }
    // Sessions tell their counts when they end.
    other.db.close().await;
    world.db.close().await;
    let count = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    let told = std::process::Command::new("psql").args(["-qAt", "-c", count, world.url()]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&told.stdout).trim(), "0", "deadlocks");
}

async fn a_running_server_grants_what_comes(world: World) {
    let (tasks, stop) = (tokio_util::task::TaskTracker::new(), tokio_util::sync::CancellationToken::new());
    orchestrator_scheduler::service::run(&world.server, &tasks, &stop);
    let agent = world.worker("w").await;
    let other = world.another_server().await;
    let asking = world.server.claim_jobs(World::ask(&agent, 1));
    let (granted, _) = tokio::join!(asking, async {
        // Made through another server, where there is one: word of it comes from the database.
        other.create(single("t", 0)).await
    });
    assert_eq!(granted.unwrap().len(), 1);
    stop.cancel();
    tasks.close();
    tokio::time::timeout(Duration::from_secs(10), tasks.wait()).await.expect("the loops end");
}

async fn a_session_that_another_server_ended_renews_nothing(world: World) {
    let other = world.another_server().await;
    let agent = world.worker("w").await;
    world.create(single("t", 0)).await;
    let grant = world.run(&agent).await;
    let held = vec![(grant.job.id, grant.lease.token)];
    let next = other.register("w", agent.instance, held.clone()).await.unwrap();
    assert!(next.gone.is_empty());
    world.turn_to(5);
    let late = world.server.heartbeat(&agent.name, agent.session, &held, Condition::default()).await;
    assert!(matches!(late, Err(orchestrator_scheduler::HeartbeatError::SessionOver)), "not gone: {late:?}");
    let answer = world.server.heartbeat(&agent.name, next.session, &held, Condition::default()).await.unwrap();
    assert!(answer.gone.is_empty());
}
