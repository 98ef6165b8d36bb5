//! Chinese pages go with the English ones: each has the same headings, and both tables of contents have the same pages.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use testkit::artifacts;

use super::source;
use crate::book::{Contents, LANGUAGES};

/// How the name of a Chinese page ends, and that of any page.
const ENDINGS: (&str, &str) = (".zh-CN.md", ".md");
/// Where pages are, beside the root of the repository.
const FOLDERS: [&str; 2] = ["docs", "examples"];
/// Where those are that users read: each is there in Chinese too.
const USERS: [&str; 2] = ["docs/guide", "examples"];
/// The tables of contents are no pages.
const CONTENTS: &str = "docs/SUMMARY";

/// What is missing or differs.
pub(super) fn behind() -> Result<Vec<String>> {
    let root = artifacts::repository();
    let pages = pages(&root)?;
    let mut wrong = Vec::new();
    for page in pages.iter().filter(|page| !page.ends_with(ENDINGS.0)) {
        let chinese = chinese(page);
        if pages.contains(&chinese) {
            let read =
                |page: &str| fs::read_to_string(root.join(page)).with_context(|| format!("reading {page}"));
            wrong.extend(difference(&read(page)?, &read(&chinese)?).map(|what| format!("{chinese}: {what}")));
        } else if USERS.iter().any(|folder| page.starts_with(folder)) {
            wrong.push(format!("{page} has no {chinese}"));
        }
    }
    let [english, chinese_contents] = LANGUAGES.each_ref().map(Contents::read);
    let (english, own) = (english?.chapters, chinese_contents?.chapters);
    let expected: Vec<String> = english
        .iter()
        .map(|page| Some(chinese(page)).filter(|zh| pages.contains(zh)).unwrap_or_else(|| page.clone()))
        .collect();
    if let Some((at, (expected, own))) = expected.iter().zip(&own).enumerate().find(|(_, (a, b))| a != b) {
        wrong.push(format!(
            "{}: page {} is {own}, and that of the English contents is {expected}",
            LANGUAGES[1].contents,
            at + 1
        ));
    } else if expected.len() != own.len() {
        wrong.push(format!(
            "{} has {} pages, and the English contents {}",
            LANGUAGES[1].contents,
            own.len(),
            expected.len()
        ));
    }
    let listed: BTreeSet<&String> = english.iter().collect();
    let missing = pages.iter().filter(|page| !page.ends_with(ENDINGS.0) && !listed.contains(page));
    wrong
        .extend(missing.map(|page| format!("{page} is in no table of contents ({})", LANGUAGES[0].contents)));
    Ok(wrong)
}

/// All pages, by their paths in the repository.
fn pages(root: &Path) -> Result<BTreeSet<String>> {
    let mut files = Vec::new();
    for folder in FOLDERS {
        files.extend(source::files(&root.join(folder), "md")?);
    }
    let entries = fs::read_dir(root).context("reading the root of the repository")?;
    files.extend(
        entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|e| e == "md")),
    );
    let names =
        files.iter().map(|file| file.strip_prefix(root).unwrap_or(file).to_string_lossy().into_owned());
    Ok(names.filter(|name| !name.starts_with(CONTENTS) && !name.contains("node_modules")).collect())
}

fn chinese(page: &str) -> String {
    format!("{}{}", page.strip_suffix(ENDINGS.1).unwrap_or(page), ENDINGS.0)
}

/// The first heading that differs in its level, or is in one of both only.
fn difference(english: &str, chinese: &str) -> Option<String> {
    let (english, chinese) = (headings(english), headings(chinese));
    for at in 0..english.len().max(chinese.len()) {
        let (one, other) = (english.get(at), chinese.get(at));
        let level =
            |heading: Option<&&str>| heading.map(|text| text.chars().take_while(|c| *c == '#').count());
        if level(one) != level(other) {
            let text = |heading: Option<&&str>| heading.map_or("nothing", |text| text.trim()).to_owned();
            return Some(format!("heading {} is {:?}, and in English {:?}", at + 1, text(other), text(one)));
        }
    }
    None
}

fn headings(page: &str) -> Vec<&str> {
    let mut in_code = false;
    let lines = page.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        !fence && !in_code && line.starts_with('#')
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_that_is_missing_is_named() {
        let english = "# A\n\n## B\n```sh\n# no heading\n```\n## C\n";
        assert_eq!(difference(english, "# 甲\n\n## 乙\n\n## 丙\n"), None);
        let missing = difference(english, "# 甲\n\n## 乙\n").unwrap();
        assert_eq!(missing, "heading 3 is \"nothing\", and in English \"## C\"");
        let level = difference(english, "# 甲\n### 乙\n## 丙\n").unwrap();
        assert!(level.starts_with("heading 2 is \"### 乙\""), "{level}");
        assert_eq!(chinese("docs/guide/a.md"), "docs/guide/a.zh-CN.md");
    }
}
