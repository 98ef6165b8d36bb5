//! When the connection rests: what comes while no answer is awaited is read together.
//!
//! The heartbeats of a fleet that is well come one by one, and one alone costs several times what one among others does.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{sync::Notify, time::timeout};

use super::stats::MqttCounts;

/// How long it rests: a base's first word or its goodbye may wait for so long.
const LULL: Duration = Duration::from_millis(100);

/// From so many messages at a time on there is no rest: mosquitto sends 20 and then waits for our acknowledgements.
const MANY: usize = 10;

pub(super) struct Lull {
    counts: Arc<MqttCounts>,
    published: Notify,
    length: Duration,
}

impl Lull {
    pub(super) fn new(counts: Arc<MqttCounts>) -> Self {
        Self { counts, published: Notify::new(), length: LULL }
    }

    /// There is something to send.
    pub(super) fn ends(&self) {
        self.published.notify_one();
    }

    /// All that had come is read, and it was so many messages: rests, unless something waits.
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

    fn endless() -> Lull {
        Lull { length: Duration::from_secs(3_600), ..Lull::new(Arc::default()) }
    }

    #[tokio::test]
    async fn it_ends_by_itself_and_at_once_where_something_is_sent() {
        timeout(SOON, Lull::new(Arc::default()).rest(1)).await.expect("by itself");
        let lull = endless();
        let rests = async { timeout(SOON, lull.rest(1)).await.expect("something was sent") };
        tokio::join!(rests, async { lull.ends() });
        lull.ends();
        timeout(SOON, lull.rest(1)).await.expect("something was sent before");
    }

    #[tokio::test]
    async fn there_is_none_while_an_answer_is_awaited_nor_where_much_comes_or_nothing_came() {
        let lull = endless();
        for came in [0, MANY, 1_000] {
            timeout(SOON, lull.rest(came)).await.expect("nothing came, or much");
        }
        lull.counts.calls_open.store(1, Ordering::Relaxed);
        timeout(SOON, lull.rest(1)).await.expect("an answer is awaited");
        lull.counts.calls_open.store(0, Ordering::Relaxed);
        timeout(Duration::from_millis(50), lull.rest(1)).await.expect_err("it rests");
    }
}
