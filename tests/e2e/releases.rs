//! The release: made twice of one program, and checked as its page says.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use e2e::{
    Shell,
    shell::{commands, read},
};
use testkit::{
    artifacts, cargo,
    cluster::Cluster,
    static_program::{self, Profile},
    work_dir::WorkDir,
};

/// The page that says how a release is made and checked.
const PAGE: &str = "docs/guide/releases.md";

#[test]
fn a_release_is_the_same_twice_and_the_page_says_how_it_is_checked() -> Result<()> {
    let dir = WorkDir::new("release")?;
    let (one, two) = (dir.join("one"), dir.join("two"));
    release(&one)?;
    release(&two)?;
    let sums = |dir: &Path| fs::read_to_string(dir.join("SHA256SUMS")).context("reading SHA256SUMS");
    ensure!(sums(&one)? == sums(&two)?, "one is\n{}and two is\n{}", sums(&one)?, sums(&two)?);
    let shell = Shell::new(Cluster::shared()?, "default")?.with_helm()?;
    for entry in fs::read_dir(&one)? {
        let name = entry?.file_name();
        let to = shell.path(&name.to_string_lossy());
        fs::copy(one.join(&name), to).with_context(|| format!("copying {}", name.display()))?;
    }
    let mut run = 0;
    for command in commands(&read(PAGE)?).iter().filter(|command| !command.starts_with("cargo ")) {
        // Elsewhere another kind of machine.
        let command = command.replace("amd64", static_program::architecture()?);
        shell.run(&command).with_context(|| PAGE.to_owned())?;
        run += 1;
    }
    ensure!(run >= 4, "{PAGE} has {run} commands");
    plugin_works(&shell)?;
    chart_is_that_of_the_repository(&shell)
}

fn release(out: &Path) -> Result<()> {
    let mut command = cargo::command(&artifacts::repository(), &["xtask", "release", "--out"]);
    command.arg(out).arg("--program").arg(static_program::build(Profile::Dev)?);
    output(&mut command).map(drop)
}

/// What krew would put on the path.
fn plugin_works(shell: &Shell) -> Result<()> {
    let archive =
        format!("kubectl-koupleless-{}-linux-{}", env!("CARGO_PKG_VERSION"), static_program::architecture()?);
    let manifest = fs::read_to_string(shell.path("koupleless.yaml"))?;
    let sums = fs::read_to_string(shell.path("SHA256SUMS"))?;
    let sum = sums.lines().find_map(|line| line.strip_suffix(&format!("  {archive}.tar.gz")));
    let sum = sum.context("no checksum of the plugin's archive")?;
    ensure!(manifest.contains(sum) && manifest.contains(&archive), "{manifest}");
    // krew takes files and folders, and refuses an archive that has anything else.
    let listed = shell.output(&format!("tar --list --verbose --file {archive}.tar.gz"))?;
    ensure!(listed.lines().all(|line| line.starts_with('-') || line.starts_with('d')), "{listed}");
    shell.run(&format!("tar --extract --file {archive}.tar.gz"))?;
    let help = shell.output(&format!("{archive}/kubectl-koupleless --help"))?;
    ensure!(help.contains("Usage: kubectl koupleless"), "{help}");
    Ok(())
}

fn chart_is_that_of_the_repository(shell: &Shell) -> Result<()> {
    let chart = format!("module-controller-{}.tgz", env!("CARGO_PKG_VERSION"));
    let rendered =
        |from: &str| shell.output(&format!("helm template module-controller {from} --set replicas=3"));
    ensure!(rendered(&chart)? == rendered("deploy/chart")?, "{chart} makes other objects");
    Ok(())
}

fn output(command: &mut Command) -> Result<String> {
    let output = command.output().context("starting a program")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {said}");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
