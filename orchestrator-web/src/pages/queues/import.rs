//! Elements from a file: all of its rows, or none.

use askama::Template;
use axum::extract::{Multipart, Path};
use axum::response::Response;
use orchestrator_proto::rows::{self, Encoding, NotText, Reading, Rows};
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

/// What to do about them.
const SHORTENED: &str = " Where a spreadsheet has shortened numbers: format the column as text, enter the whole numbers and save the file again; or \
     say below that they are meant so.";

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
    let file = match file(form).await {
        Ok(file) => file,
        Err(why) => return viewer.refused(&page.refuse(why)),
    };
    let found = match read(&file.name, &file.bytes, file.encoding, file.reading) {
        Ok(found) => found,
        Err(why) => return viewer.refused(&page.refuse(why)),
    };
    if !found.errors.is_empty() {
        let mut refusal =
            format!("{} of {} rows cannot become elements. Nothing was added.", found.errors.len(), found.count());
        if found.shortened_count > 0 {
            refusal.push_str(SHORTENED);
        }
        let faults = found.errors.iter().take(SHOWN).map(|fault| shown_in_line(&fault.to_string())).collect();
        let more_faults = found.errors.len().saturating_sub(SHOWN);
        return viewer.refused(&Page { faults, more_faults, ..page.refuse(refusal) });
    }
    if found.elements.is_empty() || found.elements.len() > MOST_ELEMENTS {
        let count = found.elements.len();
        return viewer
            .refused(&page.refuse(format!("The file has {count} rows; 1 to {MOST_ELEMENTS} can be added at once.")));
    }
    if let Some(why) = repeated(&found).filter(|_| !file.again) {
        return viewer.refused(&page.refuse(why));
    }
    match viewer.queues()?.bulk_create(futures_util::stream::iter(messages(&queue, &found.elements))).await {
        Ok(answer) => {
            let count = answer.into_inner().created_count;
            let message =
                if count == 1 { "1 element was added.".to_owned() } else { format!("{count} elements were added.") };
            Ok(viewer.moved_with(&queue_path(&queue), &format!("{message}{}", left_out(&found))))
        }
        Err(status) => {
            let error = PageError::from(status);
            viewer.refused(&page.refuse(format!("{} Nothing was added.", crate::error::sentence(&error.to_string()))))
        }
    }
}

/// What the form says.
#[derive(Debug, Default)]
struct File {
    name: String,
    bytes: Vec<u8>,
    encoding: Option<Encoding>,
    reading: Reading,
    /// Elements that are neither failed nor abandoned are to be added once more.
    again: bool,
}

async fn file(mut form: Multipart) -> Result<File, String> {
    let broke = |error: &dyn std::fmt::Display| {
        format!(
            "The upload broke off, or is larger than {} MiB: {error}. Larger files: orchestrator queue element import.",
            MOST_BYTES >> 20
        )
    };
    let mut file = File::default();
    while let Some(field) = form.next_field().await.map_err(|error| broke(&error))? {
        match field.name().unwrap_or_default() {
            "file" => {
                field.file_name().unwrap_or_default().clone_into(&mut file.name);
                file.bytes = field.bytes().await.map_err(|error| broke(&error))?.to_vec();
            }
            "encoding" => {
                let asked = field.text().await.map_err(|error| broke(&error))?;
                file.encoding = (asked == "windows-1252").then_some(Encoding::Windows1252);
            }
            "again" => file.again = true,
            "shortened" => file.reading.takes_shortened = true,
            _ => {}
        }
    }
    if file.name.is_empty() { Err("Choose a file.".to_owned()) } else { Ok(file) }
}

/// The rows of a file, whose form is told by its name.
fn read(name: &str, bytes: &[u8], encoding: Option<Encoding>, reading: Reading) -> Result<Rows, String> {
    let form = name.rsplit('.').next().unwrap_or_default().to_lowercase();
    if !["csv", "jsonl", "ndjson", "json"].contains(&form.as_str()) {
        return Err(format!("{} is neither a .csv nor a .jsonl file.", shown_in_line(name)));
    }
    let text = rows::text_of(bytes, encoding).map_err(|error| not_text(name, &error))?;
    if text.trim().is_empty() {
        return Err(format!("{} is empty. Nothing was added.", shown_in_line(name)));
    }
    if rows::is_listing(&text) {
        return Err(format!(
            "{} is one JSON document, as lists print it with -o json; a file of elements has one object a line, as the queue's export writes it. Nothing was added.",
            shown_in_line(name)
        ));
    }
    Ok(if form == "csv" { rows::of_csv(&text, reading) } else { rows::of_json_lines(&text, reading.ids) })
}

fn not_text(name: &str, error: &NotText) -> String {
    let next = match error {
        NotText::NotUtf8 { as_windows_1252: Some(_), .. } => "If that is right, choose Windows-1252 below.",
        NotText::IsUtf8 { .. } => "Choose UTF-8 below.",
        NotText::NotUtf8 { .. } | NotText::NotWindows1252 { .. } | NotText::BadUtf16 => {
            "Save it as \u{201c}CSV UTF-8\u{201d}."
        }
    };
    format!("{} cannot be read: {}. {next} Nothing was added.", shown_in_line(name), shown_in_line(&error.to_string()))
}

/// Why not, when the file says that elements are done, under way or still to come.
fn repeated(rows: &Rows) -> Option<String> {
    rows.repeated_in_words().map(|counts| {
        format!(
            "The file says that elements are neither failed nor abandoned ({}). To add each of them once more, say so below. Nothing was added.",
            shown_in_line(&counts)
        )
    })
}

/// What the file says and new elements do not have.
fn left_out(rows: &Rows) -> String {
    if rows.left_out.is_empty() {
        return String::new();
    }
    format!(" Left out: {}.", rows.left_out.iter().copied().collect::<Vec<_>>().join(", "))
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
        assert_eq!(read("a.CSV", b"reference\n1\n", None, Reading::default()).unwrap().elements.len(), 1);
        assert_eq!(read("a.jsonl", b"{\"reference\": \"1\"}\n", None, Reading::default()).unwrap().elements.len(), 1);
        for (name, bytes, why) in
            [("a.csv", &b" \r\n"[..], "is empty"), ("a.json", b"{\"elements\": []}", "one object a line")]
        {
            assert!(read(name, bytes, None, Reading::default()).unwrap_err().contains(why));
        }
        assert!(read("a.xlsx", b"PK", None, Reading::default()).unwrap_err().contains("neither"));
    }

    #[test]
    fn letters_that_are_not_certain_are_asked_for() {
        let refused = read("a.csv", b"reference\n\xc6r\xf8\n", None, Reading::default()).unwrap_err();
        assert!(refused.contains("\u{c6}r\u{f8}") && refused.contains("Windows-1252 below"), "{refused}");
        let found = read("a.csv", b"reference\n\xc6r\xf8\n", Some(Encoding::Windows1252), Reading::default()).unwrap();
        assert_eq!(found.elements[0].reference(), "\u{c6}r\u{f8}");
    }

    #[test]
    fn what_is_done_is_not_added_again_unasked() {
        let found = read("a.csv", b"reference,status\n1,FAILED\n2,DONE\n", None, Reading::default()).unwrap();
        assert!(repeated(&found).unwrap().contains("(1 DONE)"));
        assert_eq!(left_out(&found), " Left out: status.");
        assert_eq!(repeated(&read("a.csv", b"reference,status\n1,FAILED\n", None, Reading::default()).unwrap()), None);
    }

    #[test]
    fn large_files_go_in_several_messages_of_one_call() {
        let sent = messages("q", &vec![v1::NewElement::default(); A_MESSAGE + 1]);
        assert_eq!(sent.iter().map(|message| message.elements.len()).collect::<Vec<_>>(), [A_MESSAGE, 1]);
    }
}
