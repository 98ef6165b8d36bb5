//! Between replicas: what one sends on arrives at the other, and nobody else says anything there.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use arklet::parse_heartbeat;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use model::{BaseReport, Fence};
use ring::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use tunnel::{
    AddressRule, Addresses, Event, ForwardConfig, Forwarder,
    forward::{ForwardRefusal, MAX_BODY_BYTES},
};

use crate::{
    http_listener::exchange,
    support::{Events, HEARTBEAT, events, until},
};

fn name(name: &str) -> Arc<str> {
    name.into()
}

fn heard(peer: &str) -> BaseReport {
    BaseReport { peer: peer.parse().ok(), ..parse_heartbeat(HEARTBEAT.as_bytes()).unwrap() }
}

async fn start(fence: Fence, capacity: usize) -> (Forwarder, Events) {
    let (sender, events) = events(capacity);
    let networks = vec!["192.0.2.0/24".parse().unwrap()];
    let addresses = Addresses::new(AddressRule { networks, api_server: Vec::new() });
    let listen = "127.0.0.1:0".parse().unwrap();
    (Forwarder::start(ForwardConfig { listen, addresses, fence }, sender).await.unwrap(), events)
}

/// They know each other, as `a` and `b`.
fn introduce(a: &Forwarder, b: &Forwarder) {
    let to = |other: &Forwarder| (other.local_addr(), name(&other.key()));
    a.meet(&name("a"), BTreeMap::from([(name("b"), to(b))]));
    b.meet(&name("b"), BTreeMap::from([(name("a"), to(a))]));
}

/// A replica that this test plays: it signs what it likes.
struct Player {
    pair: Ed25519KeyPair,
}

impl Player {
    fn new() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self { pair: Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap() }
    }

    fn key(&self) -> Arc<str> {
        name(&BASE64.encode(self.pair.public_key()))
    }

    /// A message as it is sent.
    fn message(&self, from: &str, to: &str, number: u64, body: &str) -> String {
        let signed =
            ["module-controller forwards heartbeats, 1", from, to, &number.to_string(), body].join("\0");
        let signature = BASE64.encode(self.pair.sign(signed.as_bytes()));
        request(from, to, &number.to_string(), &signature, body)
    }
}

fn request(from: &str, to: &str, number: &str, signature: &str, body: &str) -> String {
    format!(
        "POST /forward HTTP/1.1\r\nHost: h\r\nConnection: close\r\nx-replica-from: {from}\r\nx-replica-to: {to}\r\n\
         x-replica-number: {number}\r\nx-replica-signature: {signature}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A replica `b` that knows the player as `a`.
async fn played(capacity: usize) -> (Forwarder, Events, Player, SocketAddr) {
    let (b, events) = start(Fence::open(), capacity).await;
    let (player, nowhere) = (Player::new(), "127.0.0.1:1".parse().unwrap());
    b.meet(&name("b"), BTreeMap::from([(name("a"), (nowhere, player.key()))]));
    let address = b.local_addr();
    (b, events, player, address)
}

async fn says(to: SocketAddr, request: &str, status: u16) {
    let answer = exchange(to, request).await;
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}\nto {request:.400}");
}

#[tokio::test]
async fn what_one_replica_hears_another_is_told_with_where_it_was_heard_from() {
    let ((a, _a), (b, mut heard_by_b)) = (start(Fence::open(), 8).await, start(Fence::open(), 4_096).await);
    introduce(&a, &b);
    for number in 0..1_000 {
        let identity = format!("base-{number}").parse().unwrap();
        a.forward("b", &BaseReport { identity, ..heard("192.0.2.7") });
    }
    for number in 0..1_000 {
        let Event::Forwarded(report) = heard_by_b.next().await else { panic!() };
        assert_eq!(report.identity.as_str(), format!("base-{number}"), "in the order in which it was heard");
        assert_eq!(report, BaseReport { identity: report.identity.clone(), ..heard("192.0.2.7") });
    }
    until("a knows that b took all", || a.stats().sent == 1_000).await;
    assert_eq!((b.stats().taken, a.stats().failed, a.stats().dropped), (1_000, 0, 0));
}

#[tokio::test]
async fn who_is_no_replica_or_signs_as_another_is_sent_away() {
    let (b, mut events, player, to) = played(8).await;
    let body = format!("192.0.2.2 {HEARTBEAT}\n");
    let stranger = Player::new();
    says(to, &stranger.message("c", "b", 1, &body), 401).await;
    says(to, &stranger.message("a", "b", 1, &body), 401).await;
    says(to, &request("a", "b", "1", "", &body), 401).await;
    says(to, &player.message("a", "b-of-before", 1, &body), 409).await;
    // Signed for another number, receiver or body.
    let signed = player.message("a", "b", 7, &body);
    says(to, &signed.replace("x-replica-number: 7", "x-replica-number: 8"), 401).await;
    says(to, &signed.replace("192.0.2.2 ", "192.0.2.3 "), 401).await;
    says(to, &player.message("a", "c", 7, &body).replace("x-replica-to: c", "x-replica-to: b"), 401).await;
    says(to, &request("a", "b", "first", "x", &body), 400).await;
    says(to, "GET /forward HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 404).await;
    says(to, "POST /heartbeat HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 404)
        .await;
    let stats = b.stats();
    assert_eq!(stats.refused(ForwardRefusal::Sender), 1);
    assert_eq!(stats.refused(ForwardRefusal::Signature), 5);
    assert_eq!(stats.refused(ForwardRefusal::Receiver), 1);
    assert_eq!((stats.taken, stats.refused(ForwardRefusal::Path)), (0, 2));
    // None of this used a number up.
    says(to, &player.message("a", "b", 1, &body), 200).await;
    assert!(matches!(events.next().await, Event::Forwarded(_)));
}

#[tokio::test]
async fn what_was_said_before_does_nothing() {
    let (b, mut events, player, to) = played(8).await;
    let body = format!("192.0.2.2 {HEARTBEAT}\n");
    let (first, second) = (player.message("a", "b", 1, &body), player.message("a", "b", 2, &body));
    says(to, &second, 200).await;
    for again in [&second, &first] {
        says(to, again, 409).await;
    }
    // Nor after the replicas were told anew.
    let nowhere = "127.0.0.1:1".parse().unwrap();
    b.meet(
        &name("b"),
        BTreeMap::from([(name("a"), (nowhere, player.key())), (name("c"), (nowhere, name("k")))]),
    );
    says(to, &second, 409).await;
    assert_eq!((b.stats().taken, b.stats().refused(ForwardRefusal::Replayed)), (1, 3));
    assert!(matches!(events.next().await, Event::Forwarded(_)));
    // One that was ended says nothing any more.
    b.meet(&name("b"), BTreeMap::new());
    says(to, &player.message("a", "b", 3, &body), 401).await;
}

#[tokio::test]
async fn what_is_too_large_or_no_heartbeat_or_names_a_forbidden_address_is_not_taken() {
    let (b, mut events, player, to) = played(8).await;
    let large = "x".repeat(MAX_BODY_BYTES + 1);
    says(to, &player.message("a", "b", 1, &large), 413).await;
    says(to, &player.message("a", "b", 1, "192.0.2.2 no heartbeat"), 400).await;
    let elsewhere = HEARTBEAT.replace("\"localIP\":\"192.0.2.2\"", "\"localIP\":\"198.51.100.1\"");
    let body = format!("192.0.2.2 {elsewhere}\n192.0.2.2 {HEARTBEAT}\n");
    says(to, &player.message("a", "b", 2, &body), 200).await;
    let Event::Forwarded(report) = events.next().await else { panic!() };
    assert_eq!(report.ip, "192.0.2.2".parse().ok());
    let stats = b.stats();
    assert_eq!((stats.taken, stats.refused(ForwardRefusal::Address)), (1, 1));
    assert_eq!((stats.refused(ForwardRefusal::TooLarge), stats.refused(ForwardRefusal::Malformed)), (1, 1));
}

#[tokio::test]
async fn a_controller_that_does_not_keep_up_says_so() {
    let (b, _events, player, to) = played(1).await;
    let body = format!("192.0.2.2 {HEARTBEAT}\n").repeat(2);
    says(to, &player.message("a", "b", 1, &body), 503).await;
    assert_eq!((b.stats().taken, b.stats().refused(ForwardRefusal::Overload)), (1, 1));
}

#[tokio::test]
async fn a_replica_that_is_away_costs_what_was_for_it_and_delays_nobody() {
    let ((a, _a), (b, mut heard_by_b)) = (start(Fence::open(), 8).await, start(Fence::open(), 8).await);
    // It accepts, and says nothing.
    let dead = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (b_door, dead_door) = ((b.local_addr(), name(&b.key())), (dead.local_addr().unwrap(), name("k")));
    a.meet(&name("a"), BTreeMap::from([(name("b"), b_door), (name("dead"), dead_door)]));
    b.meet(&name("b"), BTreeMap::from([(name("a"), (a.local_addr(), name(&a.key())))]));
    for _ in 0..10_000 {
        a.forward("dead", &heard("192.0.2.2"));
    }
    a.forward("nobody", &heard("192.0.2.2"));
    a.forward("b", &heard("192.0.2.2"));
    assert!(matches!(heard_by_b.next().await, Event::Forwarded(_)));
    until("what was for it is given up", || a.stats().failed + a.stats().dropped == 10_001).await;
    assert!(a.stats().dropped > 5_000, "{:?}", a.stats());
}

#[tokio::test]
async fn one_that_may_not_act_sends_nothing() {
    let fence = Fence::new(|| std::time::Duration::ZERO);
    let ((a, _a), (b, _b)) = (start(fence, 8).await, start(Fence::open(), 8).await);
    introduce(&a, &b);
    a.forward("b", &heard("192.0.2.2"));
    until("it is given up", || a.stats().failed == 1).await;
    assert_eq!((a.stats().sent, b.stats().taken), (0, 0));
}
