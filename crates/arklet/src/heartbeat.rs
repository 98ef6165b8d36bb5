//! The heartbeat: who a base is, where, and whether it takes commands.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use model::{
    BaseIdentity, BaseReport, BaseState,
    base::UNNAMED,
    name::{is_label_key, is_label_value},
};
use serde_json::{Map, Value, json};

use crate::{
    error::WireError,
    wire::{self, bad, object, optional, required, required_word, whole, word},
};

/// The stack of a base that names none: the stock agent is a Java one.
const DEFAULT_STACK: &str = "java";
/// More labels than this no base needs to be put into groups.
const MOST_LABELS: usize = 16;

/// A heartbeat as HTTP posts it, `{baseMetadata:{identity,name,version,clusterName,labels},localIP,
/// localHostName,port,state}`, or before koupleless 2 `{baseID,masterBizInfo:{name,version},networkInfo:{localIP,
/// localHostName,arkletPort},state}`; over MQTT the same is an envelope's `data`. Fields that we do not know are left
/// alone.
///
/// # Errors
/// Where the text is no JSON, the identity is missing or impossible, or a field that we use
/// holds what it cannot.
pub fn parse_heartbeat(body: &[u8]) -> Result<BaseReport, WireError> {
    report(&wire::json(body)?, None)
}

/// What a base said, as HTTP posts it, on one line: [`parse_heartbeat`] reads all of it but where it was heard from.
pub fn heartbeat_body(report: &BaseReport) -> String {
    // Each field by name: one that is forgotten here would be lost between replicas.
    let BaseReport { identity, name, version, cluster, stack, host_name, ip, port, labels, state, peer: _ } =
        report;
    let state = match state {
        BaseState::Activated => "activated",
        BaseState::Deactivated => "deactivated",
        BaseState::NotServing => "resolved",
    };
    let labels: Map<String, Value> =
        labels.iter().map(|(key, value)| (key.to_string(), Value::from(&**value))).collect();
    let body = json!({
        "baseMetadata": {
            "identity": identity.as_str(),
            "name": name.as_deref().unwrap_or_default(),
            "version": &**version,
            "clusterName": &**cluster,
            "stack": &**stack,
            "labels": labels,
        },
        "localHostName": &**host_name,
        "localIP": ip.map(|ip| ip.to_string()),
        "port": port.unwrap_or_default(),
        "state": state,
    });
    body.to_string()
}

/// A heartbeat that was parsed as JSON, and over MQTT on whose topic it came. There the broker is the way to the base:
/// its address and port are not needed, and one that cannot be read is none.
pub(crate) fn report(value: &Value, topic: Option<&BaseIdentity>) -> Result<BaseReport, WireError> {
    let map = object(value, "heartbeat")?;
    let form = Form::of(map)?;
    let stack = word(form.base, "baseMetadata.stack")?;
    let (ip, port) = (ip(form.network), port(form.network, form.port));
    let is_needed = topic.is_none();
    Ok(BaseReport {
        identity: form.identity(map, topic)?,
        name: name(form.base, "baseMetadata.name")?,
        version: word(form.base, "baseMetadata.version")?,
        cluster: word(form.base, "baseMetadata.clusterName")?,
        stack: if stack.is_empty() { DEFAULT_STACK.into() } else { stack },
        host_name: word(form.network, "localHostName")?,
        ip: if is_needed { ip? } else { ip.unwrap_or_default() },
        peer: None,
        port: if is_needed { port? } else { port.unwrap_or_default() },
        labels: labels(form.base),
        state: state(map),
    })
}

/// Where a heartbeat has what.
struct Form<'a> {
    /// Name and version.
    base: &'a Map<String, Value>,
    /// Address and host name.
    network: &'a Map<String, Value>,
    /// Arklet's port, beside the address.
    port: &'static str,
    /// The base's identity; in the old form it may be told by the topic alone.
    identity: Option<&'static str>,
}

impl<'a> Form<'a> {
    fn of(map: &'a Map<String, Value>) -> Result<Self, WireError> {
        match (optional(map, "baseMetadata"), optional(map, "masterBizInfo")) {
            (None, Some(base)) => Ok(Self {
                base: object(base, "masterBizInfo")?,
                network: optional(map, "networkInfo").and_then(Value::as_object).unwrap_or(map),
                port: "arkletPort",
                identity: None,
            }),
            _ => Ok(Self {
                base: object(required(map, "baseMetadata")?, "baseMetadata")?,
                network: map,
                port: "port",
                identity: Some("baseMetadata.identity"),
            }),
        }
    }

    fn identity(
        &self,
        map: &Map<String, Value>,
        topic: Option<&BaseIdentity>,
    ) -> Result<BaseIdentity, WireError> {
        match (self.identity, topic) {
            (Some(path), _) => Ok(required_word(self.base, path)?.parse()?),
            (None, Some(topic)) if optional(map, "baseID").is_none() => Ok(topic.clone()),
            (None, _) => Ok(required_word(map, "baseID")?.parse()?),
        }
    }
}

/// A base's name; none where it has none, or the agent's placeholder for one.
pub(crate) fn name(map: &Map<String, Value>, path: &'static str) -> Result<Option<Arc<str>>, WireError> {
    Ok(Some(word(map, path)?).filter(|name| !name.is_empty() && &**name != UNNAMED))
}

/// The labels that a base gives itself. No base of upstream sends any: what is no label is left out, and the heartbeat counts.
fn labels(map: &Map<String, Value>) -> BTreeMap<Arc<str>, Arc<str>> {
    let Some(labels) = optional(map, "baseMetadata.labels").and_then(Value::as_object) else {
        return BTreeMap::new();
    };
    let text = |(key, value): (&String, &Value)| {
        let value = value.as_str().filter(|value| is_label_value(value))?;
        is_label_key(key).then(|| (key.as_str().into(), value.into()))
    };
    labels.iter().filter_map(text).take(MOST_LABELS).collect()
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
fn port(map: &Map<String, Value>, path: &'static str) -> Result<Option<u16>, WireError> {
    let Some(value) = optional(map, path) else { return Ok(None) };
    match whole(value) {
        Some(0 | -1) => Ok(None),
        port => match port.and_then(|port| u16::try_from(port).ok()) {
            Some(port) => Ok(Some(port)),
            None => Err(bad(path, value, "a port, 1 to 65535, or 0 or -1 for none")),
        },
    }
}

/// The state, in any letter case; a base that names none takes commands, and one that names something else does not.
fn state(map: &Map<String, Value>) -> BaseState {
    let Some(value) = optional(map, "state") else { return BaseState::Activated };
    let Some(state) = value.as_str().map(str::trim) else { return BaseState::NotServing };
    if state.is_empty() || state.eq_ignore_ascii_case("activated") {
        BaseState::Activated
    } else if state.eq_ignore_ascii_case("deactivated") {
        BaseState::Deactivated
    } else {
        BaseState::NotServing
    }
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
    fn what_is_no_label_is_left_out() {
        let body =
            r#"{"baseMetadata":{"identity":"b1","labels":{"ring":"beta","a b":"x","zone":7,"team":"a/b"}}}"#;
        let report = parse_heartbeat(body.as_bytes()).unwrap();
        assert_eq!(report.labels, BTreeMap::from([("ring".into(), "beta".into())]));
        assert_eq!(parse_heartbeat(heartbeat_body(&report).as_bytes()).unwrap(), report);
        let many: Vec<String> = (0..99).map(|n| format!(r#""l{n}":"x""#)).collect();
        let body = format!(r#"{{"baseMetadata":{{"identity":"b1","labels":{{{}}}}}}}"#, many.join(","));
        assert_eq!(parse_heartbeat(body.as_bytes()).unwrap().labels.len(), MOST_LABELS);
        let body = r#"{"baseMetadata":{"identity":"b1","labels":"ring=beta"}}"#;
        assert_eq!(parse_heartbeat(body.as_bytes()).unwrap().labels, BTreeMap::new());
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
    fn what_is_not_needed_may_be_anything() {
        for odd in ["null", "{}", "[1]", "true", "1.5"] {
            let body = format!(
                r#"{{"baseMetadata":{{"identity":"b1","name":{odd},"version":{odd},"clusterName":{odd},"stack":{odd}}},
                    "localHostName":{odd},"localIP":null,"port":null,"x":{odd}}}"#
            );
            assert_eq!(parse_heartbeat(body.as_bytes()), with(""), "{odd}");
        }
    }

    #[test]
    fn numbers_and_texts_stand_for_each_other() {
        let report = with(r#","port":"1238""#).unwrap();
        assert_eq!(report.port, Some(1238));
        let body = br#"{"baseMetadata":{"identity":17,"version":2}}"#;
        let report = parse_heartbeat(body).unwrap();
        assert_eq!((report.identity.as_str(), &*report.version), ("17", "2"));
    }

    /// As bases before koupleless 2 say it.
    #[test]
    fn the_old_form_is_read_too() {
        let body = r#"{"baseID":"b1","state":"ACTIVATED","masterBizInfo":{"name":"base","version":"1.0.0","customLabels":{}},
            "networkInfo":{"localIP":"192.0.2.2","localHostName":"h","arkletPort":1238}}"#;
        let report = parse_heartbeat(body.as_bytes()).unwrap();
        assert_eq!((report.identity.as_str(), report.name.as_deref()), ("b1", Some("base")));
        assert_eq!((&*report.version, &*report.host_name), ("1.0.0", "h"));
        assert_eq!((report.ip, report.port), ("192.0.2.2".parse().ok(), Some(1238)));
        let nobody = parse_heartbeat(br#"{"masterBizInfo":{"name":"base"}}"#);
        assert_eq!(nobody, Err(WireError::MissingField("baseID")));
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
        for state in [r#""unresolved""#, r#""RESOLVED""#, r#""broken""#, r#""stopped""#, r#""?""#, "7", "[]"]
        {
            assert_eq!(
                with(&format!(r#","state":{state}"#)).unwrap().state,
                BaseState::NotServing,
                "{state}"
            );
        }
    }

    #[test]
    fn impossible_values_are_named() {
        for (field, says) in [
            (r#","port":65536"#, "field port is 65536; expected a port, 1 to 65535, or 0 or -1 for none"),
            (r#","port":-2"#, "field port is -2; expected a port, 1 to 65535, or 0 or -1 for none"),
            (r#","port":"x""#, "field port is \"x\"; expected a port, 1 to 65535, or 0 or -1 for none"),
            (r#","localIP":"here""#, "field localIP is \"here\"; expected an IP address"),
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
