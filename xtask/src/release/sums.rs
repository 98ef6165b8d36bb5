//! Checksums, as `sha256sum --check` reads them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// Their file.
pub(super) const FILE: &str = "SHA256SUMS";

/// Of one file, in hex.
pub(super) fn of_file(path: &Path) -> Result<String> {
    let data = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    Ok(Sha256::digest(data).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

/// Of every file below a folder, one a line, in the order of their names.
pub(super) fn of_folder(dir: &Path) -> Result<String> {
    let mut lines = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
            let path = entry.with_context(|| format!("reading {}", folder.display()))?.path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap_or(&path).display().to_string();
                lines.push((name, of_file(&path)?));
            }
        }
    }
    lines.sort();
    Ok(lines.iter().fold(String::new(), |mut text, (name, sum)| {
        let _ = writeln!(text, "{sum}  {name}");
        text
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::work_dir::WorkDir;

    #[test]
    fn every_file_has_a_line_also_in_folders() {
        let dir = WorkDir::new("sums").unwrap();
        fs::create_dir(dir.join("b")).unwrap();
        fs::write(dir.join("b/c"), "abc").unwrap();
        fs::write(dir.join("a"), "").unwrap();
        let expected = "\
e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  a
ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  b/c
";
        assert_eq!(of_folder(dir.path()).unwrap(), expected);
    }
}
