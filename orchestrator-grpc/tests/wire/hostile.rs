//! What no well-meaning caller sends: each refused by the name of its field, and nothing of it reaches the database.

use orchestrator_core::identity::Role;
use serde_json::{Value, json};

use crate::http::post;
use crate::world::{Presents, Running, World, postgres_world};

/// On PostgreSQL, which refuses what SQLite would swallow.
struct Scene {
    world: World,
    admin: Presents,
    worker: Presents,
    robot: Presents,
    job: Running,
}

async fn scene() -> Scene {
    let world = postgres_world().await;
    let worker = world.worker().await;
    let job = world.running_job(&worker).await;
    let (admin, robot) = (world.user(Role::Admin).await, worker.with_job(&job.token));
    Scene { world, admin, worker, robot, job }
}

impl Scene {
    /// Makes calls, and tells of those that are not refused by the name of the field.
    async fn refused(&self, calls: Vec<(&Presents, &str, Value, &str)>) {
        let mut wrong = Vec::new();
        for (presents, method, body, field) in calls {
            let path = format!("/rpc/orchestrator.v1.{method}");
            let answer = post(&self.world, &path, presents, &body.to_string()).await;
            let named = answer.status == 400 && answer.json()["details"][0]["metadata"]["field"] == field;
            if !named {
                wrong.push(format!(
                    "{method} {field}: {} {}",
                    answer.status,
                    answer.body.chars().take(300).collect::<String>()
                ));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    fn start(&self) -> Value {
        json!({"session_id": self.job.session, "job_id": self.job.assignment.job_id,
            "lease_token": self.job.assignment.lease_token, "job_token_hash": "A".repeat(43), "commit": ""})
    }
}

/// The object with one field changed.
fn with(mut object: Value, field: &str, value: Value) -> Value {
    object[field] = value;
    object
}

#[tokio::test(flavor = "multi_thread")]
async fn nul_is_refused_wherever_a_text_is_looked_up_or_kept() {
    let scene = scene().await;
    let (admin, worker, robot) = (&scene.admin, &scene.worker, &scene.robot);
    let trigger = json!({"name": "t", "process_name": "p", "process_path": "/a", "single": {}});
    let create = |field: &str| json!({"trigger": with(trigger.clone(), field, "a\0b".into())});
    let register = json!({"instance_id": "018f3c9a-5d2e-7c31-9f00-0a1b2c3d4e5f", "slots": 1});
    scene
        .refused(vec![
            (admin, "TriggerService/Create", create("name"), "trigger_name"),
            (admin, "TriggerService/Create", create("process_name"), "process_name"),
            (admin, "TriggerService/Create", create("process_path"), "process_path"),
            (admin, "TriggerService/Create", create("process_args"), "process_args"),
            (admin, "TriggerService/Get", json!({"trigger": "a\0b"}), "trigger"),
            (admin, "TriggerService/RunNow", json!({"trigger": "night", "process_args": "a\0b"}), "process_args"),
            (admin, "TriggerService/List", json!({"search": "a\0b"}), "search"),
            (admin, "TriggerService/ListDecisions", json!({"trigger": "a\0b"}), "trigger"),
            (admin, "JobService/Get", json!({"job": "a\0b"}), "job"),
            (admin, "JobService/List", json!({"trigger": "a\0b"}), "trigger"),
            (admin, "JobService/List", json!({"worker_name": "a\0b"}), "worker_name"),
            (admin, "JobService/List", json!({"process_name": "a\0b"}), "process_name"),
            (admin, "LogService/List", json!({"search": "a\0b"}), "search"),
            (admin, "LogService/List", json!({"job": "a\0b"}), "job"),
            (admin, "QueueService/List", json!({"queue_name": "q", "search": "a\0b"}), "search"),
            (admin, "QueueService/List", json!({"queue_name": "q", "reference": "a\0b"}), "reference"),
            (admin, "QueueService/Claim", json!({"queue_name": "q", "reference": "a\0b"}), "reference"),
            (admin, "QueueService/Create", json!({"queue_name": "q", "element": {"data": "a\0b"}}), "data"),
            (admin, "QueueService/Create", json!({"queue_name": "q", "element": {"created_by": "a\0b"}}), "created_by"),
            (admin, "QueueService/Get", json!({"element": "a\0b"}), "element"),
            (admin, "QueueService/Update", json!({"element": "a\0b", "data": "d"}), "element"),
            (admin, "AdminService/ListAudit", json!({"actor": "a\0b"}), "actor"),
            (admin, "AdminService/ListAudit", json!({"action": "a\0b"}), "action"),
            (admin, "AdminService/ListAudit", json!({"subject": "a\0b"}), "subject"),
            (admin, "AdminService/RevokeToken", json!({"token": "a\0b"}), "token"),
            (admin, "AdminService/CreateToken", json!({"kind": "WORKER", "name": "a\0b"}), "name"),
            (admin, "AdminService/GetWorker", json!({"name": "a\0b"}), "name"),
            (admin, "AdminService/DrainWorker", json!({"name": "a\0b"}), "name"),
            (admin, "ConstantService/Set", json!({"name": "c", "value": "a\0b"}), "value"),
            (admin, "CredentialService/Set", json!({"name": "c", "username": "a\0b", "password": "p"}), "username"),
            (worker, "WorkerService/Register", with(register.clone(), "version", "a\0b".into()), "version"),
            (worker, "WorkerService/Register", with(register.clone(), "labels", json!({"a\0b": "c"})), "labels"),
            (worker, "WorkerService/Register", with(register, "labels", json!({"a": "b\0c"})), "labels"),
            (worker, "WorkerService/StartJob", with(scene.start(), "commit", "a\0b".into()), "commit"),
            (robot, "RobotService/GetConstant", json!({"name": "a\0b"}), "name"),
            (robot, "RobotService/UpdateConstant", json!({"name": "c", "value": "a\0b"}), "value"),
            (robot, "RobotService/ClaimQueueElement", json!({"queue_name": "a\0b"}), "queue_name"),
            (robot, "RobotService/SetQueueElementStatus", json!({"element": "a\0b", "status": "DONE"}), "element"),
        ])
        .await;
}

/// Hexadecimal digits of a JSON text, as cursors are.
fn cursor(json: &str) -> Value {
    let digits: Vec<String> = json.bytes().map(|byte| format!("{byte:02x}")).collect();
    json!({"cursor": digits.concat()})
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_that_no_list_made_are_refused() {
    let scene = scene().await;
    let admin = &scene.admin;
    let text = || json!({"page": cursor("\"a\\u0000b\"")});
    let far = || json!({"page": cursor("[\"+262142-12-31T23:59:59Z\",\"018f3c9a-5d2e-7c31-9f00-0a1b2c3d4e5f\"]")});
    scene
        .refused(vec![
            (admin, "TriggerService/List", text(), "page.cursor"),
            (admin, "ConstantService/List", text(), "page.cursor"),
            (admin, "CredentialService/List", text(), "page.cursor"),
            (admin, "JobService/List", text(), "page.cursor"),
            (admin, "LogService/List", far(), "page.cursor"),
            (admin, "QueueService/List", with(far(), "queue_name", "q".into()), "page.cursor"),
            (admin, "AdminService/ListAudit", json!({"page": {"cursor": "zz"}}), "page.cursor"),
        ])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_times_and_lists_out_of_range_are_refused() {
    let scene = scene().await;
    let (admin, worker, robot) = (&scene.admin, &scene.worker, &scene.robot);
    let trigger = json!({"name": "t", "process_name": "p", "process_path": "/a", "single": {}});
    let create = |field: &str, value: Value| json!({"trigger": with(trigger.clone(), field, value)});
    let policy = |field: &str, value: &str| create("policies", json!({ field: value }));
    let register = json!({"instance_id": "018f3c9a-5d2e-7c31-9f00-0a1b2c3d4e5f", "slots": 1});
    let session = &scene.job.session;
    let claim = json!({"session_id": session, "free_slots": 1});
    let held = vec![json!({"job_id": scene.job.assignment.job_id, "lease_token": -1}); 2001];
    let (job, token) = (&scene.job.assignment.job_id, scene.job.assignment.lease_token);
    let chunk = json!({"seq": "1", "stream": "STDOUT", "at": "2026-11-22T12:00:00Z", "content": ""});
    let output = |chunk: Value| json!({"job_id": job, "lease_token": token, "chunks": [chunk]});
    let finish = json!({"session_id": session, "job_id": job, "lease_token": token, "outcome": "DONE"});
    let line = json!({"log_level": "INFO", "log_message": "hello"});
    let labels: serde_json::Map<String, Value> = (0..51).map(|n| (n.to_string(), "".into())).collect();
    scene
        .refused(vec![
            (admin, "TriggerService/Create", policy("timeout", "-1s"), "policies.timeout"),
            (admin, "TriggerService/Create", policy("timeout", "315576000000s"), "timeout"),
            (admin, "TriggerService/Create", policy("max_lateness", "315576000000s"), "max_lateness"),
            (admin, "TriggerService/Create", policy("retry_delay", "315576000000s"), "retry_delay"),
            (admin, "TriggerService/List", json!({"page": {"limit": 1001}}), "page.limit"),
            (admin, "JobService/ReadOutput", json!({"job": job, "limit": 1001}), "limit"),
            (admin, "JobService/List", json!({"statuses": vec!["DONE"; 100]}), "statuses"),
            (admin, "LogService/List", json!({"levels": vec!["INFO"; 100]}), "levels"),
            (admin, "LogService/List", json!({"search": "x".repeat(10_000)}), "search"),
            (admin, "QueueService/List", json!({"queue_name": "q", "statuses": vec!["DONE"; 100]}), "statuses"),
            (admin, "QueueService/Claim", json!({"queue_name": "q", "count": 1001}), "count"),
            (admin, "QueueService/Claim", json!({"queue_name": "q", "lease": "-1s"}), "lease"),
            (admin, "QueueService/Claim", json!({"queue_name": "q", "lease": "0.0001s"}), "lease"),
            (admin, "QueueService/Claim", json!({"queue_name": "q", "lease": "315576000000s"}), "lease"),
            (admin, "QueueService/Retry", json!({"elements": vec!["a"; 1001]}), "elements"),
            (
                admin,
                "AdminService/CreateToken",
                json!({"kind": "WORKER", "name": "w", "lifetime": "315576000000s"}),
                "lifetime",
            ),
            (worker, "WorkerService/Register", with(register.clone(), "slots", 0.into()), "slots"),
            (worker, "WorkerService/Register", with(register.clone(), "slots", 1001.into()), "slots"),
            (worker, "WorkerService/Register", with(register.clone(), "held", held.clone().into()), "held"),
            (worker, "WorkerService/Register", with(register, "labels", labels.into()), "labels"),
            (worker, "WorkerService/ClaimJobs", with(claim.clone(), "wait", "-1s".into()), "wait"),
            (worker, "WorkerService/ClaimJobs", with(claim, "session_id", "".into()), "session_id"),
            (worker, "WorkerService/Heartbeat", json!({"session_id": session, "held": held}), "held"),
            (worker, "WorkerService/StartJob", with(scene.start(), "job_token_hash", "AAAA".into()), "job_token_hash"),
            (worker, "WorkerService/AppendOutput", output(with(chunk.clone(), "seq", "0".into())), "chunks.seq"),
            (
                worker,
                "WorkerService/AppendOutput",
                output(with(chunk.clone(), "stream", "a\0b".into())),
                "chunks.stream",
            ),
            (worker, "WorkerService/AppendOutput", output(with(chunk, "at", Value::Null)), "chunks.at"),
            (worker, "WorkerService/FinishJob", with(finish, "outcome", "CANCELLED".into()), "outcome"),
            (robot, "RobotService/Log", json!({"logs": vec![line.clone(); 10_001]}), "logs"),
            (robot, "RobotService/Log", json!({"logs": [with(line, "log_level", "a\0b".into())]}), "log_level"),
            (
                robot,
                "RobotService/ListQueueElements",
                json!({"queue_name": "q", "page": {"limit": 5000}}),
                "page.limit",
            ),
        ])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_only_odd_is_taken() {
    let scene = scene().await;
    let (job, token) = (&scene.job.assignment.job_id, scene.job.assignment.lease_token);
    let year_one = "0001-01-01T00:00:00Z";
    let last = "9999-12-31T23:59:59.999999999Z";
    let chunk = |seq: &str, at: &str| json!({"seq": seq, "stream": "STDOUT", "at": at, "content": "/wA="});
    let chunks = [chunk("1", year_one), chunk("9223372036854775807", last)];
    let search = "\u{202e}'; DROP TABLE logs; -- %_\\".to_owned();
    for (presents, method, body) in [
        (&scene.worker, "WorkerService/AppendOutput", json!({"job_id": job, "lease_token": token, "chunks": chunks})),
        (&scene.admin, "JobService/ReadOutput", json!({"job": job, "after_seq": "-5"})),
        (
            &scene.robot,
            "RobotService/Log",
            json!({"logs": [
                {"log_level": "ERROR", "log_message": "a\0b\u{1b}[31m", "log_time": year_one},
                {"log_level": "ERROR", "log_message": "x".repeat(9000), "log_time": last},
            ]}),
        ),
        (&scene.admin, "LogService/List", json!({"since": year_one, "until": last, "search": search})),
        (&scene.admin, "LogService/List", json!({})),
        (
            &scene.worker,
            "WorkerService/FinishJob",
            json!({"session_id": scene.job.session, "job_id": job, "lease_token": token, "outcome": "FAILED",
                "reason": "a\0b", "exit_code": -2_147_483_648, "ended_at": last}),
        ),
        (&scene.admin, "JobService/Get", json!({"job": job})),
    ] {
        let answer = post(&scene.world, &format!("/rpc/orchestrator.v1.{method}"), presents, &body.to_string()).await;
        assert_eq!(answer.status, 200, "{method}: {}", answer.body);
        if body == json!({}) {
            let logs = answer.json()["logs"].clone();
            let times: Vec<&str> =
                logs.as_array().unwrap().iter().filter_map(|line| line["logTime"].as_str()).collect();
            assert_eq!(times, ["2026-11-22T12:00:00Z", year_one], "no line is hidden, and none is of the future");
        }
    }
}

/// A message whose first field is bytes, where the method has a text.
#[derive(Clone, PartialEq, prost::Message)]
struct Bytes {
    #[prost(bytes = "vec", tag = "1")]
    first: Vec<u8>,
}

#[tokio::test(flavor = "multi_thread")]
async fn text_that_is_not_utf_8_is_refused() {
    let scene = scene().await;
    for (presents, method) in [
        (&scene.admin, "TriggerService/Get"),
        (&scene.admin, "QueueService/BulkCreate"),
        (&scene.worker, "WorkerService/Register"),
        (&scene.robot, "RobotService/GetConstant"),
    ] {
        let mut grpc = tonic::client::Grpc::new(scene.world.channel().await);
        grpc.ready().await.unwrap();
        let codec = tonic_prost::ProstCodec::<Bytes, Bytes>::default();
        let path = format!("/orchestrator.v1.{method}").parse().unwrap();
        let message = presents.on(Bytes { first: vec![0xff, 0xfe] });
        let refused = grpc.unary(message, path, codec).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{method}: {refused:?}");
        assert_eq!(crate::world::reason(&refused), "INVALID_MESSAGE");
    }
}
