//! Pages: how they call the services, and that they answer only what is no call.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::get;
use orchestrator_core::id::TokenId;
use orchestrator_core::identity::Role;
use orchestrator_core::text::{ActorName, WorkerName};
use orchestrator_grpc::auth::{Identity, KnownBy, User, WorkerIdentity};
use orchestrator_grpc::{Inside, Pages, ServeOptions, Server, Services, Topic, serve};
use orchestrator_proto::v1;
use orchestrator_proto::v1::trigger_service_client::TriggerServiceClient;
use orchestrator_proto::v1::worker_service_client::WorkerServiceClient;
use tonic::Code;

use crate::http::exchange;
use crate::world::{World, reason, single, world};

/// A second server on the world's scheduler, with pages; and what they got from it.
async fn with_pages(world: &World) -> (Server, Inside) {
    let got: Arc<Mutex<Option<Inside>>> = Arc::default();
    let give = got.clone();
    let pages = Pages::new(move |inside| {
        *give.lock().unwrap() = Some(inside);
        Router::new().route("/", get(async || "a page")).fallback(async || "no such page")
    });
    let services = Services {
        scheduler: world.scheduler.clone(),
        clock: Arc::new(world.clock.clone()),
        accounts: world.accounts.clone(),
        pages: Some(pages),
    };
    let options = ServeOptions::new("127.0.0.1:0".parse().unwrap());
    let server = serve(options, services, world.shutdown.clone()).await.unwrap();
    let inside = got.lock().unwrap().take().unwrap();
    (server, inside)
}

fn user(role: Role) -> Identity {
    Identity::User(User {
        name: ActorName::parse("bente").unwrap(),
        role,
        by: KnownBy::Token { id: TokenId::generate(), person: None },
    })
}

#[tokio::test]
async fn a_page_may_do_what_its_viewer_may_and_is_audited_as_them() {
    let world = world().await;
    let (_server, inside) = with_pages(&world).await;
    let create = v1::CreateTriggerRequest { trigger: Some(single("night")), ..Default::default() };

    let mut viewer = TriggerServiceClient::new(inside.calls.as_caller(user(Role::Viewer)));
    let refused = viewer.create(create.clone()).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused)), (Code::PermissionDenied, "ROLE_TOO_LOW".to_owned()));

    let mut admin = TriggerServiceClient::new(inside.calls.as_caller(user(Role::Admin)));
    let made = admin.create(create.clone()).await.unwrap().into_inner().trigger.unwrap();
    let twice = admin.create(create).await.unwrap_err();
    assert_eq!((twice.code(), reason(&twice)), (Code::AlreadyExists, "NAME_EXISTS".to_owned()));
    let seen = viewer.list(v1::ListTriggersRequest::default()).await.unwrap().into_inner().triggers;
    assert_eq!(seen.iter().map(|trigger| trigger.id.as_str()).collect::<Vec<_>>(), [made.id.as_str()]);

    let mut tx = world.scheduler.db().begin_read().await.unwrap();
    let page = orchestrator_db::PageRequest::first(10);
    let (entries, _) = tx.audit_list(&orchestrator_db::AuditFilter::default(), &page).await.unwrap();
    let done: Vec<_> = entries.rows.iter().map(|entry| (entry.actor.to_string(), entry.action.as_str())).collect();
    assert!(done.iter().any(|(actor, action)| actor.contains("bente") && *action == "trigger.create"), "{done:?}");
}

#[tokio::test]
async fn no_page_passes_for_a_worker_and_no_worker_for_a_person() {
    let world = world().await;
    let (_server, inside) = with_pages(&world).await;
    let mut as_worker = WorkerServiceClient::new(inside.calls.as_caller(user(Role::Admin)));
    let refused = as_worker.claim_jobs(v1::ClaimJobsRequest::default()).await.unwrap_err();
    assert_eq!(reason(&refused), "WRONG_CALLER");

    let worker =
        Identity::Worker(WorkerIdentity { name: WorkerName::parse("robot-1").unwrap(), token_id: TokenId::generate() });
    let mut triggers = TriggerServiceClient::new(inside.calls.as_caller(worker));
    let refused = triggers.list(v1::ListTriggersRequest::default()).await.unwrap_err();
    assert_eq!(reason(&refused), "WRONG_CALLER");
}

#[tokio::test]
async fn what_is_no_call_is_a_page_and_what_is_one_never_is() {
    let mut world = world().await;
    let (server, _) = with_pages(&world).await;
    world.address = server.address();
    let page = async |path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        exchange(&world, request.as_bytes()).await
    };
    assert_eq!(page("/").await.body, "a page");
    assert_eq!(page("/nowhere").await.body, "no such page");
    assert_eq!(page("/healthz").await.status, 200);
    for path in ["/rpc/orchestrator.v1.TriggerService/List", "/orchestrator.v1.TriggerService/List", "/grpc.x/Y"] {
        let answer = page(path).await;
        assert!(!answer.body.contains("page"), "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn a_change_is_told_to_pages() {
    let world = world().await;
    let (_server, inside) = with_pages(&world).await;
    let mut heard = inside.ticks.subscribe();
    let mut admin = TriggerServiceClient::new(inside.calls.as_caller(user(Role::Admin)));
    admin.create(v1::CreateTriggerRequest { trigger: Some(single("night")), ..Default::default() }).await.unwrap();
    while heard.recv().await.unwrap() != Topic::Triggers {}
}
