//! The largest files and the longest functions: no limit, a nudge.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result};
use testkit::artifacts;

use super::source;

/// How many of each are named.
const NAMED: usize = 10;
/// Where our sources are.
const FOLDERS: [&str; 7] = ["crates", "tests", "xtask", "sim", "bench", "fuzz", "base/crates"];

/// The largest of all our sources, as text.
pub(super) fn largest() -> Result<String> {
    let root = artifacts::repository();
    let (mut files, mut functions) = (Vec::new(), Vec::new());
    for dir in FOLDERS.map(|folder| root.join(folder)).iter().filter(|dir| dir.is_dir()) {
        for file in source::files(dir, "rs")? {
            let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
            let name = file.strip_prefix(&root).unwrap_or(&file).display().to_string();
            let (code, _) = source::without_tests(&source::bare(&text));
            functions.extend(
                functions_of(&code).into_iter().map(|(n, function)| (n, format!("{name} {function}"))),
            );
            files.push((text.lines().count(), name));
        }
    }
    let mut text = String::new();
    for (title, mut all) in [("largest files", files), ("longest functions", functions)] {
        all.sort_by(|a, b| b.cmp(a));
        let _ = writeln!(text, "{title}, in lines:");
        for (lines, name) in all.iter().take(NAMED) {
            let _ = writeln!(text, "  {lines:>5} {name}");
        }
    }
    Ok(text.trim_end().to_owned())
}

/// The functions of a bare source, with their length in lines.
fn functions_of(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for at in source::occurrences(text, "fn ") {
        let rest = text.get(at..).unwrap_or_default();
        let name: String = rest.chars().skip(3).take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let function = rest.get(..source::item(rest)).unwrap_or_default();
        // Not a function's type, and not one without a body.
        if !name.is_empty() && function.ends_with('}') {
            found.push((function.lines().count(), name));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_measured() {
        let text = "trait T { fn a(&self); }\nfn b(x: [u8; 2]) -> fn(u8) {\n  if c {\n  }\n}\nfn d() {}\n";
        assert_eq!(functions_of(text), [(4, "b".to_owned()), (1, "d".to_owned())]);
    }
}
