//! Tokens, workers, the audit trail and the server's state.

use orchestrator_core::identity::Role;
use orchestrator_proto::v1;
use orchestrator_proto::v1::admin_service_client::AdminServiceClient;
use orchestrator_proto::v1::commands_response::Command;
use tonic::Code;
use tonic::transport::Channel;

use crate::world::{Presents, World, reason, register, world};

async fn admin(world: &World) -> AdminServiceClient<Channel> {
    AdminServiceClient::new(world.channel().await)
}

fn token(kind: &str, name: &str, role: &str) -> v1::CreateTokenRequest {
    v1::CreateTokenRequest { kind: kind.to_owned(), name: name.to_owned(), role: role.to_owned(), lifetime: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_made_used_listed_and_revoked() {
    let world = world().await;
    let root = world.user(Role::Admin).await;
    let mut service = admin(&world).await;
    let made = service.create_token(root.on(token("USER", "bert", "VIEWER"))).await.unwrap().into_inner();
    let stored = made.token.unwrap();
    assert!(made.secret.starts_with(stored.prefix.trim_end_matches('…')));

    let bert = Presents::bearer(&made.secret);
    let who = service.who_am_i(bert.on(v1::WhoAmIRequest {})).await.unwrap().into_inner();
    assert_eq!((who.kind.as_str(), who.name.as_str(), who.role.as_str()), ("USER", "bert", "VIEWER"));
    let refused = service.list_tokens(bert.on(v1::ListTokensRequest::default())).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::PermissionDenied, "ROLE_TOO_LOW"));
    let listed = service.list_tokens(root.on(v1::ListTokensRequest::default())).await.unwrap().into_inner().tokens;
    assert_eq!(listed.iter().map(|token| token.name.as_str()).collect::<Vec<_>>(), ["anna", "bert"]);

    let revoke = v1::RevokeTokenRequest { token: "bert".to_owned() };
    let ended = service.revoke_token(root.on(revoke)).await.unwrap().into_inner().token.unwrap();
    assert!(ended.revoked_at.is_some());
    // The server that revoked it forgets at once what it remembered of it, or within its five seconds.
    world.clock.advance(chrono::Duration::seconds(6));
    let refused = service.who_am_i(bert.on(v1::WhoAmIRequest {})).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::Unauthenticated, "TOKEN_REVOKED"));

    let list = v1::ListAuditRequest { action: "token".to_owned(), ..Default::default() };
    let trail = service.list_audit(root.on(list)).await.unwrap().into_inner().entries;
    assert_eq!(trail.iter().map(|entry| entry.action.as_str()).collect::<Vec<_>>(), ["token.revoke", "token.create"]);
    assert!(trail.iter().all(|entry| !format!("{entry:?}").contains(&made.secret)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_is_drained_resumed_and_only_removed_once_it_has_stopped() {
    let world = world().await;
    let (root, worker) = (world.user(Role::Admin).await, world.worker().await);
    let session = register(&mut world.workers().await, &worker).await;
    let mut service = admin(&world).await;
    let name = "robot-1".to_owned();
    let listed = service.list_workers(root.on(v1::ListWorkersRequest {})).await.unwrap().into_inner().workers;
    assert_eq!((listed.len(), listed[0].state.as_str(), listed[0].slots), (1, "UP", 2));
    let get = v1::GetWorkerRequest { name: name.clone() };
    let one = service.get_worker(root.on(get.clone())).await.unwrap().into_inner().worker;
    assert_eq!(one.as_ref(), listed.first());

    let commands = v1::CommandsRequest { session_id: session.clone() };
    let mut commands = world.workers().await.commands(worker.on(commands)).await.unwrap().into_inner();
    let drained = service.drain_worker(root.on(v1::DrainWorkerRequest { name: name.clone() })).await.unwrap();
    assert_eq!(drained.into_inner().worker.unwrap().state, "DRAINING");
    assert_eq!(commands.message().await.unwrap().unwrap().command.unwrap(), Command::Drain(v1::DrainOrder {}));
    service.resume_worker(root.on(v1::ResumeWorkerRequest { name: name.clone() })).await.unwrap();
    assert_eq!(commands.message().await.unwrap().unwrap().command.unwrap(), Command::Resume(v1::ResumeOrder {}));

    let remove = v1::RemoveWorkerRequest { name };
    let refused = service.remove_worker(root.on(remove.clone())).await.unwrap_err();
    assert!(refused.message().contains("is UP: stop its agent"), "{refused}");
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::FailedPrecondition, "ILLEGAL_TRANSITION"));
    world.workers().await.leave(worker.on(v1::LeaveRequest { session_id: session })).await.unwrap();
    service.remove_worker(root.on(remove.clone())).await.unwrap();
    for gone in
        [service.remove_worker(root.on(remove)).await.unwrap_err(), service.get_worker(root.on(get)).await.unwrap_err()]
    {
        assert_eq!((gone.code(), reason(&gone).as_str()), (Code::NotFound, "WORKER_NOT_FOUND"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_counts_what_there_is() {
    let world = world().await;
    let viewer = world.user(Role::Viewer).await;
    world.running_job(&world.worker().await).await;
    let status = admin(&world).await.get_status(viewer.on(v1::GetStatusRequest {})).await.unwrap().into_inner();
    assert_eq!((status.database.as_str(), status.time_zone.as_str()), ("SQLITE", "Europe/Copenhagen"));
    assert_eq!((status.workers_up, status.jobs_running, status.jobs_queued, status.jobs_lost), (1, 1, 0, 0));
    assert_eq!(status.version, env!("CARGO_PKG_VERSION"));
}
