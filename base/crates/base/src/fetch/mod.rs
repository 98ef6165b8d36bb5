//! Packages, brought from where they are.

mod served;

use std::{io, path::PathBuf, time::Duration};

use bytes::Bytes;
use lifecycle::Failure;
use rustls::ClientConfig;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncReadExt as _;
use url::Url;

use self::served::Served;

/// The most bytes of a package: a component of a scripting language has 20 MB.
pub(crate) const MAX_PACKAGE_BYTES: usize = 128 * 1024 * 1024;

/// How long a package may take to come, redirects and every try included.
const DEADLINE: Duration = Duration::from_secs(120);

/// How long a server may take to be reached.
const CONNECT: Duration = Duration::from_secs(10);

/// Brings packages from `file:`, `http:` and `https:` URLs.
#[derive(Debug, Clone)]
pub(crate) struct Fetcher {
    served: Served,
    /// [`DEADLINE`]; in tests less.
    deadline: Duration,
}

impl Fetcher {
    pub(crate) fn new(tls: ClientConfig) -> Self {
        Self { served: Served::new(tls, MAX_PACKAGE_BYTES), deadline: DEADLINE }
    }

    /// The bytes of a package: all of them, or an error. No text of an error has the URL's credentials.
    pub(crate) async fn fetch(&self, url: &str) -> Result<Bytes, Failure> {
        let parsed = Url::parse(url.trim());
        let url = parsed.map_err(|error| Failure::Scheme(format!("the URL cannot be read: {error}")))?;
        let expected = expected(&url)?;
        let brought = async {
            match url.scheme() {
                "file" => from_file(&url).await,
                "http" | "https" => self.served.fetch(&url, expected.is_some()).await,
                other => Err(Failure::Scheme(format!(
                    "unknown protocol: {other}; packages come by file, http and https"
                ))),
            }
        };
        let deadline = self.deadline;
        let late = |_| Failure::TimedOut(format!("{}: it did not come within {deadline:?}", shown(&url)));
        let bytes = tokio::time::timeout(deadline, brought).await.map_err(late)??;
        check(&bytes, expected.as_deref())?;
        Ok(bytes)
    }
}

/// The SHA-256 that a URL asks for, by its fragment `#sha256=<64 hex digits>`.
fn expected(url: &Url) -> Result<Option<String>, Failure> {
    let Some(digest) = url.fragment().and_then(|fragment| fragment.strip_prefix("sha256=")) else {
        return Ok(None);
    };
    if digest.len() != 64 || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let what = format!("{}: #sha256= is followed by 64 hexadecimal digits", shown(url));
        return Err(Failure::Scheme(what));
    }
    Ok(Some(digest.to_ascii_lowercase()))
}

fn check(bytes: &[u8], expected: Option<&str>) -> Result<(), Failure> {
    let Some(expected) = expected else { return Ok(()) };
    let is: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    if is == expected {
        return Ok(());
    }
    Err(Failure::BadPackage(format!("its SHA-256 is {is}, and {expected} was asked for")))
}

async fn from_file(url: &Url) -> Result<Bytes, Failure> {
    let no_path = |()| Failure::Scheme(format!("{} names no file", shown(url)));
    let path: PathBuf = url.to_file_path().map_err(no_path)?;
    let wrong = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => {
            Failure::PackageMissing(format!("{} (No such file or directory)", path.display()))
        }
        _ => Failure::PackageMissing(format!("{} ({error})", path.display())),
    };
    let file = tokio::fs::File::open(&path).await.map_err(wrong)?;
    let mut bytes = Vec::new();
    // One more than may be, so that too many are seen.
    let most = MAX_PACKAGE_BYTES as u64 + 1;
    file.take(most).read_to_end(&mut bytes).await.map_err(wrong)?;
    if bytes.len() > MAX_PACKAGE_BYTES { Err(too_large(MAX_PACKAGE_BYTES)) } else { Ok(bytes.into()) }
}

fn too_large(most: usize) -> Failure {
    Failure::BadPackage(format!("the package has more than {most} bytes"))
}

/// A URL without what must not be shown.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Both fail only for URLs that can have no credentials.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

/// An error with what caused it.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

/// The URLs of the packages in a folder, by name.
///
/// # Errors
/// Where it cannot be read, or its path is not absolute.
pub(crate) fn packages_in(folder: &std::path::Path) -> Result<Vec<String>, String> {
    let read = |error: io::Error| format!("{}: {error}", folder.display());
    let mut urls = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(read)? {
        let path = entry.map_err(read)?.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            let url = Url::from_file_path(&path);
            urls.push(url.map_err(|()| format!("{}: the path is not absolute", path.display()))?.to_string());
        }
    }
    urls.sort();
    Ok(urls)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(url: &str) -> Result<Option<String>, String> {
        expected(&url.parse().unwrap()).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_package_may_be_asked_for_by_its_hash() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let url = format!("file:///a.wasm#sha256={}", empty.to_uppercase());
        let wanted = asked(&url).unwrap();
        assert_eq!(check(b"", wanted.as_deref()), Ok(()));
        let other = check(b"x", wanted.as_deref()).unwrap_err().to_string();
        assert!(other.contains(empty), "{other}");
        assert_eq!(asked("file:///a.wasm#part"), Ok(None));
        assert!(asked("file:///a.wasm#sha256=12").unwrap_err().contains("64 hexadecimal digits"));
    }

    #[test]
    fn what_is_shown_of_a_url_has_no_secret() {
        let url = "https://user:secret@host/a.wasm?token=secret#secret".parse().unwrap();
        assert_eq!(shown(&url), "https://host/a.wasm");
    }
}
