//! Names that differ in case and trailing blanks only mean the same thing, as in OpenOrchestrator.

use orchestrator_core::identity::Role;
use orchestrator_proto::v1;
use orchestrator_proto::v1::constant_service_client::ConstantServiceClient;
use orchestrator_proto::v1::credential_service_client::CredentialServiceClient;
use orchestrator_proto::v1::queue_service_client::QueueServiceClient;
use orchestrator_proto::v1::robot_service_client::RobotServiceClient;
use tonic::Code;
use tonic::transport::Channel;

use crate::world::{Presents, World, postgres_world, reason, world};

async fn robot(world: &World) -> (RobotServiceClient<Channel>, Presents) {
    let worker = world.worker().await;
    let job = world.running_job(&worker).await;
    (RobotServiceClient::new(world.channel().await), worker.with_job(&job.token))
}

fn set(name: &str, value: &str, create_only: bool) -> v1::SetConstantRequest {
    v1::SetConstantRequest { name: name.to_owned(), value: value.to_owned(), create_only }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_robot_reads_and_changes_a_constant_in_its_own_spelling() {
    robots_constants(&world().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_robot_reads_and_changes_a_constant_in_its_own_spelling_on_postgres() {
    robots_constants(&postgres_world().await).await;
}

async fn robots_constants(world: &World) {
    let (mut robot, presents) = robot(world).await;
    let admin = world.user(Role::Admin).await;
    let mut constants = ConstantServiceClient::new(world.channel().await);
    constants.set(admin.on(set("Graph API", "a", true))).await.unwrap();
    let update = v1::RobotUpdateConstantRequest { name: "graph api ".to_owned(), value: "b".to_owned() };
    let updated = robot.update_constant(presents.on(update)).await.unwrap().into_inner().constant.unwrap();
    assert_eq!(updated.name, "Graph API");
    let get = v1::RobotGetConstantRequest { name: "Graph api".to_owned() };
    let read = robot.get_constant(presents.on(get.clone())).await.unwrap().into_inner().constant.unwrap();
    assert_eq!((read.name.as_str(), read.value.as_str()), ("Graph API", "b"));

    let refused = constants.set(admin.on(set("graph api", "c", true))).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::AlreadyExists, "NAME_EXISTS"));
    assert!(refused.message().contains("'Graph API' exists already"), "{}", refused.message());
    let changed = constants.set(admin.on(set("GRAPH API", "c", false))).await.unwrap().into_inner().constant.unwrap();
    assert_eq!((changed.name.as_str(), changed.value.as_str()), ("Graph API", "c"));
    constants.delete(admin.on(v1::DeleteConstantRequest { name: "graph API".to_owned() })).await.unwrap();
    let gone = robot.get_constant(presents.on(get)).await.unwrap_err();
    assert_eq!(reason(&gone), "CONSTANT_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_opened_in_whichever_spelling_it_was_set() {
    let world = world().await;
    let (mut robot, presents) = robot(&world).await;
    let admin = world.user(Role::Admin).await;
    let mut credentials = CredentialServiceClient::new(world.channel().await);
    let set = |name: &str, password: &str, create_only| v1::SetCredentialRequest {
        name: name.to_owned(),
        username: "robot".to_owned(),
        password: password.to_owned(),
        create_only,
    };
    credentials.set(admin.on(set("SvcRpaMBU002", "one", true))).await.unwrap();
    let refused = credentials.set(admin.on(set("SvcRpaMbu002", "two", true))).await.unwrap_err();
    assert_eq!(reason(&refused), "NAME_EXISTS");
    let get = |name: &str| v1::RobotGetCredentialRequest { name: name.to_owned() };
    let read = robot.get_credential(presents.on(get("svcrpambu002"))).await.unwrap().into_inner();
    assert_eq!((read.name.as_str(), read.password.as_str()), ("SvcRpaMBU002", "one"));
    credentials.set(admin.on(set("SVCRPAMBU002", "two", false))).await.unwrap();
    let update = v1::RobotUpdateCredentialRequest {
        name: "SvcRpaMbu002".to_owned(),
        username: "robot".to_owned(),
        password: "three".to_owned(),
    };
    assert_eq!(robot.get_credential(presents.on(get("SvcRpaMBU002"))).await.unwrap().into_inner().password, "two");
    robot.update_credential(presents.on(update)).await.unwrap();
    let reveal = v1::RevealCredentialRequest { name: "svcRpaMbu002".to_owned() };
    assert_eq!(credentials.reveal(admin.on(reveal)).await.unwrap().into_inner().password, "three");
    let listed = credentials.list(admin.on(v1::ListCredentialsRequest::default())).await.unwrap().into_inner();
    assert_eq!(listed.credentials.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn robots_that_spell_a_queue_differently_share_it() {
    shared_queue(&world().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn robots_that_spell_a_queue_differently_share_it_on_postgres() {
    shared_queue(&postgres_world().await).await;
}

fn bulk(queue: &str, count: usize) -> v1::RobotBulkCreateRequest {
    let elements = vec![v1::NewElement::default(); count];
    v1::RobotBulkCreateRequest { queue_name: queue.to_owned(), elements, repeat: false }
}

fn take(queue: &str) -> v1::RobotClaimElementRequest {
    v1::RobotClaimElementRequest { queue_name: queue.to_owned(), ..Default::default() }
}

async fn shared_queue(world: &World) {
    let (mut robot, presents) = robot(world).await;
    let nothing = robot.claim_queue_element(presents.on(take("caseq"))).await.unwrap().into_inner();
    assert_eq!(nothing.element, None, "there is no such queue yet");
    let create = v1::CreateElementRequest {
        queue_name: "CaseQ".to_owned(),
        element: Some(v1::NewElement::default()),
        ..Default::default()
    };
    robot.create_queue_element(presents.on(create)).await.unwrap();
    robot.bulk_create_queue_elements(presents.on(bulk("CASEQ ", 2))).await.unwrap();
    robot.bulk_create_queue_elements(presents.on(bulk("caseq", 101))).await.unwrap();
    let taken = robot.claim_queue_element(presents.on(take("caseq"))).await.unwrap().into_inner().element.unwrap();
    assert_eq!(taken.queue_name, "CaseQ");
    let list = v1::ListElementsRequest { queue_name: "caseQ".to_owned(), ..Default::default() };
    assert_eq!(robot.list_queue_elements(presents.on(list)).await.unwrap().into_inner().elements.len(), 100);

    let admin = world.user(Role::Admin).await;
    let mut queues = QueueServiceClient::new(world.channel().await);
    let listed = queues.list_queues(admin.on(v1::ListQueuesRequest::default())).await.unwrap().into_inner().queues;
    let counts: Vec<_> = listed.iter().map(|queue| (queue.queue_name.as_str(), queue.new_count)).collect();
    assert_eq!(counts, [("CaseQ", 103)]);
    let pause = v1::PauseQueueRequest { queue_name: "caseq".to_owned() };
    let paused = queues.pause(admin.on(pause)).await.unwrap().into_inner().queue.unwrap();
    assert_eq!((paused.queue_name.as_str(), paused.paused), ("CaseQ", true));
    let delete = v1::DeleteQueueRequest { queue_name: "caseq".to_owned() };
    let _ = queues.delete_queue(admin.on(delete)).await;
    let get = v1::GetQueueRequest { queue_name: "caseq".to_owned() };
    let left = queues.get_queue(admin.on(get)).await.unwrap().into_inner().queue.unwrap();
    assert_eq!((left.queue_name.as_str(), left.new_count), ("CaseQ", 103), "only its very name deletes a queue");
}

#[tokio::test(flavor = "multi_thread")]
async fn robots_that_make_a_queue_at_once_make_one() {
    let world = postgres_world().await;
    let (robot, presents) = robot(&world).await;
    let made = ["caseq", "CaseQ", "CASEQ", "caseQ"].map(|queue| {
        let (mut robot, bulk) = (robot.clone(), presents.on(bulk(queue, 3)));
        async move { robot.bulk_create_queue_elements(bulk).await.unwrap() }
    });
    futures_util::future::join_all(made).await;
    let admin = world.user(Role::Admin).await;
    let mut queues = QueueServiceClient::new(world.channel().await);
    let listed = queues.list_queues(admin.on(v1::ListQueuesRequest::default())).await.unwrap().into_inner().queues;
    assert_eq!(listed.iter().map(|queue| queue.new_count).collect::<Vec<_>>(), [12]);
}
