//! The version: that of the workspace, and the same wherever a file has to name it.

use std::fs;

use anyhow::{Context, Result, ensure};
use testkit::artifacts;

/// What names it, and in which words.
const PLACES: [(&str, &str); 10] = [
    ("Cargo.toml", "version = \"VERSION\""),
    ("base/Cargo.toml", "version = \"VERSION\""),
    ("deploy/chart/Chart.yaml", "version: VERSION"),
    ("deploy/chart/Chart.yaml", "appVersion: VERSION"),
    ("deploy/base/module-controller.yaml", "image: module-controller:VERSION"),
    ("deploy/overlays/cluster/deployment.yaml", "image: module-controller:VERSION"),
    ("docs/guide/deployment.md", "`module-controller:VERSION`"),
    ("docs/guide/deployment.zh-CN.md", "`module-controller:VERSION`"),
    ("docs/guide/releases.md", "module-controller-VERSION.tgz"),
    ("docs/guide/releases.zh-CN.md", "module-controller-VERSION.tgz"),
];

/// That of the workspace, which every crate of it has.
pub(super) fn of_workspace() -> Result<String> {
    let version = env!("CARGO_PKG_VERSION");
    let numbers: Vec<&str> = version.split('.').collect();
    let plain = numbers.len() == 3 && numbers.iter().all(|number| number.parse::<u32>().is_ok());
    ensure!(plain, "the version {version} is not of the form 1.2.3");
    Ok(version.to_owned())
}

/// A release whose parts say different versions is none.
pub(super) fn is_the_one_everywhere(version: &str) -> Result<()> {
    let wrong = others(version)?;
    ensure!(wrong.is_empty(), "the version is {version}, and it is not in {}", wrong.join(", "));
    Ok(())
}

fn others(version: &str) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    for (file, words) in PLACES {
        let text = fs::read_to_string(artifacts::repository().join(file))
            .with_context(|| format!("reading {file}"))?;
        let words = words.replace("VERSION", version);
        // A whole word: 0.1.0 is not in 10.1.0.
        let found = text.match_indices(&words).any(|(at, _)| {
            let before = text.get(..at).and_then(|text| text.chars().next_back());
            let after = text.get(at + words.len()..).and_then(|text| text.chars().next());
            !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
        });
        if !found {
            wrong.push(format!("{file} (`{words}`)"));
        }
    }
    Ok(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_that_names_the_version_names_this_one() {
        assert_eq!(others(&of_workspace().unwrap()).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_file_that_was_left_behind_is_named() {
        let refused = format!("{:#}", is_the_one_everywhere("9.9.9").unwrap_err());
        for (file, _) in PLACES {
            assert!(refused.contains(file), "{file} is not in {refused}");
        }
    }
}
