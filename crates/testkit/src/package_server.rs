//! Serves the module packages over HTTP, and does so badly on request.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::artifacts;

/// What a request for a package gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Behaviour {
    /// The package.
    #[default]
    Serve,
    /// 404.
    NotFound,
    /// The package, after this time.
    Slow(Duration),
    /// Nothing, as long as the client waits.
    Hang,
    /// 200 with something that is no jar.
    Garbage,
}

#[derive(Debug, Default)]
struct Shared {
    behaviours: HashMap<String, Behaviour>,
    requests: HashMap<String, usize>,
}

#[derive(Clone, Debug)]
struct Server {
    dir: PathBuf,
    shared: Arc<Mutex<Shared>>,
}

/// A running server, on a port of its own on 127.0.0.1. Dropping it stops it.
#[derive(Debug)]
pub struct PackageServer {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl PackageServer {
    /// Starts one over the packages that this repository builds.
    pub fn start() -> Result<Self> {
        Self::start_in(artifacts::java()?.packages())
    }

    /// Starts one over the files of `dir`.
    pub fn start_in(dir: PathBuf) -> Result<Self> {
        let shared = Arc::<Mutex<Shared>>::default();
        let server = Server { dir, shared: Arc::clone(&shared) };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("starting the package server")?;
        let listener = runtime
            .block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .context("starting the package server")?;
        let address = listener.local_addr().context("starting the package server")?;
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("package-server".to_owned())
            .spawn(move || {
                let router = Router::new().route("/{file}", get(answer)).with_state(server);
                runtime.block_on(async {
                    tokio::select! {
                        served = axum::serve(listener, router) => drop(served),
                        _ = stopped => {}
                    }
                });
            })
            .context("starting the package server")?;
        Ok(Self { address, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// The URL of a module's package, whether there is one or not.
    pub fn url(&self, name: &str, version: &str) -> String {
        format!("http://{}/{}", self.address, artifacts::package_file(name, version))
    }

    /// What requests for this package get from now on.
    pub fn set(&self, name: &str, version: &str, behaviour: Behaviour) {
        self.lock().behaviours.insert(artifacts::package_file(name, version), behaviour);
    }

    /// How often this package was asked for.
    pub fn requests(&self, name: &str, version: &str) -> usize {
        self.lock().requests.get(&artifacts::package_file(name, version)).copied().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        lock(&self.shared)
    }
}

impl Drop for PackageServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

async fn answer(State(server): State<Server>, Path(file): Path<String>) -> Response {
    let behaviour = {
        let mut shared = lock(&server.shared);
        *shared.requests.entry(file.clone()).or_default() += 1;
        shared.behaviours.get(&file).copied().unwrap_or_default()
    };
    match behaviour {
        Behaviour::NotFound => return StatusCode::NOT_FOUND.into_response(),
        Behaviour::Garbage => return "no jar".into_response(),
        Behaviour::Hang => std::future::pending().await,
        Behaviour::Slow(time) => tokio::time::sleep(time).await,
        Behaviour::Serve => {}
    }
    // Packages are some kilobytes; and a name with a slash does not come here.
    match std::fs::read(server.dir.join(&file)) {
        Ok(bytes) if !file.contains("..") => Body::from(bytes).into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
