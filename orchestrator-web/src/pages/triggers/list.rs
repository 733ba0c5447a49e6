//! The list of triggers: OpenOrchestrator's columns, with search, filters and pages in the address.

use askama::Template;
use axum::response::Response;
use orchestrator_core::trigger::{TriggerStatus, TriggerType};
use orchestrator_proto::v1;

use super::view::Row;
use crate::chrome::Chrome;
use crate::error::PageError;
use crate::form::{Fields, Query};
use crate::link::Link;
use crate::pager::Pager;
use crate::status::word;
use crate::viewer::Viewer;

const PATH: &str = "/triggers";
const PAGE: u32 = 100;

/// Not a status that is stored: what should have run by now.
const OVERDUE: &str = "OVERDUE";

#[derive(Debug, Template)]
#[template(path = "triggers/list.html", blocks = ["list"])]
struct Page {
    chrome: Chrome,
    filter: Filter,
    statuses: Vec<Choice>,
    types: Vec<Choice>,
    /// Where this list lives, with its filters and cursor.
    here: String,
    columns: Vec<Column>,
    rows: Vec<Row>,
    pager: Pager,
}

/// The head of a column, which sorts by it.
#[derive(Debug)]
struct Column {
    label: &'static str,
    class: &'static str,
    /// Where the list is sorted by it; none where it is not.
    link: Option<String>,
    /// For `aria-sort`, where the list is sorted by it now.
    sorted: &'static str,
}

/// OpenOrchestrator's columns in its order, with what sorts by them.
const COLUMNS: &[(&str, &str, &str)] = &[
    ("Trigger Name", "NAME", ""),
    ("Priority", "PRIORITY", "right"),
    ("Type", "", ""),
    ("Status", "STATUS", ""),
    ("Process Name", "PROCESS", ""),
    ("Last Run", "LAST_RUN", ""),
    ("Next Run", "NEXT_RUN", ""),
    ("ID", "", ""),
];

/// One line of a menu.
#[derive(Debug)]
struct Choice {
    name: &'static str,
    word: String,
    is_chosen: bool,
}

/// What the list shows, as the address says it.
#[derive(Debug)]
struct Filter {
    search: String,
    status: String,
    kind: String,
    sort: String,
    is_descending: bool,
    cursor: String,
}

impl Filter {
    fn read(query: &Fields) -> Self {
        Self {
            search: query.trimmed("q").to_owned(),
            status: query.text("status").to_owned(),
            kind: query.text("type").to_owned(),
            sort: query.text("sort").to_owned(),
            is_descending: query.text("order") == "desc",
            cursor: query.text("cursor").to_owned(),
        }
    }

    /// The first page of this list.
    fn link(&self) -> Link {
        self.sorted_by(&self.sort, self.is_descending)
    }

    /// The first page of the same list in another order.
    fn sorted_by(&self, sort: &str, is_descending: bool) -> Link {
        Link::to(PATH)
            .with("q", &self.search)
            .with("status", &self.status)
            .with("type", &self.kind)
            .with("sort", sort)
            .with("order", if is_descending { "desc" } else { "" })
    }

    fn columns(&self) -> Vec<Column> {
        let by = if self.sort.is_empty() { "NAME" } else { &self.sort };
        let column = |&(label, sort, class): &(&'static str, &'static str, &'static str)| {
            let is_sorted = !sort.is_empty() && sort == by;
            let descending = is_sorted && !self.is_descending;
            // The usual order needs no word in the address.
            let name = if sort == "NAME" { "" } else { sort };
            Column {
                label,
                class,
                link: (!sort.is_empty()).then(|| self.sorted_by(name, descending).into_string()),
                sorted: match (is_sorted, self.is_descending) {
                    (false, _) => "",
                    (true, false) => "ascending",
                    (true, true) => "descending",
                },
            }
        };
        COLUMNS.iter().map(column).collect()
    }

    fn is_set(&self) -> bool {
        !(self.search.is_empty() && self.status.is_empty() && self.kind.is_empty())
    }

    fn request(&self) -> v1::ListTriggersRequest {
        v1::ListTriggersRequest {
            page: Some(v1::Page { limit: PAGE, cursor: self.cursor.clone() }),
            search: self.search.clone(),
            status: if self.status == OVERDUE { String::new() } else { self.status.clone() },
            r#type: self.kind.clone(),
            overdue: self.status == OVERDUE,
            sort: self.sort.clone(),
            descending: self.is_descending,
        }
    }
}

/// `GET /triggers`
pub(crate) async fn show(viewer: Viewer, Query(query): Query) -> Result<Response, PageError> {
    let filter = Filter::read(&query);
    let answer = viewer.triggers()?.list(filter.request()).await?.into_inner();
    let page = Page {
        chrome: viewer.chrome(PATH, "Triggers"),
        statuses: choices(
            std::iter::once(OVERDUE).chain(TriggerStatus::ALL.iter().map(|status| status.as_str())),
            &filter.status,
        ),
        types: choices(TriggerType::ALL.iter().map(|kind| kind.as_str()), &filter.kind),
        here: filter.link().with("cursor", &filter.cursor).into_string(),
        pager: Pager::new(&filter.link(), &filter.cursor, &answer.next_cursor),
        columns: filter.columns(),
        rows: answer.triggers.into_iter().map(|trigger| Row::new(trigger, &viewer)).collect(),
        filter,
    };
    viewer.live(&page, &page.as_list(), &page.here)
}

fn choices(names: impl Iterator<Item = &'static str>, chosen: &str) -> Vec<Choice> {
    names.map(|name| Choice { name, word: word(name), is_chosen: name == chosen }).collect()
}
