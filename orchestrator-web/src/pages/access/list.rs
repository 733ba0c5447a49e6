//! The two tables: constants with their values, credentials without their passwords.

use askama::Template;
use axum::response::Response;
use orchestrator_proto::v1;

use super::PATH;
use crate::chrome::Chrome;
use crate::error::PageError;
use crate::form::{Fields, Query};
use crate::link::{Link, encoded};
use crate::pager::Pager;
use crate::text::{shortened, shown_in_line};
use crate::times::Stamp;
use crate::viewer::Viewer;

const PAGE: u32 = 200;

#[derive(Debug, Template)]
#[template(path = "access/list.html", blocks = ["list"])]
struct Page {
    chrome: Chrome,
    here: String,
    constants: Vec<Constant>,
    constants_pager: Pager,
    credentials: Vec<Credential>,
    credentials_pager: Pager,
}

#[derive(Debug)]
struct Constant {
    id: String,
    name: String,
    value: String,
    link: String,
    changed_at: Stamp,
    changed_by: String,
}

#[derive(Debug)]
struct Credential {
    id: String,
    name: String,
    username: String,
    link: String,
    changed_at: Stamp,
    changed_by: String,
}

/// `GET /constants`
pub(crate) async fn show(viewer: Viewer, Query(query): Query) -> Result<Response, PageError> {
    let (constants_from, credentials_from) = (cursor(&query, "constants"), cursor(&query, "credentials"));
    let page = |cursor: &str| Some(v1::Page { limit: PAGE, cursor: cursor.to_owned() });
    let request = v1::ListConstantsRequest { page: page(&constants_from) };
    let constants = viewer.constants()?.list(request).await?.into_inner();
    let request = v1::ListCredentialsRequest { page: page(&credentials_from) };
    let credentials = viewer.credentials()?.list(request).await?.into_inner();
    let here = Link::to(PATH).with("constants", &constants_from).with("credentials", &credentials_from).into_string();
    // Each table goes on by itself; the other one stays where it is.
    let beside_constants = Link::to(PATH).with("credentials", &credentials_from);
    let beside_credentials = Link::to(PATH).with("constants", &constants_from);
    let page = Page {
        chrome: viewer.chrome(PATH, "Constants and Credentials"),
        here,
        constants_pager: Pager::named("constants", &beside_constants, &constants_from, &constants.next_cursor),
        credentials_pager: Pager::named(
            "credentials",
            &beside_credentials,
            &credentials_from,
            &credentials.next_cursor,
        ),
        constants: constants.constants.iter().map(|one| constant(one, &viewer)).collect(),
        credentials: credentials.credentials.iter().map(|one| credential(one, &viewer)).collect(),
    };
    viewer.live(&page, &page.as_list(), &page.here)
}

fn cursor(query: &Fields, name: &str) -> String {
    query.text(name).to_owned()
}

fn constant(constant: &v1::Constant, viewer: &Viewer) -> Constant {
    Constant {
        id: encoded(&constant.name),
        name: shown_in_line(&constant.name),
        value: shortened(&constant.value, 200),
        link: format!("{PATH}/constant/{}", encoded(&constant.name)),
        changed_at: viewer.stamp(constant.changed_at),
        changed_by: shown_in_line(&constant.changed_by),
    }
}

fn credential(credential: &v1::Credential, viewer: &Viewer) -> Credential {
    Credential {
        id: encoded(&credential.name),
        name: shown_in_line(&credential.name),
        username: shown_in_line(&credential.username),
        link: format!("{PATH}/credential/{}", encoded(&credential.name)),
        changed_at: viewer.stamp(credential.changed_at),
        changed_by: shown_in_line(&credential.changed_by),
    }
}
