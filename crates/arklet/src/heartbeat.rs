//! The heartbeat: who a base is, where, and whether it takes commands.

use std::{net::IpAddr, sync::Arc};

use model::{BaseIdentity, BaseReport, BaseState, base::UNNAMED};
use serde_json::{Map, Value, json};

use crate::{
    error::WireError,
    wire::{self, bad, object, optional, required, text, word},
};

/// The stack of a base that names none: the stock agent is a Java one.
const DEFAULT_STACK: &str = "java";

/// A heartbeat as HTTP posts it, `{baseMetadata:{identity,name,version,clusterName},localIP,
/// localHostName,port,state}`; over MQTT the same is an envelope's `data`. Fields that we do not
/// know are left alone.
///
/// # Errors
/// Where the text is no JSON, the identity is missing or impossible, or a field that we use
/// holds what it cannot.
pub fn parse_heartbeat(body: &[u8]) -> Result<BaseReport, WireError> {
    report(&wire::json(body)?)
}

/// What a base said, as HTTP posts it, on one line: [`parse_heartbeat`] reads all of it but where it was heard from.
pub fn heartbeat_body(report: &BaseReport) -> String {
    let state = match report.state {
        BaseState::Activated => "activated",
        BaseState::Deactivated => "deactivated",
        BaseState::NotServing => "resolved",
    };
    let body = json!({
        "baseMetadata": {
            "identity": report.identity.as_str(),
            "name": report.name.as_deref().unwrap_or_default(),
            "version": &*report.version,
            "clusterName": &*report.cluster,
            "stack": &*report.stack,
        },
        "localHostName": &*report.host_name,
        "localIP": report.ip.map(|ip| ip.to_string()),
        "port": report.port.unwrap_or_default(),
        "state": state,
    });
    body.to_string()
}

/// A heartbeat that was parsed as JSON.
pub(crate) fn report(value: &Value) -> Result<BaseReport, WireError> {
    let map = object(value, "heartbeat")?;
    let base = object(required(map, "baseMetadata")?, "baseMetadata")?;
    let stack = word(base, "baseMetadata.stack")?;
    Ok(BaseReport {
        identity: text(base, "baseMetadata.identity")?.parse::<BaseIdentity>()?,
        name: name(base, "baseMetadata.name")?,
        version: word(base, "baseMetadata.version")?,
        cluster: word(base, "baseMetadata.clusterName")?,
        stack: if stack.is_empty() { DEFAULT_STACK.into() } else { stack },
        host_name: word(map, "localHostName")?,
        ip: ip(map)?,
        peer: None,
        port: port(map)?,
        state: state(map)?,
    })
}

/// A base's name; none where it has none, or the agent's placeholder for one.
pub(crate) fn name(map: &Map<String, Value>, path: &'static str) -> Result<Option<Arc<str>>, WireError> {
    Ok(Some(word(map, path)?).filter(|name| !name.is_empty() && &**name != UNNAMED))
}

/// The base's address; none where it is empty. Java writes a link-local IPv6 address with its
/// zone (`fe80::1%eth0`), which means nothing to anyone else and is left out.
fn ip(map: &Map<String, Value>) -> Result<Option<IpAddr>, WireError> {
    let Some(value) = optional(map, "localIP") else { return Ok(None) };
    let text = value.as_str().map(|text| text.split('%').next().unwrap_or_default().trim());
    match text {
        Some("") => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| bad("localIP", value, "an IP address")),
        None => Err(bad("localIP", value, "an IP address")),
    }
}

/// Arklet's port; none where it is 0 (as over MQTT) or -1 (not known).
fn port(map: &Map<String, Value>) -> Result<Option<u16>, WireError> {
    let Some(value) = optional(map, "port") else { return Ok(None) };
    match value.as_i64() {
        Some(0 | -1) => Ok(None),
        port => match port.and_then(|port| u16::try_from(port).ok()) {
            Some(port) => Ok(Some(port)),
            None => Err(bad("port", value, "a port, 1 to 65535, or 0 or -1 for none")),
        },
    }
}

/// The state, in any letter case; a base that names none takes commands.
fn state(map: &Map<String, Value>) -> Result<BaseState, WireError> {
    let Some(value) = optional(map, "state") else { return Ok(BaseState::Activated) };
    let state = value.as_str().ok_or_else(|| bad("state", value, "text"))?.trim();
    Ok(if state.is_empty() || state.eq_ignore_ascii_case("activated") {
        BaseState::Activated
    } else if state.eq_ignore_ascii_case("deactivated") {
        BaseState::Deactivated
    } else {
        BaseState::NotServing
    })
}

#[cfg(test)]
mod tests {
    use model::base::IdentityError;

    use super::*;

    fn with(field: &str) -> Result<BaseReport, WireError> {
        parse_heartbeat(format!(r#"{{"baseMetadata":{{"identity":"b1"}}{field}}}"#).as_bytes())
    }

    #[test]
    fn an_identity_is_all_that_a_base_must_say() {
        let report = with("").unwrap();
        assert_eq!(report.identity.as_str(), "b1");
        assert_eq!((report.name, report.ip, report.port), (None, None, None));
        assert_eq!((&*report.version, &*report.cluster, &*report.host_name), ("", "", ""));
        assert_eq!((&*report.stack, report.state), ("java", BaseState::Activated));
    }

    #[test]
    fn a_full_heartbeat_is_read_whatever_else_it_holds() {
        let body = r#"{"x":[1],"baseMetadata":{"identity":"b1","name":" base ","version":"1","clusterName":"c",
            "stack":"wasm","y":{}},"localHostName":"h","localIP":"fe80::1%eth0","port":1238,"state":"DeActivated"}"#;
        let report = parse_heartbeat(body.as_bytes()).unwrap();
        assert_eq!(report.name.as_deref(), Some("base"));
        assert_eq!((&*report.version, &*report.cluster, &*report.stack), ("1", "c", "wasm"));
        assert_eq!((report.ip, report.port), (Some("fe80::1".parse().unwrap()), Some(1238)));
        assert_eq!(report.state, BaseState::Deactivated);
    }

    #[test]
    fn what_was_read_is_written_so_that_it_reads_the_same() {
        for field in [
            "",
            r#","port":1238,"localIP":"192.0.2.2","localHostName":"a \"b\" \\ c","state":"deactivated""#,
            r#","localIP":"fd00::1","state":"broken""#,
        ] {
            let report = with(field).unwrap();
            let body = heartbeat_body(&report);
            assert!(!body.contains('\n'), "{body}");
            assert_eq!(parse_heartbeat(body.as_bytes()).unwrap(), report);
        }
        let named = r#"{"baseMetadata":{"identity":"b1","name":"base","version":"1","clusterName":"c","stack":"wasm"}}"#;
        let report = parse_heartbeat(named.as_bytes()).unwrap();
        assert_eq!(parse_heartbeat(heartbeat_body(&report).as_bytes()).unwrap(), report);
    }

    #[test]
    fn placeholders_are_nothing() {
        for field in
            [r#","port":0"#, r#","port":-1"#, r#","port":null"#, r#","localIP":"""#, r#","state":"""#]
        {
            let report = with(field).unwrap();
            assert_eq!((report.ip, report.port, report.state), (None, None, BaseState::Activated), "{field}");
        }
        let body = br#"{"baseMetadata":{"identity":"b1","name":"TO_BE_IMPLEMENTED"}}"#;
        assert_eq!(parse_heartbeat(body).unwrap().name, None);
    }

    #[test]
    fn states_other_than_the_two_are_not_serving() {
        for state in ["unresolved", "RESOLVED", "broken", "stopped", "?"] {
            assert_eq!(with(&format!(r#","state":"{state}""#)).unwrap().state, BaseState::NotServing);
        }
    }

    #[test]
    fn impossible_values_are_named() {
        for (field, says) in [
            (r#","port":65536"#, "field port is 65536; expected a port, 1 to 65535, or 0 or -1 for none"),
            (r#","port":-2"#, "field port is -2; expected a port, 1 to 65535, or 0 or -1 for none"),
            (r#","port":"x""#, "field port is \"x\"; expected a port, 1 to 65535, or 0 or -1 for none"),
            (r#","localIP":"here""#, "field localIP is \"here\"; expected an IP address"),
            (r#","state":7"#, "field state is 7; expected text"),
            (
                r#","localHostName":"a\nb""#,
                "field localHostName is \"a\\nb\"; expected text of at most 253 bytes without control characters",
            ),
        ] {
            assert_eq!(with(field).unwrap_err().to_string(), says);
        }
    }

    #[test]
    fn a_base_without_identity_is_refused() {
        let parse = |body: &str| parse_heartbeat(body.as_bytes()).unwrap_err();
        assert_eq!(parse("{}"), WireError::MissingField("baseMetadata"));
        assert_eq!(parse(r#"{"baseMetadata":{}}"#), WireError::MissingField("baseMetadata.identity"));
        assert_eq!(
            parse(r#"{"baseMetadata":{"identity":null}}"#),
            WireError::MissingField("baseMetadata.identity")
        );
        assert_eq!(parse(r#"{"baseMetadata":{"identity":" "}}"#), WireError::Identity(IdentityError::Empty));
        assert_eq!(
            parse(r#"{"baseMetadata":{"identity":"a/b"}}"#),
            WireError::Identity(IdentityError::Character('/'))
        );
        assert!(matches!(parse("[]"), WireError::BadField { field: "heartbeat", .. }));
        assert!(matches!(parse("{"), WireError::NotJson { .. }));
    }
}
