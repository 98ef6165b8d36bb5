//! The manifest by which krew, the package manager of kubectl's plugins, installs this one.

use anyhow::{Result, ensure};
use testkit::static_program;

use super::PLUGIN;

/// Where the files of releases are: without a slash at its end.
pub(super) fn url(text: &str) -> Result<String> {
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'));
    ensure!(text.starts_with("https://") && plain, "it has to be an https:// URL");
    Ok(text.trim_end_matches('/').to_owned())
}

/// Of this version, whose archive is below `url` and has this checksum.
pub(super) fn manifest(version: &str, url: &str, archive: &str, sha256: &str) -> Result<String> {
    let (folder, arch) = (archive.trim_end_matches(".tar.gz"), static_program::architecture()?);
    Ok(format!(
        r#"apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata:
  name: koupleless
spec:
  version: v{version}
  homepage: "{url}"
  shortDescription: Show, explain and check modules and their bases
  description: |
    Shows the bases of a cluster and the modules on them, explains states and
    error codes, and finds what is wrong: tree, bases, modules, describe,
    status, explain, check, report.
  platforms:
    - selector:
        matchLabels:
          os: linux
          arch: {arch}
      uri: "{url}/v{version}/{archive}"
      sha256: {sha256}
      files:
        - from: "{folder}/*"
          to: .
      bin: {PLUGIN}
"#
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_could_not_stand_in_the_manifest_is_refused() {
        assert_eq!(url("https://example.com/a/").unwrap(), "https://example.com/a");
        for bad in ["http://example.com", "example.com", "https://exa mple.com", "https://example.com/\"", ""]
        {
            assert!(url(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_manifest_says_where_the_archive_is_and_what_is_in_it() {
        let text =
            manifest("1.2.3", "https://example.com", "kubectl-koupleless-1.2.3-linux-amd64.tar.gz", "ab")
                .unwrap();
        for line in [
            "  version: v1.2.3",
            "      uri: \"https://example.com/v1.2.3/kubectl-koupleless-1.2.3-linux-amd64.tar.gz\"",
            "      sha256: ab",
            "        - from: \"kubectl-koupleless-1.2.3-linux-amd64/*\"",
            "      bin: kubectl-koupleless",
        ] {
            assert!(text.lines().any(|there| there == line), "no {line:?} in\n{text}");
        }
    }
}
