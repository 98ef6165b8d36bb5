//! Asks modules for their health: Spring Boot's actuator under the module's own path, at the address of its base.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, StatusCode};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use model::{Health, causes};
use serde_json::{Map, Value};
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, timeout_at},
};

use crate::Addresses;

/// An actuator asks a database or two. One that takes longer says nothing in time for a load balancer either.
const DEADLINE: Duration = Duration::from_secs(5);
/// With the time that a base may wait for its turn: less than after which a plan takes the question for lost.
const IN_ALL: Duration = Duration::from_secs(25);
/// So many bases at a time: a thousand that answer in 100 ms take 3 s.
const AT_A_TIME: usize = 32;
/// Spring Boot tells details where it is told to: some kilobytes.
const MOST_BYTES: usize = 64 * 1024;
/// Characters of what a module says that are told.
const LONGEST: usize = 100;
/// So many of the parts that are DOWN are told.
const SHOWN: usize = 3;

type Client = legacy::Client<HttpConnector, Empty<Bytes>>;

/// Asks. Clones are handles of the same. No proxy, no redirect, no TLS, no name resolution, and no connection is kept.
#[derive(Clone)]
pub struct HealthClient {
    client: Client,
    addresses: Addresses,
    turns: Arc<Semaphore>,
}

impl fmt::Debug for HealthClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HealthClient")
    }
}

impl HealthClient {
    /// Asks only where these rules let a base be.
    pub fn new(addresses: Addresses) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(DEADLINE));
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(0)
            .build(connector);
        Self { client, addresses, turns: Arc::new(Semaphore::new(AT_A_TIME)) }
    }

    /// Asks all of these, each by a key that is given back with what it said. It ends within 25 s.
    pub async fn ask_all(&self, bases: Vec<(Arc<str>, SocketAddr)>, path: &str) -> Vec<(Arc<str>, Health)> {
        let end = Instant::now() + IN_ALL;
        let path: Arc<str> = path.into();
        let mut asked = JoinSet::new();
        for (key, address) in bases {
            let (client, path) = (self.clone(), path.clone());
            asked.spawn(async move { (key, client.ask(address, &path, end).await) });
        }
        asked.join_all().await
    }

    async fn ask(&self, address: SocketAddr, path: &str, end: Instant) -> Health {
        if let Err(refused) = self.addresses.check(address) {
            return Health::Unknown(refused.to_string());
        }
        let Ok(Ok(_turn)) = timeout_at(end, self.turns.acquire()).await else {
            return Health::Unknown("too many others were asked before it".to_owned());
        };
        let deadline = end.min(Instant::now() + DEADLINE);
        let late = |_| Health::Unknown(format!("{address} does not answer in time"));
        timeout_at(deadline, self.exchange(address, path)).await.unwrap_or_else(late)
    }

    async fn exchange(&self, address: SocketAddr, path: &str) -> Health {
        let request = Request::get(format!("http://{address}{path}"))
            .header("accept", "application/json")
            .body(Empty::new());
        let response = match request {
            Ok(request) => self.client.request(request).await,
            Err(error) => return Health::Unknown(format!("it makes no request: {error}")),
        };
        let response = match response {
            Ok(response) => response,
            Err(error) => return Health::Unknown(causes(&error)),
        };
        let status = response.status();
        match Limited::new(response.into_body(), MOST_BYTES).collect().await {
            Ok(body) => read(status, &body.to_bytes()),
            Err(error) => {
                Health::Unknown(format!("HTTP {}, and its answer broke off: {error}", status.as_u16()))
            }
        }
    }
}

/// Spring Boot says DOWN and OUT_OF_SERVICE with 503. A page of somebody else is no health, whatever its status.
fn read(status: StatusCode, body: &[u8]) -> Health {
    let is_actuators = status == StatusCode::OK || status == StatusCode::SERVICE_UNAVAILABLE;
    let answer = serde_json::from_slice::<Map<String, Value>>(body).ok().filter(|_| is_actuators);
    let answer = answer.unwrap_or_default();
    let Some(said) = answer.get("status").and_then(Value::as_str) else {
        return Health::Unknown(format!("HTTP {} is no health of a module", status.as_u16()));
    };
    let is_down = |said: &str| matches!(said, "DOWN" | "OUT_OF_SERVICE");
    match said {
        "UP" if status == StatusCode::OK => Health::Up,
        down if is_down(down) => {
            let parts = answer.get("components").and_then(Value::as_object).into_iter().flatten();
            let bad = parts.filter(|(_, of)| of["status"].as_str().is_some_and(is_down)).take(SHOWN);
            let names: Vec<&str> = bad.map(|(name, _)| name.as_str()).collect();
            Health::Down(if names.is_empty() { shown(said) } else { shown(&names.join(", ")) })
        }
        // Not known yet, or a word of the module's own.
        other => Health::Unknown(format!("it says {}", shown(other))),
    }
}

/// What a module says goes into a status that people read: one line, and not a long one.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::AddressRule;

    /// Loopback is no place for a base unless it is named.
    fn client() -> HealthClient {
        let networks = vec!["127.0.0.0/8".parse().unwrap()];
        HealthClient::new(Addresses::new(AddressRule { networks, api_server: Vec::new() }))
    }

    /// A base that answers each request so, and what it was asked last.
    async fn base(answer: &'static str) -> (SocketAddr, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (mut seen, mut buffer) = (String::new(), [0; 4_096]);
            while !seen.contains("\r\n\r\n") {
                let read = stream.read(&mut buffer).await.unwrap();
                seen.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            seen
        });
        (address, asked)
    }

    fn said(health: Vec<(Arc<str>, Health)>) -> Health {
        health.into_iter().next().unwrap().1
    }

    fn http(status: u16, body: &str) -> Health {
        read(StatusCode::from_u16(status).unwrap(), body.as_bytes())
    }

    #[test]
    fn only_an_actuator_says_how_a_module_is() {
        assert_eq!(http(200, r#"{"status":"UP","groups":["liveness"]}"#), Health::Up);
        assert_eq!(http(503, r#"{"status":"OUT_OF_SERVICE"}"#), Health::Down("OUT_OF_SERVICE".to_owned()));
        let components = r#"{"status":"DOWN","components":{"db":{"status":"DOWN","details":{"error":"x"}},"ping":{"status":"UP"}}}"#;
        assert_eq!(http(503, components), Health::Down("db".to_owned()));
        let unknown = |status, body: &str| matches!(http(status, body), Health::Unknown(_));
        for (status, body) in [
            (200, r#"{"status":"UNKNOWN"}"#),
            (200, r#"{"status":"UP"#),
            (200, r#"{"ok":true}"#),
            (200, "<html>UP</html>"),
            (200, r#"["UP"]"#),
            (404, r#"{"status":"UP"}"#),
            (404, r#"{"status":404,"error":"Not Found"}"#),
            (500, r#"{"status":"DOWN"}"#),
            (503, "no version of it serves"),
            (503, r#"{"status":"UP"}"#),
            (401, r#"{"status":"UP"}"#),
            (302, ""),
        ] {
            assert!(unknown(status, body), "{status} {body}");
        }
    }

    #[test]
    fn what_a_module_says_is_one_line_and_short() {
        let name = format!("a\\n{}", "b".repeat(50_000));
        let body = format!(r#"{{"status":"DOWN","components":{{"{name}":{{"status":"DOWN"}}}}}}"#);
        let Health::Down(why) = http(503, &body) else { panic!("it is DOWN") };
        assert!(why.starts_with("a b") && why.len() == LONGEST, "{why}");
    }

    #[tokio::test]
    async fn the_path_of_the_module_is_asked_for_at_its_base() {
        let (up, asked) = base("HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n{\"status\":\"UP\"}").await;
        let (away, _) =
            base("HTTP/1.1 302 Found\r\nlocation: http://10.0.0.1/\r\ncontent-length: 0\r\n\r\n").await;
        let bases = vec![("a".into(), up), ("b".into(), away), ("c".into(), "127.0.0.1:1".parse().unwrap())];
        let mut all = client().ask_all(bases, "/biz1/actuator/health").await;
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        assert_eq!(all[0], ("a".into(), Health::Up));
        let Health::Unknown(why) = &all[1].1 else { panic!("{all:?}") };
        assert!(why.starts_with("HTTP 302"), "nobody is followed elsewhere: {why}");
        let Health::Unknown(why) = &all[2].1 else { panic!("{all:?}") };
        assert!(why.contains("refused"), "{why}");
        assert!(asked.await.unwrap().starts_with("GET /biz1/actuator/health HTTP/1.1\r\n"));
    }

    #[tokio::test]
    async fn where_no_base_may_be_nobody_is_asked() {
        let (address, asked) = base("HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n{\"status\":\"UP\"}").await;
        let by_default = HealthClient::new(Addresses::default());
        let Health::Unknown(why) = said(by_default.ask_all(vec![("a".into(), address)], "/x").await) else {
            panic!("a loopback address was asked")
        };
        assert!(why.contains("BASE_ADDRESS_CIDRS"), "{why}");
        assert!(!asked.is_finished());
    }

    #[tokio::test]
    async fn what_is_too_long_or_breaks_off_is_not_known() {
        let long: &str =
            format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{}", 1 << 20, "x".repeat(1 << 17)).leak();
        for answer in [long, "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"status\":\"UP\"}"] {
            let (address, _) = base(answer).await;
            let Health::Unknown(why) = said(client().ask_all(vec![("a".into(), address)], "/x").await) else {
                panic!("half an answer is taken")
            };
            assert!(why.contains("broke off"), "{why}");
        }
    }
}
