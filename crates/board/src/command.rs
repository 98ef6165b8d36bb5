//! `board`: serves the page.

use std::{net::SocketAddr, process::ExitCode};

use axum::http::HeaderName;

use crate::serving::{Serving, Trouble};

/// Serves KouplelessBoard: a web page where modules, bases and operation plans are seen and steered
///
/// It reads the cluster with the rights of the kubeconfig or of its Pod, once for all who look, and shows each of them what the API
/// server says that this one may list. It writes with the token of whoever clicks, never with its own rights. One logs in with a
/// token that the API server accepts: `kubectl create token NAME`, or an ID token that a proxy in front of the board sets.
#[derive(Debug, clap::Args)]
pub struct Board {
    /// Where the page is served
    #[arg(long, env = "BOARD_LISTEN", value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7070")]
    listen: SocketAddr,
    /// The header in which a proxy gives the token of whoever asks, as X-Forwarded-Access-Token. Only a proxy may reach the
    /// board then; the API server verifies each token [default: none]
    #[arg(long, env = "BOARD_TOKEN_HEADER", value_name = "HEADER")]
    token_header: Option<HeaderName>,
    #[command(flatten)]
    server: ask::Server,
}

impl Board {
    /// Serves until it is told to end.
    pub fn run(&self) -> ExitCode {
        let served = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(Trouble::Runtime)
            .and_then(|runtime| {
                let served = runtime.block_on(self.serve());
                // Nothing that still runs is worth waiting for.
                runtime.shutdown_background();
                served
            });
        match served {
            Ok(()) => ExitCode::SUCCESS,
            Err(trouble) => {
                tracing::error!("the board cannot serve: {trouble}");
                ExitCode::FAILURE
            }
        }
    }

    async fn serve(&self) -> Result<(), Trouble> {
        let serving = Serving::start(self.listen, self.token_header.clone(), &self.server, None).await?;
        ended().await;
        tracing::info!("told to end");
        serving.end().await;
        Ok(())
    }
}

/// SIGTERM or Ctrl-C.
async fn ended() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        Err(_) => {
            let _ = tokio::signal::ctrl_c().await;
        }
    }
}
