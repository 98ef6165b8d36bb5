//! Why a message cannot be read, and how much of it an error may show.

use model::base::IdentityError;

/// The most characters of foreign text in one error: enough to find the place, not enough to
/// flood a log that every base can write to.
const MAX_SHOWN_CHARS: usize = 200;

/// What a base sent makes no sense. Never worth a retry: the same bytes fail the same way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The bytes are no JSON text.
    #[error("not JSON: {what}; near {near:?}")]
    NotJson {
        /// What the JSON parser says, with line and column.
        what: String,
        /// The text around that place, shortened.
        near: String,
    },
    /// A field that must be there is not, or it is `null`.
    #[error("field {0} is missing")]
    MissingField(&'static str),
    /// A field holds something else than it may.
    #[error("field {field} is {value}; expected {expected}")]
    BadField {
        /// Its path in the message, as `baseMetadata.identity`.
        field: &'static str,
        /// What it holds, as JSON, shortened.
        value: String,
        /// What it may hold.
        expected: &'static str,
    },
    /// The message speaks for another base than the topic that it came on.
    #[error("the message of base {found:?} came on the topic of base {topic:?}")]
    Topic {
        /// The identity in the topic.
        topic: String,
        /// The identity in the message.
        found: String,
    },
    /// The base's identity is impossible.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

impl WireError {
    /// The error of a JSON parser that gave up on `body`.
    pub(crate) fn not_json(body: &[u8], error: &serde_json::Error) -> Self {
        Self::NotJson { what: error.to_string(), near: near(body, error.line(), error.column()) }
    }
}

/// Up to [`MAX_SHOWN_CHARS`] characters around a line and column, both counted from 1. Secrets are
/// taken out of the whole line first, because half a URL is not known for one; the place is then
/// only about right, and the parser's own words have it exactly.
fn near(body: &[u8], line: usize, column: usize) -> String {
    let line = body.split(|byte| *byte == b'\n').nth(line.saturating_sub(1)).unwrap_or_default();
    let shown = redact(&String::from_utf8_lossy(line));
    let from = column.min(shown.chars().count()).saturating_sub(MAX_SHOWN_CHARS / 2);
    shown.chars().skip(from).take(MAX_SHOWN_CHARS).collect()
}

/// The text, cut after [`MAX_SHOWN_CHARS`] characters, without secrets.
pub(crate) fn shorten(text: &str) -> String {
    cut(&redact(text), MAX_SHOWN_CHARS)
}

/// The text's first `max` characters, with `…` for its last one where more was cut off.
pub fn cut(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_owned(),
        Some(_) => text.chars().take(max.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// The text with the credentials and queries of all URLs in it left out: a base names the
/// package's URL in its errors as it was asked to fetch it, and errors reach logs and Events.
pub(crate) fn redact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        out.push_str(before);
        out.push_str("://");
        let end = after.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | ')' | ']'));
        let (url, tail) = after.split_at_checked(end.unwrap_or(after.len())).unwrap_or((after, ""));
        out.push_str(&without_secrets(url));
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// A URL behind its `://`, without user, password, query and fragment.
fn without_secrets(url: &str) -> String {
    let (authority, path) = match url.find(['/', '?', '#']).and_then(|at| url.split_at_checked(at)) {
        Some((authority, path)) => (authority, path),
        None => (url, ""),
    };
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    match path.split_once(['?', '#']) {
        Some((path, _)) => format!("{host}{path}?…"),
        None => format!("{host}{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_of_a_url_is_shown() {
        assert_eq!(redact("see http://u:p@h:1/a.jar?t=s (404)"), "see http://h:1/a.jar?… (404)");
        assert_eq!(redact("https://u@h https://h2?x#y."), "https://h https://h2?…");
        assert_eq!(redact("file:///opt/a.jar"), "file:///opt/a.jar");
        assert_eq!(redact("no url, a://"), "no url, a://");
    }

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        assert_eq!(cut("基座基座", 3), "基座…");
        assert_eq!(cut("abc", 3), "abc");
    }

    #[test]
    fn an_error_shows_the_place_and_no_more() {
        let body = format!("{{\"a\":\n{}", "x".repeat(10_000));
        let error = serde_json::from_str::<serde_json::Value>(&body).unwrap_err();
        let error = WireError::not_json(body.as_bytes(), &error).to_string();
        assert!(error.starts_with("not JSON: expected value at line 2 column 1; near \"xxx"), "{error}");
        assert!(error.len() < 300, "{}", error.len());
    }

    #[test]
    fn half_a_url_shows_no_secret_either() {
        let body = format!("{{\"a\":\"http://user:secret@h/{}?token=secret\" x", "y".repeat(80));
        let error = serde_json::from_str::<serde_json::Value>(&body).unwrap_err();
        let error = WireError::not_json(body.as_bytes(), &error).to_string();
        assert!(error.contains("yyy?…") && !error.contains("secret"), "{error}");
    }
}
