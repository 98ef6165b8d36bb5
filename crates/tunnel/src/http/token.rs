//! The tokens that requests to our port have to bear (`HTTP_TUNNEL_TOKEN_FILE`).

use std::path::Path;

use hyper::header::HeaderValue;
use subtle::ConstantTimeEq as _;

use crate::files::{FileError, NamedFile, Reloaded, content};

/// The variable that names the file.
pub const TOKEN_VARIABLE: &str = "HTTP_TUNNEL_TOKEN_FILE";

/// The largest file, in bytes: some tokens of some hundred bytes each.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// The shortest token, in bytes: less can be found out by trying.
const MIN_TOKEN_BYTES: usize = 16;

/// The tokens of a file, one a line: while bases are changed over, the old and the new are good. Blank
/// lines do not count. The file is read again when it changes.
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
pub(super) struct Tokens(Vec<Vec<u8>>);

impl FromIterator<Self> for Tokens {
    fn from_iter<I: IntoIterator<Item = Self>>(files: I) -> Self {
        Self(files.into_iter().flat_map(|tokens| tokens.0).collect())
    }
}

impl Tokens {
    /// Whether this is `Bearer` and one of them. How long it takes tells a token's length at most.
    pub(super) fn admit(&self, authorization: Option<&HeaderValue>) -> bool {
        let given = authorization.map(HeaderValue::as_bytes).unwrap_or_default();
        let Some((scheme, token)) = given.split_at_checked("Bearer ".len()) else { return false };
        let known = self.0.iter().fold(0, |known, good| known | token.ct_eq(good).unwrap_u8());
        scheme.eq_ignore_ascii_case(b"Bearer ") && known == 1
    }
}

fn tokens(path: &Path, text: &[u8]) -> Result<Tokens, FileError> {
    let tokens: Vec<Vec<u8>> = text
        .split(|byte| *byte == b'\n')
        .map(|line| line.trim_ascii().to_vec())
        .filter(|line| !line.is_empty())
        .collect();
    if tokens.is_empty() {
        return Err(content(TOKEN_VARIABLE, path, "holds no token"));
    }
    for (index, token) in tokens.iter().enumerate() {
        let what = if token.len() < MIN_TOKEN_BYTES {
            format!("holds {} bytes; at least {MIN_TOKEN_BYTES} are a token", token.len())
        } else if !token.iter().all(u8::is_ascii_graphic) {
            "holds what no header can carry; allowed are visible ASCII characters".to_owned()
        } else {
            continue;
        };
        return Err(content(TOKEN_VARIABLE, path, format!("token {}: {what}", index + 1)));
    }
    Ok(Tokens(tokens))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn each_token_of_the_file_is_good_and_nothing_else() {
        let good = tokens(Path::new("f"), b"first-0123456789abcdef\n\n second-0123456789abcde \n").unwrap();
        let admit = |value: &str| good.admit(Some(&HeaderValue::from_str(value).unwrap()));
        assert!(admit("Bearer first-0123456789abcdef") && admit("bearer second-0123456789abcde"));
        for bad in ["", "Bearer", "Bearer ", "Bearer first-0123456789abcde", "Bearer first-0123456789abcdefg"]
        {
            assert!(!admit(bad), "{bad}");
        }
        assert!(!admit("Basic first-0123456789abcdef") && !admit("first-0123456789abcdef"));
        assert!(!good.admit(None));
    }

    #[test]
    fn what_is_no_token_is_refused_and_never_shown() {
        for (text, said) in [
            (&b" \n\n"[..], "HTTP_TUNNEL_TOKEN_FILE: f holds no token"),
            (b"hunter2\n", "token 1: holds 7 bytes; at least 16 are a token"),
            (b"good-0123456789abcdef\nhunter2 hunter2 hunter2", "token 2: holds what no header can carry"),
        ] {
            let Err(error) = tokens(Path::new("f"), text) else { unreachable!("{text:?}") };
            let error = error.to_string();
            assert!(error.contains(said) && !error.contains("hunter"), "{error}");
        }
    }
}
