//! Section 4.7: triggers that watch a queue.

use orchestrator_core::job::{JobStatus as J, Outcome};
use orchestrator_core::trigger::TriggerKind;
use orchestrator_db::StatusBy;

use crate::world::{World, at, draft, queue, queue_name};

behaviours! {
    it_fires_when_there_is_a_batch,
    it_makes_one_job_per_batch_up_to_the_most,
    it_waits_longer_after_each_failure,
    it_waits_after_a_run_that_took_nothing,
    it_fires_again_at_once_after_a_run_that_took_something,
    it_fires_again_at_once_after_a_run_that_deleted_what_it_took,
    a_trigger_that_has_all_its_jobs_costs_no_write,
    elements_that_come_back_fire_it_again,
    it_does_not_fire_for_a_paused_queue,
}

fn batches(name: &str, min_batch_size: u32, max_parallel: u32) -> orchestrator_core::trigger::TriggerDraft {
    draft(name, TriggerKind::Queue { queue_name: queue_name(name), min_batch_size, max_parallel })
}

async fn it_fires_when_there_is_a_batch(world: World) {
    let trigger = world.create(batches("q", 3, 1)).await;
    world.add_elements("q", 2).await;
    world.tick().await;
    assert!(world.jobs(trigger).await.is_empty());
    world.add_elements("q", 1).await;
    world.tick_at(1).await;
    assert_eq!(world.history(trigger).await, [(J::Queued, 1)]);
    world.tick_at(2).await;
    assert_eq!(world.jobs(trigger).await.len(), 1);
}

async fn it_makes_one_job_per_batch_up_to_the_most(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(batches("q", 2, 3)).await;
    world.add_elements("q", 5).await;
    world.tick().await;
    let jobs = world.jobs(trigger).await;
    assert_eq!(jobs.len(), 2);
    assert!(jobs[0].scheduled_at == at(0) && jobs[1].scheduled_at > at(0));
    world.add_elements("q", 50).await;
    world.tick().await;
    assert_eq!(world.jobs(trigger).await.len(), 3);
    let grant = world.run(&agent).await;
    world.take_element("q", grant.job.id).await.unwrap();
    world.finish(&agent, &grant, Outcome::Done).await;
    world.tick().await;
    assert_eq!(world.jobs(trigger).await.len(), 4, "three at a time");
}

async fn it_waits_longer_after_each_failure(world: World) {
    let agent = world.worker("w").await;
    let mut draft = queue("q");
    draft.policies.max_consecutive_failures = 9;
    let trigger = world.create(draft).await;
    world.add_elements("q", 50).await;
    world.tick().await;
    let mut now = 0;
    for minutes in [1, 2, 4] {
        world.forget_at(now, &agent).await;
        world.run_to(&agent, Outcome::Failed).await;
        let made = world.jobs(trigger).await.len();
        let due = now + minutes * 60;
        assert_eq!(world.tick_at(due - 1).await.next_due, Some(at(due)));
        assert_eq!(world.jobs(trigger).await.len(), made);
        world.tick_at(due).await;
        assert_eq!(world.jobs(trigger).await.len(), made + 1);
        now = due;
    }
}

async fn it_waits_after_a_run_that_took_nothing(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(queue("q")).await;
    world.add_elements("q", 1).await;
    world.tick().await;
    world.run_to(&agent, Outcome::Done).await;
    world.tick_at(59).await;
    assert_eq!(world.jobs(trigger).await.len(), 1, "no hot loop");
    world.tick_at(60).await;
    assert_eq!(world.jobs(trigger).await.len(), 2);
}

async fn it_fires_again_at_once_after_a_run_that_took_something(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(queue("q")).await;
    world.add_elements("q", 2).await;
    world.tick().await;
    let grant = world.run(&agent).await;
    world.take_element("q", grant.job.id).await.unwrap();
    world.finish(&agent, &grant, Outcome::Done).await;
    world.tick().await;
    assert_eq!(world.jobs(trigger).await.len(), 2);
}

async fn it_fires_again_at_once_after_a_run_that_deleted_what_it_took(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(queue("q")).await;
    world.add_elements("q", 2).await;
    world.tick().await;
    let grant = world.run(&agent).await;
    let element = world.take_element("q", grant.job.id).await.unwrap();
    let mut tx = world.db.begin_write().await.unwrap();
    tx.element_delete(element.id, StatusBy::Job(grant.job.id)).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    world.finish(&agent, &grant, Outcome::Done).await;
    world.tick().await;
    assert_eq!(world.jobs(trigger).await.len(), 2);
}

async fn a_trigger_that_has_all_its_jobs_costs_no_write(world: World) {
    world.create(queue("q")).await;
    world.add_elements("q", 9).await;
    world.tick().await;
    let mut changes = world.server.changes();
    let summary = world.tick_at(1).await;
    assert_eq!((summary.created, summary.declined, summary.more), (0, 0, false));
    assert!(changes.try_recv().is_err(), "nothing changed, and nobody is told so");
}

async fn elements_that_come_back_fire_it_again(world: World) {
    let agent = world.worker("w").await;
    let trigger = world.create(queue("q")).await;
    world.add_elements("q", 1).await;
    world.tick().await;
    let other = world.create(crate::world::single("other", 0)).await;
    let grants = {
        world.tick().await;
        world.claim(&agent, 4).await
    };
    let taker = grants.iter().find(|grant| grant.job.trigger_id == other).unwrap();
    let queued = grants.iter().find(|grant| grant.job.trigger_id == trigger).unwrap();
    for grant in [taker, queued] {
        world.start(&agent, grant).await;
    }
    let mut tx = world.db.begin_write().await.unwrap();
    let settings = orchestrator_db::QueueSettings { max_attempts: 2 };
    tx.queue_settings_set(&queue_name("q"), settings, &crate::world::admin(), at(0)).await.unwrap();
    tx.commit().await.unwrap();
    world.take_element("q", taker.job.id).await.unwrap();
    let mut changes = world.server.changes();
    world.finish(&agent, taker, Outcome::Failed).await;
    let told: Vec<_> = std::iter::from_fn(|| changes.try_recv().ok()).collect();
    assert!(told.contains(&orchestrator_db::Hint::Queue { name: "q".to_owned() }), "{told:?}");
}

async fn it_does_not_fire_for_a_paused_queue(world: World) {
    let pause = async |paused: bool| {
        let mut tx = world.db.begin_write().await.unwrap();
        tx.queue_set_paused(&queue_name("q"), paused, &crate::world::admin(), at(0)).await.unwrap();
        tx.commit().await.unwrap();
    };
    let one = world.create(queue("q")).await;
    let many = world
        .create(draft("many", TriggerKind::Queue { queue_name: queue_name("q"), min_batch_size: 2, max_parallel: 2 }))
        .await;
    pause(true).await;
    world.add_elements("q", 5).await;
    world.tick_at(1).await;
    assert!(world.jobs(one).await.is_empty() && world.jobs(many).await.is_empty());
    pause(false).await;
    world.tick_at(2).await;
    assert_eq!((world.jobs(one).await.len(), world.jobs(many).await.len()), (1, 2));
}
