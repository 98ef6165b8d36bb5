//! `cargo xtask book`.

mod contents;
mod html;
mod pages;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use testkit::artifacts;

pub(crate) use contents::Contents;

/// The languages, each with its folder in the site, its table of contents and its title.
pub(crate) const LANGUAGES: [Language; 2] = [
    Language { code: "en", contents: "docs/SUMMARY.md", title: "Module Controller" },
    Language { code: "zh", contents: "docs/SUMMARY.zh-CN.md", title: "Module Controller（中文）" },
];

/// One language of the book.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Language {
    pub(crate) code: &'static str,
    pub(crate) contents: &'static str,
    title: &'static str,
}

/// Makes a site of the pages: a book in English and one in Chinese, with a search, by mdBook.
///
/// Fails where a link of a page leads nowhere. Builds mdBook first, which takes a minute or two, the first time. Any web server can serve
/// what it makes; a browser opens its files too.
#[derive(Debug, clap::Args)]
pub(crate) struct Book {
    /// Where the site is put.
    #[arg(long, default_value = "target/book")]
    out: PathBuf,
    /// The address of the sources, for links to files that are no pages, for example `https://git.example.com/module-controller/tree/main`. Without it
    /// these are no links
    #[arg(long)]
    source: Option<String>,
}

impl Book {
    pub(crate) fn run(&self) -> Result<()> {
        make(&self.out, self.source.as_deref())?;
        println!("{}", self.out.join("index.html").display());
        Ok(())
    }
}

/// Makes the site anew, and looks through its links.
pub(crate) fn make(out: &Path, source: Option<&str>) -> Result<()> {
    let mdbook = artifacts::mdbook()?;
    let out = artifacts::repository().join(out);
    if out.exists() {
        fs::remove_dir_all(&out).with_context(|| format!("removing {}", out.display()))?;
    }
    let contents = LANGUAGES.iter().map(Contents::read).collect::<Result<Vec<_>>>()?;
    for (language, own) in LANGUAGES.iter().zip(&contents) {
        let others = LANGUAGES.iter().zip(&contents).filter(|(one, _)| one.code != language.code);
        let others: Vec<(&str, &Contents)> = others.map(|(one, contents)| (one.code, contents)).collect();
        // Not in the site, which is served as it is.
        let work = out.with_extension(language.code);
        pages::lay_out(&work, language, own, &others, source)?;
        let mut command = Command::new(&mdbook);
        command.arg("build").arg("--dest-dir").arg(out.join(language.code)).arg(&work);
        let output = command.output().context("starting mdbook")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "mdbook failed ({}): {}", output.status, said.trim());
        fs::remove_dir_all(&work).with_context(|| format!("removing {}", work.display()))?;
    }
    fs::write(out.join("index.html"), front()).context("writing the front page")?;
    let wrong = html::broken_links(&out)?;
    for one in &wrong {
        println!("book: {one}");
    }
    ensure!(wrong.is_empty(), "book: {} links lead nowhere", wrong.len());
    Ok(())
}

/// The page that leads to each language.
fn front() -> String {
    let link = |one: &Language| {
        format!("<li><a href=\"{0}/index.html\" lang=\"{0}\">{1}</a></li>", one.code, one.title)
    };
    let links: Vec<String> = LANGUAGES.iter().map(link).collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Module Controller</title>\n<ul>\n{}\n</ul>\n</html>\n",
        links.join("\n")
    )
}
