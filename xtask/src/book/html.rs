//! The links of a site, of which each has to lead somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::pages::resolve;
use crate::tidy;

/// What mdBook makes for itself, of links that are in the pages too.
const PRINT: &str = "print.html";

/// Each link of a page to a file or a heading of the site that is not there.
pub(super) fn broken_links(site: &Path) -> Result<Vec<String>> {
    let files: Vec<PathBuf> = tidy::files(site, "html")?;
    let mut pages = BTreeMap::new();
    for file in files.iter().filter(|file| !file.ends_with(PRINT)) {
        let text = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        let name = file.strip_prefix(site).unwrap_or(file).to_string_lossy().into_owned();
        pages.insert(name, text);
    }
    let headings: BTreeMap<&str, BTreeSet<&str>> =
        pages.iter().map(|(name, text)| (name.as_str(), attributes(text, "id").collect())).collect();
    let mut wrong = BTreeSet::new();
    for (name, text) in &pages {
        for link in attributes(text, "href").chain(attributes(text, "src")) {
            let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if target.is_empty() {
                name.clone()
            } else {
                // Elsewhere, or of the browser.
                if target.contains(':') {
                    continue;
                }
                match resolve(name, target) {
                    Some(path) => path,
                    None => {
                        wrong.insert(format!("{name}: {link}"));
                        continue;
                    }
                }
            };
            let is_there = match headings.get(target.as_str()) {
                Some(ids) => anchor.is_empty() || ids.contains(anchor),
                None => site.join(&target).is_file(),
            };
            if !is_there {
                wrong.insert(format!("{name}: {link}"));
            }
        }
    }
    Ok(wrong.into_iter().collect())
}

/// The values of an attribute: `name="value"`.
fn attributes<'a>(html: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let begin = format!(" {name}=\"");
    let mut rest = html;
    std::iter::from_fn(move || {
        let (_, after) = rest.split_once(begin.as_str())?;
        let (value, behind) = after.split_once('"')?;
        rest = behind;
        Some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_found_in_order() {
        let html = "<a class=\"x\" href=\"a.html#b\">a</a> <h2 id=\"b\"><a href=\"#b\">";
        assert_eq!(attributes(html, "href").collect::<Vec<_>>(), ["a.html#b", "#b"]);
        assert_eq!(attributes(html, "id").collect::<Vec<_>>(), ["b"]);
    }
}
