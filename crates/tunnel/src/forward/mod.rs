//! Between replicas: what one hears of a base over HTTP is carried to the one that acts for that base.
//!
//! Every message is signed by the key that its sender publishes in its membership Lease, for one receiver,
//! and numbered; so there is no secret to hand out, and saying it again does nothing. Nothing waits for
//! another replica: a queue that is full, or a replica that does not answer, costs the heartbeats that
//! were for it, and an owner that hears nothing asks its base.

mod listener;
mod message;
mod seal;
mod sender;

use std::{
    collections::{BTreeMap, HashMap},
    fmt, io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use model::{BaseReport, Fence};
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
};

use self::{
    seal::{Envelope, Seal},
    sender::Sender,
};
use crate::{
    Addresses, Event,
    counts::{Counts, reasons},
    stop::{Phase, Stop},
};

/// The largest body, in bytes: some two hundred heartbeats.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// Where heartbeats are sent on to.
pub const PATH: &str = "/forward";

/// The headers of a message: the incarnations of its sender and of its receiver, its number and the signature.
pub const FROM: &str = "x-replica-from";
/// See [`FROM`].
pub const TO: &str = "x-replica-to";
/// See [`FROM`].
pub const NUMBER: &str = "x-replica-number";
/// See [`FROM`].
pub const SIGNATURE: &str = "x-replica-signature";

/// How replicas are reached by each other.
#[derive(Debug, Clone)]
pub struct ForwardConfig {
    /// Where this replica listens, and what the others are told: an address of its own (`POD_IP`), and a port
    /// (`FORWARD_PORT`, 7778; 0 for any).
    pub listen: SocketAddr,
    /// Where bases may be.
    pub addresses: Addresses,
    /// Until when this replica may speak.
    pub fence: Fence,
}

/// Why it did not start. Not worth a retry.
#[derive(Debug, thiserror::Error)]
pub enum ForwardStartError {
    /// The port is taken or forbidden, or the address is not ours.
    #[error("the door for other replicas cannot listen on {address} (POD_IP, FORWARD_PORT): {cause}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system says.
        cause: io::Error,
    },
    /// The system gives no random numbers.
    #[error("no key can be made: the system gives no random numbers")]
    Key,
}

reasons!(
    /// Why something that was sent on was not taken.
    ForwardRefusal {
        /// Too many connections, in all or of one address: closed without an answer.
        Connections = "connections",
        /// Not HTTP, or cut off in the middle.
        Protocol = "protocol",
        /// Another path than [`PATH`], or another method than POST: 404.
        Path = "path",
        /// No replica that lives is called so: 401.
        Sender = "sender",
        /// It is for another incarnation: 409.
        Receiver = "receiver",
        /// A body over [`MAX_BODY_BYTES`]: 413.
        TooLarge = "too_large",
        /// A body that did not come in time: 408.
        Slow = "slow",
        /// Not signed by its sender: 401.
        Signature = "signature",
        /// Its sender said this, or something later, before: 409.
        Replayed = "replayed",
        /// It holds what is no heartbeat: 400.
        Malformed = "malformed",
        /// A heartbeat that names an address where no base may be; the others of its message are taken.
        Address = "address",
        /// The controller does not keep up: 503.
        Overload = "overload",
        /// The socket could not be accepted.
        Accept = "accept",
    }
);

/// What was counted so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardStats {
    /// Heartbeats that another replica took from this one.
    pub sent: u64,
    /// Heartbeats that were not sent: their queue was full, they waited too long, or nobody is called so.
    pub dropped: u64,
    /// Heartbeats that were sent, and of which nobody said that they were taken.
    pub failed: u64,
    /// Heartbeats of others that were passed on to the engine.
    pub taken: u64,
    /// Messages and connections that were refused.
    pub refused: Vec<(ForwardRefusal, u64)>,
}

impl ForwardStats {
    /// How often it was refused for this reason.
    pub fn refused(&self, reason: ForwardRefusal) -> u64 {
        self.refused.iter().find(|(r, _)| *r == reason).map_or(0, |(_, count)| *count)
    }
}

#[derive(Debug, Default)]
struct ForwardCounts {
    sent: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
    taken: AtomicU64,
    refused: Counts<{ ForwardRefusal::ALL.len() }>,
}

impl ForwardCounts {
    fn refuse(&self, reason: ForwardRefusal) {
        self.refused.add(reason as usize);
    }
}

/// Another replica that lives.
#[derive(Debug)]
struct Other {
    address: SocketAddr,
    key: Arc<str>,
    /// The highest number that it has signed for this replica, as far as is known.
    last: u64,
    sender: Sender,
}

/// The replicas, as the engine told of them.
#[derive(Debug, Default)]
struct Known {
    own: Arc<str>,
    others: HashMap<Arc<str>, Other>,
}

/// What the tasks share.
struct Shared {
    addresses: Addresses,
    fence: Fence,
    events: mpsc::Sender<Event>,
    seal: Seal,
    /// The number of the next message, whomever it is for.
    number: AtomicU64,
    known: Mutex<Known>,
    counts: ForwardCounts,
    stop: Stop,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forwarder").field("known", &self.known).finish_non_exhaustive()
    }
}

impl Shared {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key of a message's sender, where the message may be for us.
    fn key_of(&self, envelope: Envelope<'_>) -> Result<Arc<str>, ForwardRefusal> {
        let known = self.known();
        let other = known.others.get(envelope.from).ok_or(ForwardRefusal::Sender)?;
        if *known.own != *envelope.to {
            return Err(ForwardRefusal::Receiver);
        }
        Ok(other.key.clone())
    }

    /// Takes the number of a message that is really its sender's.
    fn count_on(&self, envelope: Envelope<'_>) -> Result<(), ForwardRefusal> {
        let mut known = self.known();
        let other = known.others.get_mut(envelope.from).ok_or(ForwardRefusal::Sender)?;
        if envelope.number <= other.last {
            return Err(ForwardRefusal::Replayed);
        }
        other.last = envelope.number;
        Ok(())
    }
}

/// The ways between this replica and the others. Clones are handles of the same, which ends with the last.
#[derive(Debug, Clone)]
pub struct Forwarder {
    local_addr: SocketAddr,
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    stop: watch::Sender<Phase>,
    shared: Arc<Shared>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The ways to the others hold what they share with this.
        self.shared.known().others.clear();
    }
}

impl Forwarder {
    /// Binds, makes a key and listens. It knows no other replica before [`Self::meet`]. Needs a tokio
    /// runtime with time and net.
    ///
    /// # Errors
    /// Where the address cannot be listened on, or no key can be made.
    pub async fn start(
        config: ForwardConfig,
        events: mpsc::Sender<Event>,
    ) -> Result<Self, ForwardStartError> {
        let failed = |cause| ForwardStartError::Listen { address: config.listen, cause };
        let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
        let local_addr = listener.local_addr().map_err(failed)?;
        let (sender, stop) = Stop::new();
        let shared = Arc::new(Shared {
            addresses: config.addresses,
            fence: config.fence,
            events,
            seal: Seal::new().map_err(|_| ForwardStartError::Key)?,
            // What nobody has signed is before the first.
            number: AtomicU64::new(1),
            known: Mutex::default(),
            counts: ForwardCounts::default(),
            stop,
        });
        tokio::spawn(listener::serve(listener, shared.clone()));
        Ok(Self { local_addr, inner: Arc::new(Inner { stop: sender, shared }) })
    }

    /// The address that is really listened on: what the membership Lease publishes.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The public key that the membership Lease publishes.
    pub fn key(&self) -> String {
        self.inner.shared.seal.key()
    }

    /// From now on these replicas are known, each by its incarnation, with its address and its key; and this one as `own`.
    pub fn meet(&self, own: &Arc<str>, others: BTreeMap<Arc<str>, (SocketAddr, Arc<str>)>) {
        let shared = &self.inner.shared;
        let mut known = shared.known();
        let mut before = std::mem::take(&mut known.others);
        if known.own != *own {
            // What another incarnation of this replica heard, and was sent, is nothing to this one.
            before.clear();
            known.own = own.clone();
        }
        for (name, (address, key)) in others {
            let same = before.remove(&name).filter(|other| (other.address, &other.key) == (address, &key));
            let other = same.unwrap_or_else(|| {
                let sender = Sender::start(own.clone(), name.clone(), address, shared.clone());
                Other { address, key, last: 0, sender }
            });
            known.others.insert(name, other);
        }
    }

    /// Sends a heartbeat on. Never waits, and nothing tells how it ended but [`Self::stats`].
    pub fn forward(&self, to: &str, report: &BaseReport) {
        let shared = &self.inner.shared;
        let (line, pass) = (message::line(report), shared.fence.pass());
        let taken = shared.known().others.get(to).is_some_and(|other| other.sender.put(line, pass));
        if !taken {
            shared.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What was counted so far.
    pub fn stats(&self) -> ForwardStats {
        let counts = &self.inner.shared.counts;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ForwardStats {
            sent: read(&counts.sent),
            dropped: read(&counts.dropped),
            failed: read(&counts.failed),
            taken: read(&counts.taken),
            refused: ForwardRefusal::ALL.iter().copied().zip(counts.refused.read()).collect(),
        }
    }

    /// Ends: nothing is taken or sent any more.
    pub fn shutdown(self) {
        self.inner.stop.send_replace(Phase::Stopped);
        self.inner.shared.known().others.clear();
    }
}
