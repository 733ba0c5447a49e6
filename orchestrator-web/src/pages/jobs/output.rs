//! What a robot prints, as it comes: the page has the end of it, and adds to it.

use askama::Template;
use axum::extract::Path;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use orchestrator_proto::v1;

use crate::error::PageError;
use crate::form::Query;
use crate::link::encoded;
use crate::text::shown;
use crate::viewer::Viewer;

/// Chunks at once.
const MOST: u32 = 32;

/// A part of the output, with where it goes on.
#[derive(Debug, Default, Template)]
#[template(path = "jobs/output.html")]
pub(super) struct Output {
    pub(super) chunks: Vec<Chunk>,
    /// What comes next; nothing when this was all.
    more: Option<String>,
    /// There is output before these chunks.
    pub(super) is_cut: bool,
}

#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) class: &'static str,
    pub(super) text: String,
}

impl Output {
    /// The end of a job's output.
    pub(super) async fn last(viewer: &Viewer, job: &str) -> Result<Self, PageError> {
        let request = v1::ReadOutputRequest { job: job.to_owned(), limit: MOST, last: true, after_seq: 0 };
        let answer = viewer.jobs()?.read_output(request).await?.into_inner();
        // Remarks of a worker may begin with any number.
        let is_full = u32::try_from(answer.chunks.len()).is_ok_and(|count| count >= MOST);
        let is_cut = is_full && answer.chunks.first().is_some_and(|chunk| chunk.seq > 1);
        Ok(Self { is_cut, ..Self::new(job, &answer, 0) })
    }

    fn new(job: &str, answer: &v1::ReadOutputResponse, after: i64) -> Self {
        let last = answer.chunks.last().map_or(after, |chunk| chunk.seq);
        let more = (!answer.complete).then(|| format!("/jobs/{}/output?after={last}", encoded(job)));
        Self { chunks: answer.chunks.iter().map(chunk).collect(), more, is_cut: false }
    }
}

fn chunk(chunk: &v1::OutputChunk) -> Chunk {
    let class = match chunk.stream.as_str() {
        "STDERR" => "err",
        "SYSTEM" => "sys",
        _ => "out",
    };
    Chunk { class, text: shown(&String::from_utf8_lossy(&chunk.content).replace("\r\n", "\n")) }
}

/// `GET /jobs/{job}/output?after=`: what came since.
pub(crate) async fn more(viewer: Viewer, Path(job): Path<String>, Query(query): Query) -> Result<Response, PageError> {
    let after = query.text("after").parse().unwrap_or_default();
    let request = v1::ReadOutputRequest { job: job.clone(), after_seq: after, limit: MOST, last: false };
    let answer = viewer.jobs()?.read_output(request).await?.into_inner();
    if answer.chunks.is_empty() && !answer.complete {
        // Nothing to draw; the page asks again at the next tick.
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    viewer.page(&Output::new(&job, &answer, after))
}
