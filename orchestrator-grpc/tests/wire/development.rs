//! Developers call as the robot of a job, with a user token and without a worker.

use chrono::TimeDelta;
use orchestrator_core::clock::Clock as _;
use orchestrator_core::identity::Role;
use orchestrator_core::secret::TokenKind;
use orchestrator_proto::v1;
use serde_json::{Value, json};

use crate::command_line;
use crate::http::post;
use crate::world::{Presents, World, postgres_world, world};

async fn call(world: &World, presents: &Presents, method: &str, body: Value) -> (u16, Value) {
    let path = format!("/rpc/orchestrator.v1.RobotService/{method}");
    let answer = post(world, &path, presents, &body.to_string()).await;
    (answer.status, answer.json())
}

async fn ask(world: &World, presents: &Presents, method: &str, body: Value) -> Value {
    let (status, said) = call(world, presents, method, body).await;
    assert_eq!(status, 200, "{method}: {said}");
    said
}

async fn refused(world: &World, presents: &Presents, method: &str, body: Value) -> (u16, String) {
    let (status, said) = call(world, presents, method, body).await;
    (status, said["details"][0]["reason"].as_str().unwrap_or_default().to_owned())
}

async fn begin(world: &World, presents: &Presents, name: &str) -> String {
    let context = ask(world, presents, "GetContext", json!({ "processName": name, "processArgs": "a b" })).await;
    assert_eq!((&context["processName"], &context["processArgs"]), (&json!(name), &json!("a b")));
    assert_eq!((&context["workerName"], &context["triggerName"]), (&json!("<development>"), &json!("development")));
    assert_eq!(context["triggerType"], "", "no trigger fired it");
    context["jobId"].as_str().unwrap().to_owned()
}

async fn job(world: &World, id: &str) -> v1::Job {
    let viewer = world.user(Role::Viewer).await;
    let get = v1::GetJobRequest { job: id.to_owned() };
    world.jobs().await.get(viewer.on(get)).await.unwrap().into_inner().job.unwrap()
}

async fn a_developer_works_as_a_job_does(world: &World) {
    let operator = world.user(Role::Operator).await;
    assert_eq!(refused(world, &operator, "IsPausing", json!({})).await, (400, "NO_DEVELOPMENT_JOB".to_owned()));
    assert_eq!(refused(world, &operator, "GetContext", json!({})).await, (400, "INVALID_FIELD".to_owned()));

    let first = begin(world, &operator, "Invoices").await;
    let shown = job(world, &first).await;
    assert_eq!((shown.status.as_str(), shown.process_name.as_str()), ("RUNNING", "Invoices"));
    let line = json!({ "logs": [{ "logLevel": "INFO", "logMessage": "hello" }] });
    ask(world, &operator, "Log", line).await;
    let bulk = json!({ "queueName": "work", "elements": [{ "reference": "1" }, { "reference": "2" }] });
    ask(world, &operator, "BulkCreateQueueElements", bulk).await;
    let claim = json!({ "queueName": "work" });
    let done = ask(world, &operator, "ClaimQueueElement", claim.clone()).await;
    assert_eq!(done["element"]["jobId"], json!(first));
    let set = json!({ "element": done["element"]["id"], "status": "DONE" });
    ask(world, &operator, "SetQueueElementStatus", set).await;
    let held = ask(world, &operator, "ClaimQueueElement", claim.clone()).await;
    assert_eq!(ask(world, &operator, "IsPausing", json!({})).await, json!({ "pausing": false }));
    assert_eq!(refused(world, &operator, "Pause", json!({})).await, (400, "NO_TRIGGER".to_owned()));

    // Begun again with the same token: the job before is over, and what it held is given back.
    let second = begin(world, &operator, "Invoices").await;
    assert_eq!(job(world, &first).await.status, "DONE");
    let list =
        ask(world, &operator, "ListQueueElements", json!({ "queueName": "work", "statuses": ["ABANDONED"] })).await;
    assert_eq!(list["elements"][0]["id"], held["element"]["id"]);

    // Another token has a job of its own.
    let other = world.user(Role::Admin).await;
    begin(world, &other, "Letters").await;
    assert_eq!(job(world, &second).await.status, "RUNNING");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_developer_works_as_a_job_does_on_sqlite() {
    a_developer_works_as_a_job_does(&world().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_developer_works_as_a_job_does_on_postgres() {
    a_developer_works_as_a_job_does(&postgres_world().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_development_job_ends_after_an_hour_without_a_call() {
    let world = world().await;
    let token = world.token(TokenKind::User, Some(Role::Operator), None).await;
    let operator = Presents::bearer(&token.secret);
    let id = begin(&world, &operator, "Invoices").await;
    for _ in 0..3 {
        world.clock.advance(TimeDelta::minutes(50));
        ask(&world, &operator, "IsPausing", json!({})).await;
        world.scheduler.rescue(world.clock.now()).await.unwrap();
        assert_eq!(job(&world, &id).await.status, "RUNNING");
    }
    world.clock.advance(TimeDelta::minutes(61));
    // A server whose clock has jumped rescues nothing for a whole lease.
    for _ in 0..5 {
        world.scheduler.rescue(world.clock.now()).await.unwrap();
        world.clock.advance(TimeDelta::seconds(20));
    }
    let ended = job(&world, &id).await;
    assert_eq!(ended.status, "DONE");
    assert!(ended.reason.contains("hour"), "{}", ended.reason);
    assert_eq!(refused(&world, &operator, "IsPausing", json!({})).await.1, "NO_DEVELOPMENT_JOB");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_its_program_ends_a_development_job() {
    let world = world().await;
    let operator = world.user(Role::Operator).await;
    let end = async |body: Value| {
        let answer = post(&world, "/rpc/orchestrator.v1.JobService/EndDevelopment", &operator, &body.to_string()).await;
        (answer.status, answer.json())
    };
    let first = begin(&world, &operator, "Invoices").await;
    let bulk = json!({ "queueName": "work", "elements": [{ "reference": "1" }] });
    ask(&world, &operator, "BulkCreateQueueElements", bulk).await;
    ask(&world, &operator, "ClaimQueueElement", json!({ "queueName": "work" })).await;
    assert_eq!(end(json!({ "job": first, "exitCode": 0 })).await.0, 200);
    let ended = job(&world, &first).await;
    assert_eq!((ended.status.as_str(), ended.exit_code, ended.reason.as_str()), ("DONE", Some(0), ""));
    assert_eq!(refused(&world, &operator, "IsPausing", json!({})).await.1, "NO_DEVELOPMENT_JOB");

    let second = begin(&world, &operator, "Invoices").await;
    let list =
        ask(&world, &operator, "ListQueueElements", json!({ "queueName": "work", "statuses": ["ABANDONED"] })).await;
    assert_eq!(list["elements"][0]["reference"], json!("1"), "it had left it in progress");
    // The word of the first one's program comes late.
    let (status, said) = end(json!({ "job": first, "exitCode": 1 })).await;
    assert_eq!((status, &said["details"][0]["reason"]), (400, &json!("NO_DEVELOPMENT_JOB")), "{said}");
    assert_eq!(job(&world, &second).await.status, "RUNNING");
    end(json!({ "job": second, "exitCode": 7, "reason": "exit code 7" })).await;
    let ended = job(&world, &second).await;
    assert_eq!((ended.status.as_str(), ended.exit_code, ended.reason.as_str()), ("FAILED", Some(7), "exit code 7"));

    // Nobody else ends it: not another token, and not that of another user.
    let third = begin(&world, &operator, "Invoices").await;
    let admin = world.user(Role::Admin).await;
    let body = json!({ "job": third, "exitCode": 0 }).to_string();
    let answer = post(&world, "/rpc/orchestrator.v1.JobService/EndDevelopment", &admin, &body).await;
    assert_eq!((answer.status, job(&world, &third).await.status.as_str()), (400, "RUNNING"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kill_of_a_development_job_ends_it_at_once() {
    let world = world().await;
    let operator = world.user(Role::Operator).await;
    let id = begin(&world, &operator, "Invoices").await;
    let kill = v1::KillJobRequest { job: id.clone() };
    world.jobs().await.kill(operator.on(kill)).await.unwrap();
    assert_eq!(job(&world, &id).await.status, "KILLED");
    assert_eq!(refused(&world, &operator, "IsPausing", json!({})).await.1, "NO_DEVELOPMENT_JOB");
}

#[tokio::test(flavor = "multi_thread")]
async fn viewers_do_not_develop_and_the_trigger_stays_hidden() {
    let world = world().await;
    let viewer = world.user(Role::Viewer).await;
    assert_eq!(
        refused(&world, &viewer, "GetContext", json!({ "processName": "x" })).await,
        (403, "ROLE_TOO_LOW".to_owned())
    );
    let operator = world.user(Role::Operator).await;
    begin(&world, &operator, "Invoices").await;
    let list = world.triggers().await.list(viewer.on(v1::ListTriggersRequest::default())).await.unwrap().into_inner();
    assert!(list.triggers.is_empty(), "{list:#?}");
    let admin = world.user(Role::Admin).await;
    let list = json!({ "action": "development.begin" });
    let audit = post(&world, "/rpc/orchestrator.v1.AdminService/ListAudit", &admin, &list.to_string()).await.json();
    assert_eq!((&audit["entries"][0]["actor"], &audit["entries"][0]["actorKind"]), (&json!("anna"), &json!("USER")));
}

async fn a_deleted_users_job_is_over(world: &World) {
    let root = world.user(Role::Admin).await;
    command_line::create(world, &root, "berta", Role::Operator).await;
    let (berta, elsewhere) =
        (command_line::signed_in(world, "berta").await, command_line::signed_in(world, "berta").await);
    let (first, second) = (begin(world, &berta, "Invoices").await, begin(world, &elsewhere, "Letters").await);
    let others = begin(world, &root, "Invoices").await;
    let bulk = json!({ "queueName": "work", "elements": [{ "reference": "1" }] });
    ask(world, &berta, "BulkCreateQueueElements", bulk).await;
    ask(world, &berta, "ClaimQueueElement", json!({ "queueName": "work" })).await;

    let delete = v1::DeleteUserRequest { user: "berta".to_owned(), oneself: false };
    command_line::admin(world).await.delete_user(root.on(delete)).await.unwrap();
    for id in [&first, &second] {
        let ended = job(world, id).await;
        assert_eq!((ended.status.as_str(), ended.reason.as_str()), ("KILLED", "its user was deleted"));
    }
    assert_eq!(job(world, &others).await.status, "RUNNING");
    let list = json!({ "queueName": "work", "statuses": ["ABANDONED"] });
    let given_back = ask(world, &root, "ListQueueElements", list).await;
    assert_eq!(given_back["elements"][0]["reference"], "1", "{given_back}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_users_job_is_over_on_sqlite() {
    a_deleted_users_job_is_over(&world().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_users_job_is_over_on_postgres() {
    a_deleted_users_job_is_over(&postgres_world().await).await;
}
