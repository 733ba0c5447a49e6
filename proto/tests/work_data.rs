//! Queue elements, log lines and constants survive the wire, and each field that is missing or unknown is refused by name.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use chrono::DateTime;
use orchestrator_core::clock::Timestamp;
use orchestrator_core::constant::Constant;
use orchestrator_core::id::{ElementId, JobId, LogId};
use orchestrator_core::lease::LeaseToken;
use orchestrator_core::log::{LogLevel, LogLine};
use orchestrator_core::queue::{ElementStatus, ElementTimes, QueueElement};
use orchestrator_core::text::{
    ActorName, ConstantName, ConstantValue, CreatedBy, ElementData, Limits, LogMessage, Message, ProcessName,
    QueueName, Reference,
};
use orchestrator_proto::convert::{
    DecodeError, constant, element, log, new_element, new_logs, new_status, read_constant, read_element, read_log,
};
use orchestrator_proto::v1;
use proptest::option;
use proptest::prelude::*;
use uuid::Uuid;

fn instants() -> impl Strategy<Value = Timestamp> {
    (0_i64..4_000_000_000_000_000).prop_map(|micros| DateTime::from_timestamp_micros(micros).unwrap())
}

fn uuids() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

fn elements() -> impl Strategy<Value = QueueElement> {
    let texts = (option::of(".{0,20}"), option::of(".{0,20}"), option::of(".{0,20}"), option::of(".{0,20}"));
    let times = (instants(), option::of(instants()), option::of(instants()), option::of(instants()));
    let rest =
        (uuids(), "[a-zæ ]{0,9}[a-z]", 0..ElementStatus::ALL.len(), option::of(uuids()), any::<i64>(), any::<u32>());
    (texts, times, rest).prop_map(
        |(
            (data, reference, message, created_by),
            (created, start, end, expiry),
            (id, queue, status, job, token, attempt),
        )| {
            QueueElement {
                id: ElementId::from_uuid(id),
                queue_name: QueueName::parse(&queue).unwrap(),
                status: ElementStatus::ALL[status],
                data: data.map(ElementData::from_stored),
                reference: reference.map(Reference::from_stored),
                times: ElementTimes { created_date: created, start_date: start, end_date: end },
                message: message.map(Message::from_stored),
                created_by: created_by.map(CreatedBy::from_stored),
                job_id: job.map(JobId::from_uuid),
                lease_token: LeaseToken::new(token),
                lease_expires_at: expiry,
                parked: attempt % 2 == 1,
                attempt,
            }
        },
    )
}

fn lines() -> impl Strategy<Value = LogLine> {
    (uuids(), instants(), 0..LogLevel::ALL.len(), "[a-zæ ]{0,9}[a-z]", ".{0,40}", option::of(uuids())).prop_map(
        |(id, log_time, level, process, message, job)| LogLine {
            id: LogId::from_uuid(id),
            log_time,
            level: LogLevel::ALL[level],
            process_name: ProcessName::parse(&process).unwrap(),
            message: LogMessage::from_stored(message),
            job_id: job.map(JobId::from_uuid),
        },
    )
}

proptest! {
    #[test]
    fn elements_survive(original in elements()) {
        prop_assert_eq!(read_element(element(&original)).unwrap(), original);
    }

    #[test]
    fn log_lines_survive(original in lines()) {
        prop_assert_eq!(read_log(log(&original)).unwrap(), original);
    }

    #[test]
    fn constants_survive(name in "[a-z]{1,9}", value in ".{0,40}", changed_at in instants(), by in option::of("[a-z]{1,9}")) {
        let original = Constant {
            name: ConstantName::parse(&name).unwrap(),
            value: ConstantValue::from_stored(value),
            changed_at,
            changed_by: by.map(ActorName::from_stored),
        };
        prop_assert_eq!(read_constant(constant(&original)).unwrap(), original);
    }
}

fn an_element() -> v1::QueueElement {
    v1::QueueElement {
        id: ElementId::generate().to_string(),
        queue_name: "Invoices".to_owned(),
        status: "NEW".to_owned(),
        created_date: Some(prost_types::Timestamp::default()),
        ..v1::QueueElement::default()
    }
}

#[test]
fn an_element_that_lacks_something_says_what() {
    let broken = [
        (v1::QueueElement { id: String::new(), ..an_element() }, "id"),
        (v1::QueueElement { id: "7".to_owned(), ..an_element() }, "id"),
        (v1::QueueElement { queue_name: String::new(), ..an_element() }, "queue_name"),
        (v1::QueueElement { status: String::new(), ..an_element() }, "status"),
        (v1::QueueElement { status: "OPEN".to_owned(), ..an_element() }, "status"),
        (v1::QueueElement { created_date: None, ..an_element() }, "created_date"),
        (v1::QueueElement { job_id: "x".to_owned(), ..an_element() }, "job_id"),
    ];
    for (message, field) in broken {
        assert_eq!(read_element(message).unwrap_err().field(), field);
    }
}

fn a_line() -> v1::Log {
    v1::Log {
        id: LogId::generate().to_string(),
        log_time: Some(prost_types::Timestamp::default()),
        log_level: "INFO".to_owned(),
        process_name: "Letters".to_owned(),
        ..v1::Log::default()
    }
}

#[test]
fn a_line_that_lacks_something_says_what() {
    let broken = [
        (v1::Log { id: String::new(), ..a_line() }, "id"),
        (v1::Log { log_time: None, ..a_line() }, "log_time"),
        (v1::Log { log_level: String::new(), ..a_line() }, "log_level"),
        (v1::Log { log_level: "Info".to_owned(), ..a_line() }, "log_level"),
        (v1::Log { process_name: " ".to_owned(), ..a_line() }, "process_name"),
        (v1::Log { job_id: "x".to_owned(), ..a_line() }, "job_id"),
    ];
    for (message, field) in broken {
        assert_eq!(read_log(message).unwrap_err().field(), field);
    }
}

#[test]
fn a_constant_that_lacks_something_says_what() {
    let whole = v1::Constant {
        name: "url".to_owned(),
        changed_at: Some(prost_types::Timestamp::default()),
        ..v1::Constant::default()
    };
    assert_eq!(read_constant(v1::Constant { name: String::new(), ..whole.clone() }).unwrap_err().field(), "name");
    assert_eq!(read_constant(v1::Constant { changed_at: None, ..whole }).unwrap_err().field(), "changed_at");
}

#[test]
fn a_new_element_gets_an_id_and_is_held_to_the_limits() {
    let limits = Limits::default();
    let empty = new_element(&v1::NewElement::default(), limits).unwrap();
    assert_ne!(empty.id, new_element(&v1::NewElement::default(), limits).unwrap().id);
    let text = |length| Some("x".repeat(length));
    let too_long = [
        (v1::NewElement { data: text(2001), ..v1::NewElement::default() }, "data"),
        (v1::NewElement { reference: text(101), ..v1::NewElement::default() }, "reference"),
        (v1::NewElement { created_by: text(101), ..v1::NewElement::default() }, "created_by"),
    ];
    for (message, field) in too_long {
        assert_eq!(new_element(&message, limits).unwrap_err().field(), field);
    }
    let raised = Limits { data: 5000, ..limits };
    assert!(new_element(&v1::NewElement { data: text(2001), ..v1::NewElement::default() }, raised).is_ok());
}

#[test]
fn what_a_robot_writes_too_long_is_cut_and_not_refused() {
    let now = DateTime::UNIX_EPOCH;
    let message = v1::NewLog { log_level: "ERROR".to_owned(), log_message: "x".repeat(9000), ..v1::NewLog::default() };
    let line = new_logs(&[message], &ProcessName::parse("p").unwrap(), JobId::generate(), now).unwrap().remove(0);
    assert_eq!((line.message.as_str().chars().count() <= 8000, line.log_time), (true, now));
    assert!(line.message.as_str().contains("characters cut"));
    let long = v1::SetElementStatusRequest {
        status: "DONE".to_owned(),
        message: Some("x".repeat(2000)),
        ..Default::default()
    };
    assert!(new_status(&long).unwrap().message.unwrap().as_str().contains("characters cut"));
}

#[test]
fn of_many_lines_the_one_that_is_refused_is_named() {
    let line = |level: &str| v1::NewLog { log_level: level.to_owned(), ..v1::NewLog::default() };
    let refused = |levels: &[&str]| {
        let lines: Vec<_> = levels.iter().map(|level| line(level)).collect();
        new_logs(&lines, &ProcessName::parse("p").unwrap(), JobId::generate(), DateTime::UNIX_EPOCH).unwrap_err()
    };
    let one = refused(&["LOUD"]);
    assert!(one.to_string().starts_with("log_level: "), "{one}");
    let third = refused(&["INFO", "ERROR", "LOUD", "LOUDER"]);
    assert!(third.to_string().starts_with("logs[2]: log_level: "), "{third}");
    assert_eq!(third.field(), "log_level");
}

#[test]
fn a_status_that_is_none_is_refused_with_those_that_are() {
    let refused =
        new_status(&v1::SetElementStatusRequest { status: "OK".to_owned(), ..Default::default() }).unwrap_err();
    assert!(matches!(refused, DecodeError::Name { field: "status", .. }), "{refused}");
    assert!(refused.to_string().contains("NEW IN_PROGRESS DONE FAILED ABANDONED"), "{refused}");
}
