//! Rust sources, read just well enough: no comments, no texts, no tests.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

const TEST_ONLY: &str = "#[cfg(test)]";

/// All files of this ending below a folder, sorted.
pub(crate) fn files(dir: &Path, ending: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(next) = open.pop() {
        let entries = fs::read_dir(&next).with_context(|| format!("reading {}", next.display()))?;
        for entry in entries {
            let path = entry.with_context(|| format!("reading {}", next.display()))?.path();
            if path.is_dir() && !path.ends_with("target") {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The same text with comments and the insides of literals blanked out. Lines and columns stay.
pub(super) fn bare(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after_word = out.chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_');
        let taken = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if first == '"' {
            string(rest)
        } else if let Some(length) = raw_string(rest).filter(|_| !after_word) {
            length
        } else if let Some(length) = character(rest) {
            length
        } else {
            out.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
            continue;
        };
        let (blanked, left) = rest.split_at_checked(taken).unwrap_or((rest, ""));
        out.extend(blanked.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = left;
    }
    out
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0_usize);
    while let Some(rest) = text.get(at..) {
        let Some(first) = rest.chars().next() else { break };
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += first.len_utf8();
        }
    }
    text.len()
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn raw_string(text: &str) -> Option<usize> {
    let start = ["r", "br", "cr"].iter().find_map(|prefix| text.strip_prefix(prefix))?;
    let hashes = start.len() - start.trim_start_matches('#').len();
    let inner = start.get(hashes..)?.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let before = text.len() - inner.len();
    Some(inner.find(&end).map_or(text.len(), |at| before + at + end.len()))
}

/// A character literal; a lifetime is none.
fn character(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('\'')?;
    if inner.starts_with('\\') {
        return inner.get(2..)?.find('\'').map(|at| at + 4);
    }
    let c = inner.chars().next()?;
    inner.get(c.len_utf8()..)?.starts_with('\'').then(|| c.len_utf8() + 2)
}

/// A bare text with everything under `#[cfg(test)]` blanked out, and the modules that are files of tests only.
pub(super) fn without_tests(bare: &str) -> (String, Vec<String>) {
    let mut out = bare.to_owned();
    let mut modules = Vec::new();
    while let Some(start) = out.find(TEST_ONLY) {
        let after = out.get(start + TEST_ONLY.len()..).unwrap_or_default();
        let length = item(after);
        let text = after.get(..length).unwrap_or_default();
        if let Some(name) = text.trim().strip_suffix(';').and_then(|text| text.rsplit_once("mod ")) {
            modules.push(name.1.trim().to_owned());
        }
        let end = start + TEST_ONLY.len() + length;
        let blank: String = out
            .get(start..end)
            .unwrap_or_default()
            .chars()
            .map(|c| if c == '\n' { '\n' } else { ' ' })
            .collect();
        out.replace_range(start..end, &blank);
    }
    (out, modules)
}

/// How long the first item of a bare text is: to its `;`, or to the end of its braces.
pub(super) fn item(text: &str) -> usize {
    let mut inner = 0_i32; // parentheses and brackets, in which neither counts
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' => inner += 1,
            ')' | ']' => inner -= 1,
            ';' if inner == 0 => return at + 1,
            '{' if inner == 0 => return at + braces(text.get(at..).unwrap_or_default()),
            _ => {}
        }
    }
    text.len()
}

/// How long a text is that starts with `{`, up to the `}` that closes it.
fn braces(text: &str) -> usize {
    let mut depth = 0_i32;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    text.len()
}

/// The line of a place in a text, from 1.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    1 + text.get(..at).unwrap_or_default().matches('\n').count()
}

/// Where `word` stands by itself: no part of a longer name before or after it.
pub(super) fn occurrences(text: &str, word: &str) -> Vec<usize> {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word)
        .filter(|(at, _)| {
            let before = text.get(..*at).and_then(|text| text.chars().next_back());
            let after = text.get(at + word.len()..).and_then(|text| text.chars().next());
            let closed = word.ends_with(|c| !part(c));
            !before.is_some_and(part) && (closed || !after.is_some_and(part))
        })
        .map(|(at, _)| at)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_and_lines_stay() {
        let text =
            "a // x {\nb /* y /* z */ { */ c \"{ \\\" {\" d r#\"{ \" {\"# e '{' f '\\'' g '\\u{7b}' h 'é' i";
        let bare = bare(text);
        assert_eq!(bare.split_whitespace().collect::<String>(), "abcdefghi");
        assert_eq!(bare.lines().count(), 2);
        assert_eq!(bare.chars().count(), text.chars().count());
    }

    #[test]
    fn lifetimes_are_no_characters_and_names_no_raw_strings() {
        assert_eq!(bare("fn a<'a>(b: &'a str) {}"), "fn a<'a>(b: &'a str) {}");
        assert_eq!(bare("for\"x\""), "for   ");
    }

    #[test]
    fn tests_are_taken_out_and_test_files_named() {
        let text = "a();\n#[cfg(test)]\nmod testing;\n#[cfg(test)]\n#[allow(x)]\nmod tests { fn b() { c() } }\nd();\n";
        let (left, modules) = without_tests(text);
        assert_eq!(left.split_whitespace().collect::<Vec<_>>(), ["a();", "d();"]);
        assert_eq!(modules, ["testing"]);
        assert_eq!(line_of(&left, left.find("d()").unwrap()), 7);
    }

    #[test]
    fn words_are_found_by_themselves_only() {
        assert_eq!(occurrences("fn refn fn_ fn", "fn"), [0, 12]);
        assert_eq!(occurrences("operand::x rand::y", "rand::"), [11]);
    }
}
