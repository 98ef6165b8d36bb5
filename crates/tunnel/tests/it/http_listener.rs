use std::{net::SocketAddr, time::Duration};

use model::{BaseState, TunnelKind};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tunnel::{
    Event, HttpConfig, HttpTunnel,
    http::{HttpLimits, MAX_REQUEST_BYTES, Refusal},
};

use crate::support::{Events, HEARTBEAT, events, on_this_host, soon};

async fn start(limits: HttpLimits, capacity: usize) -> (HttpTunnel, Events) {
    let (sender, mut events) = events(capacity);
    let config =
        HttpConfig { limits, addresses: on_this_host(), ..HttpConfig::new("127.0.0.1:0".parse().unwrap()) };
    let tunnel = HttpTunnel::start(config, sender).await.unwrap();
    assert!(matches!(events.next().await, Event::Up(TunnelKind::Http)));
    (tunnel, events)
}

/// Sends bytes and reads the answer to its end.
pub(crate) async fn exchange(to: SocketAddr, request: impl AsRef<[u8]>) -> String {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(request.as_ref()).await.unwrap();
    read(&mut stream).await
}

async fn read(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset after the answer is no matter here.
    let _ = soon(stream.read_to_end(&mut answer)).await;
    String::from_utf8(answer).unwrap()
}

pub(crate) fn post(path: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn a_heartbeat_of_a_real_base_becomes_an_event() {
    let (tunnel, mut events) = start(HttpLimits::default(), 8).await;
    let answer = exchange(tunnel.local_addr(), post("/heartbeat", HEARTBEAT)).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    let Event::Heartbeat { tunnel: TunnelKind::Http, report } = events.next().await else { panic!() };
    assert_eq!((report.identity.as_str(), report.port), ("192.0.2.2", Some(1238)));
    assert_eq!((report.ip, report.state), (Some("192.0.2.2".parse().unwrap()), BaseState::Activated));
    assert_eq!(tunnel.stats().heartbeats, 1);
}

#[tokio::test]
async fn a_base_that_names_no_address_has_the_one_it_speaks_from() {
    let (tunnel, mut events) = start(HttpLimits::default(), 8).await;
    exchange(tunnel.local_addr(), post("/heartbeat", r#"{"baseMetadata":{"identity":"b1"},"port":1238}"#))
        .await;
    let Event::Heartbeat { report, .. } = events.next().await else { panic!() };
    assert_eq!(report.ip, Some("127.0.0.1".parse().unwrap()));
}

#[tokio::test]
async fn what_is_no_heartbeat_is_refused_with_a_reason() {
    let (tunnel, _events) = start(HttpLimits::default(), 8).await;
    let to = tunnel.local_addr();
    let missing = exchange(to, post("/nosuch", HEARTBEAT)).await;
    assert!(missing.starts_with("HTTP/1.1 404 "), "{missing}");
    let wrong = exchange(to, "GET /heartbeat HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(wrong.starts_with("HTTP/1.1 405 "), "{wrong}");
    assert!(wrong.to_ascii_lowercase().contains("\r\nallow: post\r\n"), "{wrong}");
    let malformed = exchange(to, post("/heartbeat", "{\"baseMetadata\":")).await;
    assert!(malformed.starts_with("HTTP/1.1 400 "), "{malformed}");
    let body = malformed.split_once("\r\n\r\n").unwrap().1;
    assert_eq!(body.trim_end().lines().count(), 1);
    let error: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(error["code"], "OtherUpstream.InvalidParameter");
    assert_eq!(error["suggestion"], "Check the parameters");
    assert!(error["message"].as_str().unwrap().starts_with("not JSON"), "{error}");
    let noise = exchange(to, "\x16\x03\x01\r\n\r\n").await;
    assert!(noise.starts_with("HTTP/1.1 400 "), "{noise}");
    let stats = tunnel.stats();
    for reason in [Refusal::Path, Refusal::Method, Refusal::Malformed, Refusal::Protocol] {
        assert_eq!(stats.refused(reason), 1, "{reason:?}");
    }
    assert_eq!(stats.heartbeats, 0);
}

#[tokio::test]
async fn a_large_body_is_refused_before_it_is_read() {
    let (tunnel, _events) = start(HttpLimits::default(), 8).await;
    let size = 10 << 20;
    let head = format!("POST /heartbeat HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n");
    // Nothing of the body is sent, and the answer comes all the same.
    let early = exchange(tunnel.local_addr(), &head).await;
    assert!(early.starts_with("HTTP/1.1 413 "), "{early}");
    // A client that sends all of it before it reads still learns why.
    let whole = exchange(tunnel.local_addr(), [head.as_bytes(), &vec![b' '; size]].concat()).await;
    assert!(whole.starts_with("HTTP/1.1 413 "), "{whole}");
    assert_eq!(tunnel.stats().refused(Refusal::TooLarge), 2);
}

#[tokio::test]
async fn a_large_body_of_unknown_length_is_refused_at_the_limit() {
    let (tunnel, _events) = start(HttpLimits::default(), 8).await;
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let answer = exchange(
        tunnel.local_addr(),
        format!("POST /heartbeat HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}{chunk}"),
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let largest = format!("{HEARTBEAT}{}", " ".repeat(MAX_REQUEST_BYTES - HEARTBEAT.len()));
    let answer = exchange(tunnel.local_addr(), post("/heartbeat", &largest)).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn slow_clients_are_cut_off() {
    let limits = HttpLimits {
        head: Duration::from_millis(50),
        body: Duration::from_millis(50),
        ..HttpLimits::default()
    };
    let (tunnel, _events) = start(limits, 8).await;
    let head = exchange(tunnel.local_addr(), "POST /heartbeat HTTP/1.1\r\nHost: x\r\nX-Slow: 1").await;
    assert!(head.is_empty() || head.starts_with("HTTP/1.1 408 "), "{head}");
    let silent = exchange(tunnel.local_addr(), "").await;
    assert!(silent.is_empty() || silent.starts_with("HTTP/1.1 408 "), "{silent}");
    let body =
        exchange(tunnel.local_addr(), "POST /heartbeat HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            .await;
    assert!(body.starts_with("HTTP/1.1 408 "), "{body}");
    assert_eq!(tunnel.stats().refused(Refusal::Slow), 3);
}

#[tokio::test]
async fn one_address_leaves_room_for_others() {
    let limits = HttpLimits { connections_of_one: 2, ..HttpLimits::default() };
    let (tunnel, mut events) = start(limits, 8).await;
    let to = tunnel.local_addr();
    let greedy = [TcpStream::connect(to).await.unwrap(), TcpStream::connect(to).await.unwrap()];
    // The third of the same address is closed; another address is heard.
    assert_eq!(exchange(to, "").await, "");
    assert_eq!(tunnel.stats().refused(Refusal::Connections), 1);
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut other = socket.connect(to).await.unwrap();
    other.write_all(post("/heartbeat", HEARTBEAT).as_bytes()).await.unwrap();
    let answer = read(&mut other).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(matches!(events.next().await, Event::Heartbeat { .. }));
    drop(greedy);
}

#[tokio::test]
async fn connections_over_the_limit_are_closed_and_counted() {
    let (tunnel, mut events) = start(HttpLimits { connections: 1, ..HttpLimits::default() }, 8).await;
    let mut first = TcpStream::connect(tunnel.local_addr()).await.unwrap();
    let request = post("/heartbeat", HEARTBEAT);
    let (most, last) = request.split_at(request.len() - 1);
    first.write_all(most.as_bytes()).await.unwrap();
    let mut second = TcpStream::connect(tunnel.local_addr()).await.unwrap();
    assert_eq!(read(&mut second).await, "");
    assert_eq!(tunnel.stats().refused(Refusal::Connections), 1);
    assert_eq!(tunnel.stats().connections_open, 1);
    first.write_all(last.as_bytes()).await.unwrap();
    assert!(read(&mut first).await.starts_with("HTTP/1.1 200 "));
    assert!(matches!(events.next().await, Event::Heartbeat { .. }));
}

#[tokio::test]
async fn a_heartbeat_that_nobody_takes_is_dropped_and_counted() {
    let (tunnel, mut events) = start(HttpLimits::default(), 1).await;
    assert!(exchange(tunnel.local_addr(), post("/heartbeat", HEARTBEAT)).await.starts_with("HTTP/1.1 200 "));
    let refused = exchange(tunnel.local_addr(), post("/heartbeat", HEARTBEAT)).await;
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert!(refused.contains("ModuleController.ResourceConstraned"), "{refused}");
    assert_eq!((tunnel.stats().heartbeats, tunnel.stats().refused(Refusal::Overload)), (1, 1));
    assert!(matches!(events.next().await, Event::Heartbeat { .. }));
    assert!(exchange(tunnel.local_addr(), post("/heartbeat", HEARTBEAT)).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_base_gets_its_baseline() {
    let (tunnel, mut events) = start(HttpLimits::default(), 8).await;
    let to = tunnel.local_addr();
    let asked = tokio::spawn(async move {
        exchange(to, post("/queryBaseline", r#"{"identity":"b1","name":"base","version":"1"}"#)).await
    });
    let Event::BaselineQuery { query, reply, .. } = events.next().await else { panic!() };
    assert_eq!(query.identity.as_str(), "b1");
    reply.unwrap().send(vec![]).unwrap();
    assert!(soon(asked).await.unwrap().ends_with("\r\n\r\n[]"));
}

#[tokio::test]
async fn a_baseline_that_does_not_come_is_no_empty_baseline() {
    let (tunnel, mut events) =
        start(HttpLimits { reply: Duration::from_millis(50), ..HttpLimits::default() }, 8).await;
    let asked = exchange(tunnel.local_addr(), post("/queryBaseline", r#"{"identity":"b1"}"#)).await;
    assert!(asked.starts_with("HTTP/1.1 503 "), "{asked}");
    assert!(matches!(events.next().await, Event::BaselineQuery { .. }));
    assert_eq!(tunnel.stats().refused(Refusal::NoReply), 1);
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_names_it() {
    let (tunnel, _events) = start(HttpLimits::default(), 8).await;
    let (sender, _receiver) = events(1);
    let error = HttpTunnel::start(HttpConfig::new(tunnel.local_addr()), sender).await.unwrap_err();
    assert!(error.to_string().contains(&tunnel.local_addr().to_string()), "{error}");
}

#[tokio::test]
async fn after_the_shutdown_nobody_listens_and_what_was_begun_is_answered() {
    let (tunnel, mut events) = start(HttpLimits::default(), 8).await;
    let to = tunnel.local_addr();
    let mut begun = TcpStream::connect(to).await.unwrap();
    begun.write_all(post("/queryBaseline", r#"{"identity":"b1"}"#).as_bytes()).await.unwrap();
    let Event::BaselineQuery { reply, .. } = events.next().await else { panic!() };
    let ended = tokio::spawn(tunnel.shutdown());
    // The port goes first, the request is still served.
    soon(async { while TcpStream::connect(to).await.is_ok() {} }).await;
    reply.unwrap().send(vec![]).unwrap();
    assert!(read(&mut begun).await.starts_with("HTTP/1.1 200 "));
    soon(ended).await.unwrap();
}
