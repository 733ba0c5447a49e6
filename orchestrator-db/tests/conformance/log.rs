//! Log lines.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::{JobId, LogId};
use orchestrator_core::log::{LogLevel, LogLine};
use orchestrator_core::text::{LogMessage, ProcessName};
use orchestrator_db::{Db, LogFilter, LogPosition, PageRequest, SEARCHED_ROWS};

use crate::harness::TestDb;
use crate::queue::world::{at, execute, literal, t0};

conformance! {
    lines_are_listed_newest_first_page_by_page,
    a_line_that_is_there_already_is_skipped,
    every_filter_narrows_the_list,
    the_last_error_of_a_job_is_found_among_its_latest_lines,
    a_follower_sees_what_came_after,
    a_line_that_cannot_be_read_does_not_break_the_list,
    wildcards_in_a_search_are_literal,
    a_search_looks_at_so_many_lines_and_goes_on_where_it_stopped,
    a_thousand_lines_of_any_text_are_written_at_once,
}

fn line(text: &str, log_time: Timestamp) -> LogLine {
    LogLine {
        id: LogId::generate(),
        log_time,
        level: LogLevel::Info,
        process_name: ProcessName::parse("Letters").unwrap(),
        message: LogMessage::cut(text),
        job_id: None,
    }
}

async fn write(db: &Db, lines: &[LogLine]) {
    let mut tx = db.begin_write().await.unwrap();
    tx.log_insert(lines).await.unwrap();
    tx.commit().await.unwrap();
}

async fn list(db: &Db, filter: &LogFilter) -> Vec<LogLine> {
    db.begin_read().await.unwrap().log_list(filter, &PageRequest::first(1000)).await.unwrap().0.rows
}

async fn lines_are_listed_newest_first_page_by_page(db: TestDb) {
    let mut lines: Vec<LogLine> = (0..9).map(|second| line("x", at(second / 2))).collect();
    write(&db, &lines).await;
    lines.reverse();
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = PageRequest { limit: 4, cursor };
        let (listed, next) = db.begin_read().await.unwrap().log_list(&LogFilter::default(), &page).await.unwrap();
        seen.extend(listed.rows);
        cursor = next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, lines);
}

async fn a_line_that_is_there_already_is_skipped(db: TestDb) {
    let first = line("first", t0());
    write(&db, std::slice::from_ref(&first)).await;
    let second = line("second", at(1));
    write(&db, &[LogLine { message: LogMessage::cut("changed"), ..first.clone() }, second.clone()]).await;
    assert_eq!(list(&db, &LogFilter::default()).await, [second, first]);
}

async fn every_filter_narrows_the_list(db: TestDb) {
    let job = JobId::generate();
    let process = ProcessName::parse("Invoices").unwrap();
    let plain = line("Nothing to do", t0());
    let of_job = LogLine { job_id: Some(job), ..line("Started", at(1)) };
    let error = LogLine { level: LogLevel::Error, process_name: process.clone(), ..line("No such FILE", at(2)) };
    write(&db, &[plain.clone(), of_job.clone(), error.clone()]).await;
    let all = LogFilter::default();
    let narrowed = [
        (LogFilter { job: Some(job), ..all.clone() }, vec![of_job.clone()]),
        (LogFilter { process_name: Some(process.clone()), ..all.clone() }, vec![error.clone()]),
        (LogFilter { job: Some(job), process_name: Some(process), ..all.clone() }, vec![]),
        (LogFilter { levels: vec![LogLevel::Error], ..all.clone() }, vec![error.clone()]),
        (LogFilter { levels: vec![LogLevel::Info], ..all.clone() }, vec![of_job.clone(), plain.clone()]),
        (LogFilter { levels: vec![LogLevel::Trace], ..all.clone() }, vec![]),
        (LogFilter { since: Some(at(1)), ..all.clone() }, vec![error.clone(), of_job.clone()]),
        (LogFilter { until: Some(at(1)), ..all.clone() }, vec![of_job, plain]),
        (LogFilter { search: Some("file".to_owned()), ..all }, vec![error]),
    ];
    for (filter, expected) in narrowed {
        assert_eq!(list(&db, &filter).await, expected, "{filter:?}");
    }
}

async fn a_follower_sees_what_came_after(db: TestDb) {
    let lines: Vec<LogLine> = (0..5).map(|second| line("x", at(second / 2))).collect();
    write(&db, &lines).await;
    let mut tx = db.begin_read().await.unwrap();
    let first = tx.log_after(&LogFilter::default(), None, 2).await.unwrap().rows;
    assert_eq!(first, lines[..2]);
    let position = LogPosition { log_time: first[1].log_time, id: first[1].id };
    let rest = tx.log_after(&LogFilter::default(), Some(position), 100).await.unwrap().rows;
    assert_eq!(rest, lines[2..]);
}

async fn a_line_that_cannot_be_read_does_not_break_the_list(db: TestDb) {
    let lines = [line("a", t0()), line("b", at(1)), line("c", at(2))];
    write(&db, &lines).await;
    let id = literal(&db, lines[1].id.as_uuid());
    execute(&db, format!("UPDATE logs SET log_level = 'LOUD' WHERE id = {id}")).await;
    let mut tx = db.begin_read().await.unwrap();
    let (listed, _) = tx.log_list(&LogFilter::default(), &PageRequest::first(10)).await.unwrap();
    assert_eq!(listed.rows, [lines[2].clone(), lines[0].clone()]);
    assert_eq!((listed.corrupt[0].row.as_str(), &*listed.corrupt[0].column), (&*lines[1].id.to_string(), "log_level"));
}

async fn wildcards_in_a_search_are_literal(db: TestDb) {
    let lines = [line("100 %", t0()), line("a_b", at(1)), line("a\\b", at(2))];
    write(&db, &lines).await;
    for (text, expected) in [("%", 0), ("_", 1), ("\\", 2)] {
        let filter = LogFilter { search: Some(text.to_owned()), ..LogFilter::default() };
        assert_eq!(list(&db, &filter).await, lines[expected..=expected], "{text}");
    }
}

async fn a_search_looks_at_so_many_lines_and_goes_on_where_it_stopped(db: TestDb) {
    let job = JobId::generate();
    let of_job = |text: &str, second| LogLine { job_id: Some(job), level: LogLevel::Error, ..line(text, at(second)) };
    let mut tx = db.begin_write().await.unwrap();
    tx.log_insert(&[LogLine { level: LogLevel::Trace, ..of_job("needle", 0) }]).await.unwrap();
    for second in 1..=i64::from(SEARCHED_ROWS / 5000) {
        let hay: Vec<LogLine> = (0..5000).map(|_| of_job("hay", second)).collect();
        tx.log_insert(&hay).await.unwrap();
    }
    let all = LogFilter { search: Some("NEEDLE".to_owned()), ..LogFilter::default() };
    for filter in [
        all.clone(),
        LogFilter { job: Some(job), ..all.clone() },
        LogFilter { process_name: Some(ProcessName::parse("Letters").unwrap()), ..all.clone() },
        LogFilter { levels: vec![LogLevel::Error, LogLevel::Trace], ..all.clone() },
        LogFilter { until: Some(at(99)), since: Some(t0()), ..all.clone() },
        // Levels are looked for, too, where no index has them.
        LogFilter { levels: vec![LogLevel::Trace], job: Some(job), ..LogFilter::default() },
        LogFilter { levels: vec![LogLevel::Trace], ..LogFilter::default() },
    ] {
        let (none, mut cursor) = tx.log_list(&filter, &PageRequest::first(10)).await.unwrap();
        assert!(none.rows.is_empty() && cursor.is_some(), "it offers to go on: {filter:?}");
        let mut found = Vec::new();
        while cursor.is_some() {
            let (listed, next) = tx.log_list(&filter, &PageRequest { limit: 10, cursor }).await.unwrap();
            found.extend(listed.rows);
            cursor = next;
        }
        assert_eq!((found[0].message.as_str(), found.len()), ("needle", 1), "{filter:?}");
    }
    let (listed, next) = tx.log_list(&LogFilter::default(), &PageRequest::first(10)).await.unwrap();
    assert!(listed.rows.len() == 10 && next.is_some(), "a list without a search looks at what it shows");
}

async fn a_thousand_lines_of_any_text_are_written_at_once(db: TestDb) {
    let texts = ["", "null", "\"", "æøå 漢字 🦀", "a\u{1}b\r\n\t\\", "'; DROP TABLE logs; --"];
    let lines: Vec<LogLine> = texts.iter().cycle().take(1000).map(|text| line(text, t0())).collect();
    write(&db, &lines).await;
    let mut listed = list(&db, &LogFilter::default()).await;
    listed.reverse();
    assert_eq!(listed, lines);
}

async fn the_last_error_of_a_job_is_found_among_its_latest_lines(db: TestDb) {
    let (job, other) = (JobId::generate(), JobId::generate());
    let of = |job, level, text: &str, second| LogLine { job_id: Some(job), level, ..line(text, at(second)) };
    let last = async |job| db.begin_read().await.unwrap().log_last_error(job).await.unwrap();
    write(&db, &[of(job, LogLevel::Info, "begins", 1), of(other, LogLevel::Error, "another's", 9)]).await;
    assert_eq!(last(job).await, None);
    let lines = [
        of(job, LogLevel::Error, "first", 2),
        of(job, LogLevel::Error, "SAP GUI er ikke startet", 3),
        of(job, LogLevel::Trace, "ends", 4),
    ];
    write(&db, &lines).await;
    assert_eq!(last(job).await.as_deref(), Some("SAP GUI er ikke startet"));
    let later: Vec<LogLine> = (0..200).map(|_| of(job, LogLevel::Info, "more", 5)).collect();
    write(&db, &later).await;
    assert_eq!(last(job).await, None, "it is long past");
}
