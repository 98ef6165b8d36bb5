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

/// `POST url` with a JSON body.
pub fn post(url: &str, body: &Value, limit: Duration) -> Result<Answer> {
    let response = agent(limit)
        .post(url)
        .header("content-type", "application/json")
        .send(body.to_string())
        .with_context(|| format!("POST {url}"))?;
    read(response).with_context(|| format!("POST {url}"))
}
