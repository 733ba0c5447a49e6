//! The form of JSON calls and of their refusals.

use orchestrator_core::identity::Role;

use crate::http::{exchange, post};
use crate::world::{Presents, world, world_with};

const CREATE: &str = "/rpc/orchestrator.v1.TriggerService/Create";
const GET: &str = "/rpc/orchestrator.v1.TriggerService/Get";
const BULK_CREATE: &str = "/rpc/orchestrator.v1.QueueService/BulkCreate";

#[tokio::test]
async fn a_trigger_made_as_json_is_printed_with_every_field() {
    let world = world().await;
    let admin = world.user(Role::Admin).await;
    let body = r#"{"trigger": {"name": "night", "processName": "Invoices", "process_path": "/robots/a.py",
        "priority": -3, "scheduled": {"cronExpr": "0 6 * * *"}}}"#;
    let answer = post(&world, CREATE, &admin, body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.head.contains("content-type: application/json"));
    let trigger = &answer.json()["trigger"];
    assert_eq!(trigger["status"], "IDLE");
    assert_eq!(trigger["isGitRepo"], false);
    assert_eq!(trigger["consecutiveFailures"], 0);
    assert_eq!(trigger["isBlocking"], true);
    assert_eq!(trigger["workerWhitelist"], serde_json::json!([]));
    assert_eq!(trigger["scheduled"]["timeZone"], "Europe/Copenhagen");
    assert_eq!(trigger["nextRun"], "2026-11-23T05:00:00Z");
    assert_eq!(trigger["policies"]["stopGrace"], "10s");
}

#[tokio::test]
async fn a_refusal_has_code_message_and_details() {
    let world = world().await;
    let viewer = world.user(Role::Viewer).await;
    let answer = post(&world, GET, &viewer, r#"{"trigger": "blåbær"}"#).await;
    assert_eq!(answer.status, 404);
    assert_eq!(
        answer.json(),
        serde_json::json!({
            "code": "not_found",
            "message": "trigger 'blåbær' does not exist",
            "details": [{
                "reason": "TRIGGER_NOT_FOUND",
                "domain": "orchestrator",
                "metadata": {"what": "trigger", "key": "blåbær"},
            }],
        })
    );
}

#[tokio::test]
async fn a_refused_field_is_named_with_its_limit() {
    let world = world().await;
    let admin = world.user(Role::Admin).await;
    let body = serde_json::json!({"trigger": {
        "name": "x".repeat(101), "processName": "p", "processPath": "/a", "single": {},
    }});
    let answer = post(&world, CREATE, &admin, &body.to_string()).await;
    assert_eq!(answer.status, 400);
    let detail = &answer.json()["details"][0];
    assert_eq!(detail["reason"], "INVALID_FIELD");
    assert_eq!(detail["metadata"], serde_json::json!({"field": "trigger_name", "limit": "100", "length": "101"}));
}

#[tokio::test]
async fn what_is_no_request_of_the_method_is_refused_by_name() {
    let world = world().await;
    let viewer = world.user(Role::Viewer).await;
    for (body, word) in [
        (r#"{"trigger": "a", "colour": "red"}"#, "colour"),
        (r#"{"trigger": 7}"#, "string"),
        (r#"{"trigger": "a"} {}"#, "trailing"),
        (r#"{"trigger": "#, "EOF"),
        ("[]", "map"),
    ] {
        let answer = post(&world, GET, &viewer, body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(answer.json()["details"][0]["reason"], "INVALID_JSON", "{body}");
        assert!(answer.json()["message"].as_str().unwrap().contains(word), "{body}: {}", answer.body);
    }
}

#[tokio::test]
async fn only_json_is_taken() {
    let world = world().await;
    let token = world.user(Role::Viewer).await.bearer.unwrap();
    for (kind, status) in [
        ("content-type: text/plain\r\n", 415),
        ("content-type: application/x-www-form-urlencoded\r\n", 415),
        ("content-type: application/json; charset=latin-1\r\n", 415),
        ("", 415),
        ("content-type: Application/JSON; charset=utf-8\r\n", 200),
    ] {
        let request = format!(
            "POST /rpc/orchestrator.v1.TriggerService/List HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{kind}\
             authorization: Bearer {token}\r\ncontent-length: 2\r\n\r\n{{}}"
        );
        assert_eq!(exchange(&world, request.as_bytes()).await.status, status, "{kind}");
    }
}

#[tokio::test]
async fn cookies_open_nothing() {
    let world = world().await;
    let token = world.user(Role::Admin).await.bearer.unwrap();
    let request = format!(
        "POST /rpc/orchestrator.v1.TriggerService/List HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-type: application/json\r\ncookie: token={token}; session={token}\r\ncontent-length: 2\r\n\r\n{{}}"
    );
    let answer = exchange(&world, request.as_bytes()).await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.json()["details"][0]["reason"], "TOKEN_MISSING");
}

#[tokio::test]
async fn an_upload_that_streams_over_grpc_is_one_message() {
    let world = world().await;
    let operator = world.user(Role::Operator).await;
    let elements: Vec<_> = (0..3000).map(|number| serde_json::json!({"reference": number.to_string()})).collect();
    let body =
        |elements: &[serde_json::Value]| serde_json::json!({"queueName": "Invoices", "elements": elements}).to_string();
    let answer = post(&world, BULK_CREATE, &operator, &body(&elements)).await;
    assert_eq!(answer.json()["createdCount"], "3000", "{}", answer.body);
    let mut wrong = elements.clone();
    wrong[2718]["data"] = "x".repeat(2001).into();
    let answer = post(&world, BULK_CREATE, &operator, &body(&wrong)).await;
    let refused = answer.json();
    assert_eq!(refused["message"], "elements[2718]: data is 2001 characters long; the limit is 2000");
    let metadata = serde_json::json!({"field": "data", "index": "2718", "limit": "2000", "length": "2001"});
    assert_eq!(refused["details"][0]["metadata"], metadata);
    let counts = post(&world, "/rpc/orchestrator.v1.QueueService/ListQueues", &operator, "{}").await;
    assert_eq!(counts.json()["queues"][0]["newCount"], "3000", "all or none");
}

#[tokio::test]
async fn a_method_that_streams_is_not_offered() {
    let world = world().await;
    let viewer = world.user(Role::Viewer).await;
    let answer = post(&world, "/rpc/orchestrator.v1.JobService/WatchOutput", &viewer, "{}").await;
    assert_eq!((answer.status, answer.json()["code"].as_str()), (501, Some("unimplemented")));
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_without_reading_it_for_strangers() {
    let world = world_with(|options| options.max_message_bytes = 1000).await;
    let viewer = world.user(Role::Viewer).await;
    let body = format!(r#"{{"trigger": "{}"}}"#, "x".repeat(2000));
    let answer = post(&world, GET, &viewer, &body).await;
    assert_eq!(answer.status, 413);
    assert_eq!(answer.json()["details"][0]["reason"], "MESSAGE_TOO_LARGE");
    assert_eq!(answer.json()["details"][0]["metadata"]["limit"], "1000");
    assert_eq!(post(&world, GET, &Presents::default(), &body).await.status, 401);
}
