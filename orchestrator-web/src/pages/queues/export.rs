//! Elements as a file.

use axum::body::Body;
use axum::extract::Path;
use axum::response::Response;
use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{HeaderValue, header};
use orchestrator_proto::rows::Sheet;
use orchestrator_proto::v1;
use tonic::Status;

use super::elements::Filter;
use crate::error::PageError;
use crate::form::Query;
use crate::times::instant;
use crate::viewer::Viewer;

/// How many elements are read at a time.
const A_READ: u32 = 1000;

const COLUMNS: [&str; 9] =
    ["id", "reference", "status", "data", "created_date", "start_date", "end_date", "message", "created_by"];

/// `GET /queues/{queue}/export`: what the list shows, from its beginning, as CSV or as lines of JSON.
pub(crate) async fn download(
    viewer: Viewer,
    Path(queue): Path<String>,
    Query(query): Query,
) -> Result<Response, PageError> {
    let is_csv = query.text("as") == "csv";
    let mut filter = Filter::read(&query);
    filter.cursor = String::new();
    let request =
        filter.request(&viewer, &queue, A_READ).map_err(|fault| PageError::Refused(Status::invalid_argument(fault)))?;
    let mut queues = viewer.queues()?;
    // The first page before the head of the answer, so that a refusal is still one.
    let first = queues.list(request.clone()).await?.into_inner();
    let mut head = if is_csv { Sheet::COMMAS.header(COLUMNS) } else { String::new() };
    head.push_str(&written(&first.elements, is_csv));
    let next = Some(first.next_cursor).filter(|cursor| !cursor.is_empty());
    let more =
        futures_util::stream::unfold((queues, request, next), move |(mut queues, mut request, next)| async move {
            request.page = Some(v1::Page { limit: A_READ, cursor: next? });
            match queues.list(request.clone()).await {
                Ok(answer) => {
                    let answer = answer.into_inner();
                    let text = written(&answer.elements, is_csv);
                    let next = Some(answer.next_cursor).filter(|cursor| !cursor.is_empty());
                    Some((Ok(Bytes::from(text)), (queues, request, next)))
                }
                // The file ends in its middle, and the browser must see that it did.
                Err(status) => Some((Err(std::io::Error::other(status.message().to_owned())), (queues, request, None))),
            }
        });
    let all = futures_util::stream::once(async { Ok(Bytes::from(head)) }).chain(more);
    let mut response = Response::new(Body::from_stream(all));
    let (kind, name) = if is_csv { ("text/csv; charset=utf-8", "csv") } else { ("application/x-ndjson", "jsonl") };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"elements.{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

fn written(elements: &[v1::QueueElement], is_csv: bool) -> String {
    elements.iter().map(|element| if is_csv { csv_line(element) } else { json_line(element) }).collect()
}

fn time(at: Option<prost_types::Timestamp>) -> String {
    instant(at).map(|at| at.to_rfc3339()).unwrap_or_default()
}

fn texts(element: &v1::QueueElement) -> [String; 9] {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    [
        element.id.clone(),
        text(&element.reference),
        element.status.clone(),
        text(&element.data),
        time(element.created_date),
        time(element.start_date),
        time(element.end_date),
        text(&element.message),
        text(&element.created_by),
    ]
}

fn csv_line(element: &v1::QueueElement) -> String {
    Sheet::COMMAS.line(texts(element).iter().map(String::as_str))
}

fn json_line(element: &v1::QueueElement) -> String {
    let fields = COLUMNS.iter().zip(texts(element)).map(|(name, text)| ((*name).to_owned(), text.into()));
    format!("{}\n", serde_json::Value::Object(fields.collect()))
}
