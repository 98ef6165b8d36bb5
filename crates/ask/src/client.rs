//! The way to the API server: as kubectl goes it, by the user's kubeconfig.

use std::{io::Write as _, path::PathBuf, time::Duration};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

use crate::text::Text;

/// Who does not answer by then is away.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A page of a list takes a busy server some seconds.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Whom to ask, and as whom.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Server {
    /// The kubeconfig file. [default: KUBECONFIG, else ~/.kube/config, else the Pod's service account]
    #[arg(long, value_name = "FILE", help_heading = "Cluster")]
    kubeconfig: Option<PathBuf>,
    /// The kubeconfig's context. [default: its current one]
    #[arg(long, help_heading = "Cluster")]
    context: Option<String>,
}

/// Whom to ask, as whom, and of which namespace.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Connection {
    #[command(flatten)]
    server: Server,
    /// Only this namespace. [default: all, and where that is forbidden the context's own]
    #[arg(long, short, help_heading = "Cluster")]
    pub(crate) namespace: Option<String>,
    /// All namespaces, and no other where that is forbidden
    #[arg(long, short = 'A', conflicts_with = "namespace", help_heading = "Cluster")]
    pub(crate) all_namespaces: bool,
}

/// Why nothing can be said of the cluster.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    /// There is no kubeconfig, or it says nothing that can be used.
    #[error("no cluster is configured: {0}. Set KUBECONFIG, or give --kubeconfig FILE and --context NAME")]
    NotConfigured(Text),
    /// Nobody answers there.
    #[error("the API server at {server} does not answer: {cause}. Try `kubectl version`")]
    Away {
        /// Where.
        server: Text,
        /// What came of it.
        cause: Text,
    },
    /// It does not know who asks.
    #[error(
        "the API server at {server} does not know who asks: {cause}. Sign in anew; `kubectl auth whoami` tries it"
    )]
    Unauthorized {
        /// Where.
        server: Text,
        /// What it said.
        cause: Text,
    },
}

/// Whom is asked.
#[derive(Clone)]
pub struct Cluster {
    /// Asks with the rights of the configuration.
    pub client: Client,
    /// Its URL.
    pub server: Text,
    /// The configuration.
    pub config: Config,
    /// The namespace of the context.
    pub own_namespace: String,
}

impl Connection {
    /// Whom, and of which namespace, where no flags say it.
    pub(crate) fn of(server: Server, namespace: Option<String>) -> Self {
        Self { server, namespace, all_namespaces: false }
    }

    /// See [`Server::open`].
    pub(crate) async fn open(&self) -> Result<Cluster, Unreachable> {
        self.server.open().await
    }
}

impl Server {
    /// Whom to ask, where no flags say it.
    pub(crate) fn of(kubeconfig: Option<PathBuf>, context: Option<String>) -> Self {
        Self { kubeconfig, context }
    }

    /// Reads the configuration. Nothing is sent yet.
    ///
    /// # Errors
    /// No cluster is configured, or the configuration says nothing that can be used.
    pub async fn open(&self) -> Result<Cluster, Unreachable> {
        let not_configured = |error: &dyn std::error::Error| Unreachable::NotConfigured(chain(error));
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        let config = match (&self.kubeconfig, &self.context) {
            (Some(file), _) => {
                let read = Kubeconfig::read_from(file).map_err(|error| not_configured(&error))?;
                Config::from_custom_kubeconfig(read, &options).await.map_err(|error| not_configured(&error))
            }
            (None, Some(_)) => {
                Config::from_kubeconfig(&options).await.map_err(|error| not_configured(&error))
            }
            (None, None) => Config::infer().await.map_err(|error| not_configured(&error)),
        };
        let mut config = config?;
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        config.read_timeout = Some(READ_TIMEOUT);
        config.write_timeout = Some(READ_TIMEOUT);
        config.reset_reader_on_write = true;
        let server = Text::from(config.cluster_url.to_string());
        let own_namespace = config.default_namespace.clone();
        let client = Client::try_from(config.clone()).map_err(|error| not_configured(&error))?;
        Ok(Cluster { client, server, config, own_namespace })
    }
}

/// What an error says with all its causes, each once.
pub(crate) fn chain(error: &dyn std::error::Error) -> Text {
    model::causes(error).into()
}

/// To standard error, where it does not disturb whoever reads the output.
pub(crate) fn complain(said: &dyn std::fmt::Display) {
    // Nobody is left to tell where this fails.
    drop(writeln!(std::io::stderr(), "module-controller: {said}"));
}
