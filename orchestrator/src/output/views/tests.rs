//! Every list and every page, from fixed messages.

use orchestrator_proto::v1 as pb;
use pb::trigger::Kind;

use crate::output::json::{Reply, to_pretty};
use crate::output::{Listing, Look, Row, Single, table};

#[expect(clippy::unnecessary_wraps, reason = "the fields of messages are optional")]
fn at(text: &str) -> Option<prost_types::Timestamp> {
    Some(crate::arguments::time_to_wire(text.parse().unwrap()))
}

fn wide() -> Look {
    Look { wide: true, width: None, ..Look::of_tests() }
}

fn list<M: Listing>(reply: &M) -> String {
    table::list(&Look::of_tests(), M::Row::COLUMNS, reply.rows())
}

fn page<M: Single>(reply: &M) -> String {
    table::facts(&Look::of_tests(), M::Row::FACTS, reply.row().unwrap())
}

fn json<M: Reply>(reply: &M) -> String {
    to_pretty(reply).unwrap()
}

fn scheduled() -> pb::Trigger {
    pb::Trigger {
        id: "0199c1de-7a10-7000-8000-00001a2b3c4d".to_owned(),
        name: "Nightly invoices".to_owned(),
        r#type: "SCHEDULED".to_owned(),
        status: "RUNNING".to_owned(),
        hold: "NONE".to_owned(),
        process_name: "invoices".to_owned(),
        process_path: "https://git.example.org/robots/invoices.git".to_owned(),
        process_args: Some("{\"dry\": true}".to_owned()),
        is_git_repo: true,
        git_branch: Some("v1".to_owned()),
        is_blocking: Some(true),
        priority: 5,
        worker_whitelist: vec!["rpa-01".to_owned()],
        policies: Some(pb::Policies {
            timeout: Some(prost_types::Duration { seconds: 5400, nanos: 0 }),
            max_attempts: 2,
            max_consecutive_failures: 3,
            overlap: "BUFFER_ONE".to_owned(),
            missed: "ALL".to_owned(),
            missed_most: 4,
            ..pb::Policies::default()
        }),
        kind: Some(Kind::Scheduled(pb::ScheduledKind {
            cron_expr: "0 6 * * 1-5".to_owned(),
            time_zone: "Europe/Copenhagen".to_owned(),
            next_run: at("2026-11-23T05:00:00Z"),
        })),
        next_run: at("2026-11-23T05:00:00Z"),
        last_run: at("2026-11-22T11:30:00Z"),
        ..pb::Trigger::default()
    }
}

fn queue_trigger() -> pb::Trigger {
    pb::Trigger {
        id: "0199c1de-7a10-7000-8000-0000deadbeef".to_owned(),
        name: "Work".to_owned(),
        r#type: "QUEUE".to_owned(),
        status: "FAILED".to_owned(),
        hold: "FAILED".to_owned(),
        process_name: "worker\u{1b}[31m".to_owned(),
        kind: Some(Kind::Queue(pb::QueueKind { queue_name: "q".to_owned(), min_batch_size: 5, max_parallel: 2 })),
        ..pb::Trigger::default()
    }
}

fn job() -> pb::Job {
    pb::Job {
        id: "0199c1de-7a10-7000-8000-0000000000aa".to_owned(),
        trigger_id: scheduled().id,
        trigger_name: scheduled().name,
        process_name: "invoices".to_owned(),
        worker_name: "rpa-01".to_owned(),
        status: "FAILED".to_owned(),
        scheduled_at: at("2026-11-22T11:30:00Z"),
        queued_at: at("2026-11-22T11:30:00.004Z"),
        start_time: at("2026-11-22T11:30:00.010Z"),
        end_time: at("2026-11-22T11:31:12Z"),
        attempt: 1,
        exit_code: Some(3),
        commit: "0123456789abcdef0123456789abcdef01234567".to_owned(),
        reason: "the robot ended with exit code 3".to_owned(),
        process_path: "https://git.example.org/robots/invoices.git".to_owned(),
        ..pb::Job::default()
    }
}

fn element() -> pb::QueueElement {
    pb::QueueElement {
        id: "0199c1de-7a10-7000-8000-0000000000bb".to_owned(),
        queue_name: "demo".to_owned(),
        status: "IN_PROGRESS".to_owned(),
        data: Some(format!("{{\"name\": \"{}\"}}", "Ada ".repeat(30))),
        reference: Some("42".to_owned()),
        created_date: at("2026-11-22T10:00:00Z"),
        start_date: at("2026-11-22T11:59:58Z"),
        created_by: Some("import".to_owned()),
        job_id: job().id,
        lease_token: 7,
        attempt: 1,
        ..pb::QueueElement::default()
    }
}

#[test]
fn triggers() {
    let reply = pb::ListTriggersResponse { triggers: vec![scheduled(), queue_trigger()], next_cursor: String::new() };
    insta::assert_snapshot!("trigger_list", list(&reply));
    insta::assert_snapshot!("trigger_list_wide", table::list(&wide(), pb::Trigger::COLUMNS, &reply.triggers));
    insta::assert_snapshot!("trigger_list_json", json(&reply));
    insta::assert_snapshot!(
        "trigger_page",
        page(&pb::GetTriggerResponse { trigger: Some(scheduled()), last_change: None })
    );
}

#[test]
fn triggers_that_wait_or_are_held_say_why() {
    let shown = |trigger| page(&pb::GetTriggerResponse { trigger: Some(trigger), last_change: None });
    let wait = pb::QueueWait {
        reason: "it backs off, since its last run failed; 7 new elements wait in queue \"q\"".to_owned(),
        waiting: 7,
        needed: 5,
        backs_off_until: at("2026-11-22T12:03:00Z"),
        ..pb::QueueWait::default()
    };
    let free = || pb::Trigger { hold: "NONE".to_owned(), status: "IDLE".to_owned(), ..queue_trigger() };
    let waiting = shown(pb::Trigger { queue_wait: Some(wait.clone()), ..free() });
    assert!(waiting.contains("7 new elements wait in queue \"q\"; it looks again in 3 min"), "{waiting}");
    // It does not, while the queue is paused.
    let paused = pb::QueueWait { reason: "queue \"q\" is paused".to_owned(), queue_paused: true, ..wait };
    assert!(!shown(pb::Trigger { queue_wait: Some(paused), ..free() }).contains("it looks again"));
    let cause = pb::HoldCause {
        reason: "3 runs in a row failed".to_owned(),
        since: at("2026-11-22T11:30:00Z"),
        job_id: job().id,
        job_status: "FAILED".to_owned(),
        job_reason: "exit code 3".to_owned(),
        ..pb::HoldCause::default()
    };
    let held = pb::Trigger { hold: "FAILED".to_owned(), hold_cause: Some(cause), ..scheduled() };
    insta::assert_snapshot!("trigger_page_held", shown(held));
}

#[test]
fn jobs() {
    let waiting = pb::Job {
        id: "0199c1de-7a10-7000-8000-0000000000cc".to_owned(),
        status: "QUEUED".to_owned(),
        process_name: "invoices".to_owned(),
        waiting_reason: "no worker named rpa-02 is up".to_owned(),
        ..pb::Job::default()
    };
    let reply = pb::ListJobsResponse { jobs: vec![waiting, job()], next_cursor: String::new() };
    insta::assert_snapshot!("job_list", list(&reply));
    insta::assert_snapshot!("job_list_wide", table::list(&wide(), pb::Job::COLUMNS, &reply.jobs));
    insta::assert_snapshot!("job_page", page(&pb::GetJobResponse { job: Some(job()) }));
    insta::assert_snapshot!("job_json", json(&pb::GetJobResponse { job: Some(job()) }));
}

#[test]
fn queues_and_elements() {
    let queue = pb::Queue {
        queue_name: "demo".to_owned(),
        new_count: 20,
        failed_count: 1,
        oldest_new_at: at("2026-11-22T11:30:00Z"),
        done_last_hour_count: Some(7),
        ..pb::Queue::default()
    };
    let queues = pb::ListQueuesResponse { queues: vec![queue.clone()], ..Default::default() };
    insta::assert_snapshot!("queue_list", list(&queues));
    insta::assert_snapshot!("queue_list_wide", table::list(&wide(), pb::Queue::COLUMNS, &queues.queues));
    let shown = pb::ResumeQueueResponse { queue: Some(queue) };
    insta::assert_snapshot!("queue_page", page(&shown));
    insta::assert_snapshot!("queue_json", json(&shown));
    let quarter = |start: &str, new_count| pb::QueueInterval { start: at(start), new_count, ..Default::default() };
    let seen =
        pb::QueueInterval { in_progress_count: Some(2), done_count: 9, ..quarter("2026-11-22T11:45:00Z", Some(5)) };
    let intervals = vec![quarter("2026-11-22T11:30:00Z", None), seen];
    insta::assert_snapshot!("queue_history", list(&pb::GetQueueHistoryResponse { intervals }));
    let reply = pb::ListElementsResponse { elements: vec![element()], next_cursor: "abc".to_owned() };
    insta::assert_snapshot!("element_list", list(&reply));
    insta::assert_snapshot!("element_list_json", json(&reply));
    insta::assert_snapshot!("element_page", page(&pb::GetElementResponse { element: Some(element()) }));
}

#[test]
fn logs() {
    let line = |level: &str, message: &str| pb::Log {
        id: "0199c1de-7a10-7000-8000-0000000000dd".to_owned(),
        log_time: at("2026-11-22T11:59:58.123Z"),
        log_level: level.to_owned(),
        process_name: "invoices".to_owned(),
        log_message: message.to_owned(),
        job_id: job().id,
    };
    let logs = vec![line("INFO", "Process started"), line("ERROR", "Forged\n2026-11-22 INFO all is well\u{1b}[2J")];
    insta::assert_snapshot!("log_list", list(&pb::ListLogsResponse { logs, next_cursor: String::new() }));
}

#[test]
fn constants_credentials_and_tokens() {
    let constant = pb::Constant {
        name: "mail".to_owned(),
        value: "robots@example.org".to_owned(),
        changed_at: at("2026-11-20T12:00:00Z"),
        changed_by: "ada".to_owned(),
    };
    insta::assert_snapshot!(
        "constant_list",
        list(&pb::ListConstantsResponse { constants: vec![constant], ..Default::default() })
    );
    let credential = pb::Credential { name: "erp".to_owned(), username: "robot".to_owned(), ..Default::default() };
    insta::assert_snapshot!(
        "credential_list",
        list(&pb::ListCredentialsResponse { credentials: vec![credential], ..Default::default() })
    );
    let token = pb::Token {
        id: "0199c1de-7a10-7000-8000-0000000000ee".to_owned(),
        kind: "USER".to_owned(),
        name: "ada".to_owned(),
        role: "ADMIN".to_owned(),
        prefix: "orc_user_abcd…".to_owned(),
        created_at: at("2026-11-22T11:00:00Z"),
        ..pb::Token::default()
    };
    insta::assert_snapshot!("token_list", list(&pb::ListTokensResponse { tokens: vec![token] }));
}

#[test]
fn users_and_sessions() {
    let user = pb::User {
        id: "0199c1de-7a10-7000-8000-0000000000f1".to_owned(),
        name: "ada".to_owned(),
        display_name: "Ada Lovelace".to_owned(),
        role: "ADMIN".to_owned(),
        has_password: true,
        password_changed_at: at("2026-11-20T11:00:00Z"),
        created_at: at("2026-11-20T11:00:00Z"),
        changed_at: at("2026-11-20T11:00:00Z"),
        last_sign_in_at: at("2026-11-22T11:00:00Z"),
        ..pb::User::default()
    };
    let gone = pb::User {
        name: "bob\u{1b}[31m".to_owned(),
        role: "VIEWER".to_owned(),
        disabled_at: at("2026-11-22T10:00:00Z"),
        ..pb::User::default()
    };
    insta::assert_snapshot!("user_list", list(&pb::ListUsersResponse { users: vec![user.clone(), gone] }));
    insta::assert_snapshot!("user_json", json(&pb::CreateUserResponse { user: Some(user) }));
    let session = pb::Session {
        id: "0199c1de-7a10-7000-8000-0000000000f2".to_owned(),
        user: "ada".to_owned(),
        method: "PASSWORD".to_owned(),
        created_at: at("2026-11-22T11:00:00Z"),
        last_seen_at: at("2026-11-22T11:59:00Z"),
        expires_at: at("2026-11-23T11:00:00Z"),
        address: "192.0.2.1".to_owned(),
        user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".to_owned(),
        current: false,
    };
    let entry = pb::AuditEntry {
        id: "0199c1de-7a10-7000-8000-0000000000f3".to_owned(),
        at: at("2026-11-22T11:00:00Z"),
        actor_kind: "USER".to_owned(),
        actor: "ada".to_owned(),
        action: "user.update".to_owned(),
        subject_kind: "user".to_owned(),
        subject: "bob".to_owned(),
        before: "{\"role\":\"VIEWER\"}".to_owned(),
        after: "{\"role\":\"ADMIN\"}".to_owned(),
    };
    let entries = pb::ListAuditResponse { entries: vec![entry], next_cursor: String::new() };
    insta::assert_snapshot!("audit_list", list(&entries));
    insta::assert_snapshot!("session_list", list(&pb::ListSessionsResponse { sessions: vec![session] }));
}

#[test]
fn workers_and_status() {
    let worker = pb::Worker {
        name: "rpa-01".to_owned(),
        state: "UP".to_owned(),
        last_heartbeat: at("2026-11-22T11:59:57Z"),
        slots: 4,
        active_jobs: 1,
        version: "0.1.0".to_owned(),
        latest_trigger: "Nightly invoices".to_owned(),
        latest_trigger_time: at("2026-11-22T11:30:00Z"),
        ..pb::Worker::default()
    };
    insta::assert_snapshot!("worker_list", list(&pb::ListWorkersResponse { workers: vec![worker] }));
    let status = pb::GetStatusResponse {
        version: "0.1.0".to_owned(),
        database: "SQLITE".to_owned(),
        now: at("2026-11-22T12:00:00Z"),
        started_at: at("2026-11-22T09:00:00Z"),
        time_zone: "Europe/Copenhagen".to_owned(),
        workers_up: 1,
        jobs_running: 2,
        clock_offset: Some(prost_types::Duration { seconds: 0, nanos: -3_000_000 }),
        ..pb::GetStatusResponse::default()
    };
    insta::assert_snapshot!("status", page(&status));
    insta::assert_snapshot!("status_json", json(&status));
}

#[test]
fn colour_comes_beside_the_word() {
    let look = Look { color: true, ..Look::of_tests() };
    let text =
        table::list(&look, pb::Worker::COLUMNS, &[pb::Worker { state: "LOST".to_owned(), ..Default::default() }]);
    assert!(text.contains("\u{1b}[") && text.contains("LOST"), "{text}");
    let plain = table::list(&Look::of_tests(), pb::Worker::COLUMNS, &[pb::Worker::default()]);
    assert!(!plain.contains('\u{1b}'));
}
