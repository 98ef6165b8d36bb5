//! What every request and answer goes through: whose page a change comes from, and what the browser may do with an answer.

use std::time::Duration;

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use model::Language;
use tokio::time::timeout;

use crate::refusal::Why;

/// A header that no other site's page can send without being asked first, and is then refused.
const OWN_PAGE: &str = "x-koupleless-board";

/// How long a change may take, from its head to its answer.
const WHOLE: Duration = Duration::from_secs(30);

/// Nothing from elsewhere is loaded, run or framed.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Headers of every answer.
const HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// Refuses a change that does not come from the board's own page, and sets the headers of every answer.
pub(crate) async fn guard(request: Request, next: Next) -> Response {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let is_api = request.uri().path().starts_with("/api/");
    let mut response = if is_read {
        next.run(request).await
    } else if is_own(request.headers()) {
        // Its body has to come, and a place is not kept for one that does not.
        let answered = timeout(WHOLE, next.run(request)).await;
        answered.unwrap_or_else(|_| StatusCode::REQUEST_TIMEOUT.into_response())
    } else {
        Why::Foreign.within(language(request.uri().query())).into_response()
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if is_api {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// The language of a request's `lang`.
pub(crate) fn language(query: Option<&str>) -> Language {
    let zh = query.unwrap_or_default().split('&').any(|part| part == "lang=zh");
    if zh { Language::Chinese } else { Language::English }
}

fn is_own(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let same_site = text(HeaderName::from_static("sec-fetch-site")).is_none_or(|site| site == "same-origin");
    let same_origin = match (text(header::ORIGIN), text(header::HOST)) {
        (Some(origin), Some(host)) => {
            origin.split_once("://").is_some_and(|(_, from)| from.eq_ignore_ascii_case(host))
        }
        (Some(_), None) => false,
        (None, _) => true,
    };
    headers.contains_key(OWN_PAGE) && same_site && same_origin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_comes_from_the_own_page_only() {
        let of = |all: &[(&'static str, &'static str)]| {
            let pairs = all
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            is_own(&pairs.collect())
        };
        let own = (OWN_PAGE, "1");
        assert!(of(&[own]));
        assert!(of(&[own, ("host", "b:1"), ("origin", "http://b:1"), ("sec-fetch-site", "same-origin")]));
        assert!(!of(&[("host", "b:1"), ("origin", "http://b:1")]));
        assert!(!of(&[own, ("host", "b:1"), ("origin", "http://evil:1")]));
        assert!(!of(&[own, ("host", "b:1"), ("origin", "null")]));
        assert!(!of(&[own, ("sec-fetch-site", "same-site")]));
        assert!(!of(&[own, ("sec-fetch-site", "cross-site")]));
    }

    #[test]
    fn the_language_is_asked_for() {
        assert_eq!(language(Some("a=b&lang=zh")), Language::Chinese);
        assert_eq!(language(Some("lang=en")), Language::English);
        assert_eq!(language(None), Language::English);
    }
}
