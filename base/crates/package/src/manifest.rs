//! What the section `koupleless:biz` says.

use model::BizId;
use serde::{Deserialize, Serialize};

use crate::{
    PackageError,
    outbound::{self, OutboundHost},
};

/// The longest web context path, in bytes: a segment of a URL's path that people type.
const MAX_PATH_BYTES: usize = 128;

/// A module by its own account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Which biz it is.
    pub id: BizId,
    /// Where it serves: the first segment of the path, without a slash.
    pub web_context_path: String,
    /// What it asks for.
    pub limits: Limits,
    /// Whom it may call.
    pub outbound_hosts: Vec<OutboundHost>,
}

/// What a module may use at most, as far as its package says it. A base has defaults for what is absent, and a ceiling.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limits {
    /// Linear memory of one instance, in MiB.
    #[serde(default, rename = "memoryMiB", skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u32>,
    /// How long a request may take until its answer is complete, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_ms: Option<u32>,
    /// Requests at work at one time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrent_requests: Option<u32>,
    /// The body of one answer, in MiB.
    #[serde(default, rename = "responseMiB", skip_serializing_if = "Option::is_none")]
    pub response_mib: Option<u32>,
    /// Requests that one instance answers, one after the other. What it keeps of one is there for the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reuse: Option<u32>,
}

/// The section's JSON. What is not known is refused: a limit that nobody keeps would be believed to be kept.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    name: String,
    version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    web_context_path: Option<String>,
    #[serde(default)]
    limits: Limits,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    outbound_hosts: Vec<String>,
}

impl Manifest {
    /// Reads the section's JSON: `{name, version, webContextPath?, limits?: {memoryMiB?, requestMs?,
    /// concurrentRequests?, responseMiB?, reuse?}, outboundHosts?: [host or host:port]}`. The path is the name where there is none.
    ///
    /// # Errors
    /// [`PackageError::BadSection`] with what is wrong.
    pub fn parse(json: &[u8]) -> Result<Self, PackageError> {
        let bad = |what: String| PackageError::BadSection(what);
        let written: Written = serde_json::from_slice(json).map_err(|error| bad(error.to_string()))?;
        let id = BizId {
            name: written.name.parse().map_err(|error: model::biz::WordError| bad(error.to_string()))?,
            version: written
                .version
                .parse()
                .map_err(|error: model::biz::WordError| bad(error.to_string()))?,
        };
        let path = written.web_context_path.unwrap_or_else(|| id.name.to_string());
        let web_context_path = path.trim_matches('/').to_owned();
        if !is_segment(&web_context_path) {
            return Err(bad(format!(
                "webContextPath is {path:?}; expected 1 to {MAX_PATH_BYTES} of a-z, A-Z, 0-9, '-', '_', '.' and '~', \
                 and not \"actuator\", where the base itself answers"
            )));
        }
        let limits = written.limits;
        let zero = [
            ("memoryMiB", limits.memory_mib),
            ("requestMs", limits.request_ms),
            ("concurrentRequests", limits.concurrent_requests),
            ("responseMiB", limits.response_mib),
            ("reuse", limits.reuse),
        ];
        if let Some((name, _)) = zero.iter().find(|(_, value)| *value == Some(0)) {
            return Err(bad(format!("limits.{name} is 0; expected at least 1")));
        }
        let outbound_hosts = outbound::parse_all(&written.outbound_hosts)?;
        Ok(Self { id, web_context_path, limits, outbound_hosts })
    }

    /// The section's JSON, which [`Manifest::parse`] reads.
    pub fn to_json(&self) -> String {
        let written = Written {
            name: self.id.name.to_string(),
            version: self.id.version.to_string(),
            web_context_path: Some(self.web_context_path.clone()),
            limits: self.limits.clone(),
            outbound_hosts: self.outbound_hosts.iter().map(ToString::to_string).collect(),
        };
        // Texts and numbers are always JSON.
        serde_json::to_string(&written).unwrap_or_default()
    }
}

/// One segment of a path that needs no encoding, and is not where the base itself answers.
fn is_segment(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    !path.is_empty()
        && path.len() <= MAX_PATH_BYTES
        && path.bytes().all(plain)
        && !matches!(path, "actuator" | "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Manifest, PackageError> {
        Manifest::parse(json.as_bytes())
    }

    #[test]
    fn name_and_version_are_enough() {
        let manifest = parse(r#"{"name":"biz1","version":"1.0.0"}"#).unwrap();
        assert_eq!(manifest.id.to_string(), "biz1:1.0.0");
        assert_eq!((&*manifest.web_context_path, manifest.limits), ("biz1", Limits::default()));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let json = r#"{"name":"a","version":"2","webContextPath":"/shop/","limits":{"memoryMiB":8,"requestMs":100,
            "concurrentRequests":3,"responseMiB":1,"reuse":9},"outboundHosts":["API.example.com:8443","[2001:db8::1]"]}"#;
        let manifest = parse(json).unwrap();
        assert_eq!(manifest.web_context_path, "shop");
        assert_eq!(manifest.limits.memory_mib, Some(8));
        let hosts: Vec<String> = manifest.outbound_hosts.iter().map(ToString::to_string).collect();
        assert_eq!(hosts, ["api.example.com:8443", "[2001:db8::1]"]);
        assert_eq!(parse(&manifest.to_json()).unwrap(), manifest);
    }

    #[test]
    fn what_it_cannot_say_is_refused_and_named() {
        for (json, says) in [
            ("{", "EOF"),
            (r#"{"name":"a"}"#, "version"),
            (r#"{"name":"a b","version":"1"}"#, "white space"),
            (r#"{"name":"a","version":""}"#, "empty"),
            (r#"{"name":"a","version":"1","webContextPath":"a/b"}"#, "webContextPath is \"a/b\""),
            (r#"{"name":"a","version":"1","webContextPath":"actuator"}"#, "the base itself answers"),
            (r#"{"name":"a","version":"1","limits":{"memoryMiB":0}}"#, "limits.memoryMiB is 0"),
            (r#"{"name":"a","version":"1","limits":{"reuse":0}}"#, "limits.reuse is 0"),
            (r#"{"name":"a","version":"1","limits":{"files":1}}"#, "files"),
            (r#"{"name":"a","version":"1","outboundHosts":["http://a"]}"#, "outboundHosts has \"http://a\""),
            (r#"{"name":"a","version":"1","sockets":true}"#, "sockets"),
        ] {
            let error = parse(json).unwrap_err().to_string();
            assert!(error.contains(says), "{json}: {error}");
        }
    }
}
