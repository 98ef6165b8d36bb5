//! What is in the program: a CycloneDX bill of materials, of what cargo resolves for it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result, ensure};
use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};
use serde_json::{Map, Value, json};
use testkit::{artifacts, static_program};

use super::{NAME, source_date};
use crate::cargo;

/// The crate that the program is made of.
const CRATE: &str = "controller";

/// Of this version, as JSON.
pub(super) fn of(version: &str) -> Result<String> {
    let filter = format!("--filter-platform={}", static_program::target()?);
    let output = cargo::command(&["metadata", "--format-version=1", "--locked", &filter])
        .output()
        .context("starting cargo metadata")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cargo metadata failed: {said}");
    let metadata: Value = serde_json::from_slice(&output.stdout).context("reading cargo metadata")?;
    let lock =
        fs::read_to_string(artifacts::repository().join("Cargo.lock")).context("reading Cargo.lock")?;
    let graph = Graph::of(&metadata).context("cargo metadata is not as expected")?;
    let mut bill = bill(&graph, &checksums(&lock), version)?;
    add_what_cargo_does_not_know(&mut bill, &static_program::c_library()?)?;
    let page = artifacts::repository().join("board/package-lock.json");
    add_the_page(&mut bill, &fs::read_to_string(page).context("reading the page's lock file")?)?;
    if let Some(seconds) = source_date()? {
        let time = bill.pointer_mut("/metadata").and_then(Value::as_object_mut).context("no metadata")?;
        let at = jiff::Timestamp::from_second(seconds).context("SOURCE_DATE_EPOCH")?;
        time.insert("timestamp".to_owned(), json!(at.to_string()));
    }
    Ok(serde_json::to_string_pretty(&bill)? + "\n")
}

/// Packages by their ids, and what each needs at run time.
#[derive(Debug, Default)]
struct Graph {
    root: String,
    packages: BTreeMap<String, Value>,
    needs: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    fn of(metadata: &Value) -> Option<Self> {
        let mut graph = Self::default();
        for package in metadata.get("packages")?.as_array()? {
            let id = text(package, "id")?;
            if text(package, "name")? == CRATE && package.get("source")?.is_null() {
                graph.root = id.clone();
            }
            graph.packages.insert(id, package.clone());
        }
        for node in metadata.pointer("/resolve/nodes")?.as_array()? {
            let mut needs = BTreeSet::new();
            for dep in node.get("deps")?.as_array()? {
                // What builds it or tests it is not in it.
                let kinds = dep.get("dep_kinds")?.as_array()?;
                if kinds.iter().any(|kind| kind.get("kind").is_some_and(Value::is_null)) {
                    needs.insert(text(dep, "pkg")?);
                }
            }
            graph.needs.insert(text(node, "id")?, needs);
        }
        graph.packages.contains_key(&graph.root).then_some(graph)
    }

    /// The program's crate and all that comes along, without macros, which run at build time alone.
    fn reached(&self) -> BTreeSet<&str> {
        let (mut found, mut open) = (BTreeSet::new(), vec![self.root.as_str()]);
        while let Some(id) = open.pop() {
            if !self.is_macro(id) && found.insert(id) {
                open.extend(self.needs.get(id).into_iter().flatten().map(String::as_str));
            }
        }
        found
    }

    fn is_macro(&self, id: &str) -> bool {
        let targets = self.packages.get(id).and_then(|package| package.get("targets")?.as_array());
        let kinds = targets.into_iter().flatten().filter_map(|target| target.get("kind")?.as_array());
        kinds.flatten().any(|kind| kind == "proc-macro")
    }
}

fn bill(graph: &Graph, checksums: &BTreeMap<(String, String), String>, version: &str) -> Result<Value> {
    let reached = graph.reached();
    let (mut components, mut dependencies) = (Vec::new(), Vec::new());
    for id in &reached {
        let package = graph.packages.get(*id).context("a dependency that is no package")?;
        let reference = reference(package)?;
        let needs = graph.needs.get(*id).into_iter().flatten().filter(|id| reached.contains(id.as_str()));
        let mut needs: Vec<String> = needs
            .map(|id| self::reference(graph.packages.get(id).unwrap_or(&Value::Null)))
            .collect::<Result<_>>()?;
        needs.sort();
        dependencies.push(json!({"ref": reference, "dependsOn": needs}));
        if **id != *graph.root {
            components.push(component(package, &reference, checksums)?);
        }
    }
    // In the order of names: ids have a path in them.
    let key = |value: &Value, name: &str| text(value, name).unwrap_or_default();
    components.sort_by_key(|component| key(component, "bom-ref"));
    dependencies.sort_by_key(|dependency| key(dependency, "ref"));
    let root = reference(graph.packages.get(&graph.root).context("no package of the program")?)?;
    let product = json!({
        "type": "application", "bom-ref": root, "name": NAME, "version": version, "licenses": [{"expression": "Apache-2.0"}],
    });
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": product},
        "components": components,
        "dependencies": dependencies,
    }))
}

fn component(
    package: &Value,
    reference: &str,
    checksums: &BTreeMap<(String, String), String>,
) -> Result<Value> {
    let name = text(package, "name").context("a package without a name")?;
    let version = text(package, "version").context("a package without a version")?;
    let mut component = Map::new();
    let mut put = |key: &str, value: Value| component.insert(key.to_owned(), value);
    put("type", json!("library"));
    put("bom-ref", json!(reference));
    put("name", json!(name));
    put("version", json!(version));
    if let Some(license) = text(package, "license") {
        // Before SPDX had OR, crates wrote a slash.
        let expression = license.split('/').map(str::trim).collect::<Vec<_>>().join(" OR ");
        put("licenses", json!([{"expression": expression}]));
    }
    // A crate of our own comes from nowhere but here.
    if package.get("source").is_some_and(Value::is_string) {
        put("purl", json!(reference));
    }
    if let Some(sum) = checksums.get(&(name, version)) {
        put("hashes", json!([{"alg": "SHA-256", "content": sum}]));
    }
    Ok(component.into())
}

/// The package URL, which tells a package from every other.
fn reference(package: &Value) -> Result<String> {
    let part = |key: &str| text(package, key).with_context(|| format!("a package without its {key}"));
    Ok(format!("pkg:cargo/{}@{}", part("name")?, part("version")?.replace('+', "%2B")))
}

/// The C library and Rust's own are linked in too: `glibc 2.36`.
fn add_what_cargo_does_not_know(bill: &mut Value, c_library: &str) -> Result<()> {
    let toolchain = include_str!("../../../rust-toolchain.toml");
    let channel = toolchain.lines().find_map(|line| line.strip_prefix("channel = "));
    let rust = channel.context("rust-toolchain.toml names no channel")?.trim_matches('"');
    let (c_name, c_version) = c_library.split_once(' ').context("a C library without its version")?;
    let components = bill.get_mut("components").and_then(Value::as_array_mut).context("no components")?;
    for (name, version, license) in
        [(c_name, c_version, "LGPL-2.1-or-later"), ("rust-std", rust, "MIT OR Apache-2.0")]
    {
        let reference = format!("pkg:generic/{name}@{version}");
        components.push(json!({
            "type": "library", "bom-ref": reference, "name": name, "version": version, "purl": reference,
            "licenses": [{"expression": license}],
        }));
    }
    Ok(())
}

/// What the page of the board is made of, which is in the program too: the packages of its lock file that do more than build or test it.
fn add_the_page(bill: &mut Value, lock: &str) -> Result<()> {
    let lock: Value = serde_json::from_str(lock).context("reading the page's lock file")?;
    let packages = lock.get("packages").and_then(Value::as_object).context("a lock file without packages")?;
    let components = bill.get_mut("components").and_then(Value::as_array_mut).context("no components")?;
    for (place, package) in packages {
        let Some((_, name)) = place.rsplit_once("node_modules/") else { continue };
        if package.get("dev").is_some_and(|dev| dev == true) {
            continue;
        }
        let part =
            |key: &str| text(package, key).with_context(|| format!("the package {name} without its {key}"));
        let (version, sum) = (part("version")?, part("integrity")?);
        let sum = sum.strip_prefix("sha512-").with_context(|| format!("{name} has no SHA-512: {sum}"))?;
        let sum = BASE64.decode(sum).with_context(|| format!("the checksum of {name}"))?;
        let reference = format!("pkg:npm/{}@{version}", name.replace('@', "%40"));
        components.push(json!({
            "type": "library", "bom-ref": reference, "name": name, "version": version, "purl": reference,
            "licenses": [{"expression": part("license")?}],
            "hashes": [{"alg": "SHA-512", "content": hex(&sum)}],
        }));
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the lock file says of each crate that comes from a registry, by name and version.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let mut found = BTreeMap::new();
    for package in lock.split("[[package]]") {
        let value = |key: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \""))?;
            line.strip_suffix('"').map(str::to_owned)
        };
        if let (Some(name), Some(version), Some(sum)) = (value("name"), value("version"), value("checksum")) {
            found.insert((name, version), sum);
        }
    }
    found
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata() -> Value {
        let dep = |pkg: &str, kind: Option<&str>| json!({"pkg": pkg, "dep_kinds": [{"kind": kind}]});
        let package = |name: &str, source: Option<&str>, kind: &str| {
            json!({"id": name, "name": name, "version": "1.0.0+x", "source": source, "license": "MIT/Apache-2.0",
                   "targets": [{"kind": [kind]}]})
        };
        let registry = Some("registry");
        json!({
            "packages": [
                package("controller", None, "bin"), package("model", None, "lib"), package("url", registry, "lib"),
                package("serde_derive", registry, "proc-macro"), package("syn", registry, "lib"),
                package("cc", registry, "lib"), package("proptest", registry, "lib"), package("other", registry, "lib"),
            ],
            "resolve": {"nodes": [
                {"id": "controller", "deps": [dep("model", None), dep("cc", Some("build")), dep("proptest", Some("dev"))]},
                {"id": "model", "deps": [dep("url", None), dep("serde_derive", None)]},
                {"id": "serde_derive", "deps": [dep("syn", None)]},
                {"id": "other", "deps": []},
            ]},
        })
    }

    #[test]
    fn the_bill_has_what_is_in_the_program_and_nothing_that_only_builds_it() {
        let graph = Graph::of(&metadata()).unwrap();
        let sums = checksums("[[package]]\nname = \"url\"\nversion = \"1.0.0+x\"\nchecksum = \"ab\"\n");
        let mut bill = bill(&graph, &sums, "1.2.3").unwrap();
        add_what_cargo_does_not_know(&mut bill, "glibc 2.36").unwrap();
        let components = bill["components"].as_array().unwrap();
        let purls: Vec<&Value> = components.iter().map(|component| &component["purl"]).collect();
        assert_eq!(purls[..2], [&Value::Null, &json!("pkg:cargo/url@1.0.0%2Bx")]);
        assert_eq!(purls[2], "pkg:generic/glibc@2.36");
        assert_eq!(components.len(), 4, "{components:?}");
        assert_eq!(components[1]["hashes"], json!([{"alg": "SHA-256", "content": "ab"}]));
        assert_eq!(components[1]["licenses"], json!([{"expression": "MIT OR Apache-2.0"}]));
        let first = &bill["dependencies"][0];
        assert_eq!(
            *first,
            json!({"ref": "pkg:cargo/controller@1.0.0%2Bx", "dependsOn": ["pkg:cargo/model@1.0.0%2Bx"]})
        );
    }

    #[test]
    fn every_dependency_of_the_real_program_has_a_licence_and_where_it_comes_from_a_registry_a_checksum() {
        let bill: Value = serde_json::from_str(&of("0.1.0").unwrap()).unwrap();
        let components = bill["components"].as_array().unwrap();
        assert!(components.len() > 100, "{}", components.len());
        for component in components {
            assert!(component["licenses"][0]["expression"].is_string(), "{component}");
            let of_registry =
                component["purl"].as_str().is_some_and(|purl| !purl.starts_with("pkg:generic/"));
            assert_eq!(of_registry, component["hashes"].is_array(), "{component}");
        }
        for there in ["tokio", "kube-client", "tikv-jemalloc-sys", "glibc", "rust-std", "preact"] {
            assert!(components.iter().any(|component| component["name"] == there), "no {there}");
        }
        for not in ["testkit", "proptest", "syn", "cc", "vite"] {
            assert!(!components.iter().any(|component| component["name"] == not), "{not}");
        }
    }
}
