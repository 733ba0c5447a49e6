//! Section 3.14: what a worker is told at once.

use orchestrator_scheduler::Command;

use crate::world::{World, single};

behaviours! {
    a_kill_is_told_at_once_and_once,
    a_kill_from_before_is_told_to_who_listens_later,
    a_session_that_is_over_is_told_so,
}

async fn a_kill_is_told_at_once_and_once(world: World) {
    let agent = world.worker("w").await;
    world.create(single("t", 0)).await;
    let first = world.run(&agent).await;
    world.create(single("u", 0)).await;
    let second = world.run(&agent).await;
    let mut orders = world.server.commands(agent.name.clone(), agent.session);
    for grant in [&first, &second] {
        // The first one is asked for again: only what is new is told.
        let kill = async {
            world.kill_job(first.job.id).await;
            world.kill_job(grant.job.id).await;
        };
        let (told, ()) = tokio::join!(orders.next(), kill);
        assert_eq!(told.unwrap().unwrap(), [Command::Kill(grant.job.id, grant.lease.token)]);
    }
}

async fn a_kill_from_before_is_told_to_who_listens_later(world: World) {
    let agent = world.worker("w").await;
    world.create(single("t", 0)).await;
    let grant = world.run(&agent).await;
    world.kill_job(grant.job.id).await;
    let mut orders = world.server.commands(agent.name.clone(), agent.session);
    assert_eq!(orders.next().await.unwrap().unwrap(), [Command::Kill(grant.job.id, grant.lease.token)]);
}

async fn a_session_that_is_over_is_told_so(world: World) {
    let agent = world.worker("w").await;
    world.register("w", agent.instance, Vec::new()).await.unwrap();
    let mut orders = world.server.commands(agent.name.clone(), agent.session);
    assert_eq!(orders.next().await.unwrap().unwrap(), [Command::SessionOver]);
}
