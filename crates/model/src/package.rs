//! What is to be installed: a module's package and how.

use std::{
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
    sync::Arc,
};

use sha2::{Digest as _, Sha256};
use url::Url;

use crate::biz::BizId;

/// The longest package URL, in bytes: what common proxies and servers still take.
pub const MAX_URL_BYTES: usize = 8 * 1024;

/// What the path of a package's URL ends in: of Java bases (Ark packages are `…-ark-biz.jar`), of WebAssembly bases, and
/// of other containers of Ark.
const PACKAGE_SUFFIXES: [&str; 3] = [".jar", ".wasm", ".ark"];

/// Where a package is: `http`, `https`, `ftp` or `file`, which is what Java opens. Kept as the user wrote it, because that is
/// what the base is asked to fetch; `Display` leaves credentials and query out, because they
/// must not reach a log, an Event or an error. What is shown and told of it is worked out once: it
/// is compared with what was told whenever its Pod is looked at.
#[derive(Clone)]
pub struct PackageUrl {
    written: Arc<str>,
    shown: Arc<str>,
    told: Arc<str>,
}

impl PartialEq for PackageUrl {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Eq for PackageUrl {}

impl Hash for PackageUrl {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.written.hash(state);
    }
}

/// Why a package URL is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Nothing, or only white space.
    #[error("the package URL (the container's image) is blank")]
    Blank,
    /// More than [`MAX_URL_BYTES`].
    #[error("the package URL has {0} bytes; at most {MAX_URL_BYTES} are taken")]
    TooLong(usize),
    /// Not a URL at all.
    #[error("the package URL cannot be parsed: {0}")]
    Unparsable(url::ParseError),
    /// A scheme that no base fetches.
    #[error("the package URL's scheme is {0:?}; supported are http, https, ftp and file")]
    Scheme(String),
}

impl FromStr for PackageUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.is_empty() {
            return Err(UrlError::Blank);
        }
        if text.len() > MAX_URL_BYTES {
            return Err(UrlError::TooLong(text.len()));
        }
        let url = Url::parse(text).map_err(UrlError::Unparsable)?;
        match url.scheme() {
            "http" | "https" | "ftp" | "file" => Ok(Self::new(text, &url)),
            other => Err(UrlError::Scheme(other.chars().take(32).collect())),
        }
    }
}

impl PackageUrl {
    fn new(written: &str, url: &Url) -> Self {
        let shown = shown(url);
        let whole = url.as_str() == shown;
        let written: Arc<str> = written.into();
        let told = if whole {
            written.clone()
        } else {
            let hash = Sha256::digest(written.as_bytes());
            let fingerprint: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            format!("{shown}#sha256:{fingerprint}").into()
        };
        // Nearly always all three are the same.
        let shown = if *written == *shown { written.clone() } else { shown.into() };
        Self { written, shown, told }
    }

    /// The URL as the user wrote it, credentials included: for the base only.
    pub fn as_written(&self) -> &str {
        &self.written
    }

    /// The package as logs, Events and Module objects have it: what `Display` says.
    pub fn as_shown(&self) -> &Arc<str> {
        &self.shown
    }

    /// The package as a status tells it, which others may read than those who may read the Pod's spec:
    /// as written where nothing of it is left out by `Display`, else with a fingerprint of the whole,
    /// by which a controller of later knows it again.
    pub fn as_told(&self) -> &Arc<str> {
        &self.told
    }

    /// Whether a status tells this package: by [`Self::as_told`], or as written, which earlier
    /// versions did.
    pub fn is_told_by(&self, told: &str) -> bool {
        told == self.as_written() || *told == **self.as_told()
    }
}

/// Whether an image is meant for a base: the path ends as that of a package. It is read as a URL is, so that a query or a
/// fragment says nothing, but it need not be one: what is wrong with it is said where it is parsed. An image of a container
/// runtime does not end so unless it has neither tag nor digest and is named after a package.
pub fn is_of_package(image: &str) -> bool {
    let path = image.trim().split(['?', '#']).next().unwrap_or_default();
    let ends = |suffix: &str| {
        let start = path.len().checked_sub(suffix.len());
        start.and_then(|start| path.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case(suffix))
    };
    PACKAGE_SUFFIXES.iter().any(|suffix| ends(suffix))
}

/// What may be shown of an image that may be a package URL, or no URL at all.
pub fn shown_image(image: &str) -> String {
    match image.parse::<PackageUrl>() {
        Ok(url) => url.as_told().to_string(),
        // Credentials may be in what only looks like a URL.
        Err(_) if image.contains(['@', '?']) => "(unreadable URL)".to_owned(),
        Err(_) => image.to_owned(),
    }
}

/// Without credentials, query and fragment.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Both fail only for URLs that can have no credentials.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    let query = url.query().is_some();
    url.set_query(None);
    url.set_fragment(None);
    format!("{url}{}", if query { "?…" } else { "" })
}

impl fmt::Display for PackageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for PackageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// How a package is installed where another version of the same biz may be there: annotation
/// `module-controller.koupleless.io/install-strategy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum InstallStrategy {
    /// The controller decides (`auto`).
    #[default]
    Auto,
    /// Arklet's `installOnly`: never touches another version.
    InstallOnly,
    /// Arklet's `uninstallThenInstall`: the other versions go first.
    UninstallThenInstall,
}

/// A word that is no install strategy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no install strategy (auto, installOnly, uninstallThenInstall)")]
pub struct UnknownStrategy(pub String);

impl FromStr for InstallStrategy {
    type Err = UnknownStrategy;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim() {
            "auto" => Ok(Self::Auto),
            "installOnly" => Ok(Self::InstallOnly),
            "uninstallThenInstall" => Ok(Self::UninstallThenInstall),
            other => Err(UnknownStrategy(other.chars().take(64).collect())),
        }
    }
}

/// One container of a module Pod, understood: everything that `installBiz` needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleSpec {
    /// Name and version.
    pub id: BizId,
    /// The package.
    pub url: PackageUrl,
    /// What to do about other versions.
    pub strategy: InstallStrategy,
    /// Arguments of the module's main method.
    pub args: Arc<[String]>,
    /// Environment of the module, in the user's order.
    pub envs: Arc<[(String, String)]>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_a_base_can_fetch_are_taken_as_written() {
        for ok in [
            "file:///opt/biz.jar",
            "http://h/a.jar",
            "https://u:p@h:8/a.jar?sig=1",
            "ftp://u:p@h/a.jar;type=i",
        ] {
            assert_eq!(ok.parse::<PackageUrl>().unwrap().as_written(), ok);
        }
    }

    #[test]
    fn other_urls_are_refused_with_their_reason() {
        assert_eq!(" ".parse::<PackageUrl>(), Err(UrlError::Blank));
        assert!(matches!("biz1.jar".parse::<PackageUrl>(), Err(UrlError::Unparsable(_))));
        assert!(matches!("http://[::1".parse::<PackageUrl>(), Err(UrlError::Unparsable(_))));
        assert_eq!("nosuch://x".parse::<PackageUrl>(), Err(UrlError::Scheme("nosuch".into())));
    }

    #[test]
    fn a_status_tells_a_package_without_its_credentials_and_it_is_known_again() {
        let url = |text: &str| text.parse::<PackageUrl>().unwrap();
        assert_eq!(&**url("http://h/a.jar").as_told(), "http://h/a.jar");
        assert_eq!(&**url("file:///opt/biz.jar").as_told(), "file:///opt/biz.jar");
        let signed = url("https://user:secret@h/a.jar?sig=secret");
        let told = signed.as_told();
        assert!(told.starts_with("https://h/a.jar?…#sha256:") && !told.contains("secret"), "{told}");
        assert!(signed.is_told_by(told) && signed.is_told_by(signed.as_written()));
        assert!(!url("https://user:secret@h/a.jar?sig=other").is_told_by(told));
        assert!(!url("https://h/a.jar").is_told_by(told));
    }

    /// What webhooks inject, and what users have written for bases of several kinds.
    #[test]
    fn packages_are_told_from_images_of_a_container_runtime() {
        for package in [
            "file:///opt/biz1-1.0.0-ark-biz.jar",
            "https://repo.example.org/biz1.jar?Expires=1&Signature=a%2Fb",
            "https://repo.example.org/biz1.jar#sha256",
            "http://repo.example.org/BIZ1.JAR",
            "oss://bucket/biz1.jar",
            "https://repo.example.org/biz1.wasm",
            "biz1.ark",
            " file:///biz1.jar ",
        ] {
            assert!(is_of_package(package), "{package}");
        }
        for image in [
            "docker.io/istio/proxyv2:1.27.3",
            "otel/opentelemetry-collector@sha256:0123456789abcdef",
            "registry:5000/app.jar-tool:1.2",
            "registry:5000/app.jar:1.2",
            "hashicorp/vault:1.20",
            "nginx",
            "",
            "jar",
            "https://repo.example.org/download?file=biz1.jar",
            "https://repo.example.org/biz1.jar/",
            "日本.ja",
        ] {
            assert!(!is_of_package(image), "{image}");
        }
    }

    #[test]
    fn an_image_that_is_no_url_shows_no_credentials_either() {
        assert_eq!(shown_image("repo/biz1:1.0.0"), "repo/biz1:1.0.0");
        assert_eq!(shown_image("sftp://user:secret@h/a.jar"), "(unreadable URL)");
        assert!(!shown_image("ftp://user:secret@h/a.jar").contains("secret"));
        assert!(!shown_image("https://user:secret@h/a.jar").contains("secret"));
    }

    #[test]
    fn credentials_are_never_shown() {
        let url: PackageUrl = "https://user:secret@host/a.jar?token=secret#secret".parse().unwrap();
        assert_eq!(url.to_string(), "https://host/a.jar?…");
        assert_eq!(format!("{url:?}"), "https://host/a.jar?…");
    }
}
