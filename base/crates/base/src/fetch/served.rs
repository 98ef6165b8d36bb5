//! Packages from servers: redirects are followed, and what was cut short is gone on with.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use lifecycle::Failure;
use percent_encoding::percent_decode_str;
use rustls::ClientConfig;
use url::Url;

use super::{CONNECT, causes, shown};

/// The most redirects of one request.
const MAX_REDIRECTS: usize = 5;

/// How often a package that is cut short is gone on with; each time more of it has to come.
const MAX_RESUMES: usize = 8;

const USER_AGENT: &str = concat!("koupleless-base/", env!("CARGO_PKG_VERSION"));

/// Brings packages over HTTP.
#[derive(Debug, Clone)]
pub(super) struct Served {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    /// The most bytes of a package.
    most: usize,
}

/// What has come of a package.
#[derive(Debug, Default)]
struct Got {
    bytes: BytesMut,
    /// As long as it is to be, where its server says so.
    total: Option<usize>,
    /// By what its server knows that it is the same one: an ETag that is a strong one, or when it was changed last.
    validator: Option<HeaderValue>,
}

impl Served {
    pub(super) fn new(tls: ClientConfig, most: usize) -> Self {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_connect_timeout(Some(CONNECT));
        let https = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
        Self { client: Client::builder(TokioExecutor::new()).build(https.wrap_connector(http)), most }
    }

    /// The bytes of a package. One whose SHA-256 is known may be put together of pieces that the server does not vouch for.
    pub(super) async fn fetch(&self, url: &Url, is_hash_known: bool) -> Result<Bytes, Failure> {
        let mut got = Got::default();
        for _ in 0..=MAX_RESUMES {
            let had = got.bytes.len();
            let response = self.ask(url, &got).await?;
            got.begin(response.status(), response.headers(), self.most).map_err(|why| {
                why.unwrap_or_else(|| got.cut(url, "its server does not go on where it was cut"))
            })?;
            match got.read(response.into_body(), self.most).await {
                Ok(()) => return Ok(got.bytes.freeze()),
                Err(Cut::TooLarge) => return Err(super::too_large(self.most)),
                Err(Cut::Ended(why)) if got.bytes.len() == had => return Err(got.cut(url, &why)),
                Err(Cut::Ended(why)) if got.validator.is_none() && !is_hash_known => {
                    let why = format!(
                        "{why}; it is not gone on with, because neither its server (ETag, Last-Modified) nor \
                                       the URL (#sha256=) says what it is"
                    );
                    return Err(got.cut(url, &why));
                }
                Err(Cut::Ended(why)) => tracing::info!("{}: {why}: it is gone on with", shown(url)),
            }
        }
        Err(got.cut(url, "it was cut too often"))
    }

    /// The answer that is no redirect.
    async fn ask(&self, url: &Url, got: &Got) -> Result<Response<Incoming>, Failure> {
        let (mut at, mut credentials) = (url.clone(), authorization(url));
        for _ in 0..=MAX_REDIRECTS {
            let unreachable = |what: String| Failure::Unreachable(format!("{}: {what}", shown(&at)));
            let request =
                got.request(&at, credentials.as_ref()).map_err(|error| unreachable(error.to_string()))?;
            let response = self.client.request(request).await.map_err(|error| unreachable(causes(&error)))?;
            match response.status() {
                StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                    return Ok(response);
                }
                StatusCode::NOT_FOUND | StatusCode::GONE => {
                    return Err(Failure::PackageMissing(format!("{}: {}", shown(&at), response.status())));
                }
                StatusCode::MOVED_PERMANENTLY
                | StatusCode::FOUND
                | StatusCode::SEE_OTHER
                | StatusCode::TEMPORARY_REDIRECT
                | StatusCode::PERMANENT_REDIRECT => {
                    let next = redirected(&at, response.headers())?;
                    // They are for whom they were given, and for nobody to whom that one points.
                    if next.origin() != at.origin() {
                        credentials = None;
                    }
                    at = next;
                }
                status => return Err(unreachable(format!("the server answers {status}"))),
            }
        }
        Err(Failure::Unreachable(format!("{}: more than {MAX_REDIRECTS} redirects", shown(url))))
    }
}

/// Why a body is not whole.
enum Cut {
    TooLarge,
    Ended(String),
}

impl Got {
    fn request(
        &self,
        url: &Url,
        credentials: Option<&HeaderValue>,
    ) -> Result<Request<Empty<Bytes>>, http::Error> {
        let mut plain = url.clone();
        // Both fail only for URLs that can have no credentials.
        let _ = plain.set_username("");
        let _ = plain.set_password(None);
        plain.set_fragment(None);
        let mut request = Request::get(plain.as_str()).header(header::USER_AGENT, USER_AGENT);
        if let Some(credentials) = credentials {
            request = request.header(header::AUTHORIZATION, credentials);
        }
        if !self.bytes.is_empty() {
            request = request.header(header::RANGE, format!("bytes={}-", self.bytes.len()));
            if let Some(validator) = &self.validator {
                request = request.header(header::IF_RANGE, validator);
            }
        }
        request.body(Empty::new())
    }

    /// Takes the head of an answer: the whole, or the rest of what has come. Otherwise why not, where that says more than that it
    /// was cut.
    fn begin(&mut self, status: StatusCode, headers: &HeaderMap, most: usize) -> Result<(), Option<Failure>> {
        if self.bytes.is_empty() {
            if status != StatusCode::OK {
                return Err(Some(Failure::Unreachable(format!("the server answers {status} to no range"))));
            }
            self.total = text(headers, header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
            let strong = headers.get(header::ETAG).filter(|tag| !tag.as_bytes().starts_with(b"W/"));
            self.validator = strong.or_else(|| headers.get(header::LAST_MODIFIED)).cloned();
            let is_large = self.total.is_some_and(|total| total > most);
            return if is_large { Err(Some(super::too_large(most))) } else { Ok(()) };
        }
        let range = text(headers, header::CONTENT_RANGE).and_then(range).ok_or(None)?;
        let goes_on = status == StatusCode::PARTIAL_CONTENT
            && range.0 == self.bytes.len()
            && self.total.is_none_or(|total| total == range.1);
        self.total = Some(range.1);
        if range.1 > most {
            return Err(Some(super::too_large(most)));
        }
        if goes_on { Ok(()) } else { Err(None) }
    }

    async fn read(&mut self, mut body: Incoming, most: usize) -> Result<(), Cut> {
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Cut::Ended(causes(&error)))?;
            let Some(data) = frame.data_ref() else { continue };
            if self.bytes.len() + data.len() > most {
                return Err(Cut::TooLarge);
            }
            self.bytes.extend_from_slice(data);
        }
        match self.total {
            Some(total) if total != self.bytes.len() => Err(Cut::Ended("it ended early".to_owned())),
            _ => Ok(()),
        }
    }

    fn cut(&self, url: &Url, why: &str) -> Failure {
        let of = self.total.map_or_else(String::new, |total| format!(" of {total}"));
        let (url, bytes) = (shown(url), self.bytes.len());
        Failure::Unreachable(format!("{url}: the package was cut short after {bytes}{of} bytes: {why}"))
    }
}

/// `bytes 5-9/10` begins at 5, of 10.
fn range(text: &str) -> Option<(usize, usize)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last, total) = (first.parse().ok()?, last.parse::<usize>().ok()?, total.parse().ok()?);
    (last.checked_add(1) == Some(total)).then_some((first, total))
}

/// Where a redirect leads to.
fn redirected(from: &Url, headers: &HeaderMap) -> Result<Url, Failure> {
    let wrong = |what: String| Failure::Unreachable(format!("{}: {what}", shown(from)));
    let location = text(headers, header::LOCATION);
    let location = location.ok_or_else(|| wrong("the server redirects to nowhere".to_owned()))?;
    let to =
        from.join(location).map_err(|error| wrong(format!("the server redirects to no URL: {error}")))?;
    match (from.scheme(), to.scheme()) {
        ("http" | "https", "https") | ("http", "http") => Ok(to),
        (_, "http") => {
            Err(wrong("the server redirects from https to http, which nothing protects".to_owned()))
        }
        (_, other) => {
            Err(wrong(format!("the server redirects to {other}; only http and https are followed")))
        }
    }
}

/// The user and password of a URL, as a server takes them.
fn authorization(url: &Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let mut both: Vec<u8> = percent_decode_str(url.username()).collect();
    both.push(b':');
    both.extend(percent_decode_str(url.password().unwrap_or_default()));
    let mut value = HeaderValue::from_str(&format!("Basic {}", BASE64_STANDARD.encode(both))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests;
