//! Tokens over time.

use chrono::Duration;
use orchestrator_core::identity::Role;
use orchestrator_core::secret::TokenKind;
use orchestrator_db::Hint;
use orchestrator_proto::v1;
use tonic::{Code, Status};

use crate::world::{Presents, World, reason, world};

async fn list(world: &World, presents: &Presents) -> Result<(), Status> {
    world.triggers().await.list(presents.on(v1::ListTriggersRequest::default())).await.map(drop)
}

#[tokio::test]
async fn a_revoked_token_is_refused_after_five_seconds_at_most() {
    let world = world().await;
    let token = world.token(TokenKind::User, Some(Role::Viewer), None).await;
    let presents = Presents::bearer(&token.secret);
    list(&world, &presents).await.unwrap();

    world.revoke(token.id).await;
    world.clock.advance(Duration::milliseconds(4_999));
    list(&world, &presents).await.unwrap();
    world.clock.advance(Duration::milliseconds(1));
    let status = list(&world, &presents).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unauthenticated, "TOKEN_REVOKED"));
}

#[tokio::test]
async fn a_revocation_that_is_told_counts_at_once() {
    let world = world().await;
    let token = world.token(TokenKind::User, Some(Role::Viewer), None).await;
    let presents = Presents::bearer(&token.secret);
    list(&world, &presents).await.unwrap();
    world.revoke(token.id).await;
    world.scheduler.wake(&[Hint::Tokens]);
    let refused = async {
        while list(&world, &presents).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), refused).await.unwrap();
}

#[tokio::test]
async fn a_token_ends_at_its_instant_however_well_it_is_remembered() {
    let world = world().await;
    let token = world.token(TokenKind::User, Some(Role::Viewer), Some(Duration::seconds(2))).await;
    let presents = Presents::bearer(&token.secret);
    list(&world, &presents).await.unwrap();
    world.clock.advance(Duration::seconds(2));
    assert_eq!(reason(&list(&world, &presents).await.unwrap_err()), "TOKEN_EXPIRED");
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_keep_a_revoked_token() {
    let world = world().await;
    let token = world.token(TokenKind::User, Some(Role::Viewer), None).await;
    let presents = Presents::bearer(&token.secret);
    list(&world, &presents).await.unwrap();
    world.revoke(token.id).await;
    world.clock.advance(Duration::hours(-1));
    assert_eq!(reason(&list(&world, &presents).await.unwrap_err()), "TOKEN_REVOKED");
}

#[tokio::test]
async fn when_a_token_was_used_is_written_when_the_server_stops() {
    let mut world = world().await;
    let token = world.token(TokenKind::User, Some(Role::Viewer), None).await;
    list(&world, &Presents::bearer(&token.secret)).await.unwrap();
    world.stop().await;
    let mut tx = world.scheduler.db().begin_read().await.unwrap();
    let stored = tx.token_list(true, orchestrator_core::clock::Clock::now(&world.clock)).await.unwrap();
    let stored = stored.rows.into_iter().find(|stored| stored.id == token.id).unwrap();
    assert!(stored.last_used_at.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_token_dies_with_its_job() {
    let world = world().await;
    let worker = world.worker().await;
    let job = world.running_job(&worker).await;
    let robot = worker.with_job(&job.token);
    let who = async || {
        let channel = world.channel().await;
        let mut admin = v1::admin_service_client::AdminServiceClient::new(channel);
        admin.who_am_i(robot.on(v1::WhoAmIRequest {})).await.map(drop).map_err(|status| reason(&status))
    };
    assert_ne!(who().await.err().as_deref(), Some("JOB_TOKEN_UNKNOWN"));
    let finish = v1::FinishJobRequest {
        session_id: job.session,
        job_id: job.assignment.job_id,
        lease_token: job.assignment.lease_token,
        outcome: "DONE".to_owned(),
        ..Default::default()
    };
    world.workers().await.finish_job(worker.on(finish)).await.unwrap();
    world.clock.advance(Duration::seconds(5));
    assert_eq!(who().await.err().as_deref(), Some("JOB_TOKEN_UNKNOWN"));
}
