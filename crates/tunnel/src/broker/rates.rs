//! How much a client of the embedded broker may say. What is too much is dropped and acknowledged, as if
//! it were lost on its way: whoever is cut off comes back at once and is more work than one that talks.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use mqtt5::{
    QoS,
    broker::{
        BrokerEventHandler,
        events::{
            ClientConnectEvent, ClientDisconnectEvent, ClientPublishEvent, ClientSubscribeEvent,
            PublishAction,
        },
    },
};

use super::{Decision, lag::Lag, places::Places};
use crate::bucket::{Bucket, Rate};

/// Messages of one client. A base says some in ten seconds, and an answer to each command; at its start
/// it answers for all its modules.
const MESSAGES: Rate = Rate { a_second: 50, at_once: 1_000 };

/// Kilobytes of one client. A list of modules with their failures may have some thousands, and is
/// asked for every ten seconds at most.
const KILOBYTES: Rate = Rate { a_second: 1_024, at_once: 16 * 1_024 };

/// Counts what every client says, but the controller.
pub(super) struct Rates {
    /// The controller's client id: what it says it was decided to say.
    controller: Arc<str>,
    /// Those that are connected: as many as may be.
    clients: Mutex<HashMap<Arc<str>, Client>>,
    /// Who is connected from where.
    places: Arc<Places>,
    /// What waits for the controller.
    lag: Lag,
}

struct Client {
    messages: Bucket,
    kilobytes: Bucket,
    /// It was said that this one talks too much; said once in a connection.
    told: bool,
}

impl fmt::Debug for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rates").finish_non_exhaustive()
    }
}

impl Rates {
    pub(super) fn new(controller: &str, places: Arc<Places>, lag: Lag) -> Self {
        Self { controller: controller.into(), clients: Mutex::default(), places, lag }
    }

    fn clients(&self) -> MutexGuard<'_, HashMap<Arc<str>, Client>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this client may say so many bytes more; `fits` where there is room for them.
    fn admit(&self, client: &Arc<str>, bytes: usize, fits: bool, now: Instant) -> bool {
        if *client == self.controller {
            return true;
        }
        let mut clients = self.clients();
        let known = clients.entry(client.clone()).or_insert_with(|| Client {
            messages: Bucket::full(MESSAGES, now),
            kilobytes: Bucket::full(KILOBYTES, now),
            told: false,
        });
        let kilobytes = u32::try_from(bytes.div_ceil(1_024)).unwrap_or(u32::MAX);
        let admitted =
            known.messages.take(MESSAGES, 1, now) && known.kilobytes.take(KILOBYTES, kilobytes, now) && fits;
        if !admitted && !std::mem::replace(&mut known.told, true) {
            tracing::warn!(
                client = %client,
                "a client of the embedded broker says more than a base has to say, or than the controller keeps up with; what is too much is dropped"
            );
        }
        admitted
    }
}

impl BrokerEventHandler for Rates {
    fn on_client_connect<'a>(&'a self, came: ClientConnectEvent) -> Decision<'a, ()> {
        self.places.comes(&came.client_id);
        Box::pin(async {})
    }

    fn on_client_subscribe<'a>(&'a self, wants: ClientSubscribeEvent) -> Decision<'a, ()> {
        if wants.client_id == self.controller {
            for subscription in &wants.subscriptions {
                self.lag.subscribed(&subscription.topic_filter, Instant::now());
            }
        }
        Box::pin(async {})
    }

    fn on_client_publish<'a>(&'a self, said: ClientPublishEvent) -> Decision<'a, PublishAction> {
        let (bytes, now) = (said.payload.len(), Instant::now());
        let fits = self.lag.takes(&said.topic, bytes, said.qos == QoS::AtMostOnce, now);
        let admitted = self.admit(&said.client_id, bytes, fits, now);
        if fits && !admitted && said.qos != QoS::AtMostOnce {
            self.lag.dropped(&said.topic, bytes);
        }
        Box::pin(async move { if admitted { PublishAction::Continue } else { PublishAction::Handled } })
    }

    fn on_client_disconnect<'a>(&'a self, gone: ClientDisconnectEvent) -> Decision<'a, ()> {
        self.clients().remove(&gone.client_id);
        self.places.leaves(&gone.client_id);
        if gone.client_id == self.controller {
            self.lag.gone();
        }
        Box::pin(async {})
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_client_may_say_so_much_and_the_controller_what_it_wants() {
        let (rates, start) = (Rates::new("controller", Arc::default(), Lag::default()), Instant::now());
        let admitted = |client: &str, bytes: usize, now: Instant| {
            (0..2_000).filter(|_| rates.admit(&client.into(), bytes, true, now)).count()
        };
        assert_eq!(admitted("controller", 100, start), 2_000);
        assert_eq!(admitted("talks", 100, start), 1_000);
        assert_eq!(admitted("talks", 100, start + Duration::from_secs(2)), 100, "and so much a second");
        assert_eq!(admitted("large", 1024 * 1024, start), 16);
        assert_eq!(admitted("other", 100, start), 1_000, "each has its own");
    }
}
