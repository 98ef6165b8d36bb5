//! The notes of a release: its section of CHANGELOG.md.

use std::fs;

use anyhow::{Context, Result, bail};
use testkit::artifacts;

/// Those of a version.
pub(super) fn of(version: &str) -> Result<String> {
    let path = artifacts::repository().join("CHANGELOG.md");
    cut(&fs::read_to_string(&path).context("reading CHANGELOG.md")?, version)
}

/// A section is from its heading to the next of the kind. What is not released yet has a heading without a version.
fn cut(changelog: &str, version: &str) -> Result<String> {
    let section = |name: &str| {
        let heading = format!("## [{name}]");
        let (_, after) = changelog.split_once(&format!("\n{heading}"))?;
        let (_, body) = after.split_once('\n')?;
        Some(body.split("\n## ").next().unwrap_or(body).trim().to_owned())
    };
    let body = match section(version) {
        Some(body) => body,
        None => {
            eprintln!("CHANGELOG.md has no section [{version}]: the notes are those of [Unreleased]");
            section("Unreleased").with_context(|| {
                format!("CHANGELOG.md has a section neither for [{version}] nor for [Unreleased]")
            })?
        }
    };
    if body.is_empty() {
        bail!("CHANGELOG.md says nothing of {version}");
    }
    Ok(format!("# {version}\n\n{body}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGELOG: &str = "# Changelog\n\n## [Unreleased]\n\n- c\n\n## [0.2.0] - 2026-11-28\n\n### Added\n\n- b\n\n## [0.1.0] - 2026-11-01\n";

    #[test]
    fn a_version_has_its_own_section_and_one_without_has_what_is_not_released() {
        assert_eq!(cut(CHANGELOG, "0.2.0").unwrap(), "# 0.2.0\n\n### Added\n\n- b\n");
        assert_eq!(cut(CHANGELOG, "0.3.0").unwrap(), "# 0.3.0\n\n- c\n");
    }

    #[test]
    fn a_release_that_says_nothing_is_refused() {
        let refused = |version: &str, text: &str| format!("{:#}", cut(text, version).unwrap_err());
        assert!(refused("0.1.0", CHANGELOG).contains("says nothing of 0.1.0"));
        assert!(refused("0.1.0", "# Changelog\n").contains("neither"));
    }
}
