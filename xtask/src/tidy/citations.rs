//! The numbered rules of `docs/design`: each that the sources or pages cite is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use testkit::artifacts;

use super::source;

/// The pages that state rules, one table row each: `| O4 | …`.
pub(super) const PAGES: [&str; 3] =
    ["docs/design/ordering.md", "docs/design/ownership.md", "docs/design/plans.md"];

/// How the rules of these pages are numbered.
const LETTERS: [char; 3] = ['O', 'P', 'W'];

/// Pages outside `docs` that may cite a rule.
const OTHER_PAGES: [&str; 4] = ["ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "SPECIFICATION.md"];

/// The folders with Rust sources of ours.
const FOLDERS: [&str; 6] = ["crates", "sim", "fuzz", "tests", "bench", "xtask"];

/// Citations of a rule that is on no page, and rules that are cited without their letter.
pub(super) fn missing() -> Result<Vec<String>> {
    let root = artifacts::repository();
    let read = |path: &Path| fs::read_to_string(path).with_context(|| format!("reading {}", path.display()));
    let mut stated = BTreeSet::new();
    for page in PAGES {
        stated.extend(rules(&read(&root.join(page))?));
    }
    let mut wrong = Vec::new();
    for path in citing(&root)? {
        let text = read(&path)?;
        let shown = path.strip_prefix(&root).unwrap_or(&path).display();
        for (number, line) in text.lines().enumerate() {
            for cited in cited(line).filter(|cited| !stated.contains(cited)) {
                wrong.push(format!(
                    "{shown}:{}: rule {cited} is stated on none of {}",
                    number + 1,
                    PAGES.join(", ")
                ));
            }
        }
    }
    Ok(wrong)
}

fn citing(root: &Path) -> Result<Vec<PathBuf>> {
    let mut all: Vec<PathBuf> = OTHER_PAGES.map(|page| root.join(page)).into();
    for folder in FOLDERS {
        all.extend(source::files(&root.join(folder), "rs")?);
    }
    // It has bad citations as samples.
    all.retain(|path| !path.ends_with(file!()));
    Ok(all)
}

/// The rules that a page states: the first cell of a table's row.
fn rules(page: &str) -> impl Iterator<Item = String> {
    let first = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next());
    first.filter(|cell| is_rule(cell)).map(str::to_owned)
}

/// `O4` and `W12` where they stand as words, what a test is named for (`fn o4_…`), and what stands after the word
/// "rule" without a letter.
fn cited(line: &str) -> impl Iterator<Item = String> {
    let words: Vec<&str> = line.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let mut found = BTreeSet::new();
    for pair in words.windows(2) {
        let &[before, word] = pair else { continue };
        let is_number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        if matches!(before, "rule" | "rules") && is_number {
            found.insert(word.to_owned());
        }
        if before == "fn" {
            let named = word.split('_').take_while(|part| !part.is_empty()).map(str::to_uppercase);
            found.extend(named.take(1).filter(|part| is_rule(part)));
        }
    }
    found.extend(words.into_iter().filter(|word| is_rule(word)).map(str::to_owned));
    found.into_iter()
}

fn is_rule(word: &str) -> bool {
    let number = LETTERS.iter().find_map(|&letter| word.strip_prefix(letter));
    number.is_some_and(|number| {
        matches!(number.len(), 1 | 2) && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_from_the_rows_of_a_page() {
        let page =
            "| rule | what |\n|---|---|\n| O1 | one command | why |\n| W12 | later | why |\nO3 is told\n";
        assert_eq!(rules(page).collect::<Vec<_>>(), ["O1", "W12"]);
    }

    #[test]
    fn citations_are_found_with_and_without_their_letter() {
        let cited = |line| cited(line).collect::<Vec<_>>();
        assert_eq!(cited("/// Given up (rules O5 and W11)."), ["O5", "W11"]);
        assert_eq!(cited("/// Given up (rule 9)."), ["9"]);
        assert_eq!(cited("    fn o4_the_newer_waits() {"), ["O4"]);
        assert_eq!(cited("let o4 = \"10 rules of 5\"; fn own_4() {}"), Vec::<String>::new());
        assert_eq!(cited("OK OUTPUT W1_000 O123"), Vec::<String>::new());
    }
}
