//! What is said to a server, and what is made of its answers.

use orchestrator_proto::v1 as pb;
use serde_json::Value;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::fake_server::FakeServer;
use crate::program::Program;

fn trigger(name: &str) -> pb::Trigger {
    pb::Trigger {
        id: format!("0199c1de-7a10-7000-8000-{name:0>12}"),
        name: name.to_owned(),
        r#type: "SINGLE".to_owned(),
        status: "IDLE".to_owned(),
        hold: "NONE".to_owned(),
        kind: Some(pb::trigger::Kind::Single(pb::SingleKind::default())),
        updated_at: Some(prost_types::Timestamp { seconds: 1, nanos: 0 }),
        ..pb::Trigger::default()
    }
}

fn job(status: &str) -> pb::Job {
    pb::Job {
        id: "0199c1de-7a10-7000-8000-0000000000aa".to_owned(),
        trigger_name: "hello".to_owned(),
        status: status.to_owned(),
        ..pb::Job::default()
    }
}

fn chunk(seq: i64, stream: &str, content: &str) -> pb::OutputChunk {
    pb::OutputChunk { seq, stream: stream.to_owned(), content: content.as_bytes().to_vec(), ..Default::default() }
}

#[test]
fn a_list_is_fetched_page_by_page_and_printed_as_one() {
    let server = FakeServer::new();
    let page = |name: &str, next: &str| pb::ListTriggersResponse {
        triggers: vec![trigger(name)],
        next_cursor: next.to_owned(),
    };
    server.answers("list", &page("1", "more"));
    server.answers("list", &page("2", ""));
    let outcome = server.run(&["trigger", "list", "-o", "json"]);
    let json: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!((json["triggers"].as_array().unwrap().len(), &json["nextCursor"]), (2, &Value::from("")));
    let calls: Vec<pb::ListTriggersRequest> = server.calls("list");
    assert_eq!(calls[1].page.as_ref().unwrap().cursor, "more");
}

#[test]
fn an_empty_list_says_how_to_fill_it() {
    let server = FakeServer::new();
    server.answers("list", &pb::ListTriggersResponse::default());
    let outcome = server.run(&["trigger", "list"]);
    assert_eq!((outcome.exit_code, outcome.stdout.as_str()), (0, ""));
    assert!(outcome.stderr.starts_with("No triggers yet. Create one: orchestrator trigger create single"));
    assert_eq!(
        server.run(&["trigger", "list", "-o", "json"]).stdout,
        "{\n  \"triggers\": [],\n  \"nextCursor\": \"\"\n}\n"
    );
}

#[test]
fn a_refusal_keeps_the_servers_code_and_fields() {
    let server = FakeServer::new();
    let metadata = std::collections::HashMap::from([("field".to_owned(), "trigger_name".to_owned())]);
    let details = ErrorDetails::with_error_info("TRIGGER_EXISTS", "orchestrator", metadata);
    server.refuses("create", Status::with_error_details(Code::AlreadyExists, "there is a trigger 'hello'", details));
    let create = ["trigger", "create", "single", "hello", "--process", "p", "--path", "p.py"];
    let outcome = server.run(&create);
    assert_eq!(
        (outcome.exit_code, outcome.stderr.as_str()),
        (5, "error: there is a trigger 'hello' [TRIGGER_EXISTS]\n")
    );
    let json: Value = serde_json::from_str(&server.run(&[&create[..], &["-o", "json"]].concat()).stderr).unwrap();
    assert_eq!(
        (&json["code"], &json["details"]["field"]),
        (&Value::from("TRIGGER_EXISTS"), &Value::from("trigger_name"))
    );
}

#[test]
fn a_creation_whose_answer_is_lost_is_repeated_with_the_same_id() {
    let server = FakeServer::new();
    server.refuses("create", Status::unavailable("shutting down"));
    server.answers("create", &pb::CreateTriggerResponse { trigger: Some(trigger("hello")) });
    let outcome = server.run(&["trigger", "create", "single", "hello", "--process", "p", "--path", "p.py"]);
    assert_eq!(outcome.exit_code, 0, "{}", outcome.stderr);
    let calls: Vec<pb::CreateTriggerRequest> = server.calls("create");
    assert_eq!(calls.iter().map(|call| call.repeat).collect::<Vec<_>>(), [false, true]);
    assert_eq!(calls[0].trigger, calls[1].trigger);
    assert!(!calls[0].trigger.as_ref().unwrap().id.is_empty());
}

#[test]
fn a_followed_job_prints_its_output_and_its_failure_is_the_exit_code() {
    let server = FakeServer::new();
    server.answers("run_now", &pb::RunNowResponse { job: Some(job("QUEUED")) });
    // The first stream breaks off; the second goes on where it ended.
    let begun =
        pb::WatchOutputResponse { chunks: vec![chunk(1, "STDOUT", "one\n"), chunk(2, "STDERR", "oh\n")], ended: None };
    let failed = pb::Job { exit_code: Some(3), reason: "exit code 3".to_owned(), ..job("FAILED") };
    server.answers("watch_output", &begun);
    server.answers(
        "watch_output",
        &pb::WatchOutputResponse { chunks: vec![chunk(3, "STDOUT", "two")], ended: Some(failed) },
    );
    let outcome = server.run(&["trigger", "run", "hello", "--args", "-x", "--follow"]);
    assert_eq!((outcome.exit_code, outcome.stdout.as_str()), (7, "one\ntwo"));
    assert!(outcome.stderr.contains("oh\n") && outcome.stderr.contains("[JOB_FAILED]"), "{}", outcome.stderr);
    let calls: Vec<pb::WatchOutputRequest> = server.calls("watch_output");
    assert_eq!(calls.iter().map(|call| call.after_seq).collect::<Vec<_>>(), [0, 2]);
    let run: Vec<pb::RunNowRequest> = server.calls("run_now");
    assert_eq!((run[0].process_args(), run[0].call.as_ref().unwrap().repeat), ("-x", false));
}

#[test]
fn a_job_that_is_waited_for_is_answered_with_its_end() {
    let server = FakeServer::new();
    server.answers("run_now", &pb::RunNowResponse { job: Some(job("QUEUED")) });
    server.answers(
        "watch_output",
        &pb::WatchOutputResponse { chunks: vec![chunk(1, "STDOUT", "x")], ended: Some(job("DONE")) },
    );
    let outcome = server.run(&["trigger", "run", "hello", "--wait", "-o", "json"]);
    let json: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!((outcome.exit_code, &json["job"]["status"], outcome.stderr.as_str()), (0, &Value::from("DONE"), ""));
}

#[test]
fn kept_output_is_read_to_its_end() {
    let server = FakeServer::new();
    server.answers("read_output", &pb::ReadOutputResponse { chunks: vec![chunk(1, "STDOUT", "a")], complete: false });
    server.answers("read_output", &pb::ReadOutputResponse { chunks: vec![chunk(2, "STDOUT", "b\n")], complete: true });
    let outcome = server.run(&["job", "logs", "aaaa"]);
    assert_eq!((outcome.exit_code, outcome.stdout.as_str()), (0, "ab\n"));
}

#[test]
fn yes_answers_the_question() {
    let server = FakeServer::new();
    server.answers("delete", &pb::DeleteTriggerResponse { cancelled_jobs: 2, running_jobs: 1 });
    let outcome = server.run(&["trigger", "delete", "hello", "--yes"]);
    assert_eq!(outcome.stdout, "Trigger \"hello\" is deleted. 2 jobs cancelled. 1 job still running.\n");
    assert_eq!(outcome.exit_code, 0);
}

#[test]
fn disable_is_another_word_for_pause() {
    let server = FakeServer::new();
    let paused = pb::Trigger { status: "PAUSED".to_owned(), ..trigger("hello") };
    server.answers("disable", &pb::DisableTriggerResponse { trigger: Some(paused), cancelled_jobs: 0 });
    assert_eq!(server.run(&["trigger", "disable", "hello"]).stdout, "Trigger \"hello\" is PAUSED.\n");
}

#[test]
fn an_edit_changes_only_what_is_named_and_carries_what_was_read() {
    let server = FakeServer::new();
    server.answers("get", &pb::GetTriggerResponse { trigger: Some(trigger("hello")), last_change: None });
    server.answers("update", &pb::UpdateTriggerResponse { trigger: Some(trigger("hello")) });
    assert_eq!(server.run(&["trigger", "edit", "hello", "--priority", "7", "--timeout", "90s"]).exit_code, 0);
    let calls: Vec<pb::UpdateTriggerRequest> = server.calls("update");
    let sent = calls[0].trigger.clone().unwrap();
    let policies =
        pb::Policies { timeout: Some(prost_types::Duration { seconds: 90, nanos: 0 }), ..Default::default() };
    assert_eq!(sent, pb::Trigger { priority: 7, policies: Some(policies), ..trigger("hello") });
    let outcome = server.run(&["trigger", "edit", "hello", "--cron", "* * * * *"]);
    assert_eq!((outcome.exit_code, outcome.stderr.contains("is a SINGLE trigger")), (2, true), "{}", outcome.stderr);
}

#[test]
fn a_file_is_sent_whole_and_again_with_the_same_ids_when_the_answer_is_lost() {
    let (server, program) = (FakeServer::new(), Program::new());
    let rows = "{\"reference\": \"42\"}\n".repeat(700);
    std::fs::write(program.folder().join("work.jsonl"), rows).unwrap();
    server.refuses("bulk_create", Status::unavailable("shutting down"));
    server.answers("bulk_create", &pb::BulkCreateResponse { created_count: 700 });
    let outcome = server.run_in(&program, &["queue", "element", "import", "demo", "work.jsonl", "-o", "json"]);
    assert_eq!(
        (outcome.exit_code, outcome.stdout.as_str()),
        (0, "{\n  \"createdCount\": \"700\"\n}\n"),
        "{}",
        outcome.stderr
    );
    let calls: Vec<pb::BulkCreateRequest> = server.calls("bulk_create");
    let (first, second) = calls.split_at(2);
    let ids = |calls: &[pb::BulkCreateRequest]| -> Vec<String> {
        calls.iter().flat_map(|call| &call.elements).map(|element| element.id.clone()).collect()
    };
    assert_eq!((ids(first).len(), ids(first)), (700, ids(second)));
    assert_eq!((first[0].queue_name.as_str(), first[0].repeat, second[0].repeat), ("demo", false, true));
}

#[test]
fn a_claim_of_nothing_is_an_empty_list() {
    let server = FakeServer::new();
    server.answers("claim", &pb::ClaimElementsResponse::default());
    let outcome = server.run(&["queue", "element", "claim", "demo", "--reference", "42", "-o", "json"]);
    assert_eq!((outcome.exit_code, outcome.stdout.as_str()), (0, "{\n  \"elements\": [],\n  \"completed\": []\n}\n"));
    let calls: Vec<pb::ClaimElementsRequest> = server.calls("claim");
    assert_eq!((calls[0].reference(), calls[0].count), ("42", 1));
    assert!(!calls[0].call.as_ref().unwrap().request_id.is_empty());
}

#[test]
fn an_export_goes_through_all_pages() {
    let server = FakeServer::new();
    let page = |id: &str, next: &str| pb::ListElementsResponse {
        elements: vec![pb::QueueElement { id: id.to_owned(), ..Default::default() }],
        next_cursor: next.to_owned(),
    };
    server.answers("element list", &page("1", "more"));
    server.answers("element list", &page("2", ""));
    let outcome = server.run(&["queue", "element", "export", "demo", "--status", "failed"]);
    let ids: Vec<Value> =
        outcome.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].clone()).collect();
    assert_eq!(ids, ["1", "2"]);
    let calls: Vec<pb::ListElementsRequest> = server.calls("element list");
    assert_eq!(calls[0].statuses, ["FAILED"]);
}

#[test]
fn what_failed_tonight_is_listed_and_retried_once_without_a_question() {
    let server = FakeServer::new();
    let job = |status: &str, retried_as: &str| pb::Job {
        id: "0199c1de-7a10-7000-8000-000000000001".to_owned(),
        trigger_name: "pay".to_owned(),
        status: status.to_owned(),
        retried_as: retried_as.to_owned(),
        ..pb::Job::default()
    };
    server.answers("job list", &pb::ListJobsResponse { jobs: vec![job("FAILED", "")], next_cursor: String::new() });
    let list = ["job", "list", "--status", "failed", "--since", "8h", "--until", "2026-11-22T11:00:00Z", "-o", "name"];
    let listed = server.run(&list);
    assert_eq!(listed.stdout.trim(), job("", "").id, "{}", listed.stderr);
    let asked = &server.calls::<pb::ListJobsRequest>("job list")[0];
    assert!(asked.queued_from.is_some() && asked.queued_to.unwrap().seconds == 1_795_345_200, "{asked:?}");

    let cases =
        [(job("FAILED", ""), ""), (job("FAILED", "8"), "was retried before, as job 8"), (job("DONE", ""), "is DONE")];
    for (ended, asks) in cases {
        let server = FakeServer::new();
        server.answers("job get", &pb::GetJobResponse { job: Some(ended) });
        server.answers("job retry", &pb::RetryJobResponse { job: Some(job("QUEUED", "")) });
        let unasked = server.run(&["job", "retry", "0001"]);
        let made = server.calls::<pb::RetryJobRequest>("job retry").len();
        assert_eq!((unasked.exit_code, made), if asks.is_empty() { (0, 1) } else { (2, 0) }, "{}", unasked.stderr);
        assert!(unasked.stderr.contains(asks), "{}", unasked.stderr);
        assert_eq!(server.run(&["job", "retry", "0001", "--yes"]).exit_code, 0);
    }
}

#[test]
fn many_elements_are_changed_by_a_filter_after_a_look_at_them() {
    let server = FakeServer::new();
    let element = |id: &str, status: &str| pb::QueueElement {
        id: format!("0199c1de-7a10-7000-8000-{id:0>12}"),
        status: status.to_owned(),
        ..pb::QueueElement::default()
    };
    let elements = vec![element("1", "FAILED"), element("2", "NEW"), element("3", "ABANDONED")];
    server.answers("element list", &pb::ListElementsResponse { elements, next_cursor: String::new() });
    server.answers("element retry", &pb::RetryElementsResponse { retried_count: 2 });
    let retry = ["queue", "element", "bulk", "demo", "--search", "x", "retry"];
    let plan = server.run(&[&retry[..], &["--dry-run"]].concat());
    assert_eq!(plan.exit_code, 8, "{}", plan.stderr);
    assert!(plan.stderr.starts_with("plan: Retry: 2 elements"), "{}", plan.stderr);
    let unasked = server.run(&retry);
    assert!(
        unasked.exit_code == 2 && unasked.stderr.contains("Retry 2 elements of queue \"demo\"?"),
        "{}",
        unasked.stderr
    );
    assert!(server.calls::<pb::RetryElementsRequest>("element retry").is_empty());
    let done = server.run(&[&retry[..], &["--yes"]].concat());
    assert_eq!((done.exit_code, done.stdout.as_str()), (0, "2 elements of queue \"demo\" are changed.\n"));
    let calls: Vec<pb::RetryElementsRequest> = server.calls("element retry");
    assert_eq!(calls[0].elements.len(), 2);
    let asked: Vec<pb::ListElementsRequest> = server.calls("element list");
    assert_eq!(asked[0].search, "x");

    // One that a running job holds is left alone, and told.
    server.answers("set_status", &pb::SetElementStatusResponse { element: Some(element("1", "DONE")) });
    server.refuses("set_status", Status::failed_precondition("a running job holds it"));
    let set = ["queue", "element", "bulk", "demo", "set-status", "done", "--message", "by hand", "--yes", "-o", "json"];
    let json: Value = serde_json::from_str(&server.run(&set).stdout).unwrap();
    assert_eq!((&json["changed"], &json["left"]), (&1.into(), &2.into()));
}
