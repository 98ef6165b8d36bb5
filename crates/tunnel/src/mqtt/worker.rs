//! The one task that knows what is under way: orders, messages, deadlines and events meet here.
//!
//! The socket is served by another task ([`connection`](super::connection)), so that pings go on
//! while events wait for the controller.

use std::{
    borrow::Cow,
    collections::VecDeque,
    hash::{BuildHasher, RandomState},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use arklet::{AnswerKey, CallError, Command, Message, Outcome, WireError};
use model::{BaseIdentity, BaseState, Pass, TunnelKind};
use rumqttc::Publish;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{
    Dropped, MqttConfig, Order,
    connection::{Inbound, Link},
    pending::{Pending, Waiting},
    stats::{MqttCounts, count},
};
use crate::{
    Event, application,
    bodies::{KNOWN, STRANGER},
    log_limit::LogLimit,
    stop::{Phase, Stop},
};

/// Events that wait for the controller before no more messages are read: a second's answers of a
/// thousand bases. Beyond it the broker holds the rest, and TCP holds the broker.
const MAX_OUTBOX: usize = 1024;

/// How long it is looked at what the broker has retained of commands, after each connection: it sends all of it at once. The
/// own commands are shown too meanwhile.
const LOOK: Duration = Duration::from_secs(10);

/// What is read as it is, in bytes: nearly all that bases say.
const SMALL_PAYLOAD: usize = 16 * 1024;

/// How much of a topic is shown.
const MAX_TOPIC_CHARS: usize = 200;

/// A look at what the broker has retained of commands.
struct Look {
    until: Instant,
    /// Topics that are clean now.
    cleared: u64,
    /// Those that are not: too much waits to be sent. The next connection looks again.
    left: u64,
}

pub(super) struct Worker {
    config: MqttConfig,
    orders: mpsc::Receiver<Order>,
    events: mpsc::Sender<Event>,
    counts: Arc<MqttCounts>,
    /// Who was spoken of for what it said.
    log_limit: LogLimit,
    stop: Stop,
    link: Option<Link>,
    /// What the broker has retained of commands is looked at until then.
    look: Option<Look>,
    /// When to connect again, while there is no link.
    connect_at: Instant,
    /// Connections that failed or broke soon, in a row.
    failures: u32,
    /// Why there is no connection; none while there is one.
    down: Option<String>,
    pending: Pending,
    /// What must reach the controller, in order.
    outbox: VecDeque<Event>,
    /// The bases that call themselves another application than their user is.
    others: application::Refused,
    random: RandomState,
}

impl Worker {
    pub(super) fn new(
        config: MqttConfig,
        orders: mpsc::Receiver<Order>,
        events: mpsc::Sender<Event>,
        counts: Arc<MqttCounts>,
        stop: Stop,
    ) -> Self {
        Self {
            pending: Pending::new(config.max_pending),
            link: Some(Link::open(&config, counts.clone())),
            down: Some(of_broker(&config, "it has not answered yet")),
            config,
            orders,
            events,
            counts,
            log_limit: LogLimit::default(),
            look: None,
            stop,
            connect_at: Instant::now(),
            failures: 0,
            outbox: VecDeque::new(),
            others: application::Refused::default(),
            random: RandomState::new(),
        }
    }

    pub(super) async fn run(mut self) {
        let events = self.events.clone();
        loop {
            let room = self.outbox.len() < MAX_OUTBOX;
            let wake = self.wake();
            tokio::select! {
                () = self.stop.reached(Phase::Draining) => break,
                // A receiver that is gone is the controller's end.
                permit = events.reserve(), if !self.outbox.is_empty() => match (permit, self.outbox.pop_front()) {
                    (Ok(permit), Some(event)) => permit.send(event),
                    _ => break,
                },
                inbound = next(&mut self.link), if room => self.inbound(inbound),
                order = self.orders.recv(), if room => match order {
                    Some(order) => self.order(order),
                    None => break,
                },
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => self.tick(Instant::now()),
            }
            self.counts.calls_open.store(self.pending.len(), Ordering::Relaxed);
        }
        self.end().await;
    }

    /// When something is due by itself.
    fn wake(&self) -> Option<Instant> {
        let connect = self.link.is_none().then_some(self.connect_at);
        let look = self.look.as_ref().map(|look| look.until);
        [connect, self.pending.next(), look].into_iter().flatten().min()
    }

    fn tick(&mut self, now: Instant) {
        while let Some((base, key)) = self.pending.expired(now) {
            count(&self.counts.timeouts);
            self.answer(base, key, Err(CallError::TimedOut));
        }
        if let Some(look) = self.look.take_if(|look| look.until <= now) {
            self.end_look(&look);
        }
        if self.link.is_none() && self.connect_at <= now {
            self.link = Some(Link::open(&self.config, self.counts.clone()));
        }
    }

    fn order(&mut self, order: Order) {
        match order {
            Order::Call { base, known, command, deadline, pass } => {
                self.call(base, known, command, deadline, &pass);
            }
            Order::Baseline { base, modules, pass } => {
                let topic = arklet::baseline_topic(&self.config.env, &base);
                if let Err(cause) = self.publish(topic, arklet::baseline_answer(&modules), &pass) {
                    self.counts.dropped(Dropped::Baseline);
                    tracing::debug!(%base, cause, "a baseline was not answered");
                }
            }
        }
    }

    fn call(&mut self, base: BaseIdentity, known: bool, command: Command, deadline: Instant, pass: &Pass) {
        let key = AnswerKey { command: command.kind(), biz: command.biz().cloned() };
        let waiting = (base, key);
        match self.send(&waiting, &command, deadline, pass) {
            Ok(()) => {
                count(&self.counts.calls);
                self.pending.insert(waiting, deadline, known);
            }
            Err(cause) => {
                self.counts.dropped(Dropped::CallRefused);
                self.answer(waiting.0, waiting.1, Err(CallError::Unreachable(cause)));
            }
        }
    }

    /// Publishes a command, or says why it was surely not sent.
    fn send(
        &self,
        waiting: &Waiting,
        command: &Command,
        deadline: Instant,
        pass: &Pass,
    ) -> Result<(), String> {
        if deadline <= Instant::now() {
            return Err(String::from("its deadline passed before it was sent"));
        }
        if !self.pending.has_room_for(waiting) {
            return Err(String::from("too many commands wait for their answers"));
        }
        let topic = arklet::command_topic(&self.config.env, &waiting.0, waiting.1.command);
        self.publish(topic, command.body(), pass)
    }

    fn publish(&self, topic: String, payload: Vec<u8>, pass: &Pass) -> Result<(), String> {
        if pass.left().is_none() {
            return Err(String::from("this replica may not act at the moment"));
        }
        match (&self.down, &self.link) {
            (None, Some(link)) => link.publish(topic, payload).map_err(|cause| self.of_broker(cause)),
            (Some(reason), _) => Err(reason.clone()),
            (None, None) => Err(self.of_broker("no connection")),
        }
    }

    fn of_broker(&self, what: &str) -> String {
        of_broker(&self.config, what)
    }

    fn inbound(&mut self, inbound: Inbound) {
        match inbound {
            Inbound::Up => {
                if let Some(link) = &mut self.link {
                    link.up_since = Some(Instant::now());
                    link.look_at(arklet::command_subscription(&self.config.env), true);
                    self.look = Some(Look { until: Instant::now() + LOOK, cleared: 0, left: 0 });
                }
                self.down = None;
                count(&self.counts.connections);
                self.counts.down(None);
                self.outbox.push_back(Event::Up(TunnelKind::Mqtt));
            }
            Inbound::Message(publish, _permit) => self.message(&publish),
            Inbound::Hidden => {
                self.look = None;
                if self.log_limit.is_news("retained commands", std::time::Instant::now()) {
                    tracing::warn!(
                        "the broker does not let the controller see what is retained on the topics of commands (its access rules?); what another controller left there is not taken away"
                    );
                }
            }
            Inbound::Lost(reason) => self.lost(&reason, Instant::now()),
        }
    }

    fn message(&mut self, publish: &Publish) {
        let topic = String::from_utf8_lossy(&publish.topic);
        let env = &self.config.env;
        // What bases are told is shown while it is looked for what is retained there; they themselves speak one level lower.
        let is_told = topic.split('/').count() == 3;
        let is_order = arklet::command_of_topic(env, &topic).is_some() || arklet::is_baseline_topic(&topic);
        match (publish.retain, is_told) {
            (true, _) if is_order => return self.clear(topic.into_owned()),
            (true, false) => return self.counts.dropped(Dropped::Retained),
            (_, true) => return,
            (false, false) => {}
        }
        let read = match self.sieved(&topic, &publish.payload) {
            Ok(payload) => arklet::parse_message(env, &topic, &payload),
            Err(why) => {
                self.counts.dropped(Dropped::TooLarge);
                if let Some(answer) = arklet::unread_answer(env, &topic, &why) {
                    self.understood(answer);
                }
                return;
            }
        };
        match read {
            Ok(Some(message)) => self.understood(message),
            Ok(None) if arklet::is_baseline_topic(&topic) => {}
            Ok(None) => self.counts.dropped(Dropped::Foreign),
            Err(error) => {
                self.counts.dropped(Dropped::Malformed);
                let is_base = matches!(error, WireError::Identity(_));
                if is_base && self.log_limit.is_news(&topic, std::time::Instant::now()) {
                    let topic: String = topic.chars().take(MAX_TOPIC_CHARS).collect();
                    tracing::warn!(topic, %error, "a base has an identity that no Node can be named by; it is not taken");
                }
                tracing::debug!(%topic, %error, "a message cannot be understood");
            }
        }
    }

    /// What is read of a payload: little, but of a base that has answered well before and is asked something.
    fn sieved<'a>(&self, topic: &str, payload: &'a [u8]) -> Result<Cow<'a, [u8]>, String> {
        if payload.len() <= SMALL_PAYLOAD {
            return Ok(Cow::Borrowed(payload));
        }
        let is_known =
            arklet::base_of_topic(&self.config.env, topic).is_some_and(|base| self.pending.asks_known(&base));
        let limits = if is_known { KNOWN } else { STRANGER };
        arklet::sieve(payload, limits).map(Cow::Owned).map_err(|cause| cause.to_string())
    }

    /// Takes away what a base would carry out when it comes back, whoever left it there.
    fn clear(&mut self, topic: String) {
        self.counts.dropped(Dropped::RetainedCommand);
        tracing::debug!(topic, "a retained command is taken away");
        let sent = self.link.as_ref().is_some_and(|link| link.clear_retained(topic).is_ok());
        if let Some(look) = &mut self.look {
            *(if sent { &mut look.cleared } else { &mut look.left }) += 1;
        }
    }

    fn end_look(&self, look: &Look) {
        if let Some(link) = &self.link {
            link.look_at(arklet::command_subscription(&self.config.env), false);
        }
        if look.cleared + look.left > 0 {
            let (cleared, left) = (look.cleared, look.left);
            tracing::warn!(
                cleared,
                left,
                "commands that another controller left at the broker, for bases to carry out when they come back, were taken away"
            );
        }
    }

    fn understood(&mut self, message: Message) {
        match message {
            Message::Heartbeat(mut report) => {
                if !self.may_be(&report.identity, &mut report.name, &mut report.cluster) {
                    return self.counts.dropped(Dropped::Application);
                }
                if self.config.addresses.admit(TunnelKind::Mqtt, &report).is_err() {
                    return self.counts.dropped(Dropped::Address);
                }
                // A goodbye is said once, so it is not dropped as a heartbeat may be.
                let goodbye = report.state == BaseState::Deactivated;
                let event = Event::Heartbeat { tunnel: TunnelKind::Mqtt, report };
                match self.events.try_send(event) {
                    Err(mpsc::error::TrySendError::Full(event)) if goodbye => self.outbox.push_back(event),
                    Err(_) => return self.counts.dropped(Dropped::Heartbeat),
                    Ok(()) => {}
                }
                count(&self.counts.heartbeats);
            }
            Message::Answer { base, key, outcome } => {
                count(&self.counts.answers);
                let waiting = (base, key);
                if !self.pending.remove(&waiting) {
                    count(&self.counts.answers_unsolicited);
                }
                self.answer(waiting.0, waiting.1, outcome);
            }
            Message::BaselineQuery(mut query) => {
                if !self.may_be(&query.identity, &mut query.name, &mut query.cluster) {
                    return self.counts.dropped(Dropped::Application);
                }
                count(&self.counts.baseline_queries);
                self.outbox.push_back(Event::BaselineQuery { tunnel: TunnelKind::Mqtt, query, reply: None });
            }
        }
    }

    /// Whether a base may call itself so: one of the users who may speak as it is that application.
    fn may_be(&self, base: &BaseIdentity, name: &mut Option<Arc<str>>, cluster: &mut Arc<str>) -> bool {
        let Some(users) = &self.config.users else { return true };
        let users = users.0.current();
        let mut refused = None;
        for application in users.applications(base.as_str()) {
            let (mut as_name, mut as_cluster) = (name.clone(), cluster.clone());
            match application.admit(&mut as_name, &mut as_cluster) {
                Ok(()) => {
                    (*name, *cluster) = (as_name, as_cluster);
                    return true;
                }
                Err(cause) => refused = Some(cause),
            }
        }
        if let Some(cause) = &refused {
            self.others.tell(TunnelKind::Mqtt, base, cause);
        }
        // The broker lets nobody else speak so.
        refused.is_none()
    }

    fn answer(&mut self, base: BaseIdentity, key: AnswerKey, outcome: Outcome) {
        self.outbox.push_back(Event::Answer { tunnel: TunnelKind::Mqtt, base, key, outcome });
    }

    /// Everything under way is in doubt: the base may have it, and the answer will not come here.
    fn lost(&mut self, reason: &str, now: Instant) {
        self.look = None;
        let up_since = self.link.take().and_then(|link| link.up_since);
        count(&self.counts.failures);
        for (base, key) in self.pending.drain() {
            let outcome = Err(CallError::TimedOut);
            self.outbox.push_back(Event::Answer { tunnel: TunnelKind::Mqtt, base, key, outcome });
        }
        // A broker that takes us and cuts us off at once is as bad as one that is not there.
        if up_since.is_some_and(|since| now.duration_since(since) > self.config.reconnect_max) {
            self.failures = 0;
        }
        let (min, max) = (self.config.reconnect_min, self.config.reconnect_max);
        let pause = pause(min, max, self.failures, self.random.hash_one(self.failures));
        self.connect_at = now + pause;
        self.failures = self.failures.saturating_add(1);
        let reason = self.of_broker(reason);
        tracing::debug!(reason, ?pause, "no connection to the broker");
        self.counts.down(Some(reason.clone()));
        // The same reason is said once, however often it is tried.
        if self.down.as_ref() != Some(&reason) {
            self.outbox.push_back(Event::Down { tunnel: TunnelKind::Mqtt, reason: reason.clone() });
            self.down = Some(reason);
        }
    }

    async fn end(mut self) {
        self.orders.close();
        while let Ok(order) = self.orders.try_recv() {
            if let Order::Call { base, command, .. } = order {
                let key = AnswerKey { command: command.kind(), biz: command.biz().cloned() };
                let outcome = Err(CallError::Unreachable("the MQTT tunnel has ended".into()));
                self.answer(base, key, outcome);
            }
        }
        for (base, key) in self.pending.drain() {
            let outcome = Err(CallError::TimedOut);
            self.outbox.push_back(Event::Answer { tunnel: TunnelKind::Mqtt, base, key, outcome });
        }
        if let Some(link) = self.link.take() {
            link.close().await;
        }
        self.counts.down(Some(String::from("the MQTT tunnel has ended")));
        for event in self.outbox {
            // The receiver may be gone, or may not read any more: the bound is the shutdown's.
            if self.events.send(event).await.is_err() {
                return;
            }
        }
    }
}

/// How long to wait after this many failures in a row: anything from the shortest to a bound that
/// doubles up to the longest.
fn pause(min: Duration, max: Duration, failures: u32, random: u64) -> Duration {
    let bound = min.saturating_mul(2_u32.saturating_pow(failures.saturating_add(1))).min(max);
    // A thousandth is fine enough for a pause.
    let share = u32::try_from(random % 1000).unwrap_or(0);
    min + bound.saturating_sub(min) * share / 1000
}

/// A cause, with the broker that it is about.
fn of_broker(config: &MqttConfig, what: &str) -> String {
    format!("broker {}:{}: {what}", config.host, config.port)
}

/// What the link says; never, where there is none.
async fn next(link: &mut Option<Link>) -> Inbound {
    match link {
        Some(link) => link.next().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_from_the_shortest_to_the_longest_and_no_further() {
        let (min, max) = (Duration::from_millis(500), Duration::from_secs(30));
        let longest = |failures| pause(min, max, failures, 999);
        assert!(longest(0) > Duration::from_millis(990) && longest(0) <= Duration::from_secs(1));
        assert!(longest(3) > Duration::from_millis(7900) && longest(3) <= Duration::from_secs(8));
        for failures in [5, 31, 32, u32::MAX] {
            assert!(longest(failures) > Duration::from_millis(29_900) && longest(failures) <= max);
            assert_eq!(pause(min, max, failures, 1000), min);
        }
    }
}
