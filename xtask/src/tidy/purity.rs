//! Rings 0 and 1 decide, and do nothing else: no clock, no sleep, no chance, no environment, no files, no network,
//! no threads, no output.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::source;

/// Paths that may not be imported or written out, with everything below them.
const PATHS: &[&str] = &[
    "std::env",
    "std::fs",
    "std::hash::RandomState",
    "std::collections::hash_map::RandomState",
    "std::io",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::ToSocketAddrs",
    "std::net::UdpSocket",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
];

/// What may not be called, by whatever way it came.
const CALLS: &[&str] = &[
    "Instant::now",
    "SystemTime::now",
    "Timestamp::now",
    "Zoned::now",
    "TimeZone::system",
    "TimeZone::get",
    "thread::sleep",
    "thread::spawn",
    "env::var",
    "env::args",
    "fs::read",
    "fs::write",
    "rand::",
    "getrandom::",
    "uuid::",
    "tokio::",
    "print!",
    "println!",
    "eprint!",
    "eprintln!",
];

/// What the sources below these folders have that they may not, each with its place.
pub(super) fn impure(dirs: &[PathBuf]) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    for dir in dirs {
        let mut tests_only = BTreeSet::new();
        let mut sources = Vec::new();
        for file in source::files(dir, "rs")? {
            let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
            let (text, modules) = source::without_tests(&source::bare(&text));
            tests_only.extend(modules.iter().flat_map(|module| module_files(&file, module)));
            sources.push((file, text));
        }
        for (file, text) in sources.iter().filter(|(file, _)| !tests_only.contains(file)) {
            let found = in_source(text).into_iter();
            wrong.extend(
                found.map(|(line, what)| format!("{}:{line}: {what} has no place here", file.display())),
            );
        }
    }
    Ok(wrong)
}

/// Where the module that `file` declares may be.
fn module_files(file: &Path, module: &str) -> [PathBuf; 2] {
    let stem = file.file_stem().unwrap_or_default();
    let dir = match stem.to_str() {
        Some("mod" | "lib" | "main") => file.parent().map(Path::to_owned).unwrap_or_default(),
        _ => file.with_extension(""),
    };
    [dir.join(format!("{module}.rs")), dir.join(module).join("mod.rs")]
}

/// The lines with something that may not be, in a bare source without tests.
fn in_source(text: &str) -> Vec<(usize, String)> {
    let mut found: BTreeSet<(usize, String)> = BTreeSet::new();
    for word in PATHS.iter().chain(CALLS) {
        found.extend(
            source::occurrences(text, word).iter().map(|at| (source::line_of(text, *at), (*word).to_owned())),
        );
    }
    for at in source::occurrences(text, "use ") {
        let statement = text.get(at + 4..).and_then(|rest| rest.split(';').next()).unwrap_or_default();
        for path in imports(statement) {
            if PATHS.iter().any(|bad| path == *bad || path.starts_with(&format!("{bad}::"))) {
                found.insert((source::line_of(text, at), path));
            }
        }
    }
    found.into_iter().collect()
}

/// Every path of an import, its braces opened: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn imports(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((prefix, inner)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default().trim();
        return vec![path.strip_suffix("::self").unwrap_or(path).to_owned()];
    };
    let inner = inner.trim_end().strip_suffix('}').unwrap_or(inner);
    let parts = branches(inner).into_iter().filter(|part| !part.trim().is_empty());
    parts
        .flat_map(imports)
        .map(|path| match path.as_str() {
            "self" => prefix.trim().trim_end_matches("::").to_owned(),
            _ => format!("{}{path}", prefix.trim()),
        })
        .collect()
}

/// Splits at commas that are in no further braces.
fn branches(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0_i32, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.extend(text.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    found.extend(text.get(start..));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let (text, _) = source::without_tests(&source::bare(text));
        in_source(&text).into_iter().map(|(line, what)| format!("{line} {what}")).collect()
    }

    #[test]
    fn what_decides_is_let_through() {
        let text = "use std::{collections::HashMap, net::{IpAddr, SocketAddr}, sync::Arc, time::Duration};\n\
                    // Instant::now() is not called\n\
                    fn f(now: Duration) -> &'static str { \"std::fs\" }\n\
                    const V: &str = env!(\"CARGO_PKG_VERSION\");\n\
                    #[cfg(test)]\nmod tests { use std::fs; }\n";
        assert_eq!(found(text), Vec::<String>::new());
    }

    #[test]
    fn calls_and_imports_are_found_with_their_line() {
        assert_eq!(found("fn f() {\n  let t = jiff::Timestamp::now();\n}"), ["2 Timestamp::now"]);
        assert_eq!(
            found("use std::{\n  env,\n  time::{Duration, Instant}};"),
            ["1 std::env", "1 std::time::Instant"]
        );
        assert_eq!(found("use std::fs::{self, File};"), ["1 std::fs", "1 std::fs::File"]);
        assert_eq!(found("use std::io as stdio;"), ["1 std::io"]);
        for (text, what) in [
            ("std::thread::sleep(d)", "std::thread"),
            ("rand::random::<u8>()", "rand::"),
            ("std::env::var(v)", "std::env"),
            ("std::net::TcpStream::connect(a)", "std::net::TcpStream"),
            ("println!(s)", "println!"),
            ("SystemTime::now()", "SystemTime::now"),
            ("tokio::spawn(f)", "tokio::"),
        ] {
            assert!(found(text).iter().any(|one| one == &format!("1 {what}")), "{text}: {:?}", found(text));
        }
    }

    #[test]
    fn a_file_of_tests_is_known_by_its_declaration() {
        let dir = testkit::work_dir::WorkDir::new("purity").unwrap();
        fs::write(dir.join("lib.rs"), "#[cfg(test)]\nmod testing;\nmod real;\n").unwrap();
        for name in ["testing.rs", "real.rs"] {
            fs::write(dir.join(name), "fn f() { std::fs::read(p) }").unwrap();
        }
        let wrong = impure(&[dir.path().to_owned()]).unwrap();
        assert!(wrong.iter().all(|one| one.contains("real.rs:1: ")) && !wrong.is_empty(), "{wrong:?}");
    }
}
