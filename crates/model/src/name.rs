//! Kubernetes names and label values made of what bases report (docs/guide/operations.md).

use std::{fmt::Write as _, net::IpAddr};

use sha2::{Digest, Sha256};

use crate::{base::BaseIdentity, biz::BizId};

/// The most characters of a label value.
const MAX_LABEL: usize = 63;
/// The most characters of an object name (a DNS subdomain).
const MAX_NAME: usize = 253;
/// `-` and eight hex digits.
const HASH_SUFFIX: usize = 9;
/// Bytes of the hash in a Module object's name.
const MODULE_HASH: usize = 6;

/// How VNodes are named (`VNODE_NAME_FORMAT`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VNodeNameFormat {
    /// `virtual-node-<identity>`, as the manual has it.
    #[default]
    Manual,
    /// `vnode.<identity>.<env>`, as the Go controller names them.
    Upstream,
}

impl VNodeNameFormat {
    /// The name of the Node that stands for the base. An identity that is no legal name is
    /// encoded: lower case, `-` for every other character, and eight hex digits of its hash, so
    /// that two identities never share a name.
    pub fn node_name(self, identity: &BaseIdentity, env: &str) -> String {
        let wrap = |id: &str| match self {
            Self::Manual => format!("virtual-node-{id}"),
            Self::Upstream => format!("vnode.{id}.{env}"),
        };
        let plain = wrap(identity.as_str());
        if is_subdomain(&plain) {
            return plain;
        }
        let room = MAX_NAME.saturating_sub(wrap("").len() + HASH_SUFFIX);
        wrap(&encode(identity.as_str(), room))
    }
}

/// A label value that stands for any text: itself where it is legal, else encoded as a name is.
pub fn label_value(text: &str) -> String {
    if is_label_value(text) { text.to_owned() } else { encode(text, MAX_LABEL - HASH_SUFFIX) }
}

/// The name of the Module object of a biz on a VNode: the biz and its version for people, and twelve
/// hex digits of a hash of all that must tell two objects apart (48 bits: among 5,000 bases that
/// hold the same version two would share a name once in ten million clusters).
pub fn module_name(vnode: &str, id: &BizId) -> String {
    let readable = format!("{}-{}", id.name, id.version).to_ascii_lowercase();
    let kept: String =
        readable.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    let kept = if is_subdomain(&kept) { kept } else { kept.replace('.', "-") };
    let kept: String = kept.trim_matches('-').chars().take(MAX_NAME - 2 * MODULE_HASH - 1).collect();
    let kept = if kept.is_empty() { "x" } else { kept.trim_end_matches(['-', '.']) };
    format!("{kept}-{}", hash(&format!("{vnode}/{id}"), MODULE_HASH))
}

/// The name of the Lease with the permits of a workload's Pods: the workload for people, and twelve hex digits of a hash of
/// all that tells two apart. Workloads of several namespaces, and environments, have theirs in one.
pub fn permits_name(env: &str, namespace: &str, kind: &str, name: &str) -> String {
    let hash = hash(&format!("{env}/{namespace}/{kind}/{name}"), MODULE_HASH);
    let kept: String =
        name.chars().filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-').collect();
    let kept: String = kept.trim_matches('-').chars().take(MAX_LABEL).collect();
    format!("permits-{kept}-{hash}")
}

/// A label value for an address: an IPv6 address has colons, which no label may have, so its eight
/// groups are joined by `-`.
pub fn address_label(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => ip.segments().map(|group| format!("{group:x}")).join("-"),
    }
}

/// The first bytes of the SHA-256 of a text, in hex.
fn hash(text: &str, bytes: usize) -> String {
    let mut hex = String::new();
    for byte in Sha256::digest(text.as_bytes()).iter().take(bytes) {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// Lower case, `-` for the rest, at most `room` characters, and the hash of the whole text.
fn encode(text: &str, room: usize) -> String {
    let kept: String = text
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .take(room)
        .collect();
    let kept = kept.trim_matches('-');
    let mut name = if kept.is_empty() { String::from("x") } else { kept.to_owned() };
    name.push('-');
    name.push_str(&hash(text, 4));
    name
}

/// RFC 1123 subdomain, as object names are checked.
fn is_subdomain(name: &str) -> bool {
    name.len() <= MAX_NAME
        && name.split('.').all(|part| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                && !part.starts_with('-')
                && !part.ends_with('-')
        })
}

/// The key of a label: a name as a label value, not empty, and before it maybe a DNS name and `/`.
pub fn is_label_key(text: &str) -> bool {
    let (prefix, name) = text.rsplit_once('/').map_or((None, text), |(prefix, name)| (Some(prefix), name));
    !name.is_empty() && is_label_value(name) && prefix.is_none_or(is_subdomain)
}

/// A label value: empty, or alphanumeric at both ends with `-`, `_`, `.` inside, 63 at most.
pub fn is_label_value(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    text.len() <= MAX_LABEL
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        && edge(text.chars().next())
        && edge(text.chars().next_back())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn node(identity: &str) -> String {
        VNodeNameFormat::Manual.node_name(&identity.parse().unwrap(), "dev")
    }

    #[test]
    fn legal_identities_are_kept() {
        assert_eq!(node("192.0.2.2"), "virtual-node-192.0.2.2");
        assert_eq!(node("node-1"), "virtual-node-node-1");
        assert_eq!(
            VNodeNameFormat::Upstream.node_name(&"node-1".parse().unwrap(), "test"),
            "vnode.node-1.test"
        );
    }

    #[test]
    fn others_are_encoded_and_stay_apart() {
        assert_eq!(node("Host_A"), "virtual-node-host-a-6ec23c2c");
        assert_ne!(node("Host_A"), node("Host-A"));
        assert!(node("::").starts_with("virtual-node-x-"));
    }

    #[test]
    fn a_module_is_named_for_people_and_apart_on_every_base() {
        let id = |name: &str, version: &str| BizId {
            name: name.parse().unwrap(),
            version: version.parse().unwrap(),
        };
        let name = module_name("virtual-node-a", &id("biz1", "0.0.1-SNAPSHOT"));
        assert!(name.starts_with("biz1-0.0.1-snapshot-") && name.len() == 20 + 12, "{name}");
        assert_ne!(name, module_name("virtual-node-b", &id("biz1", "0.0.1-SNAPSHOT")));
        assert_ne!(name, module_name("virtual-node-a", &id("biz1", "0.0.1-snapshot")));
        assert!(module_name("v", &id("基座", "..")).starts_with("x-"));
    }

    #[test]
    fn permits_are_named_for_people_and_apart_for_every_workload() {
        let name = permits_name("dev", "ns", "Deployment", "biz1");
        assert!(name.starts_with("permits-biz1-") && name.len() == 13 + 12, "{name}");
        for (env, namespace, kind) in
            [("test", "ns", "Deployment"), ("dev", "other", "Deployment"), ("dev", "ns", "DaemonSet")]
        {
            assert_ne!(permits_name(env, namespace, kind, "biz1"), name);
        }
    }

    #[test]
    fn keys_of_labels_are_names_with_or_without_a_prefix() {
        for key in ["zone", "Group_1", "example.com/release-ring"] {
            assert!(is_label_key(key), "{key}");
        }
        for key in ["", "/", "a/", "/a", "a b", "-a", "UPPER.com/a", "a/b/c"] {
            assert!(!is_label_key(key), "{key}");
        }
    }

    #[test]
    fn addresses_fit_into_labels() {
        assert_eq!(address_label("192.0.2.2".parse().unwrap()), "192.0.2.2");
        assert_eq!(address_label("fd00::1".parse().unwrap()), "fd00-0-0-0-0-0-0-1");
        assert!(is_label_value(&address_label("::".parse().unwrap())));
    }

    proptest! {
        #[test]
        fn every_module_name_is_legal(name in "\\PC{1,80}", version in "\\PC{1,253}") {
            let (Ok(name), Ok(version)) = (name.parse(), version.parse()) else { return Ok(()) };
            let name = module_name("virtual-node-a", &BizId { name, version });
            prop_assert!(is_subdomain(&name), "{}", name);
        }

        #[test]
        fn every_name_is_legal(identity in "[^/+#\\p{C}]{1,80}", upstream: bool) {
            let Ok(identity) = identity.parse::<BaseIdentity>() else { return Ok(()) };
            let format = if upstream { VNodeNameFormat::Upstream } else { VNodeNameFormat::Manual };
            prop_assert!(is_subdomain(&format.node_name(&identity, "dev")));
        }

        #[test]
        fn every_name_of_permits_is_legal(namespace in "\\PC{0,80}", name in "\\PC{0,300}") {
            let lease = permits_name("dev", &namespace, "Deployment", &name);
            prop_assert!(is_subdomain(&lease), "{}", lease);
        }

        #[test]
        fn every_label_value_is_legal(text in "\\PC{0,100}") {
            prop_assert!(is_label_value(&label_value(&text)));
        }
    }
}
