//! What one caller can take.

use std::time::Duration;

use orchestrator_core::identity::Role;
use orchestrator_proto::v1;
use tonic::Code;

use crate::queues::queues;
use crate::world::{register, world, world_with};

#[tokio::test]
async fn a_message_that_is_too_large_is_refused() {
    let world = world_with(|options| options.max_message_bytes = 1000).await;
    let viewer = world.user(Role::Viewer).await;
    let request = v1::GetTriggerRequest { trigger: "x".repeat(2000) };
    let status = world.triggers().await.get(viewer.on(request)).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange);
    // The connection goes on.
    world.triggers().await.list(viewer.on(v1::ListTriggersRequest::default())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn more_streams_than_allowed_wait_at_the_caller_and_others_are_served() {
    let world = world_with(|options| options.max_concurrent_streams = 4).await;
    let worker = world.worker().await;
    let mut workers = world.workers().await;
    let session = register(&mut workers, &worker).await;
    let claim = v1::ClaimJobsRequest { session_id: session, free_slots: 1, ..Default::default() };
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (mut workers, request) = (workers.clone(), worker.on(claim.clone()));
        waiting.spawn(async move { workers.claim_jobs(request).await });
    }
    // The flood holds its own connection only.
    let viewer = world.user(Role::Viewer).await;
    let list = tokio::time::timeout(Duration::from_secs(10), async {
        world.triggers().await.list(viewer.on(v1::ListTriggersRequest::default())).await
    });
    list.await.unwrap().unwrap();
    let blocked = workers.heartbeat(worker.on(v1::HeartbeatRequest::default()));
    assert!(tokio::time::timeout(Duration::from_millis(200), blocked).await.is_err());
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_a_place() {
    let world = world_with(|options| options.max_connections = 1).await;
    let first = world.channel().await;
    let second = tokio::time::timeout(Duration::from_millis(300), async {
        let viewer = world.user(Role::Viewer).await;
        world.triggers().await.list(viewer.on(v1::ListTriggersRequest::default())).await
    });
    assert!(second.await.is_err());
    drop(first);
    let viewer = world.user(Role::Viewer).await;
    let third = async { world.triggers().await.list(viewer.on(v1::ListTriggersRequest::default())).await };
    tokio::time::timeout(Duration::from_secs(10), third).await.unwrap().unwrap();
}

#[tokio::test]
async fn listening_for_others_without_tls_must_be_asked_for() {
    use orchestrator_grpc::{ServeError, ServeOptions, Services, Shutdown, serve};
    let world = world().await;
    let services = Services {
        scheduler: world.scheduler.clone(),
        clock: std::sync::Arc::new(world.clock.clone()),
        accounts: world.accounts.clone(),
        pages: None,
    };
    let options = ServeOptions::new("0.0.0.0:0".parse().unwrap());
    let error = serve(options.clone(), services.clone(), Shutdown::new()).await.unwrap_err();
    assert!(matches!(error, ServeError::NotEncrypted { .. }));
    assert!(error.to_string().contains("--insecure"), "{error}");
    serve(ServeOptions { insecure: true, ..options }, services, Shutdown::new()).await.unwrap();
}

#[tokio::test]
async fn answers_fit_into_what_a_client_takes_that_was_told_nothing_of_their_size() {
    let world = world().await;
    let operator = world.user(Role::Operator).await;
    let mut queues = queues(&world).await;
    let element = || v1::NewElement { data: Some("€".repeat(2000)), ..Default::default() };
    for _ in 0..2 {
        let elements = (0..500).map(|_| element()).collect();
        let bulk = v1::BulkCreateRequest { queue_name: "Large".to_owned(), elements, repeat: false };
        queues.bulk_create(operator.on(tokio_stream::once(bulk))).await.unwrap();
    }
    let page = |cursor| Some(v1::Page { limit: 1000, cursor });
    let list =
        |cursor| v1::ListElementsRequest { queue_name: "Large".to_owned(), page: page(cursor), ..Default::default() };
    let first = queues.list(operator.on(list(String::new()))).await.unwrap().into_inner();
    let second = queues.list(operator.on(list(first.next_cursor))).await.unwrap().into_inner();
    assert_eq!((first.elements.len() + second.elements.len(), second.next_cursor.as_str()), (1000, ""));
    let mut claimed = Vec::new();
    for _ in 0..2 {
        let claim = v1::ClaimElementsRequest { queue_name: "Large".to_owned(), count: 1000, ..Default::default() };
        claimed.extend(queues.claim(operator.on(claim)).await.unwrap().into_inner().elements);
    }
    assert_eq!(claimed.len(), 1000);
}
