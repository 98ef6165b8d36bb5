//! One list of the API server, read in pages: no more of it is kept at once than a page and what is shown.

use http::Request;
use kube::Client;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Object;
use crate::{
    client::{Unreachable, chain},
    picture::NotShown,
    text::Text,
};

/// Objects of a page: a megabyte or two, as kubectl has it.
const PAGE: usize = 500;
/// The most objects of a list: twice what 1,000 bases with 50 modules are. More would fill the memory of whoever asks.
const MOST: usize = 100_000;
/// How often a list is begun anew that took so long that the server forgot where it was.
const AGAIN: usize = 2;

/// Why a list was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Whoever asks may not.
    Forbidden(Text),
    /// The server does not know this kind.
    Unknown(Text),
    /// The server does not know who asks.
    Unauthorized(Text),
    /// It is not as it was read any more.
    Conflict(Text),
    /// The server is there and cannot answer now.
    Busy(Text),
    /// The server said something else.
    Refused(Text),
    /// Nobody answered.
    Away(Text),
}

impl From<&kube::Error> for Failure {
    fn from(error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => {
                let said = Text::from(status.message.as_str());
                match status.code {
                    401 => Self::Unauthorized(said),
                    403 => Self::Forbidden(said),
                    404 => Self::Unknown(said),
                    409 => Self::Conflict(said),
                    408 | 429 | 500..=599 => Self::Busy(said),
                    _ => Self::Refused(said),
                }
            }
            other => Self::Away(chain(other)),
        }
    }
}

impl Failure {
    /// What came of a request.
    pub fn of(error: kube::Error) -> Self {
        Self::from(&error)
    }

    /// In the words of the server, or of the one that did not reach it.
    pub fn why(&self) -> &Text {
        match self {
            Self::Forbidden(why)
            | Self::Unknown(why)
            | Self::Unauthorized(why)
            | Self::Conflict(why)
            | Self::Busy(why)
            | Self::Refused(why)
            | Self::Away(why) => why,
        }
    }

    /// Somebody is there and knows who asks.
    pub(super) fn is_an_answer(&self) -> bool {
        !matches!(self, Self::Unauthorized(_) | Self::Away(_))
    }

    /// As what it means where nothing else was heard of the server.
    pub(crate) fn unreachable(self, server: Text) -> Unreachable {
        match self {
            Self::Unauthorized(cause) => Unreachable::Unauthorized { server, cause },
            other => Unreachable::Away { server, cause: other.why().clone() },
        }
    }
}

/// What of a list was read.
#[derive(Debug)]
pub(crate) struct Found<T> {
    pub(crate) items: Vec<T>,
    /// How many could not be read.
    unreadable: usize,
    /// There are more.
    cut: bool,
}

impl<T: Object> Found<T> {
    /// What of it is not shown.
    pub(crate) fn missing(&self) -> Vec<NotShown> {
        let name = T::NAME;
        let mut missing = Vec::new();
        if self.unreadable > 0 {
            let what = format!("{} of the {name}", self.unreadable).into();
            missing.push(NotShown { what, why: "they could not be read".into() });
        }
        if self.cut {
            let what = format!("{name} after the first {}", self.items.len()).into();
            missing
                .push(NotShown { what, why: "there are too many; ask for a namespace or an --env".into() });
        }
        missing
    }
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(default)]
    metadata: PageMeta,
    #[serde(borrow, default)]
    items: Vec<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PageMeta {
    r#continue: Option<String>,
}

/// Reads a list: its path, and the labels that its objects have.
pub(crate) async fn list<T: Object>(client: &Client, path: &str, labels: &str) -> Result<Found<T>, Failure> {
    selected(client, path, &[("labelSelector", labels)], MOST).await
}

/// As [`list`], by any of the ways in which the API server selects, and no more than so many and the rest of a page.
pub(crate) async fn selected<T: Object>(
    client: &Client,
    path: &str,
    by: &[(&str, &str)],
    most: usize,
) -> Result<Found<T>, Failure> {
    let (mut found, mut next, mut again) = (nothing_yet(), String::new(), 0);
    loop {
        let text = match client.request_text(page_request(path, by, &next)?).await {
            Ok(text) => text,
            Err(kube::Error::Api(status)) if status.code == 410 && again < AGAIN => {
                (found, next, again) = (nothing_yet(), String::new(), again + 1);
                continue;
            }
            Err(error) => return Err(Failure::of(error)),
        };
        let page: Page<'_> = serde_json::from_str(&text).map_err(|error| Failure::Refused(chain(&error)))?;
        take(&mut found, &page.items);
        match page.metadata.r#continue.filter(|token| !token.is_empty()) {
            Some(_) if found.items.len() >= most => {
                found.cut = true;
                return Ok(found);
            }
            Some(token) => next = token,
            None => return Ok(found),
        }
    }
}

fn nothing_yet<T>() -> Found<T> {
    Found { items: Vec::new(), unreadable: 0, cut: false }
}

fn take<T: Object>(found: &mut Found<T>, items: &[&RawValue]) {
    for item in items {
        match T::read(item.get()) {
            Ok(object) => found.items.push(object),
            Err(_) => found.unreadable += 1,
        }
    }
}

fn page_request(path: &str, by: &[(&str, &str)], next: &str) -> Result<Request<Vec<u8>>, Failure> {
    let mut uri = format!("{path}?limit={PAGE}");
    for (key, value) in by.iter().copied().chain((!next.is_empty()).then_some(("continue", next))) {
        uri.push_str(&format!("&{key}={}", escaped(value)));
    }
    Request::get(uri).body(Vec::new()).map_err(|error| Failure::Refused(chain(&error)))
}

/// As a part of a URL's query.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(byte.into()),
            byte => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::Pod;

    #[test]
    fn a_page_is_asked_for_by_what_was_asked_and_where_the_last_ended() {
        let request = page_request("/api/v1/pods", &[("labelSelector", "a/b=c,d!=e")], "t+k=").unwrap();
        assert_eq!(
            request.uri(),
            "/api/v1/pods?limit=500&labelSelector=a%2Fb%3Dc%2Cd%21%3De&continue=t%2Bk%3D"
        );
    }

    #[test]
    fn one_that_cannot_be_read_is_counted_and_the_others_are_there() {
        let text = r#"{"metadata": {"continue": ""}, "items": [{"metadata": {"name": "a", "namespace": "n"}}, {"metadata": 1}, 7]}"#;
        let page: Page<'_> = serde_json::from_str(text).unwrap();
        let mut found = nothing_yet::<Pod>();
        take(&mut found, &page.items);
        assert_eq!((found.items.len(), found.unreadable), (1, 2));
        let missing = found.missing();
        assert_eq!(&*missing[0].what, "2 of the Pods");
    }
}
