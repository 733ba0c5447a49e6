//! What a running job may do, through its worker.

use std::time::Duration;

use orchestrator_core::id::LogId;
use orchestrator_core::identity::Role;
use orchestrator_core::secret::{ApiToken, TokenKind};
use orchestrator_proto::v1;
use orchestrator_proto::v1::admin_service_client::AdminServiceClient;
use orchestrator_proto::v1::constant_service_client::ConstantServiceClient;
use orchestrator_proto::v1::credential_service_client::CredentialServiceClient;
use orchestrator_proto::v1::log_service_client::LogServiceClient;
use orchestrator_proto::v1::queue_service_client::QueueServiceClient;
use orchestrator_proto::v1::robot_service_client::RobotServiceClient;
use tonic::Code;
use tonic::transport::Channel;

use crate::world::{Presents, Running, World, reason, world};

struct Robot {
    service: RobotServiceClient<Channel>,
    presents: Presents,
    worker: Presents,
    job: Running,
}

async fn robot(world: &World) -> Robot {
    let worker = world.worker().await;
    let job = world.running_job(&worker).await;
    let presents = worker.with_job(&job.token);
    Robot { service: RobotServiceClient::new(world.channel().await), presents, worker, job }
}

impl Robot {
    async fn finish(&self, world: &World) {
        let finish = v1::FinishJobRequest {
            session_id: self.job.session.clone(),
            job_id: self.job.assignment.job_id.clone(),
            lease_token: self.job.assignment.lease_token,
            outcome: "DONE".to_owned(),
            ..Default::default()
        };
        world.workers().await.finish_job(self.worker.on(finish)).await.unwrap();
    }
}

fn claim(repeat: bool) -> v1::RobotClaimElementRequest {
    let request_id = "018f3c9a-5d2e-7c31-9f00-0a1b2c3d4e5f".to_owned();
    let call = Some(v1::Call { request_id, repeat });
    v1::RobotClaimElementRequest { queue_name: "Invoices".to_owned(), call, ..Default::default() }
}

async fn audit(world: &World, action: &str) -> Vec<v1::AuditEntry> {
    let admin = world.user(Role::Admin).await;
    let list = v1::ListAuditRequest { action: action.to_owned(), ..Default::default() };
    AdminServiceClient::new(world.channel().await).list_audit(admin.on(list)).await.unwrap().into_inner().entries
}

#[tokio::test(flavor = "multi_thread")]
async fn a_robot_knows_its_job() {
    let world = world().await;
    let mut robot = robot(&world).await;
    let context =
        robot.service.get_context(robot.presents.on(v1::GetContextRequest::default())).await.unwrap().into_inner();
    assert_eq!(context.job_id, robot.job.assignment.job_id);
    assert_eq!((context.trigger_name.as_str(), context.worker_name.as_str()), ("night", "robot-1"));
    assert_eq!((context.process_name.as_str(), context.trigger_type.as_str()), ("Invoices", "SINGLE"));
    assert_eq!(robot.job.assignment.trigger_type, "SINGLE", "its worker answers in the server's place");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_robot_takes_work_and_what_it_leaves_is_abandoned_at_its_end() {
    let world = world().await;
    let mut robot = robot(&world).await;
    let elements = vec![v1::NewElement { data: Some("1".to_owned()), ..Default::default() }; 3];
    let bulk = v1::RobotBulkCreateRequest { queue_name: "Invoices".to_owned(), elements, repeat: false };
    let created = robot.service.bulk_create_queue_elements(robot.presents.on(bulk)).await.unwrap().into_inner();
    assert_eq!(created.created_count, 3);

    let taken = robot.service.claim_queue_element(robot.presents.on(claim(false))).await.unwrap().into_inner();
    let again = robot.service.claim_queue_element(robot.presents.on(claim(true))).await.unwrap().into_inner();
    assert_eq!(taken, again);
    let taken = taken.element.unwrap();
    assert_eq!((taken.job_id.as_str(), taken.lease_expires_at), (robot.job.assignment.job_id.as_str(), None));
    let done = v1::SetElementStatusRequest {
        element: taken.id,
        status: "DONE".to_owned(),
        lease_token: Some(taken.lease_token),
        message: None,
    };
    robot.service.set_queue_element_status(robot.presents.on(done)).await.unwrap();
    let other = v1::RobotClaimElementRequest { call: None, ..claim(false) };
    let left = robot.service.claim_queue_element(robot.presents.on(other)).await.unwrap().into_inner().element.unwrap();
    robot.finish(&world).await;

    let viewer = world.user(Role::Viewer).await;
    let mut queues = QueueServiceClient::new(world.channel().await);
    let get = v1::GetElementRequest { element: left.id };
    assert_eq!(queues.get(viewer.on(get)).await.unwrap().into_inner().element.unwrap().status, "ABANDONED");
    let listed = queues.list_queues(viewer.on(v1::ListQueuesRequest::default())).await.unwrap().into_inner().queues;
    assert_eq!((listed[0].new_count, listed[0].done_count, listed[0].abandoned_count), (1, 1, 1));

    let refused = robot.service.claim_queue_element(robot.presents.on(claim(false))).await.unwrap_err();
    assert!(["JOB_TOKEN_UNKNOWN", "JOB_ENDED"].contains(&reason(&refused).as_str()), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_cannot_delete_what_a_running_job_holds_and_its_robot_can() {
    let world = world().await;
    let mut robot = robot(&world).await;
    let bulk = v1::RobotBulkCreateRequest {
        queue_name: "Invoices".to_owned(),
        elements: vec![v1::NewElement::default()],
        repeat: false,
    };
    robot.service.bulk_create_queue_elements(robot.presents.on(bulk)).await.unwrap();
    let taken = robot.service.claim_queue_element(robot.presents.on(claim(false))).await.unwrap().into_inner().element;
    let delete = v1::DeleteElementRequest { element: taken.unwrap().id };
    let operator = world.user(Role::Operator).await;
    let mut queues = QueueServiceClient::new(world.channel().await);
    let refused = queues.delete(operator.on(delete.clone())).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::FailedPrecondition, "ELEMENT_HELD"));
    assert!(refused.message().contains(&robot.job.assignment.job_id), "{refused:?}");
    robot.service.delete_queue_element(robot.presents.on(delete)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_worker_says_of_its_machine_is_shown_to_people() {
    let world = world().await;
    let robot = robot(&world).await;
    let viewer = world.user(Role::Viewer).await;
    for trouble in ["no space left on device", ""] {
        let beat = v1::HeartbeatRequest {
            session_id: robot.job.session.clone(),
            trouble: trouble.to_owned(),
            ..v1::HeartbeatRequest::default()
        };
        world.workers().await.heartbeat(robot.worker.on(beat)).await.unwrap();
        let get = v1::GetWorkerRequest { name: "robot-1".to_owned() };
        let shown = AdminServiceClient::new(world.channel().await).get_worker(viewer.on(get)).await.unwrap();
        assert_eq!(shown.into_inner().worker.unwrap().trouble, trouble);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_elements_for_one_call_are_refused() {
    let world = world().await;
    let mut robot = robot(&world).await;
    let elements = vec![v1::NewElement::default(); 10_001];
    let bulk = v1::RobotBulkCreateRequest { queue_name: "Invoices".to_owned(), elements, repeat: false };
    let refused = robot.service.bulk_create_queue_elements(robot.presents.on(bulk)).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::InvalidArgument, "INVALID_FIELD"));
}

#[tokio::test(flavor = "multi_thread")]
async fn constants_are_read_and_changed_and_each_is_audited_with_the_robot() {
    let world = world().await;
    let mut robot = robot(&world).await;
    let admin = world.user(Role::Admin).await;
    let mut constants = ConstantServiceClient::new(world.channel().await);
    let set = v1::SetConstantRequest { name: "url".to_owned(), value: "a".to_owned(), create_only: true };
    constants.set(admin.on(set.clone())).await.unwrap();
    let twice = constants.set(admin.on(set)).await.unwrap_err();
    assert_eq!((twice.code(), reason(&twice).as_str()), (Code::AlreadyExists, "NAME_EXISTS"));

    let get = v1::RobotGetConstantRequest { name: "url".to_owned() };
    let read = robot.service.get_constant(robot.presents.on(get)).await.unwrap().into_inner().constant.unwrap();
    assert_eq!((read.value.as_str(), read.changed_by.as_str()), ("a", "anna"));
    let update = v1::RobotUpdateConstantRequest { name: "url".to_owned(), value: "b".to_owned() };
    robot.service.update_constant(robot.presents.on(update)).await.unwrap();
    let changed = constants.get(admin.on(v1::GetConstantRequest { name: "url".to_owned() })).await.unwrap();
    assert_eq!(changed.into_inner().constant.unwrap().value, "b");

    let unknown = v1::RobotUpdateConstantRequest { name: "nothing".to_owned(), value: "b".to_owned() };
    let unknown = robot.service.update_constant(robot.presents.on(unknown)).await.unwrap_err();
    assert_eq!((unknown.code(), reason(&unknown).as_str()), (Code::NotFound, "CONSTANT_NOT_FOUND"));
    let long = v1::RobotUpdateConstantRequest { name: "url".to_owned(), value: "x".repeat(1001) };
    assert_eq!(robot.service.update_constant(robot.presents.on(long)).await.unwrap_err().code(), Code::InvalidArgument);

    let entry = audit(&world, "constant.update").await.remove(0);
    assert_eq!((entry.actor_kind.as_str(), entry.actor.as_str()), ("JOB", "Invoices"));
    assert!(entry.before.contains("\"a\"") && entry.after.contains("\"b\"") && entry.after.contains("robot-1"));
    assert!(audit(&world, "constant.read").await[0].after.contains(&robot.job.assignment.job_id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_leaves_only_by_audited_calls() {
    let world = world().await;
    let mut robot = robot(&world).await;
    let admin = world.user(Role::Admin).await;
    let mut credentials = CredentialServiceClient::new(world.channel().await);
    let set = v1::SetCredentialRequest {
        name: "payroll".to_owned(),
        username: "robot".to_owned(),
        password: "hunter2".to_owned(),
        create_only: false,
    };
    let shown = credentials.set(admin.on(set.clone())).await.unwrap().into_inner();
    let listed = credentials.list(admin.on(v1::ListCredentialsRequest::default())).await.unwrap().into_inner();
    assert_eq!(listed.credentials, [shown.credential.unwrap()]);
    let long = v1::SetCredentialRequest { password: "x".repeat(701), ..set };
    assert_eq!(credentials.set(admin.on(long)).await.unwrap_err().code(), Code::InvalidArgument);

    let get = v1::RobotGetCredentialRequest { name: "payroll".to_owned() };
    let read = robot.service.get_credential(robot.presents.on(get)).await.unwrap().into_inner();
    assert_eq!((read.username.as_str(), read.password.as_str()), ("robot", "hunter2"));
    let update = v1::RobotUpdateCredentialRequest {
        name: "payroll".to_owned(),
        username: "robot2".to_owned(),
        password: "hunter3".to_owned(),
    };
    robot.service.update_credential(robot.presents.on(update)).await.unwrap();
    let reveal = v1::RevealCredentialRequest { name: "payroll".to_owned() };
    let revealed = credentials.reveal(admin.on(reveal)).await.unwrap().into_inner();
    assert_eq!((revealed.password.as_str(), revealed.credential.unwrap().changed_by.as_str()), ("hunter3", "Invoices"));

    let trail = audit(&world, "credential").await;
    let actions: Vec<&str> = trail.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["credential.reveal", "credential.update", "credential.read", "credential.set"]);
    assert!(trail.iter().all(|entry| !format!("{entry:?}").contains("hunter")), "no secret in the trail");
    assert!(trail[2].after.contains("robot-1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn log_lines_are_written_once_and_followed_as_they_come() {
    let world = world().await;
    let mut robot = robot(&world).await;
    let viewer = world.user(Role::Viewer).await;
    let mut logs = LogServiceClient::new(world.channel().await);
    let line = |text: &str| v1::NewLog {
        id: LogId::generate().to_string(),
        log_level: "INFO".to_owned(),
        log_message: text.to_owned(),
        log_time: None,
    };
    let before = v1::LogRequest { logs: vec![line("before")] };
    robot.service.log(robot.presents.on(before)).await.unwrap();
    let mut tail = logs.tail(viewer.on(v1::TailLogsRequest::default())).await.unwrap().into_inner();

    let write = v1::LogRequest { logs: vec![line("one"), line(&"x".repeat(9000))] };
    robot.service.log(robot.presents.on(write.clone())).await.unwrap();
    robot.service.log(robot.presents.on(write)).await.unwrap();
    let followed = tokio::time::timeout(Duration::from_secs(10), tail.message()).await.unwrap().unwrap().unwrap().logs;
    assert_eq!((followed.len(), followed[0].log_message.as_str()), (2, "one"), "what was there before is passed over");
    assert!(followed[1].log_message.contains("characters cut"));
    robot.service.log(robot.presents.on(v1::LogRequest { logs: vec![line("two")] })).await.unwrap();
    let followed = tokio::time::timeout(Duration::from_secs(10), tail.message()).await.unwrap().unwrap().unwrap().logs;
    assert_eq!(followed[0].log_message, "two");

    let list = v1::ListLogsRequest { job: robot.job.assignment.job_id[24..].to_owned(), ..Default::default() };
    let listed = logs.list(viewer.on(list)).await.unwrap().into_inner().logs;
    assert_eq!((listed.len(), listed[0].log_message.as_str(), listed[0].process_name.as_str()), (4, "two", "Invoices"));
    let loud = v1::LogRequest { logs: vec![v1::NewLog { log_level: "LOUD".to_owned(), ..line("x") }] };
    assert_eq!(reason(&robot.service.log(robot.presents.on(loud)).await.unwrap_err()), "INVALID_FIELD");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_robot_pauses_its_trigger_and_sees_it() {
    let world = world().await;
    let mut robot = robot(&world).await;
    let asks = || robot.presents.on(v1::IsPausingRequest {});
    assert!(!robot.service.is_pausing(asks()).await.unwrap().into_inner().pausing);
    robot.service.pause(robot.presents.on(v1::PauseRequest {})).await.unwrap();
    let pausing = robot.service.is_pausing(robot.presents.on(v1::IsPausingRequest {})).await.unwrap().into_inner();
    assert!(pausing.pausing);
    assert_eq!(audit(&world, "trigger.disable").await[0].actor, "Invoices");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_run_by_hand_on_a_held_trigger_is_not_asked_to_finish_until_it_is_held_anew() {
    let world = world().await;
    let mut robot = robot(&world).await;
    let operator = world.user(Role::Operator).await;
    let mut triggers = world.triggers().await;
    let disable = || v1::DisableTriggerRequest { trigger: "night".to_owned() };
    triggers.disable(operator.on(disable())).await.unwrap();
    robot.finish(&world).await;
    let run = v1::RunNowRequest { trigger: "night".to_owned(), ..Default::default() };
    triggers.run_now(operator.on(run)).await.unwrap();
    let (session, token) = (robot.job.session.clone(), ApiToken::generate(TokenKind::Job).unwrap());
    let claim = v1::ClaimJobsRequest { session_id: session.clone(), free_slots: 1, ..Default::default() };
    let mut workers = world.workers().await;
    let job = workers.claim_jobs(robot.worker.on(claim)).await.unwrap().into_inner().assignments.remove(0);
    let start = v1::StartJobRequest {
        session_id: session,
        job_id: job.job_id.clone(),
        lease_token: job.lease_token,
        job_token_hash: token.hash().as_bytes().to_vec(),
        commit: String::new(),
    };
    workers.start_job(robot.worker.on(start)).await.unwrap();

    let presents = robot.worker.with_job(token.expose());
    let mut pausing =
        async || robot.service.is_pausing(presents.on(v1::IsPausingRequest {})).await.unwrap().into_inner().pausing;
    assert!(!pausing().await, "the hold was there before the job");
    triggers.disable(operator.on(disable())).await.unwrap();
    assert!(pausing().await, "somebody held it again");
}
