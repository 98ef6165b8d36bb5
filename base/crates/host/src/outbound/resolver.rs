//! Names become addresses, of which only those are given that may be reached.

use std::{
    fmt, io,
    net::{SocketAddr, ToSocketAddrs as _},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    vec,
};

use hyper_util::client::legacy::connect::dns::Name;
use tokio::{sync::Semaphore, task::spawn_blocking};
use tower_service::Service;

use super::addresses::{Networks, Refused};

/// The look-ups of one module at one time: each holds a thread until the system gives up.
const LOOKUPS: usize = 2;

/// Gives a connection the addresses of a name. What is checked is what is connected to: nobody asks again in between, so that
/// a name which resolves otherwise a moment later wins nothing.
#[derive(Clone)]
pub(super) struct Resolver {
    networks: Arc<Networks>,
    places: Arc<Semaphore>,
    lookup: Lookup,
}

/// How a name is looked up: by the system, and in tests otherwise.
pub(super) type Lookup = Arc<dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync>;

/// Why a name leads nowhere.
#[derive(Debug, thiserror::Error)]
pub(super) enum ResolveError {
    /// All that it resolves to is refused; the first says why.
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("the name is not known: {0}")]
    Unknown(io::Error),
}

impl Resolver {
    pub(super) fn new(networks: Arc<Networks>, lookup: Lookup) -> Self {
        Self { networks, places: Arc::new(Semaphore::new(LOOKUPS)), lookup }
    }

    /// By the system: its files, its name servers.
    pub(super) fn system() -> Lookup {
        Arc::new(|name| Ok((name, 0).to_socket_addrs()?.collect()))
    }

    async fn resolve(self, name: Name) -> Result<vec::IntoIter<SocketAddr>, ResolveError> {
        let ended = |error: &dyn fmt::Display| ResolveError::Unknown(io::Error::other(error.to_string()));
        let place = self.places.clone().acquire_owned().await.map_err(|error| ended(&error))?;
        let lookup = self.lookup.clone();
        let found = spawn_blocking(move || {
            let found = lookup(name.as_str());
            // Held until the thread is free, also where nobody waits for it any more.
            drop(place);
            found
        });
        let found = found.await.map_err(|error| ended(&error))?.map_err(ResolveError::Unknown)?;
        let (mut good, mut refused) = (Vec::new(), None);
        for address in found {
            match self.networks.check(address.ip()) {
                Ok(()) => good.push(address),
                Err(why) => refused = refused.or(Some(why)),
            }
        }
        match refused {
            Some(why) if good.is_empty() => Err(why.into()),
            None if good.is_empty() => Err(ended(&"it has no address")),
            _ => Ok(good.into_iter()),
        }
    }
}

impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = ResolveError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ResolveError>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), ResolveError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(self.clone().resolve(name))
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").field("networks", &self.networks).finish_non_exhaustive()
    }
}
