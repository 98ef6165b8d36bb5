//! What a Prometheus server wants to know of whoever asks: a file with a bearer token, or with a user and a password. The
//! file is read for each question, so that a token that was changed counts at once.

use std::{fmt, io::Read, path::PathBuf};

use base64::{Engine, prelude::BASE64_STANDARD};
use hyper::header::HeaderValue;
use plan::MetricServer;

/// A token is a few kilobytes at most.
const MOST_BYTES: u64 = 64 * 1024;

/// By which file one server knows the controller.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// Whom it is for, and nobody else.
    pub server: MetricServer,
    /// Where it is.
    pub file: PathBuf,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.server, self.file.display())
    }
}

impl Login {
    /// What the header `Authorization` is to be now. No error quotes what is in the file.
    ///
    /// # Errors
    /// Where the file cannot be read, or has something else in it.
    pub fn header(&self) -> Result<HeaderValue, String> {
        let about = |what: &str| format!("the login {}: {what}", self.file.display());
        let mut text = String::new();
        let file = std::fs::File::open(&self.file).map_err(|error| about(&error.to_string()))?;
        file.take(MOST_BYTES)
            .read_to_string(&mut text)
            .map_err(|_| about("it cannot be read, or is no text"))?;
        let text = text.trim();
        let mut value = authorization(text)
            .and_then(|value| HeaderValue::try_from(value).ok())
            .ok_or_else(|| about("it holds neither one bearer token nor <user>:<password>, in one line"))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// A bearer token has no colon among the characters that it may have (RFC 6750, 2.1), and Basic has one (RFC 7617).
fn authorization(text: &str) -> Option<String> {
    if text.is_empty() || text.lines().nth(1).is_some() {
        return None;
    }
    if text.split_once(':').is_some_and(|(user, _)| !user.is_empty()) {
        return Some(format!("Basic {}", BASE64_STANDARD.encode(text)));
    }
    let is_of_token = |c: char| c.is_ascii_alphanumeric() || "-._~+/=".contains(c);
    text.chars().all(is_of_token).then(|| format!("Bearer {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_token_or_a_user_with_a_password() {
        let is = |text: &str| authorization(text).unwrap_or_default();
        assert_eq!(is("abc.DEF-1_2~3+4/5=="), "Bearer abc.DEF-1_2~3+4/5==");
        assert_eq!(is("Aladdin:open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        for bad in ["", "two\nlines", "a b", ":password", "t\u{7f}"] {
            assert_eq!(is(bad), "", "{bad:?}");
        }
    }

    #[test]
    fn what_is_in_the_file_is_told_nobody() {
        let server: MetricServer = "http://p:9090".parse().unwrap();
        let file = std::env::temp_dir().join(format!("metric-login-{}", std::process::id()));
        let login = Login { server, file: file.clone() };
        assert!(login.header().unwrap_err().contains("metric-login-"));
        std::fs::write(&file, "hunter2\nhunter3").unwrap();
        let told = format!("{login:?} {:?}", login.header());
        assert!(!told.contains("hunter") && told.contains("bearer token"), "{told}");
        std::fs::write(&file, "hunter2\n").unwrap();
        let told = login.header().unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!(told, "Bearer hunter2");
        assert!(!format!("{told:?}").contains("hunter"), "{told:?}");
    }
}
