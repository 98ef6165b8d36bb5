//! Calls as an attacker makes them, against servers of the tests' own.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use bytes::Bytes;
use http_body_util::Full;

use super::*;

const LIMIT: u64 = 100_000;

/// Says this to whoever connects, and holds the connection.
fn serve(ip: &str, port: u16, says: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind((ip.parse::<IpAddr>().unwrap(), port)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut open: Vec<TcpStream> = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let mut some = [0; 1024];
            let _ = stream.read(&mut some);
            let _ = stream.write_all(says);
            open.push(stream);
        }
    });
    address
}

const ONE: &[u8] = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 3\r\n\r\none";
const OTHER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nother";

fn outbound(hosts: &[&str], networks: Networks, lookup: Lookup) -> Arc<Outbound> {
    let hosts: Vec<String> = hosts.iter().map(|host| format!("{host:?}")).collect();
    let json = format!(r#"{{"name":"a","version":"1","outboundHosts":[{}]}}"#, hosts.join(","));
    let manifest = package::Manifest::parse(json.as_bytes()).unwrap();
    Outbound::looking_up(&manifest.outbound_hosts, &Arc::new(networks), &tls(), LIMIT, lookup)
}

/// It trusts nobody.
fn tls() -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    config.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth()
}

fn only(network: &str) -> Networks {
    Networks::Only(vec![network.parse().unwrap()])
}

/// Every name has these addresses.
fn always(addresses: &[&str]) -> Lookup {
    let found: Vec<SocketAddr> = addresses.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0)).collect();
    Arc::new(move |_| Ok(found.clone()))
}

fn request(method: &str, url: &str, body: Bytes) -> Request<WasiBody> {
    let body = Full::new(body).map_err(|never| match never {}).boxed_unsync();
    Request::builder().method(method).uri(url).body(body).unwrap()
}

async fn get(outbound: &Arc<Outbound>, url: &str) -> Result<String, String> {
    let sent = outbound.clone().send(request("GET", url, Bytes::new()), RequestOptions::default()).await;
    let response = sent.map_err(|refused| format!("{:?}", Error::from(refused)))?;
    let body = response.into_body().collect().await.map_err(|error| format!("{error:?}"))?.to_bytes();
    Ok(String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn a_module_calls_nobody_whom_its_package_does_not_name() {
    let outbound =
        outbound(&["api.example.com", "db.example.com:8443"], Networks::Public, always(&["127.0.0.1"]));
    for url in [
        "http://example.com/",
        "http://api.example.com:8080/",
        "https://api.example.com:80/",
        "http://db.example.com/",
        "http://api.example.com.evil.example/",
        "http://evil.example/?api.example.com",
        "http://127.0.0.1/",
    ] {
        assert_eq!(get(&outbound, url).await, Err("HttpRequestDenied".to_owned()), "{url}");
    }
    for (method, url, says) in [
        ("GET", "http://api.example.com@evil.example/", CallRefused::Uri),
        ("GET", "http://evil@api.example.com/", CallRefused::Uri),
        ("CONNECT", "http://api.example.com/", CallRefused::Method),
    ] {
        let sent = outbound.clone().send(request(method, url, Bytes::new()), RequestOptions::default()).await;
        assert_eq!(sent.err(), Some(says), "{method} {url}");
    }
    let mut none = WayOut { outbound: None, output: Output::new("a:1", 1024) };
    let sent = none.send_request(
        request("GET", "http://a.example/", Bytes::new()),
        None,
        Box::new(async { Ok(()) }),
    );
    assert!(matches!(Box::into_pin(sent).await, Err(Error::HttpRequestDenied)));
}

#[tokio::test]
async fn a_name_that_leads_to_a_forbidden_address_is_not_called() {
    let server = serve("127.0.0.1", 0, ONE);
    let host = format!("a.example:{}", server.port());
    for address in [
        "127.0.0.1",
        "::ffff:127.0.0.1",
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "fd00:ec2::254",
        "0.0.0.0",
    ] {
        let outbound = outbound(&[&host], Networks::Public, always(&[address]));
        let called = get(&outbound, &format!("http://{host}/")).await;
        assert_eq!(called, Err("DestinationIpProhibited".to_owned()), "{address}");
    }
    for ip in ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254"] {
        let host = format!("{ip}:{}", server.port());
        let outbound = outbound(&[&host], Networks::Public, always(&[]));
        let called = get(&outbound, &format!("http://{host}/")).await;
        assert_eq!(called, Err("DestinationIpProhibited".to_owned()), "{ip}");
    }
}

#[tokio::test]
async fn what_is_connected_to_is_what_was_checked() {
    let good = serve("127.0.0.1", 0, ONE);
    // The same port, at an address that is not allowed.
    serve("127.0.0.2", good.port(), OTHER);
    let host = format!("a.example:{}", good.port());
    let url = format!("http://{host}/");
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let rebinding: Lookup = Arc::new(move |_| {
        let ip = if counted.fetch_add(1, Ordering::SeqCst) == 0 { "127.0.0.1" } else { "127.0.0.2" };
        Ok(vec![SocketAddr::new(ip.parse().unwrap(), 0)])
    });
    let outbound = outbound(&[&host], only("127.0.0.1/32"), rebinding);
    assert_eq!(get(&outbound, &url).await.as_deref(), Ok("one"));
    assert_eq!(asked.load(Ordering::SeqCst), 1, "it is resolved once, and what was found is used");
    // The server closed that connection: the next one is resolved and checked anew.
    assert_eq!(get(&outbound, &url).await, Err("DestinationIpProhibited".to_owned()));
}

#[tokio::test]
async fn of_several_addresses_only_the_allowed_are_tried() {
    let bad = serve("127.0.0.2", 0, OTHER);
    // Nobody listens at the allowed one.
    let host = format!("a.example:{}", bad.port());
    let outbound = outbound(&[&host], only("127.0.0.1/32"), always(&["127.0.0.2", "127.0.0.1"]));
    let called = get(&outbound, &format!("http://{host}/")).await;
    assert_eq!(called, Err("ConnectionRefused".to_owned()));
}

#[tokio::test]
async fn bodies_end_at_their_limit_either_way() {
    let large = serve("127.0.0.1", 0, b"HTTP/1.1 200 OK\r\ncontent-length: 100002\r\n\r\n");
    let flood: &'static [u8] =
        Box::leak([b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &vec![b'x'; 200_000]].concat().into_boxed_slice());
    let endless = serve("127.0.0.1", 0, flood);
    let hosts = [format!("a.example:{}", large.port()), format!("a.example:{}", endless.port())];
    let outbound = outbound(&[&hosts[0], &hosts[1]], only("127.0.0.1/32"), always(&["127.0.0.1"]));
    let called = get(&outbound, &format!("http://{}/", hosts[1])).await;
    assert_eq!(called, Err(format!("HttpResponseBodySize(Some({LIMIT}))")));
    let body = Bytes::from(vec![b'x'; 100_001]);
    let sent = request("POST", &format!("http://{}/", hosts[0]), body);
    let sent = outbound.send(sent, RequestOptions::default()).await;
    assert!(matches!(sent, Err(CallRefused::Body(_, LIMIT))), "{:?}", sent.err());
}

#[tokio::test]
async fn a_host_that_says_nothing_costs_the_time_that_it_was_given() {
    let silent = serve("127.0.0.1", 0, b"");
    let stops = serve("127.0.0.1", 0, b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\none");
    let hosts = [format!("a.example:{}", silent.port()), format!("a.example:{}", stops.port())];
    let outbound = outbound(&[&hosts[0], &hosts[1]], only("127.0.0.1/32"), always(&["127.0.0.1"]));
    let short = Some(Duration::from_millis(20));
    let options =
        RequestOptions { connect_timeout: short, first_byte_timeout: short, between_bytes_timeout: short };
    let to = |host: &str| request("GET", &format!("http://{host}/"), Bytes::new());
    let sent = outbound.clone().send(to(&hosts[0]), options).await;
    assert_eq!(sent.err(), Some(CallRefused::Late));
    let options = RequestOptions { between_bytes_timeout: short, ..RequestOptions::default() };
    let body = outbound.send(to(&hosts[1]), options).await.unwrap().into_body().collect().await;
    assert!(matches!(body, Err(Error::ConnectionReadTimeout)), "{body:?}");
}

#[tokio::test]
async fn a_module_has_so_many_calls_at_work_and_no_more() {
    let stops = serve("127.0.0.1", 0, b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\none");
    let host = format!("a.example:{}", stops.port());
    let outbound = outbound(&[&host], only("127.0.0.1/32"), always(&["127.0.0.1"]));
    let send = || {
        let sent = request("GET", &format!("http://{host}/"), Bytes::new());
        outbound.clone().send(sent, RequestOptions::default())
    };
    let mut held = Vec::new();
    for _ in 0..CALLS {
        held.push(send().await.unwrap());
    }
    assert_eq!(send().await.err(), Some(CallRefused::TooMany));
    held.pop();
    assert!(send().await.is_ok());
}
