//! A base that is measured.

use std::{net::SocketAddr, path::Path, process::Command};

use anyhow::Result;
use samples::Sample;
use serde_json::json;

use crate::{
    client::Connection,
    folder::Folder,
    server::{self, Server},
    usage::Usage,
};

/// A base of its own, with nothing in its cache.
#[derive(Debug)]
pub(crate) struct Base {
    server: Server,
    web: SocketAddr,
    arklet: SocketAddr,
    folder: Folder,
}

impl Base {
    pub(crate) async fn start(program: &Path) -> Result<Self> {
        let folder = Folder::new()?;
        let (web, arklet) = (server::free_address().await?, server::free_address().await?);
        let mut command = Command::new(program);
        command
            .args(["run", "--server.address=127.0.0.1", "--management.endpoint.health.show-details=always"])
            .arg(format!("--server.port={}", web.port()))
            .arg(format!("--koupleless.arklet.http.port={}", arklet.port()))
            .arg(format!("--base.data={}", folder.path().join("data").display()));
        let log = folder.path().join("base.log");
        let server = Server::start(command, &log, web, "/actuator/health/readiness").await?;
        Ok(Self { server, web, arklet, folder })
    }

    /// The address of its modules and its actuator.
    pub(crate) fn web(&self) -> SocketAddr {
        self.web
    }

    /// A connection to its Arklet.
    pub(crate) async fn arklet(&self) -> Result<Connection> {
        Connection::open(self.arklet).await
    }

    /// Writes a package where the base finds it, and gives its URL.
    pub(crate) fn package(&self, sample: &Sample) -> Result<String> {
        self.folder.package(sample)
    }

    /// Installs a package.
    pub(crate) async fn install(&self, sample: &Sample) -> Result<()> {
        let url = self.package(sample)?;
        self.arklet().await?.command("installBiz", &json!({"bizUrl": url})).await.map(drop)
    }

    pub(crate) fn usage(&self) -> Result<Usage> {
        Usage::of(self.server.id())
    }
}
