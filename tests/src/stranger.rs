//! A client of a broker that is neither base nor controller: it says what it likes and listens in.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rumqttc::{Client, Connection, Event, Incoming, MqttOptions, PublishOptions, QoS};
use testkit::names;

/// A broker on loopback answers in milliseconds; this allows for a busy machine.
const LIMIT: Duration = Duration::from_secs(10);

/// The client.
pub struct Stranger {
    client: Client,
    connection: Connection,
}

impl Stranger {
    /// Connects to the broker on this port of 127.0.0.1.
    pub fn connect(port: u16) -> Result<Self> {
        Self::connect_as(port, &names::unique("stranger"))
    }

    /// Connects under the client id of another, whom the broker then cuts off.
    pub fn connect_as(port: u16, client_id: &str) -> Result<Self> {
        let mut options = MqttOptions::new(client_id, ("127.0.0.1", port));
        options.set_max_packet_size(16 * 1024 * 1024, 16 * 1024 * 1024);
        let (client, connection) = Client::builder(options).capacity(16).build();
        let mut stranger = Self { client, connection };
        stranger.until("to be let in", |event| matches!(event, Incoming::ConnAck(_)).then_some(()))?;
        Ok(stranger)
    }

    /// Publishes and waits until the broker has it.
    pub fn publish(&mut self, topic: &str, payload: impl Into<Vec<u8>>, retain: bool) -> Result<()> {
        let options = PublishOptions::at_least_once().retain(retain);
        self.client.publish(topic, payload.into(), options).context("publishing")?;
        self.until("its message to be taken", |event| matches!(event, Incoming::PubAck(_)).then_some(()))
    }

    /// Listens in.
    pub fn subscribe(&mut self, filter: &str) -> Result<()> {
        self.client.subscribe(filter, QoS::AtLeastOnce).context("subscribing")?;
        self.until("its subscription to be taken", |event| matches!(event, Incoming::SubAck(_)).then_some(()))
    }

    /// The next message it hears: the topic and the payload as text.
    pub fn hear(&mut self) -> Result<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.until("to hear something", |event| match event {
            Incoming::Publish(message) => Some((text(&message.topic), text(&message.payload))),
            _ => None,
        })
    }

    fn until<T>(&mut self, what: &str, mut wanted: impl FnMut(Incoming) -> Option<T>) -> Result<T> {
        let end = Instant::now() + LIMIT;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let event = self.connection.recv_timeout(left);
            match event.with_context(|| format!("a stranger waits for {what}"))?.context("the connection")? {
                Event::Incoming(event) => {
                    if let Some(found) = wanted(event) {
                        return Ok(found);
                    }
                }
                Event::Outgoing(_) if left.is_zero() => bail!("a stranger waited for {what} in vain"),
                Event::Outgoing(_) => {}
            }
        }
    }
}
