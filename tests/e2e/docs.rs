//! Every command that a page tells its reader to type is run: kubectl lines and the controller's own here, against a
//! real base with a module, and cargo lines by the project's own check.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use anyhow::{Context, Result, bail, ensure};
use e2e::{
    Scene, Shell, Way, manifest,
    scene::node_name,
    shell::{commands, read, section},
};
use testkit::artifacts;

/// The pages for users, in English; each has its twin in Chinese.
const PAGES: [&str; 8] = [
    "README.md",
    "docs/guide/asking.md",
    "docs/guide/getting-started.md",
    "docs/guide/go-controller.md",
    "docs/guide/modules.md",
    "docs/guide/operations.md",
    "docs/guide/real-clusters.md",
    "docs/guide/runbooks.md",
];
/// Sections of these pages whose commands are run elsewhere: on a cluster where nothing is wrong, by `checking.rs`.
const ELSEWHERE: [&str; 1] = ["## What is wrong"];
/// The page whose commands are for a cluster that has no controller yet: `deploy.rs` runs them.
const DEPLOYMENT: &str = "docs/guide/deployment.md";
/// The page whose commands are those of the base's own program: `wasm_base.rs` runs them.
const WASM_BASE: &str = "docs/guide/wasm-base.md";
/// The page whose commands release a version of a module: `plans.rs` runs them.
const PLANS: &str = "docs/guide/plans.md";
/// The page whose commands need the kubelet API: `kubelet` runs them.
const LOGS: &str = "docs/guide/logs.md";
/// The page whose commands are for those who look at the board: `board` runs them.
const BOARD: &str = "docs/guide/board.md";
/// The page whose commands are for the files of a release: `releases.rs` runs them.
const RELEASES: &str = "docs/guide/releases.md";
/// The pages of the error codes, all in one.
const ERROR_CODES: &str = "docs/reference/error-codes.md";
const SAMPLE: &str = "docs/samples/module-deployment.yaml";

#[test]
fn every_command_of_the_pages_works() -> Result<()> {
    let scene = Scene::start(Way::Http, &[])?;
    let bases = scene.bases(2)?;
    let base = bases.first().context("a base")?;
    let values = [
        ("<baseIP>", base.ip().to_string()),
        ("<baseUUID>", base.identity().to_owned()),
        ("<baseHostName>", base.identity().to_owned()),
    ];
    let sample = read(SAMPLE)?
        .replace("https://example.com/biz1-1.0.0-ark-biz.jar", &manifest::file_url("biz1", "1.0.0")?)
        .replace("values: [\"2.0.0\"]", &format!("values: [\"{}\"]", scene.base_version));
    for page in PAGES {
        let namespace = scene.cluster.namespace("docs")?;
        let shell = Shell::new(&scene.cluster, &namespace)?;
        shell.write(SAMPLE, &sample)?;
        let text = read(page)?;
        let elsewhere: BTreeSet<String> =
            ELSEWHERE.iter().filter_map(|heading| section(&text, heading).ok()).flat_map(commands).collect();
        for command in commands(&text).into_iter().filter(|command| !elsewhere.contains(command)) {
            match command.split(' ').next() {
                Some("kubectl" | "ln" | "mkdir") => {
                    let filled = values.iter().fold(command.clone(), |all, (of, by)| all.replace(of, by));
                    shell.run(&filled).with_context(|| format!("{page}: {command}"))?;
                }
                Some("module-controller") => {
                    shell.run(&command).with_context(|| format!("{page}: {command}"))?;
                }
                Some("cargo") => run_by_the_check(&command).with_context(|| page.to_owned())?,
                _ => bail!("{page}: nobody runs `{command}`"),
            }
        }
    }
    Ok(())
}

/// The pages of the error codes show their commands one by one, each for a Pod, a base or a Node that is there.
#[test]
fn every_command_of_the_error_pages_works() -> Result<()> {
    let scene = Scene::start(Way::Http, &[])?;
    let base = &scene.bases(1)?[0];
    let pod = manifest::pod(&scene, "biz2", Some(&node_name(base)), &[manifest::container("biz2", "1.0.0")?]);
    scene.cluster.apply(&pod.to_string())?;
    scene.wait_pods_ready(1)?;
    let values = [
        ("<baseIP>", base.ip().to_string()),
        ("virtual-node-<baseUUID>", node_name(base)),
        ("<pod>", "biz2".to_owned()),
    ];
    let shell = Shell::new(&scene.cluster, &scene.namespace)?;
    let commands: BTreeSet<String> = commands(&read(ERROR_CODES)?).into_iter().collect();
    ensure!(commands.len() > 20, "{commands:?}");
    for command in commands {
        ensure!(command.starts_with("kubectl "), "{ERROR_CODES}: nobody runs `{command}`");
        let filled = values.iter().fold(command.clone(), |all, (of, by)| all.replace(of, by));
        ensure!(!filled.contains('<'), "{ERROR_CODES}: nobody knows what to put into `{command}`");
        shell.run(&filled).with_context(|| ERROR_CODES.to_owned())?;
    }
    Ok(())
}

#[test]
fn the_commands_that_make_a_release_are_run_by_the_check() -> Result<()> {
    let makes: Vec<String> =
        commands(&read(RELEASES)?).into_iter().filter(|command| command.starts_with("cargo ")).collect();
    ensure!(!makes.is_empty(), "{RELEASES} does not say how a release is made");
    makes.iter().try_for_each(|command| run_by_the_check(command).with_context(|| RELEASES.to_owned()))
}

#[test]
fn both_languages_have_the_same_commands() -> Result<()> {
    for page in PAGES.into_iter().chain([BOARD, DEPLOYMENT, LOGS, PLANS, RELEASES, WASM_BASE, ERROR_CODES]) {
        let chinese = page.replace(".md", ".zh-CN.md");
        ensure!(commands(&read(page)?) == commands(&read(&chinese)?), "{page} and {chinese} differ");
    }
    Ok(())
}

#[test]
fn no_page_is_forgotten() -> Result<()> {
    let mut seen = BTreeMap::new();
    for entry in fs::read_dir(artifacts::repository().join("docs/guide"))? {
        let name = format!("docs/guide/{}", entry?.file_name().to_string_lossy());
        *seen.entry(name.replace(".zh-CN.md", ".md")).or_insert(0) += 1;
    }
    seen.insert("README.md".to_owned(), 2);
    let expected = PAGES
        .into_iter()
        .chain([BOARD, DEPLOYMENT, LOGS, PLANS, RELEASES, WASM_BASE])
        .map(|page| (page.to_owned(), 2))
        .collect();
    ensure!(seen == expected, "pages with their number of languages: {seen:?}");
    Ok(())
}

/// The check runs it: it is all that `.ci/run` does, or one of the stages of `cargo xtask test`.
fn run_by_the_check(command: &str) -> Result<()> {
    let check = read(".ci/run")?.lines().any(|line| line.contains(command));
    // With further flags it does all that it does without them.
    let stages = read("xtask/src/test/stages.rs")?;
    let stage = [format!("\"{command}\""), format!("\"{command} ")].iter().any(|what| stages.contains(what));
    ensure!(check || stage, "nothing runs `{command}`");
    Ok(())
}
