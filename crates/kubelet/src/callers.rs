//! Who calls, and what that caller may: a kubelet's rules (Kubernetes' "Kubelet authentication/authorization").
//!
//! A caller is known by a client certificate of the authority that was named, which TLS has verified, else by a token that the
//! API server knows. Nobody is anonymous. What a caller may is for the API server to say; where it does not answer, nothing.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{api::Api, cache::Cache, refusal::Refusal};

/// How long it holds who bears a token, and that something is allowed: a right that is taken away ends within that.
const KNOWN: Duration = Duration::from_secs(60);
/// How long it holds that something is not: whoever is given the right just now tries again.
const DENIED: Duration = Duration::from_secs(10);
/// The longest token that is looked at, in bytes.
const LONGEST_TOKEN: usize = 16 * 1024;

/// A caller, in the API server's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct User {
    #[serde(rename = "username", default)]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) uid: String,
    #[serde(default)]
    pub(crate) groups: Vec<String>,
    #[serde(default)]
    pub(crate) extra: Value,
}

/// What is asked for, as a kubelet names it: all of it is `get`, on `nodes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subresource {
    /// What is not named below; the log of a container too.
    Proxy,
    /// `/stats/…`
    Stats,
    /// `/metrics/…`
    Metrics,
}

impl Subresource {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Proxy => "proxy",
            Self::Stats => "stats",
            Self::Metrics => "metrics",
        }
    }
}

#[derive(Deserialize)]
struct TokenReview {
    status: TokenStatus,
}

#[derive(Deserialize)]
struct TokenStatus {
    #[serde(default)]
    authenticated: bool,
    user: Option<User>,
}

#[derive(Deserialize)]
struct AccessReview {
    status: AccessStatus,
}

#[derive(Deserialize)]
struct AccessStatus {
    #[serde(default)]
    allowed: bool,
}

/// Callers that were known, and what they were allowed.
#[derive(Debug)]
pub(crate) struct Callers {
    api: Api,
    known: Cache<Arc<User>>,
    decided: Cache<bool>,
}

impl Callers {
    pub(crate) fn new(api: Api) -> Self {
        Self { api, known: Cache::default(), decided: Cache::default() }
    }

    /// Who bears a token.
    pub(crate) async fn by_token(&self, authorization: &[u8]) -> Result<Arc<User>, Refusal> {
        let nobody = || Refusal::unauthorized("Unauthorized: the API server does not know this token");
        let token = bearer(authorization).ok_or_else(|| {
            Refusal::unauthorized(
                "Unauthorized: the header Authorization has no Bearer token that can be one",
            )
        })?;
        let key = Sha256::digest(token).into();
        if let Some(user) = self.known.get(&key, Instant::now()) {
            return Ok(user);
        }
        let body = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": { "token": token },
        });
        let review: TokenReview =
            self.api.review("/apis/authentication.k8s.io/v1/tokenreviews", &body).await?;
        let user = review.status.user.filter(|user| review.status.authenticated && !user.name.is_empty());
        let user = Arc::new(user.ok_or_else(nobody)?);
        self.known.put(key, user.clone(), KNOWN, Instant::now());
        Ok(user)
    }

    /// Refuses a caller that may not do this on this Node; on any, where none is named.
    pub(crate) async fn admit(&self, user: &User, what: Subresource, node: &str) -> Result<(), Refusal> {
        let subresource = what.as_str();
        let spec = json!({
            "user": user.name, "uid": user.uid, "groups": user.groups, "extra": user.extra,
            "resourceAttributes": {
                "verb": "get", "version": "v1", "resource": "nodes", "subresource": subresource, "name": node,
            },
        });
        let key = Sha256::digest(spec.to_string()).into();
        let allowed = match self.decided.get(&key, Instant::now()) {
            Some(allowed) => allowed,
            None => {
                let body = json!({
                    "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec,
                });
                let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
                let review: AccessReview = self.api.review(path, &body).await?;
                let allowed = review.status.allowed;
                self.decided.put(key, allowed, if allowed { KNOWN } else { DENIED }, Instant::now());
                allowed
            }
        };
        if allowed {
            return Ok(());
        }
        let on = if node.is_empty() { String::new() } else { format!(" of {node}") };
        Err(Refusal::forbidden(format!(
            "Forbidden: user {:?} lacks the right to get nodes/{subresource}{on}",
            user.name
        )))
    }
}

/// The token of `Bearer …`, of characters that a token may have.
fn bearer(authorization: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(authorization).ok()?;
    let (scheme, token) = text.split_once(' ')?;
    let token = token.trim();
    let is_token =
        !token.is_empty() && token.len() <= LONGEST_TOKEN && token.bytes().all(|b| b.is_ascii_graphic());
    (scheme.eq_ignore_ascii_case("bearer") && is_token).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bearer_token_is_looked_at() {
        assert_eq!(bearer(b"Bearer abc"), Some("abc"));
        assert_eq!(bearer(b"bearer  abc "), Some("abc"));
        for bad in [&b""[..], b"abc", b"Bearer ", b"Basic abc", b"Bearer a b", b"Bearer \xff"] {
            assert_eq!(bearer(bad), None, "{bad:?}");
        }
        assert_eq!(bearer(&[b"Bearer ".to_vec(), vec![b'a'; LONGEST_TOKEN + 1]].concat()), None);
    }
}
