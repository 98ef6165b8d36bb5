//! Pages that are made from the code: they are in the repository, and must be what they would be if made now.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use model::Language;
use testkit::{artifacts, controller};

use super::{alert_rules, error_codes, reference};
use crate::cargo;

/// The policies, and where the chart has them.
const POLICIES: [(&str, &str); 5] = [
    ("deploy/policies/account/leases.yaml", "deploy/chart/files/policies/leases.yaml"),
    ("deploy/policies/account/modules.yaml", "deploy/chart/files/policies/modules.yaml"),
    ("deploy/policies/account/nodes.yaml", "deploy/chart/files/policies/nodes.yaml"),
    ("deploy/policies/account/pods.yaml", "deploy/chart/files/policies/pods.yaml"),
    ("deploy/policies/account/workloads.yaml", "deploy/chart/files/policies/workloads.yaml"),
];

/// The definitions of our own kinds, and where each is to be.
const DEFINITIONS: [(&str, &str, &str); 3] = [
    (
        "modules.koupleless.io",
        "deploy/crds/modules.koupleless.io.json",
        "deploy/chart/files/modules.koupleless.io.json",
    ),
    (
        "operationplans.koupleless.io",
        "deploy/crds/operationplans.koupleless.io.json",
        "deploy/chart/files/operationplans.koupleless.io.json",
    ),
    (
        "modulebaselines.koupleless.io",
        "deploy/crds/modulebaselines.koupleless.io.json",
        "deploy/chart/files/modulebaselines.koupleless.io.json",
    ),
];

/// Every generated page: where it is, and what it should be.
fn pages() -> Result<Vec<(&'static str, String)>> {
    cargo::build_controller()?;
    let program = controller::program()?;
    let ask_in = |language: &str, arguments: &[&str]| -> Result<String> {
        let mut command = Command::new(&program);
        command.args(arguments).env_clear().env("MESSAGE_LANGUAGE", language);
        let output = command.output().context("asking the controller")?;
        ensure!(output.status.success(), "{} {} failed", program.display(), arguments.join(" "));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let ask = |arguments: &[&str]| ask_in("en", arguments);
    let rules = fs::read_to_string(artifacts::repository().join(alert_rules::RULES))
        .with_context(|| format!("reading {}", alert_rules::RULES))?;
    let mut pages = vec![
        ("deploy/install/module-controller.yaml", ask(&["install"])?),
        ("deploy/monitoring/prometheus-rule.yaml", alert_rules::object(&rules)?),
        ("docs/reference/configuration.md", reference::configuration(&ask(&["--help"])?, Language::English)?),
        (
            "docs/reference/configuration.zh-CN.md",
            reference::configuration(&ask_in("zh", &["--help"])?, Language::Chinese)?,
        ),
        ("docs/reference/error-codes.md", error_codes::reference(Language::English)),
        ("docs/reference/error-codes.zh-CN.md", error_codes::reference(Language::Chinese)),
    ];
    // A chart reads no file outside its own folder.
    for (name, crds, chart) in DEFINITIONS {
        let text = ask(&["crd", name])?;
        pages.extend([(crds, text.clone()), (chart, text)]);
    }
    for (from, to) in POLICIES {
        let text = fs::read_to_string(artifacts::repository().join(from));
        pages.push((to, text.with_context(|| format!("reading {from}"))?));
    }
    Ok(pages)
}

/// The pages that are not what they should be.
pub(super) fn stale() -> Result<Vec<String>> {
    let root = artifacts::repository();
    let stale = |(path, wanted): &(&str, String)| {
        fs::read_to_string(root.join(path)).map_or(true, |there| there != *wanted)
    };
    let pages = pages()?;
    Ok(pages
        .iter()
        .filter(|page| stale(page))
        .map(|(path, _)| format!("{path} is out of date: `cargo xtask tidy --write` makes it anew"))
        .collect())
}

/// Makes them anew.
pub(super) fn write() -> Result<()> {
    for (path, text) in pages()? {
        let file = artifacts::repository().join(path);
        fs::create_dir_all(file.parent().unwrap_or(&file))
            .with_context(|| format!("making the folder of {path}"))?;
        fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(())
}
