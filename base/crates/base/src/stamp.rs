//! `base stamp`: a component becomes a package.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};
use package::Manifest;
use serde_json::json;

/// What a component is to be.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The component, as a compiler made it.
    component: PathBuf,
    /// The module's name.
    #[arg(long)]
    name: String,
    /// The module's version.
    #[arg(long)]
    module_version: String,
    /// Where it serves, the first segment of the path; its name where it is not given.
    #[arg(long)]
    web_context_path: Option<String>,
    /// What it may use at most: {"memoryMiB":64,"requestMs":30000,"concurrentRequests":64,"responseMiB":16,"reuse":1}.
    #[arg(long, default_value = "{}")]
    limits: String,
    /// A host that it may call: host, or host:port; to be given again for each.
    #[arg(long, value_name = "HOST")]
    outbound_host: Vec<String>,
    /// Where the package is written.
    #[arg(long, short)]
    output: PathBuf,
}

/// Writes the package.
pub(crate) fn stamp(arguments: &Arguments) -> Result<()> {
    let limits: serde_json::Value = serde_json::from_str(&arguments.limits).context("--limits is no JSON")?;
    let mut json = json!({
        "name": arguments.name,
        "version": arguments.module_version,
        "limits": limits,
        "outboundHosts": arguments.outbound_host,
    });
    if let (Some(map), Some(path)) = (json.as_object_mut(), &arguments.web_context_path) {
        map.insert("webContextPath".to_owned(), path.as_str().into());
    }
    let manifest = Manifest::parse(json.to_string().as_bytes())?;
    let file = &arguments.component;
    let component = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let package = package::stamp(&component, &manifest).with_context(|| file.display().to_string())?;
    let output = &arguments.output;
    fs::write(output, package).with_context(|| format!("writing {}", output.display()))?;
    println!("{} {}", manifest.id, output.display());
    Ok(())
}
