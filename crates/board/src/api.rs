//! Requests with a viewer's own token, over one shared client that has no rights of its own.

use std::time::Duration;

use ask::{Text, read::Failure};
use http::{
    HeaderValue, Request,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use kube::{Client, Config, config::AuthInfo};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::timeout;

/// What a viewer proves its identity with. It is never logged and never part of an answer.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token(HeaderValue);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// How long the API server is waited for.
const PATIENCE: Duration = Duration::from_secs(8);

/// The longest token that a browser keeps in a cookie.
const LONGEST: usize = 4_000;

impl Token {
    /// None where it cannot be one.
    pub(crate) fn new(text: &str) -> Option<Self> {
        let is_token = |c: char| c.is_ascii_alphanumeric() || "-._~+/=:".contains(c);
        if text.is_empty() || text.len() > LONGEST || !text.chars().all(is_token) {
            return None;
        }
        let mut value = HeaderValue::try_from(format!("Bearer {text}")).ok()?;
        value.set_sensitive(true);
        Some(Self(value))
    }

    /// What it is known by here.
    pub(crate) fn digest(&self) -> [u8; 32] {
        use sha2::Digest;
        sha2::Sha256::digest(self.0.as_bytes()).into()
    }
}

/// The way to the API server for viewers.
#[derive(Clone)]
pub(crate) struct Api {
    client: Client,
}

impl Api {
    /// The same server and trust as in the configuration, and none of its credentials: with a client certificate of ours the
    /// API server would take a viewer for us, whatever the token.
    ///
    /// # Errors
    /// No client can be made of the configuration.
    pub(crate) fn new(config: &Config) -> Result<Self, kube::Error> {
        let mut config = config.clone();
        config.auth_info = AuthInfo::default();
        Ok(Self { client: Client::try_from(config)? })
    }

    /// What the API server answers to this viewer.
    pub(crate) async fn send<T: DeserializeOwned>(
        &self,
        token: &Token,
        mut request: Request<Vec<u8>>,
    ) -> Result<T, Failure> {
        request.headers_mut().insert(AUTHORIZATION, token.0.clone());
        within(self.client.request::<T>(request)).await
    }

    /// The text at a path.
    pub(crate) async fn text(&self, token: &Token, path: &str) -> Result<String, Failure> {
        let mut request = Request::get(path).body(Vec::new()).map_err(bad)?;
        request.headers_mut().insert(AUTHORIZATION, token.0.clone());
        within(self.client.request_text(request)).await
    }

    /// Makes an object; or, of a review, asks it.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        token: &Token,
        path: &str,
        body: &Value,
    ) -> Result<T, Failure> {
        let request =
            Request::post(path).header(CONTENT_TYPE, "application/json").body(body.to_string().into_bytes());
        self.send(token, request.map_err(bad)?).await
    }
}

/// Somebody looks at the page and waits.
async fn within<T>(answer: impl Future<Output = Result<T, kube::Error>>) -> Result<T, Failure> {
    match timeout(PATIENCE, answer).await {
        Ok(answer) => answer.map_err(Failure::of),
        Err(_) => Err(Failure::Away(format!("no answer within {} s", PATIENCE.as_secs()).into())),
    }
}

fn bad(error: http::Error) -> Failure {
    Failure::Refused(Text::from(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_token_is_not_sent() {
        for text in ["", "a b", "a\r\nx: y", "a;b", "ü", &"a".repeat(4_001)] {
            assert_eq!(Token::new(text), None, "{text:?}");
        }
        let token = Token::new("eyJ.a-b_c.d~e+f/g=").unwrap();
        assert_eq!(token.0, "Bearer eyJ.a-b_c.d~e+f/g=");
        assert_eq!(format!("{token:?}"), "Token(…)");
    }
}
