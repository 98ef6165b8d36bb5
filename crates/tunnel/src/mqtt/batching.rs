//! Read batching: while no answer is awaited, the connection pauses between reads, so that messages are read together.
//!
//! The heartbeats of a healthy fleet come one by one, and one alone costs several times as much as one among others.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{sync::Notify, time::timeout};

use super::stats::MqttCounts;

/// How long it pauses: a base's first message, or its goodbye, may wait for so long.
const INTERVAL: Duration = Duration::from_millis(100);

/// After so many messages at a time it does not pause: mosquitto sends 20 and then waits for our acknowledgements.
const MANY: usize = 10;

pub(super) struct ReadBatching {
    counts: Arc<MqttCounts>,
    published: Notify,
    length: Duration,
}

impl ReadBatching {
    pub(super) fn new(counts: Arc<MqttCounts>) -> Self {
        Self { counts, published: Notify::new(), length: INTERVAL }
    }

    /// There is something to send: a pause ends.
    pub(super) fn ends(&self) {
        self.published.notify_one();
    }

    /// All that had come is read, and it was so many messages: pauses, unless something waits.
    pub(super) async fn rest(&self, came: usize) {
        if (1..MANY).contains(&came) && self.counts.calls_open.load(Ordering::Relaxed) == 0 {
            // Over or ended: there is something to do.
            let _ = timeout(self.length, self.published.notified()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    fn endless() -> ReadBatching {
        ReadBatching { length: Duration::from_secs(3_600), ..ReadBatching::new(Arc::default()) }
    }

    #[tokio::test]
    async fn it_ends_by_itself_and_at_once_where_something_is_sent() {
        timeout(SOON, ReadBatching::new(Arc::default()).rest(1)).await.expect("by itself");
        let batching = endless();
        let rests = async { timeout(SOON, batching.rest(1)).await.expect("something was sent") };
        tokio::join!(rests, async { batching.ends() });
        batching.ends();
        timeout(SOON, batching.rest(1)).await.expect("something was sent before");
    }

    #[tokio::test]
    async fn there_is_none_while_an_answer_is_awaited_nor_where_much_comes_or_nothing_came() {
        let batching = endless();
        for came in [0, MANY, 1_000] {
            timeout(SOON, batching.rest(came)).await.expect("nothing came, or much");
        }
        batching.counts.calls_open.store(1, Ordering::Relaxed);
        timeout(SOON, batching.rest(1)).await.expect("an answer is awaited");
        batching.counts.calls_open.store(0, Ordering::Relaxed);
        timeout(Duration::from_millis(50), batching.rest(1)).await.expect_err("it rests");
    }
}
