//! Every command that a page tells its reader to type is run: kubectl lines and the controller's own here, against a
//! real base with a module, and cargo lines by the project's own check.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};
use e2e::{Scene, Way, manifest, scene::node_name};
use testkit::{artifacts, controller, work_dir::WorkDir};

/// The pages for users, in English; each has its twin in Chinese.
const PAGES: [&str; 4] =
    ["README.md", "docs/guide/getting-started.md", "docs/guide/modules.md", "docs/guide/operations.md"];
/// The pages of the error codes, all in one.
const ERROR_CODES: &str = "docs/reference/error-codes.md";
const SAMPLE: &str = "docs/samples/module-deployment.yaml";

#[test]
fn every_command_of_the_pages_works() -> Result<()> {
    let scene = Scene::start(Way::Http, &[])?;
    let bases = scene.bases(2)?;
    let base = bases.first().context("a base")?;
    let values = [("<baseIP>", base.ip().to_string()), ("<baseUUID>", base.identity().to_owned())];
    let dir = WorkDir::new("docs")?;
    let sample = read(SAMPLE)?
        .replace("https://example.com/biz1-1.0.0-ark-biz.jar", &manifest::file_url("biz1", "1.0.0")?)
        .replace("values: [\"2.0.0\"]", &format!("values: [\"{}\"]", scene.base_version));
    write(&dir.join(SAMPLE), &sample)?;
    for page in PAGES {
        let namespace = scene.cluster.namespace("docs")?;
        let shell = Shell::new(&scene, dir.path(), &namespace)?;
        for command in commands(&read(page)?) {
            match command.split(' ').next() {
                Some("kubectl") => {
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
    let dir = WorkDir::new("error-pages")?;
    let shell = Shell::new(&scene, dir.path(), &scene.namespace)?;
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
fn both_languages_have_the_same_commands() -> Result<()> {
    for page in PAGES.into_iter().chain([ERROR_CODES]) {
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
    let expected = PAGES.map(|page| (page.to_owned(), 2)).into();
    ensure!(seen == expected, "pages with their number of languages: {seen:?}");
    Ok(())
}

/// The check runs it: it is all that `.ci/run` does, or one of the stages of `cargo xtask test`.
fn run_by_the_check(command: &str) -> Result<()> {
    let check = read(".ci/run")?.lines().any(|line| line.contains(command));
    let stage = read("xtask/src/test/stages.rs")?.contains(&format!("{command:?}"));
    ensure!(check || stage, "nothing runs `{command}`");
    Ok(())
}

struct Shell<'a> {
    dir: &'a Path,
    kubeconfig: PathBuf,
}

impl<'a> Shell<'a> {
    /// In this folder and this namespace, with kubectl and the controller's program on the path.
    fn new(scene: &Scene, dir: &'a Path, namespace: &str) -> Result<Self> {
        let kubectl = scene.cluster.kubectl_command();
        program(&dir.join("bin/kubectl"), &format!("'{}' kubectl", kubectl.get_program().display()))?;
        program(&dir.join("bin/module-controller"), &format!("'{}'", controller::program()?.display()))?;
        let kubeconfig = dir.join("kubeconfig");
        fs::copy(scene.cluster.kubeconfig(), &kubeconfig)?;
        let shell = Self { dir, kubeconfig };
        shell.run(&format!("kubectl config set-context --current --namespace={namespace}"))?;
        Ok(shell)
    }

    fn run(&self, command: &str) -> Result<()> {
        let path = format!("{}:{}", self.dir.join("bin").display(), std::env::var("PATH")?);
        let output = Command::new("sh")
            .args(["-euc", command])
            .current_dir(self.dir)
            .env("PATH", path)
            .env("KUBECONFIG", &self.kubeconfig)
            .output()
            .context("starting sh")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "`{command}` ended with {}: {said}", output.status);
        Ok(())
    }
}

/// The lines of all fenced `sh` blocks, without comments and blank lines.
fn commands(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut inside = false;
    for line in page.lines().map(str::trim) {
        match line {
            "```sh" => inside = true,
            "```" => inside = false,
            _ if !inside => {}
            _ => {
                let command = line.split('#').next().unwrap_or_default().trim();
                found.extend((!command.is_empty()).then(|| command.to_owned()));
            }
        }
    }
    found
}

/// A script that becomes another program.
fn program(file: &Path, what: &str) -> Result<()> {
    write(file, &format!("#!/bin/sh\nexec {what} \"$@\"\n"))?;
    Ok(fs::set_permissions(file, fs::Permissions::from_mode(0o755))?)
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(artifacts::repository().join(path)).with_context(|| format!("reading {path}"))
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::create_dir_all(file.parent().unwrap_or(file))?;
    fs::write(file, text).with_context(|| format!("writing {}", file.display()))
}
