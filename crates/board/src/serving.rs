//! A board that serves: by itself, or within the controller.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::AtomicUsize},
};

use axum::http::HeaderName;
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use crate::{
    api::Api,
    routes::{App, router},
    serve,
    snapshot::Snapshots,
    store::{SILENCE, Store},
    viewer::Viewers,
};

/// Why it cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// No cluster is configured.
    #[error(transparent)]
    Cluster(#[from] ask::Unreachable),
    /// The configuration of the cluster cannot be used.
    #[error("no client can be made for viewers: {0}")]
    Client(#[from] kube::Error),
    /// Somebody else has the port, or there is no such address.
    #[error("{listen} cannot be listened on: {cause}. Another program may have the port; choose another one")]
    Listen {
        /// Where it was to be served.
        listen: SocketAddr,
        /// Why not.
        cause: std::io::Error,
    },
    /// The system gives no threads or sockets.
    #[error("it cannot wait for the network: {0}")]
    Runtime(std::io::Error),
}

/// A board that serves. Its watches end with it.
#[derive(Debug)]
pub struct Serving {
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    _watches: JoinSet<()>,
}

impl Serving {
    /// Begins to serve a cluster, read with the rights of its configuration. `replicas_in` is the namespace of the controller's replicas,
    /// where only that may be read.
    ///
    /// # Errors
    /// See [`Trouble`]. That the API server does not answer is none: viewers are told.
    pub async fn start(
        listen: SocketAddr,
        token_header: Option<HeaderName>,
        server: &ask::Server,
        replicas_in: Option<&str>,
    ) -> Result<Self, Trouble> {
        let cluster = server.open().await?;
        let api = Api::new(&cluster.config)?;
        let listener = TcpListener::bind(listen).await.map_err(|cause| Trouble::Listen { listen, cause })?;
        let address = listener.local_addr().map_err(Trouble::Runtime)?;
        let mut watches = JoinSet::new();
        let mut reading = cluster.config.clone();
        reading.read_timeout = Some(SILENCE);
        let store = Store::start(&kube::Client::try_from(reading)?, replicas_in, &mut watches);
        let (stop, stopped) = watch::channel(false);
        let app = Arc::new(App {
            store,
            api,
            viewers: Viewers::default(),
            snapshots: Snapshots::default(),
            cluster: cluster.server,
            token_header,
            streams: AtomicUsize::new(0),
            born: jiff::Timestamp::now().as_microsecond(),
            stop: stopped.clone(),
        });
        tracing::info!("the board is at http://{address}");
        let serving = tokio::spawn(serve::serve(listener, router(app), stopped));
        Ok(Self { stop, serving, _watches: watches })
    }

    /// Ends it, in two seconds at most.
    pub async fn end(self) {
        self.stop.send_replace(true);
        // It fails only where the process ends anyway.
        let _ = self.serving.await;
    }
}
