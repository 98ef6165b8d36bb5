//! The page itself: what `cargo xtask page` made of the folder `board`, in the program.

use axum::{
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use rust_embed::RustEmbed;

/// In a debug build it is read from the folder, and may be made after the program.
#[derive(RustEmbed)]
#[folder = "../../board/dist"]
#[allow_missing = true]
struct Files;

/// Names of files in this folder say what is in them: a browser may keep them for good.
const ASSETS: &str = "assets/";

/// A file, or the page, whose own script knows what its paths mean.
pub(crate) async fn page(request: Request) -> Response {
    let path = request.uri().path().trim_start_matches('/');
    if path.starts_with("api/") {
        return StatusCode::NOT_FOUND.into_response();
    }
    let is_file = path.starts_with(ASSETS) || path == "favicon.svg";
    let name = if is_file { path } else { "index.html" };
    match Files::get(name) {
        Some(file) => {
            let kept =
                if path.starts_with(ASSETS) { "public, max-age=31536000, immutable" } else { "no-cache" };
            let headers = [
                (header::CONTENT_TYPE, HeaderValue::from_static(kind(name))),
                (header::CACHE_CONTROL, HeaderValue::from_static(kept)),
            ];
            (headers, file.data.into_owned()).into_response()
        }
        None if is_file => StatusCode::NOT_FOUND.into_response(),
        None => {
            (StatusCode::NOT_FOUND, "This build has no page: `cargo xtask page` makes it.\n").into_response()
        }
    }
}

fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}
