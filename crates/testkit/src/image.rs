//! The controller's image as a container runtime has it: unpacked, read-only, with the user that it names, an account where a
//! kubelet puts one, the kernel's files, and nothing else of this machine.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;

use crate::account;
use crate::artifacts;
use crate::cluster::Cluster;
use crate::tools;
use crate::work_dir::WorkDir;

/// Where a kubelet puts the token of a Pod's account.
const ACCOUNT: &str = "var/run/secrets/kubernetes.io/serviceaccount";

/// An image that was unpacked.
#[derive(Debug)]
pub struct Image {
    dir: WorkDir,
    /// `User` of its configuration: `65532:65532`.
    user: String,
    entrypoint: Vec<String>,
}

impl Image {
    /// Unpacks an OCI layout that is packed as a tar, as a release has it.
    pub fn unpack(archive: &Path) -> Result<Self> {
        let dir = WorkDir::new("image")?;
        let layout = dir.join("layout");
        fs::create_dir(&layout).context("a folder for the layout")?;
        run(Command::new("tar").args(["--extract", "--file"]).arg(archive).arg("--directory").arg(&layout))?;
        let mut unpack = Command::new(artifacts::image_maker()?);
        run(unpack.args(["unpack", "--layout"]).arg(&layout).arg(dir.join("root")))?;
        let index = read(&layout.join("index.json"))?;
        let manifest = blob(&layout, index.pointer("/manifests/0/digest"))?;
        let config = blob(&layout, manifest.pointer("/config/digest"))?;
        let words = |name: &str| -> Vec<String> {
            let all = config.pointer(name).and_then(Value::as_array).into_iter().flatten();
            all.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let user = config.pointer("/config/User").and_then(Value::as_str).unwrap_or_default().to_owned();
        let entrypoint = words("/config/Entrypoint");
        ensure!(!user.is_empty() && !entrypoint.is_empty(), "no user or no entrypoint: {config}");
        Ok(Self { dir, user, entrypoint })
    }

    /// The files of the image.
    pub fn root(&self) -> PathBuf {
        self.dir.join("root")
    }

    /// A program that starts it: with the account of `deploy/` in this cluster, and with these names in `/etc/hosts`, as a Pod has
    /// those of its `hostAliases`. It needs root, for mounts of its own.
    pub fn program(&self, cluster: &Cluster, hosts: &str) -> Result<PathBuf> {
        for tool in ["unshare", "mount", "chroot"] {
            tools::require(tool, "run the image", "it is in the packages util-linux, mount and coreutils")?;
        }
        let (secrets, names) = (self.dir.join("account"), self.dir.join("hosts"));
        write_account(cluster, &secrets)?;
        fs::write(&names, hosts).context("writing names")?;
        let root = self.root();
        // As a runtime does before the root becomes read-only.
        fs::create_dir_all(root.join(ACCOUNT)).context("a place for the account")?;
        fs::write(root.join("etc/hosts"), "").context("a place for names")?;
        for folder in ["dev", "proc"] {
            fs::create_dir_all(root.join(folder)).context("a place for what the kernel gives")?;
        }
        let address = cluster.address()?;
        let script = format!(
            "#!/bin/sh\nset -eu\n\
             if [ \"${{1-}}\" != mounted ]; then exec unshare --mount --propagation private \"$0\" mounted; fi\n\
             mount --bind '{root}' '{root}'\n\
             mount -o remount,bind,ro '{root}'\n\
             mount --bind /dev '{root}/dev'\n\
             mount --bind /proc '{root}/proc'\n\
             mount --bind '{secrets}' '{root}/{ACCOUNT}'\n\
             mount --bind '{names}' '{root}/etc/hosts'\n\
             unset KUBECONFIG HOME\n\
             export KUBERNETES_SERVICE_HOST={ip} KUBERNETES_SERVICE_PORT={port}\n\
             exec chroot --userspec={user} '{root}' {entrypoint}\n",
            root = root.display(),
            secrets = secrets.display(),
            names = names.display(),
            ip = address.ip(),
            port = address.port(),
            user = self.user,
            entrypoint = self.entrypoint.join(" "),
        );
        let program = self.dir.join("run");
        fs::write(&program, script).context("writing what runs the image")?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).context("what runs the image")?;
        Ok(program)
    }
}

/// Token, authority and namespace, as a kubelet writes them.
fn write_account(cluster: &Cluster, dir: &Path) -> Result<()> {
    fs::create_dir(dir).context("a folder for the account")?;
    let token =
        cluster.kubectl(&["create", "token", account::NAME, "-n", account::NAMESPACE, "--duration=24h"])?;
    let config = cluster.kubectl_json(&["config", "view", "--raw"])?;
    let authority = config.pointer("/clusters/0/cluster/certificate-authority-data").and_then(Value::as_str);
    let authority = authority.context("a kubeconfig without an authority")?;
    let authority = BASE64_STANDARD.decode(authority).context("the authority")?;
    for (file, content) in [
        ("token", token.trim().as_bytes()),
        ("ca.crt", &authority),
        ("namespace", account::NAMESPACE.as_bytes()),
    ] {
        fs::write(dir.join(file), content).with_context(|| format!("writing {file}"))?;
    }
    Ok(())
}

fn blob(layout: &Path, digest: Option<&Value>) -> Result<Value> {
    let digest = digest.and_then(Value::as_str).context("no digest")?;
    read(&layout.join("blobs").join(digest.replace(':', "/")))
}

fn read(file: &Path) -> Result<Value> {
    let text = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{}: no JSON", file.display()))
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
