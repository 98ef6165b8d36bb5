//! The pages of one language, laid out for mdBook: links to what is no page of it lead elsewhere, or are no links.

use std::borrow::Cow;
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use testkit::artifacts;

use super::Language;
use super::contents::{self, Contents};

/// A link in a page: `[text](target#anchor)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found<'a> {
    pub(super) target: &'a str,
    anchor: &'a str,
}

/// What becomes of a link.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// It leads there.
    To(String),
    /// Its text is left.
    Text,
}

impl Link {
    pub(super) fn to(target: impl Into<String>) -> Self {
        Self::To(target.into())
    }
}

/// Writes the book of a language as mdBook reads it, into a folder made anew.
pub(super) fn lay_out(
    work: &Path,
    language: &Language,
    own: &Contents,
    others: &[(&str, &Contents)],
    source: Option<&str>,
) -> Result<()> {
    if work.exists() {
        fs::remove_dir_all(work).with_context(|| format!("removing {}", work.display()))?;
    }
    let root = artifacts::repository();
    let src = work.join("src");
    write(&work.join("book.toml"), &settings(language))?;
    write(&src.join("SUMMARY.md"), &own.summary)?;
    for page in &own.chapters {
        let text = fs::read_to_string(root.join(page)).with_context(|| format!("reading {page}"))?;
        let mut files = Vec::new();
        let text =
            with_links(&text, |link| {
                let path = resolve(page, link.target)?;
                if own.has(&path) {
                    // mdBook makes an index of it, and leaves links to it as they are.
                    let folder = link.target.strip_suffix("README.md")?;
                    return Some(Link::to(format!("{folder}index.html")));
                }
                if let Some((code, _)) = others.iter().find(|(_, other)| other.has(&path)) {
                    let up = "../".repeat(page.matches('/').count() + 1);
                    return Some(Link::to(format!("{up}{code}/{}{}", contents::html(&path), link.anchor)));
                }
                let is_page = Path::new(&path).extension().is_some_and(|ending| ending == "md");
                if !is_page && root.join(&path).is_file() {
                    files.push(path);
                    return None;
                }
                Some(source.map_or(Link::Text, |source| {
                    Link::to(format!("{}/{path}", source.trim_end_matches('/')))
                }))
            });
        write(&src.join(page), &text)?;
        for file in files {
            let to = src.join(&file);
            fs::create_dir_all(to.parent().unwrap_or(&to))
                .with_context(|| format!("creating the folder of {file}"))?;
            fs::copy(root.join(&file), to).with_context(|| format!("copying {file}"))?;
        }
    }
    Ok(())
}

/// mdBook's own settings.
fn settings(Language { code, title, .. }: &Language) -> String {
    format!(
        "[book]\ntitle = \"{title}\"\nlanguage = \"{code}\"\n\n[build]\ncreate-missing = false\n\n\
         [output.html]\nno-section-label = true\ninput-404 = \"\"\n\n[output.html.fold]\nenable = true\nlevel = 1\n"
    )
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::create_dir_all(file.parent().unwrap_or(file))
        .with_context(|| format!("creating the folder of {}", file.display()))?;
    fs::write(file, text).with_context(|| format!("writing {}", file.display()))
}

/// The path in the repository that a link of a page means; none where it leads into the page or out of the repository.
pub(super) fn resolve(page: &str, target: &str) -> Option<String> {
    if target.is_empty() || target.contains(':') {
        return None;
    }
    let mut path = PathBuf::from(page);
    path.pop();
    for part in Path::new(target).components() {
        match part {
            Component::ParentDir if path.pop() => {}
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path.to_string_lossy().into_owned())
}

/// A page in which each link outside of code becomes what `decide` says; none leaves it as it is.
pub(super) fn with_links(page: &str, mut decide: impl FnMut(Found<'_>) -> Option<Link>) -> String {
    let mut in_code = false;
    let lines = page.split_inclusive('\n').map(|line| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        if fence || in_code { Cow::Borrowed(line) } else { Cow::Owned(line_with_links(line, &mut decide)) }
    });
    lines.collect()
}

fn line_with_links(line: &str, decide: &mut impl FnMut(Found<'_>) -> Option<Link>) -> String {
    let mut done = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("](") {
        let Some((whole, behind)) = after.split_once(')') else { break };
        done.push_str(before);
        let (target, anchor) = whole.find('#').map_or((whole, ""), |at| whole.split_at(at));
        // An odd number of backticks: it is in code.
        let is_code = done.matches('`').count() % 2 == 1;
        match if is_code { None } else { decide(Found { target, anchor }) } {
            None => done.push_str(&format!("]({whole})")),
            Some(Link::To(target)) if target.contains('#') => done.push_str(&format!("]({target})")),
            Some(Link::To(target)) => done.push_str(&format!("]({target}{anchor})")),
            Some(Link::Text) => {
                if let Some(at) = done.rfind('[') {
                    done.remove(at);
                }
            }
        }
        rest = behind;
    }
    done + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_means_a_path_in_the_repository() {
        for (target, path) in [
            ("b.md", Some("docs/guide/b.md")),
            ("../../README.md", Some("README.md")),
            ("./b.md", Some("docs/guide/b.md")),
            ("../../../up.md", None),
            ("/etc/passwd", None),
            ("https://example.com/a.md", None),
            ("", None),
        ] {
            assert_eq!(resolve("docs/guide/a.md", target).as_deref(), path, "{target}");
        }
    }

    #[test]
    fn links_outside_of_code_become_what_is_decided() {
        let page = "See [a](a.md#x), [b](b), `[c](a.md)`, [d](d.md).\n```\n[e](a.md)\n```\n[f](a.md)\n";
        let decide = |link: Found<'_>| match link.target {
            "a.md" => Some(Link::to("z.md")),
            "b" => Some(Link::Text),
            _ => None,
        };
        let expected = "See [a](z.md#x), b, `[c](a.md)`, [d](d.md).\n```\n[e](a.md)\n```\n[f](z.md)\n";
        assert_eq!(with_links(page, decide), expected);
    }
}
