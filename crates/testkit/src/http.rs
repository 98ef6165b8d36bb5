//! Plain HTTP requests with a deadline.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

/// An answer, whatever its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status code.
    pub status: u16,
    /// The body as text.
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.body)
            .with_context(|| format!("no JSON (status {}): {}", self.status, self.body))
    }
}

fn agent(limit: Duration) -> ureq::Agent {
    ureq::Agent::config_builder().timeout_global(Some(limit)).http_status_as_error(false).build().into()
}

fn read(mut response: ureq::http::Response<ureq::Body>) -> Result<Answer> {
    let status = response.status().as_u16();
    let body = response.body_mut().read_to_string().context("reading the answer")?;
    Ok(Answer { status, body })
}

/// `GET url`.
pub fn get(url: &str, limit: Duration) -> Result<Answer> {
    let response = agent(limit).get(url).call().with_context(|| format!("GET {url}"))?;
    read(response).with_context(|| format!("GET {url}"))
}

/// Any request, with headers and, where it has one, a JSON body; gives the headers of the answer too.
pub fn request(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: Option<&Value>,
    limit: Duration,
) -> Result<(Answer, Vec<(String, String)>)> {
    let mut request = ureq::http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = body.map(Value::to_string).unwrap_or_default();
    let request = request.body(body).with_context(|| format!("{method} {url}"))?;
    let response = agent(limit).run(request).with_context(|| format!("{method} {url}"))?;
    let text = |value: &ureq::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = response.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    Ok((read(response).with_context(|| format!("{method} {url}"))?, headers))
}

/// `POST url` with a JSON body.
pub fn post(url: &str, body: &Value, limit: Duration) -> Result<Answer> {
    let response = agent(limit)
        .post(url)
        .header("content-type", "application/json")
        .send(body.to_string())
        .with_context(|| format!("POST {url}"))?;
    read(response).with_context(|| format!("POST {url}"))
}
