//! Manifests that somebody gives a command.

use std::io::Read as _;

use crate::text::Text;

/// A manifest is some kilobytes; this is a whole cluster's.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// A file, or of `-` what comes on standard input.
pub(super) fn read(name: &str) -> Result<String, String> {
    let wrong = |error: std::io::Error| format!("{}: {error}", Text::from(name));
    let mut text = String::new();
    match name {
        "-" => std::io::stdin().take(MOST_BYTES).read_to_string(&mut text).map_err(wrong)?,
        file => std::fs::File::open(file)
            .map_err(wrong)?
            .take(MOST_BYTES)
            .read_to_string(&mut text)
            .map_err(wrong)?,
    };
    Ok(text)
}
