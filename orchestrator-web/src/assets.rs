//! Style, script and icons, inside the program. Their names carry a hash of what they hold, so browsers may keep them for
//! ever and still see a new one at once.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, StatusCode, header};
use rust_embed::Embed;
use sha2::{Digest as _, Sha256};

#[derive(Embed)]
#[folder = "assets/"]
struct Files;

#[derive(Debug)]
struct Asset {
    address: String,
    kind: &'static str,
    bytes: Vec<u8>,
}

/// By file name, whichever folder they are in.
static ASSETS: LazyLock<HashMap<String, Asset>> =
    LazyLock::new(|| Files::iter().filter_map(|path| read(&path)).collect());

fn read(path: &str) -> Option<(String, Asset)> {
    let name = path.rsplit('/').next()?;
    let (stem, extension) = name.rsplit_once('.')?;
    let kind = match extension {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => return None,
    };
    let bytes = Files::get(path)?.data.into_owned();
    let hash = hex(&Sha256::digest(&bytes)[..8]);
    let address = format!("/assets/{stem}.{hash}.{extension}");
    Some((name.to_owned(), Asset { address, kind, bytes }))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The address of a file, for templates.
pub(crate) fn address(name: &str) -> &'static str {
    let asset = ASSETS.get(name);
    debug_assert!(asset.is_some(), "there is no asset {name}");
    asset.map_or("", |asset| asset.address.as_str())
}

/// The handler of `/assets/{name}`, for everyone: the sign-in page needs them.
pub(crate) async fn serve(Path(name): Path<String>) -> Response {
    let address = format!("/assets/{name}");
    let Some(asset) = ASSETS.values().find(|asset| asset.address == address) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut response = asset.bytes.as_slice().into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_others_are_the_ones_that_are_listed() {
        let list = Files::get("vendor/VENDOR.md").unwrap();
        let list = std::str::from_utf8(&list.data).unwrap();
        let mut seen = 0;
        for path in Files::iter().filter(|path| path.starts_with("vendor/") && !path.ends_with(".md")) {
            let hash = hex(&Sha256::digest(&Files::get(&path).unwrap().data));
            let name = path.rsplit('/').next().unwrap();
            let row = list.lines().find(|line| line.contains(&format!("`{name}`"))).expect(name);
            assert!(row.contains(&hash), "{name} has the sum {hash}");
            seen += 1;
        }
        assert!(seen >= 2, "{seen}");
    }

    #[test]
    fn addresses_change_with_what_the_files_hold() {
        assert!(address("app.css").starts_with("/assets/app."));
        assert_ne!(address("app.css"), address("app.js"));
    }

    #[test]
    fn no_file_asks_another_server() {
        for path in Files::iter().filter(|path| !path.ends_with(".md")) {
            let file = Files::get(&path).unwrap();
            let text = std::str::from_utf8(&file.data).unwrap();
            for word in ["sourceMappingURL", "@import", "url(http", "url(//"] {
                assert!(!text.contains(word), "{path} has {word}");
            }
        }
    }
}
