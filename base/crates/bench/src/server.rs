//! A server that runs as a process of its own.

use std::{
    fs::File,
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use tokio::net::TcpListener;

use crate::client;

/// How long it may take until it answers.
const START: Duration = Duration::from_secs(60);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// A process that answers HTTP. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Server(Child);

impl Server {
    /// Starts it, its output in a file, and waits until `GET path` at this address is answered.
    pub(crate) async fn start(
        mut command: Command,
        log: &Path,
        address: SocketAddr,
        path: &str,
    ) -> Result<Self> {
        let out = File::create(log).with_context(|| format!("creating {}", log.display()))?;
        command.stdin(Stdio::null()).stderr(out.try_clone()?).stdout(out);
        let program = command.get_program().to_owned();
        let mut server = Self(command.spawn().with_context(|| format!("starting {}", program.display()))?);
        let start = Instant::now();
        loop {
            let asked = client::get(address, path).await;
            if asked.as_ref().is_ok_and(|answer| answer.status == 200) {
                return Ok(server);
            }
            let ended = server.0.try_wait()?;
            if ended.is_some() || start.elapsed() > START {
                let said = std::fs::read_to_string(log).unwrap_or_default();
                bail!("{} does not answer ({asked:?}, {ended:?}): {said}", program.display());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A local address that nobody listens at.
pub(crate) async fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("a free port")?;
    Ok(listener.local_addr()?)
}
