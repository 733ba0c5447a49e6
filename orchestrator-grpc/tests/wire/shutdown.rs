//! Stopping, with streams and calls open.

use std::time::Duration;

use orchestrator_core::identity::Role;
use orchestrator_proto::v1;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::world::{reason, register, world};

const SOON: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn open_streams_and_waiting_claims_end_with_the_server() {
    let mut world = world().await;
    let worker = world.worker().await;
    let job = world.running_job(&worker).await;
    let mut workers = world.workers().await;
    let commands = v1::CommandsRequest { session_id: job.session.clone() };
    let mut commands = workers.commands(worker.on(commands)).await.unwrap().into_inner();
    let viewer = world.user(Role::Viewer).await;
    let watch = v1::WatchOutputRequest { job: job.assignment.job_id.clone(), after_seq: 0 };
    let mut output = world.jobs().await.watch_output(viewer.on(watch)).await.unwrap().into_inner();
    let mut health = HealthClient::new(world.channel().await);
    let mut health = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(health.message().await.unwrap().unwrap().status, 1);
    let claim = v1::ClaimJobsRequest { session_id: job.session, free_slots: 1, ..Default::default() };
    let claim = tokio::task::JoinSet::from_iter([{
        let (mut workers, request) = (workers.clone(), worker.on(claim));
        async move { workers.claim_jobs(request).await }
    }]);

    tokio::time::timeout(SOON, world.stop()).await.unwrap();

    for status in [
        commands.message().await.unwrap_err(),
        output.message().await.unwrap_err(),
        health.message().await.unwrap_err(),
    ] {
        assert_eq!((status.code(), reason(&status).as_str()), (Code::Unavailable, "SHUTTING_DOWN"));
    }
    // It was refused with the same word, or its connection was gone, or said to be going, before it was sent: that has no
    // reason of the server, and callers repeat it.
    let refused = claim.join_all().await.remove(0).unwrap_err();
    let is_of_the_way = matches!(refused.code(), Code::Unknown | Code::Cancelled | Code::Internal);
    assert!(refused.code() == Code::Unavailable || is_of_the_way && reason(&refused).is_empty(), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_does_not_keep_the_server() {
    let mut world = world().await;
    let worker = world.worker().await;
    let mut workers = world.workers().await;
    register(&mut workers, &worker).await;
    let _idle = tokio::net::TcpStream::connect(world.address).await.unwrap();
    tokio::time::timeout(SOON, world.stop()).await.unwrap();
    assert!(tokio::net::TcpStream::connect(world.address).await.is_err());
}
