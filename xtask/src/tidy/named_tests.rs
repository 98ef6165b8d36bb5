//! The tests that the pages name: each is there.

use std::fs;

use anyhow::{Context, Result};
use testkit::artifacts;

use super::{citations, source};

/// The pages that hold a promise to a test, written as `path/to/file.rs::name`.
const PAGES: [&str; 5] =
    ["ARCHITECTURE.md", "SECURITY.md", "SECURITY.zh-CN.md", "SPECIFICATION.md", "docs/design/invariants.md"];

/// The tests that are named and do not exist.
pub(super) fn missing() -> Result<Vec<String>> {
    let root = artifacts::repository();
    let mut wrong = Vec::new();
    for page in PAGES.into_iter().chain(citations::PAGES) {
        let text = fs::read_to_string(root.join(page)).with_context(|| format!("reading {page}"))?;
        for (file, test) in named(&text) {
            let source = fs::read_to_string(root.join(file)).unwrap_or_default();
            if !has(&source, test) {
                wrong.push(format!("{page} names the test {file}::{test}, which does not exist"));
            }
        }
    }
    Ok(wrong)
}

fn named(page: &str) -> Vec<(&str, &str)> {
    page.split('`')
        .filter_map(|word| word.split_once("::"))
        .filter(|(file, _)| file.ends_with(".rs"))
        .collect()
}

pub(super) fn has(source: &str, test: &str) -> bool {
    !source::occurrences(source, &format!("fn {test}")).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_does_not_exist_is_found() {
        let page = "Said by `a/b.rs::holds` and `Engine::step`, `c.rs`.";
        assert_eq!(named(page), [("a/b.rs", "holds")]);
        assert!(has("#[test]\nfn holds() {}", "holds"));
        assert!(!has("#[test]\nfn holds_more() {}", "holds") && !has("", "holds"));
    }
}
