//! A table of contents: which pages a book has, in which order.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use testkit::artifacts;

use super::Language;
use super::pages::{self, Link};

/// The table of contents of one language.
#[derive(Debug)]
pub(crate) struct Contents {
    /// As mdBook reads it, with paths that begin at the root of the repository.
    pub(super) summary: String,
    /// The pages, by the same paths.
    pub(crate) chapters: Vec<String>,
}

impl Contents {
    pub(crate) fn read(language: &Language) -> Result<Self> {
        let file = language.contents;
        let text = fs::read_to_string(artifacts::repository().join(file))
            .with_context(|| format!("reading {file}"))?;
        let contents = Self::of(file, &text);
        let distinct: BTreeSet<&String> = contents.chapters.iter().collect();
        ensure!(distinct.len() == contents.chapters.len(), "{file} names a page twice");
        for chapter in &contents.chapters {
            ensure!(
                artifacts::repository().join(chapter).is_file(),
                "{file} names {chapter}, which does not exist"
            );
        }
        Ok(contents)
    }

    fn of(file: &str, text: &str) -> Self {
        let mut chapters = Vec::new();
        let summary = pages::with_links(text, |link| {
            let chapter = pages::resolve(file, link.target)?;
            chapters.push(chapter.clone());
            Some(Link::to(chapter))
        });
        Self { summary, chapters }
    }

    pub(super) fn has(&self, page: &str) -> bool {
        self.chapters.iter().any(|chapter| chapter == page)
    }
}

/// Where mdBook puts a page.
pub(super) fn html(page: &str) -> String {
    let path = Path::new(page);
    let path = if path.ends_with("README.md") {
        path.with_file_name("index.html")
    } else {
        path.with_extension("html")
    };
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_begin_at_the_root_of_the_repository() {
        let text = "# Summary\n\n[First](../README.md)\n\n# Part\n\n- [Page](guide/page.md)\n  - [Below](../bench/README.md)\n";
        let contents = Contents::of("docs/SUMMARY.md", text);
        assert_eq!(contents.chapters, ["README.md", "docs/guide/page.md", "bench/README.md"]);
        assert!(contents.summary.contains("- [Page](docs/guide/page.md)\n  - [Below](bench/README.md)\n"));
        assert!(contents.has("README.md") && !contents.has("guide/page.md"));
    }

    #[test]
    fn a_readme_is_the_index_of_its_folder() {
        assert_eq!(html("examples/rust/README.md"), "examples/rust/index.html");
        assert_eq!(html("docs/guide/page.zh-CN.md"), "docs/guide/page.zh-CN.html");
        assert_eq!(html("README.zh-CN.md"), "README.zh-CN.html");
    }
}
