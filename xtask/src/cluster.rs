//! `cargo xtask cluster`.

use std::env;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process;

use anyhow::{Context, Result};
use testkit::artifacts;

/// Runs a Kubernetes control plane in the foreground, until Ctrl-C.
#[derive(Debug, clap::Args)]
pub(crate) struct Cluster {
    /// Where to write the administrator's kubeconfig.
    #[arg(long, default_value_os_t = env::temp_dir().join("devcluster.kubeconfig"))]
    kubeconfig: PathBuf,
    /// The port of the API on 127.0.0.1 (0: any free one).
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Keep the cluster here and go on with it the next time (default: a temporary directory, removed at the end).
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Further arguments of the dev cluster (devcluster/README.md), after --.
    #[arg(last = true)]
    arguments: Vec<String>,
}

impl Cluster {
    /// Becomes the dev cluster, so that Ctrl-C reaches it alone and it stops in order.
    pub(crate) fn run(&self) -> Result<()> {
        let program = artifacts::devcluster()?;
        let (kubeconfig, shown) = (self.kubeconfig.display(), program.display());
        println!("Once it is ready, in another terminal:\n");
        println!("  export KUBECONFIG={kubeconfig}");
        println!("  alias kubectl='{shown} kubectl'");
        println!("  kubectl get nodes\n  kubectl get pods --all-namespaces --watch\n");
        let mut command = process::Command::new(&program);
        command.arg("--kubeconfig").arg(&self.kubeconfig).arg("--bind-port").arg(self.port.to_string());
        if let Some(dir) = &self.data_dir {
            command.arg("--data-dir").arg(dir);
        }
        let error = command.args(&self.arguments).exec();
        Err(error).with_context(|| format!("starting {}", program.display()))
    }
}
