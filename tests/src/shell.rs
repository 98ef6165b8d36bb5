//! A reader's shell: the commands of a page, run as they stand.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use testkit::{account, artifacts, cluster::Cluster, controller, work_dir::WorkDir};

/// A shell in a folder of its own, which has the repository's `deploy/`, with kubectl and the controller's program on
/// the path, and the program as kubectl's plugin.
#[derive(Debug)]
pub struct Shell {
    dir: WorkDir,
    kubeconfig: PathBuf,
}

impl Shell {
    /// As the administrator of a cluster, in this namespace.
    pub fn new(cluster: &Cluster, namespace: &str) -> Result<Self> {
        let dir = WorkDir::new("shell")?;
        let kubectl = cluster.kubectl_command();
        program(&dir.join("bin/kubectl"), &format!("'{}' kubectl", kubectl.get_program().display()))?;
        for name in ["module-controller", "kubectl-koupleless", "kubectl_complete-koupleless"] {
            symlink(controller::program()?, dir.join("bin").join(name))
                .with_context(|| format!("linking {name}"))?;
        }
        symlink(artifacts::repository().join("deploy"), dir.join("deploy")).context("linking deploy")?;
        let kubeconfig = dir.join("kubeconfig");
        fs::copy(cluster.kubeconfig(), &kubeconfig)?;
        let shell = Self { dir, kubeconfig };
        shell.run(&format!("kubectl config set-context --current --namespace={namespace}"))?;
        Ok(shell)
    }

    /// With Helm, which takes a while to build.
    pub fn with_helm(self) -> Result<Self> {
        program(&self.dir.join("bin/helm"), &format!("'{}'", artifacts::helm()?.display()))?;
        Ok(self)
    }

    /// Puts a file into its folder.
    pub fn write(&self, file: &str, text: &str) -> Result<()> {
        write(&self.dir.join(file), text)
    }

    /// Where a file of its folder is.
    pub fn path(&self, file: &str) -> PathBuf {
        self.dir.join(file)
    }

    /// Runs a command; an error has what it said.
    pub fn run(&self, command: &str) -> Result<()> {
        self.output(command).map(drop)
    }

    /// From now on as a ServiceAccount of the cluster, in this namespace.
    pub fn sign_in(&self, cluster: &Cluster, namespace: &str, name: &str) -> Result<()> {
        account::kubeconfig(cluster, namespace, name, self.kubeconfig.clone())?;
        self.run(&format!("kubectl config set-context --current --namespace={namespace}"))
    }

    /// As [`Shell::run`], and gives what it printed.
    pub fn output(&self, command: &str) -> Result<String> {
        let output = self.outcome(command)?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "`{command}` ended with {}: {said}", output.status);
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs a command, and gives how it ended and all that it said.
    pub fn outcome(&self, command: &str) -> Result<Output> {
        let path = format!("{}:{}", self.dir.join("bin").display(), std::env::var("PATH")?);
        Command::new("sh")
            .args(["-euc", command])
            .current_dir(self.dir.path())
            .env("PATH", path)
            .env("KUBECONFIG", &self.kubeconfig)
            // What Helm keeps goes with the folder.
            .env("HOME", self.dir.path())
            .output()
            .context("starting sh")
    }
}

/// The lines of all fenced `sh` blocks of a page, without comments and blank lines.
pub fn commands(page: &str) -> Vec<String> {
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

/// The part of a page under a heading, as `## Install`, up to the next heading.
pub fn section<'a>(page: &'a str, heading: &str) -> Result<&'a str> {
    let (_, after) =
        page.split_once(&format!("\n{heading}\n")).with_context(|| format!("no heading `{heading}`"))?;
    Ok(after.split_once("\n#").map_or(after, |(section, _)| section))
}

/// A file of the repository.
pub fn read(path: &str) -> Result<String> {
    fs::read_to_string(artifacts::repository().join(path)).with_context(|| format!("reading {path}"))
}

/// A script that becomes another program.
fn program(file: &Path, what: &str) -> Result<()> {
    write(file, &format!("#!/bin/sh\nexec {what} \"$@\"\n"))?;
    Ok(fs::set_permissions(file, fs::Permissions::from_mode(0o755))?)
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::create_dir_all(file.parent().unwrap_or(file))?;
    fs::write(file, text).with_context(|| format!("writing {}", file.display()))
}
