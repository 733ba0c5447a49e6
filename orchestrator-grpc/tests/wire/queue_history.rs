//! What queues did lately, and how many elements waited.

use chrono::TimeDelta;
use orchestrator_core::identity::Role;
use orchestrator_proto::v1;
use orchestrator_proto::v1::queue_service_client::QueueServiceClient;
use tonic::transport::Channel;

use crate::queues::{QUEUE, create, field, new, queues};
use crate::world::{World, postgres_world, world};

async fn a_queue_tells_what_it_did_lately(world: World) {
    let (admin, viewer) = (world.user(Role::Admin).await, world.user(Role::Viewer).await);
    let mut queues = queues(&world).await;
    let listed = async |queues: &mut QueueServiceClient<Channel>, with_depths| {
        let request = v1::ListQueuesRequest { with_depths, ..Default::default() };
        queues.list_queues(viewer.on(request)).await.unwrap().into_inner().queues.remove(0)
    };
    let history = v1::GetQueueHistoryRequest { queue_name: QUEUE.to_owned(), hours: 1 };
    let intervals = async |queues: &mut QueueServiceClient<Channel>| {
        queues.get_history(viewer.on(history.clone())).await.unwrap().into_inner().intervals
    };
    let numbers = |interval: &v1::QueueInterval| (interval.new_count, interval.done_count, interval.failed_count);
    // Not at the edge of a quarter: the server keeps one sample by itself as it begins.
    world.clock.advance(TimeDelta::minutes(1));
    let mut made = Vec::new();
    for number in ["1", "2", "3", "4"] {
        let element = queues.create(admin.on(create(new(number, "x")))).await.unwrap().into_inner().element.unwrap();
        made.push(element.id);
    }
    let end = |element: &str, status: &str| v1::SetElementStatusRequest {
        element: element.to_owned(),
        status: status.to_owned(),
        ..Default::default()
    };
    // What is done before anything was kept counts, too: the queue is younger than an hour.
    queues.set_status(admin.on(end(&made[0], "DONE"))).await.unwrap();
    assert_eq!(listed(&mut queues, false).await.done_last_hour_count, Some(1));
    world.clock.advance(TimeDelta::minutes(14));
    world.scheduler.sample_queues(world.scheduler.now()).await.unwrap();
    world.clock.advance(TimeDelta::minutes(10));
    queues.set_status(admin.on(end(&made[1], "DONE"))).await.unwrap();
    queues.set_status(admin.on(end(&made[2], "FAILED"))).await.unwrap();
    queues.delete(admin.on(v1::DeleteElementRequest { element: made[1].clone() })).await.unwrap();
    let queue = listed(&mut queues, true).await;
    assert_eq!(
        (queue.done_last_hour_count, queue.done_count, queue.new_count),
        (Some(2), 1, 1),
        "what is gone was done"
    );
    assert_eq!(queue.depths.iter().map(|depth| depth.new_count).collect::<Vec<_>>(), [3]);
    assert!(listed(&mut queues, false).await.depths.is_empty(), "nobody asked");
    let told = intervals(&mut queues).await;
    let told: Vec<_> = told.iter().map(numbers).collect();
    assert_eq!(told, [(None, 0, 0), (None, 0, 0), (Some(3), 1, 0), (Some(1), 1, 1)]);
    // It is told for an hour.
    world.clock.advance(TimeDelta::minutes(34));
    world.scheduler.sample_queues(world.scheduler.now()).await.unwrap();
    assert_eq!(listed(&mut queues, false).await.done_last_hour_count, Some(2));
    world.clock.advance(TimeDelta::minutes(60));
    assert_eq!(listed(&mut queues, false).await.done_last_hour_count, Some(0));

    let too_many = v1::GetQueueHistoryRequest { hours: 49, ..history.clone() };
    assert_eq!(field(&queues.get_history(viewer.on(too_many)).await.unwrap_err()), "hours");
    let day = v1::GetQueueHistoryRequest { hours: 0, ..history.clone() };
    assert_eq!(queues.get_history(viewer.on(day)).await.unwrap().into_inner().intervals.len(), 96);
    let unknown = v1::GetQueueHistoryRequest { queue_name: "nobody's".to_owned(), ..history.clone() };
    let nothing = queues.get_history(viewer.on(unknown)).await.unwrap().into_inner().intervals;
    assert_eq!(
        nothing.iter().map(numbers).filter(|numbers| *numbers != (None, 0, 0)).collect::<Vec<_>>(),
        [(Some(0), 0, 0)]
    );

    let delete = v1::DeleteQueueRequest { queue_name: QUEUE.to_owned() };
    queues.delete_queue(admin.on(delete)).await.unwrap();
    queues.create(admin.on(create(new("again", "x")))).await.unwrap();
    let queue = listed(&mut queues, true).await;
    assert_eq!((queue.done_last_hour_count, queue.depths.len()), (Some(0), 0), "nothing is left of the first");
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_tells_what_a_queue_did_lately() {
    a_queue_tells_what_it_did_lately(world().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_tells_what_a_queue_did_lately() {
    a_queue_tells_what_it_did_lately(postgres_world().await).await;
}
