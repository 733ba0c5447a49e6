//! Log lines, newest first, and as a file.

use askama::Template;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use chrono::{LocalResult, NaiveDateTime, TimeZone as _};
use http::{HeaderValue, header};
use orchestrator_proto::v1;

use crate::chrome::Chrome;
use crate::error::PageError;
use crate::form::{Fields, Query};
use crate::link::{Link, encoded};
use crate::pager::Pager;
use crate::status::{Badge, badge};
use crate::text::{short_id, shortened, shown, shown_in_line};
use crate::times::Stamp;
use crate::viewer::Viewer;

const PATH: &str = "/logs";
const PAGE: u32 = 100;

/// What the menu of levels offers: a name in the address, words, and the levels that it means.
const LEVELS: &[(&str, &str, &[&str])] =
    &[("", "All", &[]), ("error", "Error", &["ERROR"]), ("info", "Info", &["INFO"]), ("trace", "Trace", &["TRACE"])];

/// Lines that a message may have before the list folds it.
const LONG: usize = 240;

/// The most lines of a file, and how many are read at a time for it.
const MOST_LINES: usize = 200_000;
const A_READ: u32 = 1000;

#[derive(Debug, Template)]
#[template(path = "logs/list.html", blocks = ["list"])]
struct Page {
    chrome: Chrome,
    filter: Filter,
    levels: Vec<(&'static str, &'static str, bool)>,
    /// What is wrong with a time that was typed.
    fault: Option<String>,
    here: String,
    download: String,
    rows: Vec<Row>,
    pager: Pager,
}

#[derive(Debug)]
struct Row {
    id: String,
    at: Stamp,
    level: Badge,
    process: String,
    /// The beginning of a message that is too long for a line of the table.
    start: Option<String>,
    message: String,
    job: Option<(String, String)>,
}

impl Row {
    fn new(log: v1::Log, viewer: &Viewer) -> Self {
        let is_long = log.log_message.chars().count() > LONG || log.log_message.contains('\n');
        Self {
            at: viewer.stamp(log.log_time),
            level: badge(&log.log_level),
            process: shown_in_line(&log.process_name),
            start: is_long.then(|| shortened(log.log_message.lines().next().unwrap_or_default(), LONG)),
            message: shown(&log.log_message),
            job: (!log.job_id.is_empty()).then(|| (format!("/jobs/{}", encoded(&log.job_id)), short_id(&log.job_id))),
            id: log.id,
        }
    }
}

#[derive(Debug)]
struct Filter {
    search: String,
    process: String,
    level: String,
    job: String,
    from: String,
    to: String,
    cursor: String,
}

impl Filter {
    fn read(query: &Fields) -> Self {
        Self {
            search: query.trimmed("q").to_owned(),
            process: query.trimmed("process").to_owned(),
            level: query.text("level").to_owned(),
            job: query.trimmed("job").to_owned(),
            from: query.text("from").to_owned(),
            to: query.text("to").to_owned(),
            cursor: query.text("cursor").to_owned(),
        }
    }

    fn link_to(&self, path: &str) -> Link {
        Link::to(path)
            .with("q", &self.search)
            .with("process", &self.process)
            .with("level", &self.level)
            .with("job", &self.job)
            .with("from", &self.from)
            .with("to", &self.to)
    }

    fn is_set(&self) -> bool {
        ![&self.search, &self.process, &self.level, &self.job, &self.from, &self.to].iter().all(|text| text.is_empty())
    }

    /// What is asked of the server; the error names the time that is none.
    fn request(&self, viewer: &Viewer, limit: u32) -> Result<v1::ListLogsRequest, String> {
        let levels = LEVELS.iter().find(|(name, ..)| *name == self.level).map_or(&[][..], |(_, _, levels)| *levels);
        Ok(v1::ListLogsRequest {
            page: Some(v1::Page { limit, cursor: self.cursor.clone() }),
            process_name: self.process.clone(),
            levels: levels.iter().map(|level| (*level).to_owned()).collect(),
            job: self.job.clone(),
            since: instant(viewer, "From", &self.from)?,
            until: instant(viewer, "To", &self.to)?,
            search: self.search.clone(),
        })
    }
}

/// A time as the browser's field writes it, in the viewer's zone.
pub(crate) fn instant(viewer: &Viewer, field: &str, text: &str) -> Result<Option<prost_types::Timestamp>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let shapes = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"];
    let local = shapes.iter().find_map(|shape| NaiveDateTime::parse_from_str(text, shape).ok());
    let Some(local) = local else {
        return Err(format!("{field}: “{text}” is no date and time such as 2026-11-25T06:00"));
    };
    match viewer.zone.from_local_datetime(&local) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => {
            Ok(Some(prost_types::Timestamp { seconds: at.timestamp(), nanos: 0 }))
        }
        LocalResult::None => {
            Err(format!("{field}: {text} does not exist in {}: the clock was put forward", viewer.zone))
        }
    }
}

/// `GET /logs`
pub(crate) async fn show(viewer: Viewer, Query(query): Query) -> Result<Response, PageError> {
    let filter = Filter::read(&query);
    let (answer, fault) = match filter.request(&viewer, PAGE) {
        Ok(request) => (viewer.logs()?.list(request).await?.into_inner(), None),
        Err(fault) => (v1::ListLogsResponse::default(), Some(fault)),
    };
    let page = Page {
        chrome: viewer.chrome(PATH, "Logs"),
        levels: LEVELS.iter().map(|(name, word, _)| (*name, *word, *name == filter.level)).collect(),
        fault,
        here: filter.link_to(PATH).with("cursor", &filter.cursor).into_string(),
        download: filter.link_to("/logs/download").into_string(),
        pager: Pager::new(&filter.link_to(PATH), &filter.cursor, &answer.next_cursor).searched(answer.logs.len(), PAGE),
        rows: answer.logs.into_iter().map(|log| Row::new(log, &viewer)).collect(),
        filter,
    };
    viewer.live(&page, &page.as_list(), &page.here)
}

/// `GET /logs/download`: what the list shows, from its beginning, as lines of JSON.
pub(crate) async fn download(viewer: Viewer, Query(query): Query) -> Result<Response, PageError> {
    let mut filter = Filter::read(&query);
    filter.cursor = String::new();
    let mut request =
        filter.request(&viewer, A_READ).map_err(|fault| PageError::Refused(tonic::Status::invalid_argument(fault)))?;
    let mut logs = viewer.logs()?;
    // The first page before the head of the answer, so that a refusal is still one.
    let first = logs.list(request.clone()).await?.into_inner();
    let found = first.logs.len();
    let lines = lines_of(first.logs);
    request.page = Some(v1::Page { limit: A_READ, cursor: first.next_cursor.clone() });
    let more = futures_util::stream::unfold((logs, request, found), |(mut logs, mut request, found)| async move {
        let cursor = request.page.as_ref().map_or("", |page| page.cursor.as_str());
        if cursor.is_empty() || found >= MOST_LINES {
            return None;
        }
        let answer = match logs.list(request.clone()).await {
            Ok(answer) => answer.into_inner(),
            // The file ends in the middle: the browser must see that it did.
            Err(status) => {
                request.page = None;
                return Some((Err(std::io::Error::other(status.message().to_owned())), (logs, request, MOST_LINES)));
            }
        };
        request.page = Some(v1::Page { limit: A_READ, cursor: answer.next_cursor });
        let found = found + answer.logs.len();
        Some((Ok(lines_of(answer.logs)), (logs, request, found)))
    });
    let all = futures_util::StreamExt::chain(futures_util::stream::once(async { Ok(lines) }), more);
    let mut response = Response::new(Body::from_stream(all));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"logs.jsonl\""));
    Ok(response)
}

fn lines_of(logs: Vec<v1::Log>) -> Bytes {
    let mut text = String::new();
    for log in logs {
        let at = crate::times::instant(log.log_time).map(|at| at.to_rfc3339());
        let line = serde_json::json!({
            "id": log.id,
            "logTime": at,
            "logLevel": log.log_level,
            "processName": log.process_name,
            "jobId": log.job_id,
            "logMessage": log.log_message,
        });
        text.push_str(&line.to_string());
        text.push('\n');
    }
    Bytes::from(text)
}
