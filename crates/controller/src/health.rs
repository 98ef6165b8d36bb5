//! Asks bases for the health of a plan's module, and tells the engine what they said.

use std::net::SocketAddr;

use engine::{AskHealth, Event};
use tokio::sync::mpsc;
use tunnel::{Addresses, health::HealthClient};

/// Asks. The one that ends does not wait for an answer.
#[derive(Debug)]
pub(crate) struct HealthAsker {
    client: HealthClient,
    events: mpsc::WeakSender<Event>,
}

impl HealthAsker {
    pub(crate) fn new(addresses: Addresses, events: mpsc::WeakSender<Event>) -> Self {
        Self { client: HealthClient::new(addresses), events }
    }

    /// Asks every base of a question. The answer is an [`Event::Health`].
    pub(crate) fn ask(&self, asked: AskHealth) {
        let (client, events) = (self.client.clone(), self.events.clone());
        tokio::spawn(async move {
            let AskHealth { plan, question } = asked;
            let port = question.endpoint.port;
            let bases = question.bases.into_iter().map(|(key, ip)| (key, SocketAddr::from((ip, port))));
            let answers = client.ask_all(bases.collect(), &question.endpoint.path).await;
            if let Some(events) = events.upgrade() {
                // Closed: the engine is gone, and so is the one who would care.
                let _ = events.send(Event::Health { plan, round: question.round, answers }).await;
            }
        });
    }
}
