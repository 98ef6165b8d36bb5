//! Where reports go: a robot's URL, and the secret that its messages are signed with.

use std::fmt;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use model::Secret;
use ring::hmac;
use url::Url;

/// Why a hook is refused. It says nothing of what was given: that is a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadHook {
    /// Not parsable, or relative.
    #[error("it is no URL")]
    NoUrl,
    /// Neither `http` nor `https`.
    #[error("its scheme is neither https nor http")]
    Scheme,
    /// `https://user:password@host/`.
    #[error("it has a user or a password before the host, which a robot's URL never has")]
    User,
    /// `…#SEC…`.
    #[error("it has a fragment (what follows a #); the signing secret goes into REPORT_HOOK_SECRETS")]
    Fragment,
    /// What is sent in the clear is read on the way, token and all.
    #[error("it is dingtalk.com without TLS, so that its token could be read on the way; give it as https")]
    InTheClear,
    /// DingTalk knows a robot by nothing else.
    #[error("it has no access_token, which DingTalk's robots are known by")]
    NoToken,
}

/// A robot. It has no `Display`, and its `Debug` shows neither token nor secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Hook {
    url: Url,
    secret: Option<Secret>,
}

impl Hook {
    /// Takes the URL of a robot, and the secret where its messages are to be signed.
    pub fn new(url: &str, secret: Option<Secret>) -> Result<Self, BadHook> {
        let url = Url::parse(url.trim()).map_err(|_| BadHook::NoUrl)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(BadHook::Scheme);
        }
        let Some(host) = url.host_str() else { return Err(BadHook::NoUrl) };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BadHook::User);
        }
        if url.fragment().is_some() {
            return Err(BadHook::Fragment);
        }
        // A name may end in the dot that the root is called by.
        let host = host.strip_suffix('.').unwrap_or(host);
        let is_dingtalk = host == "dingtalk.com" || host.ends_with(".dingtalk.com");
        if is_dingtalk && url.scheme() == "http" {
            return Err(BadHook::InTheClear);
        }
        let has_token = || url.query_pairs().any(|(key, token)| key == "access_token" && !token.is_empty());
        if is_dingtalk && !has_token() {
            return Err(BadHook::NoToken);
        }
        Ok(Self { url, secret })
    }

    /// The URL for a message that is sent now. DingTalk takes a signature for an hour.
    pub(crate) fn url(&self, now: Timestamp) -> Url {
        let mut url = self.url.clone();
        if let Some(secret) = &self.secret {
            let timestamp = now.as_millisecond();
            let signature = sign(secret.expose(), timestamp);
            url.query_pairs_mut()
                .append_pair("timestamp", &timestamp.to_string())
                .append_pair("sign", &signature);
        }
        url
    }

    /// A text of the other side, without what it may have quoted of us.
    pub(crate) fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        let values = self.url.query_pairs().map(|(_, value)| value.into_owned());
        let written = self.url.query().map(str::to_owned);
        // A relay may have its token in the path.
        let path = Some(self.url.path().to_owned()).filter(|path| path.len() > 1);
        let secret = self.secret.as_ref().map(|secret| secret.expose().to_owned());
        for hidden in written.into_iter().chain(values).chain(path).chain(secret) {
            // What is shorter is no secret, and would leave nothing of the text.
            if hidden.len() >= 4 {
                text = text.replace(&hidden, "…");
            }
        }
        text
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook").field("signed", &self.secret.is_some()).finish_non_exhaustive()
    }
}

/// DingTalk's signature: the secret is both the key and a part of what is signed.
fn sign(secret: &str, timestamp_ms: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{timestamp_ms}\n{secret}").as_bytes());
    BASE64_STANDARD.encode(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_one_is_refused_without_a_word_of_it() {
        for (url, why) in [
            ("oapi.dingtalk.com/robot/send?access_token=hunter2", BadHook::NoUrl),
            ("https://?access_token=hunter2", BadHook::NoUrl),
            ("ftp://h/hunter2", BadHook::Scheme),
            ("https://u:hunter2@h/", BadHook::User),
            ("https://oapi.dingtalk.com/robot/send?access_token=t#hunter2", BadHook::Fragment),
            ("https://oapi.dingtalk.com/robot/send?token=hunter2", BadHook::NoToken),
            ("http://oapi.dingtalk.com/robot/send?access_token=hunter2", BadHook::InTheClear),
            ("http://DINGTALK.com./robot/send?access_token=hunter2", BadHook::InTheClear),
            ("https://oapi.dingtalk.com/robot/send?access_token=", BadHook::NoToken),
        ] {
            let refused = Hook::new(url, None).unwrap_err();
            assert_eq!(refused, why, "{url}");
            assert!(!format!("{refused} {refused:?}").contains("hunter2"));
        }
    }

    #[test]
    fn the_signature_is_the_one_that_other_tools_make() {
        // printf '1577808000000\nSECabc' | openssl dgst -sha256 -hmac SECabc -binary | base64
        let hook = Hook::new("https://h/send?access_token=t", Some(Secret::new("SECabc"))).unwrap();
        let url = hook.url(Timestamp::from_millisecond(1_577_808_000_000).unwrap());
        assert_eq!(
            url.as_str(),
            "https://h/send?access_token=t&timestamp=1577808000000&sign=d8MiemiW5bT%2FXT2zgWrhyRQdANlJ4zkTa39rkwaldRU%3D"
        );
        let unsigned = Hook::new("https://h/send?access_token=t", None).unwrap();
        assert_eq!(unsigned.url(Timestamp::UNIX_EPOCH).as_str(), "https://h/send?access_token=t");
    }

    #[test]
    fn neither_token_nor_secret_is_shown() {
        let hook = Hook::new("https://h/path1/x?access_token=tok%20en", Some(Secret::new("SECabc"))).unwrap();
        let said = "no access_token=tok%20en, no tok en, no SECabc, not at /path1/x";
        assert_eq!(hook.redact(said), "no …, no …, no …, not at …");
        let shown = format!("{hook:?}");
        assert_eq!(shown, "Hook { signed: true, .. }");
    }
}
