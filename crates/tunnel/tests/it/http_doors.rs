//! Tokens and TLS on our port.

use std::{path::PathBuf, sync::Arc, time::Duration};

use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};
use tokio_rustls::TlsConnector;
use tunnel::{
    HttpConfig, HttpTunnel,
    http::{Refusal, ServerTls, TokenFile},
};

use crate::{
    directory::{Ca, Directory, ca},
    http_listener::{exchange, post},
    support::{Events, HEARTBEAT, PATIENCE, events, soon},
};

const OLD: &str = "old-token-0123456789";
const NEW: &str = "new-token-0123456789";

async fn start(change: impl FnOnce(&mut HttpConfig)) -> (HttpTunnel, Events) {
    let (sender, mut events) = events(64);
    let mut config = HttpConfig::new("127.0.0.1:0".parse().unwrap());
    change(&mut config);
    let tunnel = HttpTunnel::start(config, sender).await.unwrap();
    events.up().await;
    (tunnel, events)
}

/// A heartbeat that bears this.
fn bearing(authorization: &str) -> String {
    post("/heartbeat", HEARTBEAT).replacen("\r\n", &format!("\r\nAuthorization: {authorization}\r\n"), 1)
}

#[tokio::test]
async fn without_a_good_token_nobody_is_heard_and_a_changed_file_counts_without_a_restart() {
    let directory = Directory::new();
    let file = directory.write("tokens", OLD);
    let (tunnel, _events) = start(|config| config.tokens = Some(TokenFile::load(&file).unwrap())).await;
    let to = tunnel.local_addr();
    let bad = [
        post("/heartbeat", HEARTBEAT),
        post("/queryBaseline", "{}"),
        post("/nosuch", ""),
        bearing(&format!("Bearer {NEW}")),
        bearing("Bearer "),
        bearing(&format!("Basic {OLD}")),
    ];
    for request in &bad {
        let answer = exchange(to, request).await;
        assert!(answer.starts_with("HTTP/1.1 401 "), "{request}: {answer}");
        assert!(answer.to_ascii_lowercase().contains("\r\nwww-authenticate: bearer\r\n"), "{answer}");
        assert!(answer.contains("OtherUpstream.SecretAKError") && !answer.contains(OLD), "{answer}");
    }
    assert!(exchange(to, bearing(&format!("Bearer {OLD}"))).await.starts_with("HTTP/1.1 200 "));
    let counted = tunnel.stats().refused(Refusal::Unauthorized);
    assert_eq!((counted, tunnel.stats().heartbeats), (6, 1));

    directory.write("tokens", NEW);
    let deadline = Instant::now() + PATIENCE;
    while !exchange(to, bearing(&format!("Bearer {NEW}"))).await.starts_with("HTTP/1.1 200 ") {
        assert!(Instant::now() < deadline, "the changed file does not count");
        // One address may open a thousand connections a second: whoever asks without a pause is turned away.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let answer = exchange(to, bearing(&format!("Bearer {OLD}"))).await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
}

#[tokio::test]
async fn a_base_that_calls_itself_another_application_than_its_token_is_refused() {
    const PAY: &str = "pay-token-0123456789";
    let directory = Directory::new();
    let file = directory.write("tokens", format!("{OLD}\n{NEW} base default\n{PAY} pay\n"));
    let (tunnel, mut events) = start(|config| config.tokens = Some(TokenFile::load(&file).unwrap())).await;
    let to = tunnel.local_addr();
    let says = |token: &str, path: &str, name: &str, cluster: &str| {
        let body = HEARTBEAT.replace("TO_BE_IMPLEMENTED", name).replace("default", cluster);
        let query = format!(r#"{{"identity":"b1","name":"{name}","clusterName":"{cluster}"}}"#);
        let body = if path == "/heartbeat" { &body } else { &query };
        post(path, body).replacen("\r\n", &format!("\r\nAuthorization: Bearer {token}\r\n"), 1)
    };
    for (token, name, cluster) in [(NEW, "pay", "default"), (NEW, "base", "red"), (PAY, "base", "default")] {
        for path in ["/heartbeat", "/queryBaseline"] {
            let answer = exchange(to, says(token, path, name, cluster)).await;
            assert!(answer.starts_with("HTTP/1.1 403 "), "{token} {name} {cluster}: {answer}");
            assert!(answer.contains("OtherUpstream.SecretAKError") && !answer.contains(token), "{answer}");
        }
    }
    assert_eq!((tunnel.stats().refused(Refusal::Application), tunnel.stats().heartbeats), (6, 0));
    // What a base does not say is what its token says; a token that says nothing lets it say what it likes.
    for (token, name, heard) in [
        (NEW, "base", "base"),
        (NEW, "TO_BE_IMPLEMENTED", "base"),
        (PAY, "TO_BE_IMPLEMENTED", "pay"),
        (OLD, "anything", "anything"),
    ] {
        let answer = exchange(to, says(token, "/heartbeat", name, "default")).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        let tunnel::Event::Heartbeat { report, .. } = events.next().await else { panic!() };
        assert_eq!(report.name.as_deref(), Some(heard));
    }
}

/// Sends over TLS, trusting this CA alone.
async fn over_tls(tunnel: &HttpTunnel, trusted: &Ca, request: &str) -> Result<String, String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.der().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(tunnel.local_addr()).await.unwrap();
    let name = ServerName::try_from("controller").unwrap();
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
    let mut stream = soon(connecting).await.map_err(|error| error.to_string())?;
    stream.write_all(request.as_bytes()).await.map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    let _ = soon(stream.read_to_end(&mut answer)).await;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn over_tls_a_new_certificate_is_used_without_a_restart() {
    let directory = Directory::new();
    let (first, second) = (ca(), ca());
    let issue = |ca: &Ca| -> (PathBuf, PathBuf) { directory.issue(ca, "server", &["controller"]) };
    let (certificate, key) = issue(&first);
    let (tunnel, _events) =
        start(|config| config.tls = Some(ServerTls::load(&certificate, &key).unwrap())).await;
    let request = post("/heartbeat", HEARTBEAT);
    let answer = over_tls(&tunnel, &first, &request).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let refused = over_tls(&tunnel, &second, &request).await.unwrap_err();
    assert!(refused.contains("certificate"), "{refused}");
    // Plain HTTP is no handshake.
    let plain = TcpStream::connect(tunnel.local_addr()).await.unwrap();
    plain.try_write(request.as_bytes()).unwrap();
    let mut scrap = Vec::new();
    let _ = soon(tokio::io::BufReader::new(plain).read_to_end(&mut scrap)).await;
    assert!(!String::from_utf8_lossy(&scrap).contains("HTTP/1.1"), "{scrap:?}");
    assert!(tunnel.stats().refused(Refusal::Tls) >= 1, "{:?}", tunnel.stats());
    assert_eq!(tunnel.stats().heartbeats, 1);

    issue(&second);
    let deadline = Instant::now() + PATIENCE;
    while let Err(cause) = over_tls(&tunnel, &second, &request).await {
        assert!(Instant::now() < deadline, "the new certificate is not used: {cause}");
    }
}

#[test]
fn files_that_are_no_good_are_refused_at_the_start() {
    let directory = Directory::new();
    let ca = ca();
    let (certificate, key) = directory.issue(&ca, "a", &["controller"]);
    let (_, other) = directory.issue(&ca, "b", &["controller"]);
    let missing = directory.0.join("missing");
    let error = ServerTls::load(&certificate, &other).unwrap_err().to_string();
    assert!(error.contains("HTTP_TUNNEL_TLS_KEY_PATH: ") && error.contains("does not fit"), "{error}");
    let error = ServerTls::load(&missing, &key).unwrap_err().to_string();
    assert!(error.contains("HTTP_TUNNEL_TLS_CRT_PATH: ") && error.contains("cannot be read"), "{error}");
    let error = TokenFile::load(&missing).unwrap_err().to_string();
    assert!(error.contains("HTTP_TUNNEL_TOKEN_FILE: ") && error.contains("cannot be read"), "{error}");
}
