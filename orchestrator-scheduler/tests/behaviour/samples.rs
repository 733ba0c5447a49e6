//! How queues stood, minute by minute, whoever keeps it.

use chrono::TimeDelta;
use orchestrator_core::queue::ElementStatus;
use orchestrator_db::{StatusBy, StatusChange};

use crate::world::{World, at, queue_name};

behaviours! {
    servers_keep_each_minute_once,
    what_was_kept_goes_by_itself,
}

async fn sampled(world: &World) -> Vec<(i64, i64, i64)> {
    let samples = world.db.begin_read().await.unwrap().queue_samples(&queue_name("q"), at(0)).await.unwrap();
    samples.iter().map(|sample| ((sample.at - at(0)).num_minutes(), sample.new, sample.done_total)).collect()
}

async fn servers_keep_each_minute_once(world: World) {
    let other = world.another_server().await;
    let elements = world.add_elements("q", 3).await;
    for minute in 1..=3 {
        let now = at(minute * 60 + 20);
        let (one, two) = tokio::join!(world.server.sample_queues(now), other.server.sample_queues(now));
        assert_eq!(one.unwrap() + two.unwrap(), 1, "one of them");
        let id = elements[usize::try_from(minute).unwrap() - 1];
        let done = StatusChange { id, status: ElementStatus::Done, message: None, by: StatusBy::Operator, token: None };
        let mut tx = world.db.begin_write().await.unwrap();
        assert!(tx.element_set_status(&[done], now).await.unwrap()[0].is_ok());
        tx.commit().await.unwrap();
        assert_eq!(other.server.sample_queues(now + TimeDelta::seconds(30)).await.unwrap(), 0, "the same minute");
    }
    assert_eq!(sampled(&world).await, [(1, 3, 0), (2, 2, 1), (3, 1, 2)]);
}

async fn what_was_kept_goes_by_itself(world: World) {
    world.add_elements("q", 1).await;
    for minute in [1, 30, 31, 60] {
        world.server.sample_queues(at(minute * 60)).await.unwrap();
    }
    world.server.sample_queues(at(150 * 60)).await.unwrap();
    let minutes: Vec<i64> = sampled(&world).await.into_iter().map(|(minute, ..)| minute).collect();
    assert_eq!(minutes, [30, 60, 150]);
}
