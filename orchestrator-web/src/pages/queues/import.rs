//! Elements from a file: all of its rows, or none.

use askama::Template;
use axum::extract::{Multipart, Path};
use axum::response::Response;
use orchestrator_proto::rows::{self, Rows};
use orchestrator_proto::v1;

use super::{PATH, queue_path};
use crate::chrome::Chrome;
use crate::error::PageError;
use crate::text::shown_in_line;
use crate::viewer::Viewer;

/// The most bytes of a file; larger ones go by the command line, which takes 256 MiB.
pub(crate) const MOST_BYTES: usize = 64 << 20;

/// The most elements that the server takes at once, and how many go into one message of the upload.
const MOST_ELEMENTS: usize = 100_000;
const A_MESSAGE: usize = 500;

/// Faults that the page shows; the rest is counted.
const SHOWN: usize = 50;

#[derive(Debug, Template)]
#[template(path = "queues/import.html")]
struct Page {
    chrome: Chrome,
    queue: String,
    path: String,
    /// Why nothing was added.
    refusal: Option<String>,
    faults: Vec<String>,
    more_faults: usize,
}

impl Page {
    fn new(viewer: &Viewer, queue: &str) -> Self {
        Self {
            chrome: viewer.chrome(PATH, format!("Import into {}", shown_in_line(queue))),
            queue: shown_in_line(queue),
            path: queue_path(queue),
            refusal: None,
            faults: Vec::new(),
            more_faults: 0,
        }
    }

    fn refuse(self, refusal: impl Into<String>) -> Self {
        Self { refusal: Some(refusal.into()), ..self }
    }
}

/// `GET /queues/{queue}/import`
pub(crate) async fn ask(viewer: Viewer, Path(queue): Path<String>) -> Result<Response, PageError> {
    viewer.page(&Page::new(&viewer, &queue))
}

/// `POST /queues/{queue}/import`
pub(crate) async fn upload(viewer: Viewer, Path(queue): Path<String>, form: Multipart) -> Result<Response, PageError> {
    let page = Page::new(&viewer, &queue);
    let (name, bytes) = match file(form).await {
        Ok(file) => file,
        Err(why) => return viewer.refused(&page.refuse(why)),
    };
    let found = match read(&name, &bytes) {
        Ok(found) => found,
        Err(why) => return viewer.refused(&page.refuse(why)),
    };
    if !found.errors.is_empty() {
        let refusal =
            format!("{} of {} rows cannot become elements. Nothing was added.", found.errors.len(), found.count());
        let faults = found.errors.iter().take(SHOWN).map(|fault| shown_in_line(&fault.to_string())).collect();
        let more_faults = found.errors.len().saturating_sub(SHOWN);
        return viewer.refused(&Page { faults, more_faults, ..page.refuse(refusal) });
    }
    if found.elements.is_empty() || found.elements.len() > MOST_ELEMENTS {
        let count = found.elements.len();
        return viewer
            .refused(&page.refuse(format!("The file has {count} rows; 1 to {MOST_ELEMENTS} can be added at once.")));
    }
    match viewer.queues()?.bulk_create(futures_util::stream::iter(messages(&queue, &found.elements))).await {
        Ok(answer) => {
            let count = answer.into_inner().created_count;
            let message =
                if count == 1 { "1 element was added.".to_owned() } else { format!("{count} elements were added.") };
            Ok(viewer.moved_with(&queue_path(&queue), &message))
        }
        Err(status) => {
            let error = PageError::from(status);
            viewer.refused(&page.refuse(format!("{} Nothing was added.", crate::error::sentence(&error.to_string()))))
        }
    }
}

/// The file of a form, with its name.
async fn file(mut form: Multipart) -> Result<(String, Vec<u8>), String> {
    let broke = |error: &dyn std::fmt::Display| {
        format!(
            "The upload broke off, or is larger than {} MiB: {error}. Larger files: orchestrator queue element import.",
            MOST_BYTES >> 20
        )
    };
    loop {
        let field = form.next_field().await.map_err(|error| broke(&error))?;
        let Some(field) = field else { return Err("Choose a file.".to_owned()) };
        if field.name() == Some("file") {
            let name = field.file_name().unwrap_or_default().to_owned();
            let bytes = field.bytes().await.map_err(|error| broke(&error))?;
            if name.is_empty() {
                return Err("Choose a file.".to_owned());
            }
            return Ok((name, bytes.to_vec()));
        }
    }
}

/// The rows of a file, whose form is told by its name.
fn read(name: &str, bytes: &[u8]) -> Result<Rows, String> {
    let form = name.rsplit('.').next().unwrap_or_default().to_lowercase();
    match form.as_str() {
        "csv" => Ok(rows::of_csv(bytes)),
        "jsonl" | "ndjson" => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(rows::of_json_lines(text)),
            Err(error) => Err(format!("{} is not UTF-8: {error}.", shown_in_line(name))),
        },
        _ => Err(format!("{} is neither a .csv nor a .jsonl file.", shown_in_line(name))),
    }
}

fn messages(queue: &str, elements: &[v1::NewElement]) -> Vec<v1::BulkCreateRequest> {
    let message = |elements: &[v1::NewElement]| v1::BulkCreateRequest {
        queue_name: queue.to_owned(),
        elements: elements.to_vec(),
        repeat: false,
    };
    elements.chunks(A_MESSAGE).map(message).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_a_file_is_told_by_its_name() {
        assert_eq!(read("a.CSV", b"reference\n1\n").unwrap().elements.len(), 1);
        assert_eq!(read("a.jsonl", b"{\"reference\": \"1\"}\n").unwrap().elements.len(), 1);
        assert!(read("a.xlsx", b"PK").unwrap_err().contains("neither"));
        assert!(read("a.jsonl", b"\xff").unwrap_err().contains("not UTF-8"));
    }

    #[test]
    fn large_files_go_in_several_messages_of_one_call() {
        let sent = messages("q", &vec![v1::NewElement::default(); A_MESSAGE + 1]);
        assert_eq!(sent.iter().map(|message| message.elements.len()).collect::<Vec<_>>(), [A_MESSAGE, 1]);
    }
}
