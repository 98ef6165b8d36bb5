//! A broker inside the controller, for installations that have none. Bases and controller are
//! ordinary clients of it; it keeps nothing on disk and no message for a client that is away.

mod lag;
mod places;
mod rates;
mod users;

use std::{future::Future, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use model::Secret;
use mqtt5::{
    broker::{
        BrokerConfig, MqttBroker,
        auth::{AllowAllAuthProvider, AuthProvider, AuthResult},
        config::{StorageBackend, StorageConfig},
        server::BrokerShutdownHandle,
    },
    packet::connect::ConnectPacket,
    protocol::v5::reason_codes::ReasonCode,
};
use subtle::ConstantTimeEq as _;
use tokio::{task::JoinHandle, time::timeout};

pub use self::{
    lag::Lag,
    users::{USERS_VARIABLE, UsersFile},
};
use self::{places::Places, rates::Rates, users::Doorman};
use crate::{SHUTDOWN_BOUND, mqtt::MAX_PACKET_BYTES};

/// Clients at once: 5,000 bases, twice during a restart of all, and the controllers.
const MAX_CLIENTS: usize = 12_000;

/// Messages that one client may lag behind before the publishers feel it. The controller is the
/// one that all bases publish to: ten seconds of heartbeats of 5,000.
const CLIENT_LAG: usize = 10_000;

/// Unacknowledged messages to one client at a time; the default of 64 is made for devices.
const OUTBOUND_INFLIGHT: u16 = 1024;

/// Retained messages of all clients. No base and no controller of ours retains anything.
const MAX_RETAINED: usize = 1024;

/// How long a wrong password is not answered. A connection that waits holds one of [`MAX_CLIENTS`].
const WRONG_PASSWORD: Duration = Duration::from_secs(1);

/// How long the broker may take to be ready, which is some milliseconds of memory work.
const READY_TIMEOUT: Duration = Duration::from_secs(5);

/// Who may connect.
#[derive(Debug, Clone)]
pub enum Access {
    /// Anyone who reaches the port.
    Anyone,
    /// Who knows this user name and password.
    Password {
        /// The user name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// The controller, and the users of a file with the rights of bases.
    Users {
        /// The environment whose topics these are.
        env: String,
        /// The controller's own user name, which may do everything.
        username: String,
        /// Its password.
        password: Secret,
        /// The others.
        users: UsersFile,
    },
}

/// Why the broker did not start. Not worth a retry.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The port is taken, forbidden, or the address is not ours.
    #[error("the embedded broker cannot listen on {address}: {cause}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the library says.
        cause: String,
    },
    /// It listens, but does not get ready.
    #[error("the embedded broker does not get ready")]
    NotReady,
}

/// The broker at work. Dropped, it ends at once.
#[derive(Debug)]
pub struct EmbeddedBroker {
    local_addr: SocketAddr,
    lag: Lag,
    shutdown: ShutdownHandle,
    task: JoinHandle<()>,
}

/// The library's handle, which has no `Debug`.
struct ShutdownHandle(BrokerShutdownHandle);

impl std::fmt::Debug for ShutdownHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ShutdownHandle")
    }
}

impl Drop for EmbeddedBroker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl EmbeddedBroker {
    /// Binds and serves MQTT 3.1.1 and 5 over TCP. Returns when clients can connect. `controller` is
    /// the one client id that may say as much as it wants.
    ///
    /// # Errors
    /// Where the port cannot be bound.
    pub async fn start(address: SocketAddr, access: Access, controller: &str) -> Result<Self, BrokerError> {
        let listen = |cause: String| BrokerError::Listen { address, cause };
        let (places, lag) = (Arc::new(Places::default()), Lag::default());
        let rates = Rates::new(controller, places.clone(), lag.clone());
        let broker = MqttBroker::with_config(config(address).with_event_handler(Arc::new(rates)))
            .await
            .map_err(|e| listen(e.to_string()))?;
        let mut following = None;
        let who: Box<dyn AuthProvider> = match access {
            Access::Anyone => Box::new(AllowAllAuthProvider),
            Access::Password { username, password } => Box::new(OneUser { username, password }),
            Access::Users { env, username, password, users } => {
                following = Some(users.0.clone());
                Box::new(Doorman::new(env, (username, password), users.0))
            }
        };
        let mut broker = broker.with_auth_provider(Arc::new(Gate { places, who }));
        let local_addr = broker.local_addr().ok_or_else(|| listen(String::from("no listener came about")))?;
        let shutdown = ShutdownHandle(broker.shutdown_handle());
        let mut ready = broker.ready_receiver();
        let task = tokio::spawn(async move {
            let ended = match following {
                Some(users) => tokio::select! {
                    ended = broker.run() => ended,
                    () = users.follow() => return,
                },
                None => broker.run().await,
            };
            if let Err(error) = ended {
                tracing::error!(%error, "the embedded broker ended");
            }
        });
        let started = Self { local_addr, lag, shutdown, task };
        match timeout(READY_TIMEOUT, ready.wait_for(|ready| *ready)).await {
            Ok(Ok(_)) => Ok(started),
            Ok(Err(_)) | Err(_) => Err(BrokerError::NotReady),
        }
    }

    /// The address that is really listened on, with the port that was given for port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// What waits for the controller, which tells what it has read.
    pub fn lag(&self) -> Lag {
        self.lag.clone()
    }

    /// Closes the port and every connection, within
    /// [`SHUTDOWN_BOUND`].
    pub async fn shutdown(mut self) {
        self.shutdown.0.shutdown();
        if timeout(SHUTDOWN_BOUND, &mut self.task).await.is_err() {
            tracing::warn!("the embedded broker ends with clients connected");
        }
    }
}

fn config(address: SocketAddr) -> BrokerConfig {
    let mut config = BrokerConfig::new()
        .with_bind_address(address)
        .with_max_clients(MAX_CLIENTS)
        // A larger message costs its sender the connection, instead of costing us ours.
        .with_max_packet_size(MAX_PACKET_BYTES)
        .with_client_channel_capacity(CLIENT_LAG)
        .with_max_outbound_inflight(OUTBOUND_INFLIGHT)
        .with_max_retained_messages(MAX_RETAINED)
        .with_max_retained_message_size(64 * 1024)
        // Without storage no session outlives its connection, so that a base that comes back is
        // not sent the commands of before.
        .with_storage(StorageConfig::new().with_backend(StorageBackend::Memory).with_persistence(false))
        .with_sys_topics_enabled(false);
    config.max_subscriptions_per_client = 64;
    config
}

/// Says no, and takes its time for it: whoever tries passwords shall not try many.
async fn wrong_password() -> AuthResult {
    tokio::time::sleep(WRONG_PASSWORD).await;
    AuthResult::fail(ReasonCode::BadUsernameOrPassword)
}

/// Lets in who has a place, and then who is who it says.
struct Gate {
    places: Arc<Places>,
    who: Box<dyn AuthProvider>,
}

impl AuthProvider for Gate {
    fn authenticate<'a>(
        &'a self,
        connect: &'a ConnectPacket,
        client: SocketAddr,
    ) -> Decision<'a, mqtt5::error::Result<AuthResult>> {
        Box::pin(async move {
            let answer = self.who.authenticate(connect, client).await?;
            if answer.authenticated && !self.places.admits(&connect.client_id, client.ip()) {
                tracing::debug!(%client, "a client of the embedded broker has no place: its address has too many");
                return Ok(AuthResult::fail(ReasonCode::QuotaExceeded));
            }
            Ok(answer)
        })
    }

    fn authorize_publish<'a>(
        &'a self,
        client: &str,
        user: Option<&'a str>,
        topic: &'a str,
    ) -> Decision<'a, bool> {
        self.who.authorize_publish(client, user, topic)
    }

    fn authorize_subscribe<'a>(
        &'a self,
        client: &str,
        user: Option<&'a str>,
        filter: &'a str,
    ) -> Decision<'a, bool> {
        self.who.authorize_subscribe(client, user, filter)
    }

    fn cleanup_session<'a>(&'a self, user: &'a str) -> Decision<'a, ()> {
        self.who.cleanup_session(user)
    }
}

/// One user name and password for all.
struct OneUser {
    username: String,
    password: Secret,
}

/// The answer of an [`AuthProvider`].
type Decision<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl AuthProvider for OneUser {
    fn authenticate<'a>(
        &'a self,
        connect: &'a ConnectPacket,
        _client: SocketAddr,
    ) -> Decision<'a, mqtt5::error::Result<AuthResult>> {
        let given = (connect.username.as_deref().unwrap_or(""), connect.password.as_deref().unwrap_or(b""));
        let user = given.0.as_bytes().ct_eq(self.username.as_bytes());
        let password = given.1.ct_eq(self.password.expose().as_bytes());
        let known: bool = (user & password).into();
        Box::pin(async move { Ok(if known { AuthResult::success() } else { wrong_password().await }) })
    }

    fn authorize_publish<'a>(&'a self, _: &str, _: Option<&'a str>, _: &'a str) -> Decision<'a, bool> {
        Box::pin(async { true })
    }

    fn authorize_subscribe<'a>(&'a self, _: &str, _: Option<&'a str>, _: &'a str) -> Decision<'a, bool> {
        Box::pin(async { true })
    }
}
