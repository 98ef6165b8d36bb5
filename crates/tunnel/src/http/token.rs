//! The tokens that requests to our port have to bear (`HTTP_TUNNEL_TOKEN_FILE`).

use std::path::Path;

use hyper::header::HeaderValue;
use subtle::ConstantTimeEq as _;

use crate::{
    application::Application,
    files::{FileError, NamedFile, Reloaded, content},
};

/// The variable that names the file.
pub const TOKEN_VARIABLE: &str = "HTTP_TUNNEL_TOKEN_FILE";

/// The largest file, in bytes: some tokens of some hundred bytes each.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// The shortest token, in bytes: less can be found out by trying.
const MIN_TOKEN_BYTES: usize = 16;

/// The tokens of a file, one a line: while bases are changed over, the old and the new are good. After a token there may be
/// the name of the bases that bear it, and their cluster, with blanks between and `-` for any. Blank lines do not count. The
/// file is read again when it changes.
#[derive(Debug, Clone)]
pub struct TokenFile(pub(super) Reloaded<Tokens>);

impl TokenFile {
    /// Reads it.
    ///
    /// # Errors
    /// Where the file cannot be read, or holds no token or one that is too short or cannot be sent.
    pub fn load(path: &Path) -> Result<Self, FileError> {
        let file = NamedFile { variable: TOKEN_VARIABLE, path: path.to_owned(), max_bytes: MAX_FILE_BYTES };
        let make = |files: &[NamedFile], contents: &[Vec<u8>]| {
            files.iter().zip(contents).map(|(file, text)| tokens(&file.path, text)).collect()
        };
        Reloaded::load(vec![file], Box::new(make)).map(Self)
    }
}

/// What is good now. It has no `Debug`.
pub(super) struct Tokens(Vec<(Vec<u8>, Application)>);

impl FromIterator<Self> for Tokens {
    fn from_iter<I: IntoIterator<Item = Self>>(files: I) -> Self {
        Self(files.into_iter().flat_map(|tokens| tokens.0).collect())
    }
}

impl Tokens {
    /// Which application bears this, where it is `Bearer` and one of them. How long it takes tells a token's length at most,
    /// and of a good one its line.
    pub(super) fn admit(&self, authorization: Option<&HeaderValue>) -> Option<Application> {
        let given = authorization.map(HeaderValue::as_bytes).unwrap_or_default();
        let (scheme, token) = given.split_at_checked("Bearer ".len())?;
        let mut known = None;
        for (good, application) in &self.0 {
            if token.ct_eq(good).into() {
                known = Some(application);
            }
        }
        known.filter(|_| scheme.eq_ignore_ascii_case(b"Bearer ")).cloned()
    }
}

fn tokens(path: &Path, text: &[u8]) -> Result<Tokens, FileError> {
    let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    let tokens: Vec<(Vec<u8>, Application)> = lines
        .enumerate()
        .map(|(index, line)| {
            entry(line).map_err(|what| content(TOKEN_VARIABLE, path, format!("token {}: {what}", index + 1)))
        })
        .collect::<Result<_, FileError>>()?;
    if tokens.is_empty() { Err(content(TOKEN_VARIABLE, path, "holds no token")) } else { Ok(Tokens(tokens)) }
}

/// A line: a token, and which application bears it.
fn entry(line: &[u8]) -> Result<(Vec<u8>, Application), String> {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let token = words.next().unwrap_or_default();
    if token.len() < MIN_TOKEN_BYTES {
        return Err(format!("holds {} bytes; at least {MIN_TOKEN_BYTES} are a token", token.len()));
    }
    if !token.iter().all(u8::is_ascii_graphic) {
        return Err("holds what no header can carry; allowed are visible ASCII characters".to_owned());
    }
    let text = |word: Option<&[u8]>| word.map(|word| String::from_utf8_lossy(word).into_owned());
    let (name, cluster) = (text(words.next()), text(words.next()));
    if words.next().is_some() {
        return Err("more follows than the name and the cluster of the bases that bear it".to_owned());
    }
    Ok((token.to_vec(), Application::of(name.as_deref(), cluster.as_deref())))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn each_token_of_the_file_is_good_and_nothing_else() {
        let good = tokens(Path::new("f"), b"first-0123456789abcdef\n\n second-0123456789abcde \n").unwrap();
        let admit = |value: &str| good.admit(Some(&HeaderValue::from_str(value).unwrap())).is_some();
        assert!(admit("Bearer first-0123456789abcdef") && admit("bearer second-0123456789abcde"));
        for bad in ["", "Bearer", "Bearer ", "Bearer first-0123456789abcde", "Bearer first-0123456789abcdefg"]
        {
            assert!(!admit(bad), "{bad}");
        }
        assert!(!admit("Basic first-0123456789abcdef") && !admit("first-0123456789abcdef"));
        assert!(good.admit(None).is_none());
    }

    #[test]
    fn a_token_may_say_whose_it_is() {
        let text =
            b"first-0123456789abcdef\nsecond-0123456789abcde  web\tblue \nthird-0123456789abcdef - red";
        let good = tokens(Path::new("f"), text).unwrap();
        let of = |token: &str| good.admit(Some(&HeaderValue::from_str(&format!("Bearer {token}")).unwrap()));
        assert_eq!(of("first-0123456789abcdef"), Some(Application::default()));
        assert_eq!(of("second-0123456789abcde"), Some(Application::of(Some("web"), Some("blue"))));
        assert_eq!(of("third-0123456789abcdef"), Some(Application::of(None, Some("red"))));
        assert_eq!(of("web"), None);
    }

    #[test]
    fn what_is_no_token_is_refused_and_never_shown() {
        for (text, said) in [
            (&b" \n\n"[..], "HTTP_TUNNEL_TOKEN_FILE: f holds no token"),
            (b"hunter2\n", "token 1: holds 7 bytes; at least 16 are a token"),
            (b"good-0123456789abcdef\nhunter2hunter2hunter2\x01", "token 2: holds what no header can carry"),
            (b"good-0123456789abcdef\nhunter2 hunter2 hunter2", "token 2: holds 7 bytes"),
            (b"hunter2-0123456789abcdef hunter a b", "token 1: more follows than the name and the cluster"),
        ] {
            let Err(error) = tokens(Path::new("f"), text) else { unreachable!("{text:?}") };
            let error = error.to_string();
            assert!(error.contains(said) && !error.contains("hunter"), "{error}");
        }
    }
}
