//! Chinese pages have the punctuation of Chinese: `，` and not `,` beside a Chinese character.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use testkit::artifacts;

use super::source;

/// What has another form in Chinese.
const HALF_WIDTH: [char; 7] = [',', ':', ';', '?', '!', '(', ')'];
/// The folders with pages of which each is Chinese, and the ending of Chinese pages elsewhere.
const CHINESE: (&str, &str) = ("crates/model/src/error/pages/zh", ".zh-CN.md");
/// Where pages are.
const FOLDERS: [&str; 3] = ["docs", "examples", "crates/model/src/error/pages/zh"];
/// What is generated with the manual's own words in it; the rest of it comes from pages that are looked at.
const GENERATED: &str = "docs/reference/error-codes.zh-CN.md";
/// Pages that are in no folder.
const PAGES: [&str; 2] = ["README.zh-CN.md", "SECURITY.zh-CN.md"];

/// Each line that has some.
pub(super) fn half_width() -> Result<Vec<String>> {
    let repository = artifacts::repository();
    let mut pages: Vec<PathBuf> = PAGES.map(|page| repository.join(page)).into();
    for folder in FOLDERS {
        pages.extend(source::files(&repository.join(folder), "md")?);
    }
    let is_chinese = |page: &Path| {
        let name = page.strip_prefix(&repository).unwrap_or(page).to_string_lossy().into_owned();
        name != GENERATED && (name.starts_with(CHINESE.0) || name.ends_with(CHINESE.1))
    };
    let mut wrong = Vec::new();
    for page in pages.into_iter().filter(|page| is_chinese(page)) {
        let text = std::fs::read_to_string(&page).with_context(|| format!("reading {}", page.display()))?;
        let name = page.strip_prefix(&repository).unwrap_or(&page).display();
        wrong.extend(lines(&text).map(|(number, found)| {
            format!("{name}:{number}: '{found}' beside a Chinese character has another form in Chinese")
        }));
    }
    Ok(wrong)
}

/// The lines outside of code that have some, each with the first of it.
fn lines(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut is_code = false;
    text.lines().enumerate().filter_map(move |(number, line)| {
        let fence = line.trim_start().starts_with("```");
        is_code ^= fence;
        if fence || is_code { None } else { Some((number + 1, found(line)?)) }
    })
}

/// The first of it in a line.
fn found(line: &str) -> Option<char> {
    let text: Vec<char> = prose(line).chars().collect();
    text.windows(2).find_map(|pair| match pair {
        [a, b] if is_chinese(*a) && HALF_WIDTH.contains(b) => Some(*b),
        [a, b] if is_chinese(*b) && HALF_WIDTH.contains(a) => Some(*a),
        _ => None,
    })
}

/// The line without inline code, and of links only what is read. Each leaves a space.
fn prose(line: &str) -> String {
    let outside = line.split('`').step_by(2).collect::<Vec<_>>().join(" ");
    let mut text = String::new();
    let mut rest = outside.as_str();
    while let Some((before, link)) = rest.split_once("](") {
        text.push_str(before);
        text.push(' ');
        rest = link.split_once(')').map_or("", |(_, after)| after);
        text.push(' ');
    }
    text + rest
}

fn is_chinese(c: char) -> bool {
    ('\u{3400}'..='\u{9fff}').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_beside_a_chinese_character_is_found_and_code_and_links_are_left_alone() {
        for (line, expected) in [
            ("基座,模块", Some(',')),
            ("基座 (模块)", Some('(')),
            ("Ready:模块", Some(':')),
            ("基座，模块（`a,b`、8080, 8081）：", None),
            ("见[模块](modules.md#更新)的说明", None),
            ("`模块:1`", None),
            ("ASCII, only (here): fine", None),
        ] {
            assert_eq!(found(line), expected, "{line}");
        }
        let page = "基座\n```sh\nkubectl # 基座,模块\n```\n模块;\n";
        assert_eq!(lines(page).collect::<Vec<_>>(), [(5, ';')]);
    }
}
