//! Every method with every kind of caller, over both ways in.

use futures_util::stream;
use orchestrator_core::identity::Role;
use orchestrator_core::secret::{ApiToken, TokenKind};
use orchestrator_grpc::authorize::{Rule, TABLE};
use prost_reflect::DescriptorPool;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::http::post;
use crate::world::{Presents, World, world};

/// A caller and what it is.
struct Caller {
    name: &'static str,
    presents: Presents,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    /// No valid identity.
    Nobody,
    User(Role),
    Worker,
    Job,
}

fn may(kind: Kind, rule: Rule) -> Result<(), Code> {
    match (kind, rule) {
        (_, Rule::Anyone)
        | (Kind::User(_) | Kind::Worker | Kind::Job, Rule::Authenticated)
        | (Kind::User(_), Rule::Oneself)
        | (Kind::Worker, Rule::Worker)
        | (Kind::Job, Rule::Job | Rule::JobOrAdmin)
        | (Kind::User(Role::Admin), Rule::JobOrAdmin) => Ok(()),
        (Kind::User(has), Rule::User(needed)) if has >= needed => Ok(()),
        // As a development job.
        (Kind::User(has), Rule::Job) if has >= Role::Operator => Ok(()),
        (Kind::Nobody, _) => Err(Code::Unauthenticated),
        _ => Err(Code::PermissionDenied),
    }
}

async fn callers(world: &World) -> Vec<Caller> {
    let worker = world.worker().await;
    let job = world.running_job(&worker).await;
    let revoked = world.token(TokenKind::User, Some(Role::Admin), None).await;
    world.revoke(revoked.id).await;
    let expired = world.token(TokenKind::User, Some(Role::Admin), Some(chrono::Duration::seconds(-1))).await;
    let other_job = ApiToken::generate(TokenKind::Job).unwrap();
    let stranger = ApiToken::generate(TokenKind::User).unwrap();
    let admin = world.user(Role::Admin).await;
    let caller = |name, presents, kind| Caller { name, presents, kind };
    vec![
        caller("anonymous", Presents::default(), Kind::Nobody),
        caller("viewer", world.user(Role::Viewer).await, Kind::User(Role::Viewer)),
        caller("operator", world.user(Role::Operator).await, Kind::User(Role::Operator)),
        caller("admin", admin.clone(), Kind::User(Role::Admin)),
        caller("worker", worker.clone(), Kind::Worker),
        caller("job through its worker", worker.with_job(&job.token), Kind::Job),
        caller("job token alone", Presents::bearer(&job.token), Kind::Nobody),
        caller("job token with an admin's", admin.with_job(&job.token), Kind::Nobody),
        caller("token of no job", worker.with_job(other_job.expose()), Kind::Nobody),
        caller("revoked", Presents::bearer(&revoked.secret), Kind::Nobody),
        caller("expired", Presents::bearer(&expired.secret), Kind::Nobody),
        caller("unknown", Presents::bearer(stranger.expose()), Kind::Nobody),
        caller("garbage", Presents::bearer("hunter2"), Kind::Nobody),
    ]
}

/// Calls any method with an empty message; fine once it got through to its handler and did not end with an error.
async fn call(channel: &Channel, path: &str, presents: &Presents) -> Result<(), Status> {
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<(), ()>::default();
    let path = path.parse().unwrap();
    grpc.streaming(presents.on(stream::iter([()])), path, codec).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_identity_gets_further_than_its_row_of_the_table() {
    let world = world().await;
    let channel = world.channel().await;
    let callers = callers(&world).await;
    let mut wrong = Vec::new();
    for (path, rule) in methods() {
        for caller in &callers {
            let got = call(&channel, &path, &caller.presents).await.map_or_else(|status| status.code(), |()| Code::Ok);
            let fits = match may(caller.kind, rule) {
                Ok(()) => !matches!(got, Code::Unauthenticated | Code::PermissionDenied),
                Err(code) => got == code,
            };
            if !fits {
                wrong.push(format!("{path} as {}: {got:?}", caller.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn json_lets_through_what_grpc_does() {
    let world = world().await;
    let callers = callers(&world).await;
    let pool = DescriptorPool::decode(orchestrator_proto::DESCRIPTORS).unwrap();
    let mut wrong = Vec::new();
    for (path, rule) in methods() {
        let (service, method) = path[1..].split_once('/').unwrap();
        let described = pool.get_service_by_name(service).and_then(|it| it.methods().find(|m| m.name() == method));
        let streams = described.is_none_or(|method| method.is_server_streaming());
        for caller in &callers {
            let got = post(&world, &format!("/rpc{path}"), &caller.presents, "{}").await;
            let fits = match may(caller.kind, rule) {
                Ok(()) if streams => got.status == 501,
                Ok(()) => !matches!(got.status, 401 | 403),
                Err(Code::Unauthenticated) => got.status == 401 && got.json()["code"] == "unauthenticated",
                Err(_) => got.status == 403 && got.json()["code"] == "permission_denied",
            };
            if !fits {
                wrong.push(format!("{path} as {}: {} {}", caller.name, got.status, got.body));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn paths_that_only_resemble_a_method_reach_none() {
    let world = world().await;
    let admin = world.user(Role::Admin).await;
    for path in [
        "/rpc/orchestrator.v1.TriggerService/%4cist",
        "/rpc/orchestrator.v1.TriggerService/list",
        "/rpc/orchestrator%2ev1.TriggerService/List",
        "/rpc//orchestrator.v1.TriggerService/List",
        "/rpc/orchestrator.v1.TriggerService/List/",
        "/orchestrator%2ev1.TriggerService/List",
        "/orchestrator.v1.TriggerService/%4cist",
    ] {
        let got = post(&world, path, &admin, "{}").await;
        // 403: what is no method is a page, and no page of this server asked for a change of one.
        let refused = matches!(got.status, 403 | 404 | 501) || got.head.contains("grpc-status: 12");
        assert!(refused, "{path}: {} {}", got.status, got.body);
    }
}

fn methods() -> impl Iterator<Item = (String, Rule)> {
    TABLE.iter().flat_map(|(service, methods)| {
        methods.iter().map(move |(method, rule)| (format!("/{service}/{method}"), *rule))
    })
}
