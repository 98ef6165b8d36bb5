//! The end of a demo that stays: what to try, and the wait for Ctrl-C.

use std::fs;

use anyhow::{Context, Result};
use testkit::board::Board;
use tokio::signal::unix::{SignalKind, signal};

use super::{manifest, parts::Parts};

/// Somebody who may see and do everything in the cluster of the demo.
const ACCOUNT: &str = "demo";

/// Says what to try next and waits for Ctrl-C (or SIGTERM).
pub(crate) fn until_interrupted(parts: &Parts) -> Result<()> {
    let file = parts.dir.join("module-deployment.yaml");
    fs::write(&file, manifest::deployment(parts.stack, "1.0.0", 1)?)
        .with_context(|| format!("writing {}", file.display()))?;
    parts.cluster.kubectl(&["create", "serviceaccount", ACCOUNT, "-n", "default"])?;
    let account = format!("--serviceaccount=default:{ACCOUNT}");
    parts.cluster.kubectl(&[
        "create",
        "clusterrolebinding",
        ACCOUNT,
        "--clusterrole=cluster-admin",
        &account,
    ])?;
    let kubectl = parts.cluster.kubectl_command();
    let name = manifest::NAME;
    println!("\nEverything still runs. To try it, in another terminal:\n");
    println!("  export KUBECONFIG={}", parts.cluster.kubeconfig().display());
    println!("  alias kubectl='{} kubectl'", kubectl.get_program().display());
    println!("  kubectl get nodes -L base.koupleless.io/stack,vnode.koupleless.io/tunnel");
    println!("  kubectl apply -f {}", file.display());
    println!("  kubectl get pods -o wide --watch");
    println!("  kubectl scale deployments/{name} --replicas=2");
    for base in &parts.bases {
        println!("  curl http://{}:{}/biz1/who    # {}", base.ip(), base.web_port(), base.identity());
    }
    println!("  kubectl delete deployments/{name}");
    let board = Board::start(&parts.cluster, &[])?;
    let token = parts.cluster.kubectl(&["create", "token", ACCOUNT, "-n", "default", "--duration=24h"])?;
    println!("\nKouplelessBoard is at {}. Log in with this token:\n\n  {}", board.url(), token.trim());
    println!("\nCtrl-C ends it all and cleans up.");
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("waiting for Ctrl-C")?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt()).context("waiting for Ctrl-C")?;
        let mut terminate = signal(SignalKind::terminate()).context("waiting for SIGTERM")?;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        println!("\nEnding.");
        Ok(())
    })
}
