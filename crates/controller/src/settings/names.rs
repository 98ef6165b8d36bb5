//! `ENV`, `NAMESPACE` and `CLIENT_ID`: what others find this controller's objects and messages by.

use model::{Bilingual, bilingual};

use super::{Refusals, set};
use crate::args::Args;

/// The longest `reportingInstance` of an Event, which says which instance wrote it.
const LONGEST_CLIENT_ID: usize = 128;

/// The longest name of a namespace (RFC 1123 label).
const LONGEST_NAMESPACE: usize = 63;

/// The environment is a label's value, a taint's value and a part of topics.
pub(super) fn env(args: &Args, refused: &mut Refusals) -> String {
    let env = set(&args.env).unwrap_or("dev");
    if model::name::label_value(env) != env {
        let allowed = bilingual!(
            "allowed are at most 63 letters, digits, '-', '_' and '.', a letter or digit first and last",
            "最多 63 个字符，由字母、数字、'-'、'_' 和 '.' 组成，首尾是字母或数字"
        );
        refused.add("ENV", Some(env), allowed);
    }
    env.to_owned()
}

/// A wrong namespace would be found out by every write there, one after the other.
pub(super) fn namespace(args: &Args, refused: &mut Refusals) -> String {
    let namespace = set(&args.namespace).unwrap_or("default");
    let at_end = |end: Option<u8>| end.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let is_name = namespace.len() <= LONGEST_NAMESPACE
        && namespace.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && at_end(namespace.bytes().next())
        && at_end(namespace.bytes().last());
    if !is_name {
        let allowed = bilingual!(
            "allowed are at most 63 small letters, digits and '-', a letter or digit first and last",
            "最多 63 个字符，由小写字母、数字和 '-' 组成，首尾是字母或数字"
        );
        refused.add("NAMESPACE", Some(namespace), allowed);
    }
    namespace.to_owned()
}

/// A part of the MQTT client id, and what Events and Leases name as their writer.
pub(super) fn client_id(args: &Args, refused: &mut Refusals) -> String {
    let Some(given) = set(&args.client_id) else { return uuid::Uuid::new_v4().to_string() };
    if given.len() > LONGEST_CLIENT_ID || !is_plain(given) {
        refused.add("CLIENT_ID", Some(given), plain(LONGEST_CLIENT_ID));
    }
    given.to_owned()
}

/// What [`is_plain`] takes, in words.
pub(super) fn plain(most: usize) -> Bilingual {
    bilingual!(
        "allowed are at most {most} letters, digits, '-', '_', '.', ':' and '@'",
        "最多 {most} 个字符，由字母、数字、'-'、'_'、'.'、':' 和 '@' 组成"
    )
}

/// What is wrong with a variable that is missing beside another one.
pub(super) fn needed_with(other: &str) -> Bilingual {
    bilingual!("it is needed with {other}", "设置了 {other} 时必须设置它")
}

/// What an address may be.
pub(super) fn an_address() -> Bilingual {
    bilingual!("allowed is an IP address", "可以写 IP 地址")
}

/// Whether every broker takes it in a client id: some refuse wildcards, slashes, blanks, or what is not ASCII.
pub(super) fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:@".contains(&byte))
}

#[cfg(test)]
mod tests {
    use crate::settings::tests::settings;

    fn with(flag: &str) -> Result<crate::settings::Settings, String> {
        settings(&["--enable-http-tunnel", flag])
    }

    #[test]
    fn what_no_namespace_can_be_called_is_refused() {
        for bad in ["Default", "a_b", "-a", "a-", "a.b", "my namespace", &"a".repeat(64)] {
            let refusal = with(&format!("--namespace={bad}")).unwrap_err();
            assert!(refusal.contains(&format!("NAMESPACE is {bad:?}; allowed are at most 63")), "{refusal}");
        }
        for good in ["default", "0", "module-controller-2", " spaced "] {
            let namespace = with(&format!("--namespace={good}")).unwrap().engine.namespace;
            assert_eq!(&*namespace, good.trim());
        }
    }

    #[test]
    fn a_client_id_that_brokers_or_events_refuse_is_refused() {
        for bad in ["a b", "a/b", "a+", "#", "基座", "a\nb", &"a".repeat(129)] {
            let refusal = with(&format!("--client-id={bad}")).unwrap_err();
            assert!(refusal.contains(&format!("CLIENT_ID is {bad:?}; allowed are at most 128")), "{refusal}");
        }
        for good in ["GID_mc@@@0001", "module-controller-7d9f-x2v", "10.0.0.1:7777", &"a".repeat(128)] {
            assert_eq!(with(&format!("--client-id={good}")).unwrap().client_id, good);
        }
    }
}
