//! The client: one request for each question.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use engine::{AskMetric, Event};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, header, header::HeaderValue};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use model::causes;
use plan::{Metric, MetricAnswer, MetricServer};
use rustls::crypto::ring;
use tokio::{
    sync::{Semaphore, mpsc},
    time::timeout,
};
use url::form_urlencoded;

use crate::{answer, login::Login};

/// A query that takes longer is none that a release should wait for. Prometheus itself gives up after two minutes.
const DEADLINE: Duration = Duration::from_secs(10);
/// With the time that a question may wait for its turn: less than after which the plan takes it for lost.
const IN_ALL: Duration = Duration::from_secs(25);
/// So many questions at a time: plans are few, and Prometheus runs 20 queries at a time for everybody.
const AT_A_TIME: usize = 4;
/// A thousand values with their labels.
const MOST_BYTES: usize = 1024 * 1024;
/// A connection that is not used is closed before a gateway between does so without a word.
const IDLE: Duration = Duration::from_secs(20);

type Client = legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Asks. Clones are handles of the same.
#[derive(Clone)]
pub struct Asker {
    /// None where nobody may be asked: what the system trusts is not read for nothing.
    client: Option<Client>,
    servers: Arc<[MetricServer]>,
    logins: Arc<[Login]>,
    turns: Arc<Semaphore>,
    /// Whoever ends does not wait for an answer.
    events: mpsc::WeakSender<Event>,
}

impl fmt::Debug for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Asker")
    }
}

impl Asker {
    /// Asks these servers, and no others: a plan that has begun may name one that the settings do not any more. Of `logins` each
    /// server is sent its own.
    ///
    /// Trusts what the system trusts (`SSL_CERT_FILE`, `SSL_CERT_DIR`); where it has no list, as in an image with nothing but
    /// the program, Mozilla's.
    ///
    /// # Errors
    /// Where no TLS can be set up.
    pub fn new(
        servers: Vec<MetricServer>,
        logins: Vec<Login>,
        events: mpsc::WeakSender<Event>,
    ) -> Result<Self, rustls::Error> {
        let client = if servers.is_empty() { None } else { Some(client()?) };
        let turns = Arc::new(Semaphore::new(AT_A_TIME));
        Ok(Self { client, servers: servers.into(), logins: logins.into(), turns, events })
    }

    /// Asks for a metric. The answer is an [`Event::Metric`].
    pub fn ask(&self, asked: AskMetric) {
        let asker = self.clone();
        tokio::spawn(async move {
            let AskMetric { plan, question } = asked;
            let answer = timeout(IN_ALL, asker.answer(&question.metric))
                .await
                .unwrap_or_else(|_| MetricAnswer::Error(format!("no answer within {} s", IN_ALL.as_secs())));
            if let Some(events) = asker.events.upgrade() {
                // Closed: the engine is gone, and so is the one who would care.
                let _ = events.send(Event::Metric { plan, question, answer }).await;
            }
        });
    }

    async fn answer(&self, metric: &Metric) -> MetricAnswer {
        let Some(client) = self.client.as_ref().filter(|_| self.servers.contains(&metric.server)) else {
            return MetricAnswer::Error("PLAN_METRIC_SERVERS of the controller does not name it".to_owned());
        };
        let Ok(_turn) = self.turns.acquire().await else {
            return MetricAnswer::Error("the controller ends".to_owned());
        };
        let login = self.logins.iter().find(|login| login.server == metric.server);
        let login = match login.map(Login::header).transpose() {
            Ok(login) => login,
            Err(why) => return MetricAnswer::Error(why),
        };
        timeout(DEADLINE, exchange(client, metric, login))
            .await
            .unwrap_or_else(|_| MetricAnswer::Error(format!("no answer within {} s", DEADLINE.as_secs())))
    }
}

async fn exchange(client: &Client, metric: &Metric, login: Option<HeaderValue>) -> MetricAnswer {
    let form = form_urlencoded::Serializer::new(String::new()).append_pair("query", &metric.query).finish();
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(format!("{}/api/v1/query", metric.server))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::ACCEPT, "application/json");
    if let Some(login) = login {
        request = request.header(header::AUTHORIZATION, login);
    }
    let response = match request.body(Full::new(Bytes::from(form))) {
        Ok(request) => client.request(request).await,
        // A URL may hold what a URI may not.
        Err(_) => return MetricAnswer::Error("its URL cannot be used".to_owned()),
    };
    let response = match response {
        Ok(response) => response,
        Err(error) => return MetricAnswer::Error(causes(&error)),
    };
    let status = response.status();
    match Limited::new(response.into_body(), MOST_BYTES).collect().await {
        Ok(body) => answer::read(status, &body.to_bytes()),
        Err(error) => {
            MetricAnswer::Error(format!("HTTP {}, then its answer broke off: {error}", status.as_u16()))
        }
    }
}

fn client() -> Result<Client, rustls::Error> {
    let tls = match HttpsConnectorBuilder::new().with_provider_and_native_roots(ring::default_provider()) {
        Ok(tls) => tls,
        Err(_) => HttpsConnectorBuilder::new().with_provider_and_webpki_roots(ring::default_provider())?,
    };
    Ok(legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(1)
        .build(tls.https_or_http().enable_http1().build()))
}

#[cfg(test)]
mod tests {
    use engine::view::PlanRef;
    use plan::{DraftMetric, Question};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// A server that answers the next request so, and what it was asked.
    async fn server(answer: &'static str) -> (String, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut seen = String::new();
            let mut buffer = [0; 4_096];
            while !seen.contains("query=") {
                let read = stream.read(&mut buffer).await.unwrap();
                seen.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            seen
        });
        (url, asked)
    }

    async fn ask(server: &str, query: &str) -> MetricAnswer {
        ask_among(&[server], server, query).await
    }

    /// Where these may be asked.
    async fn ask_among(servers: &[&str], server: &str, query: &str) -> MetricAnswer {
        ask_with(Vec::new(), servers, server, query).await
    }

    async fn ask_with(logins: Vec<Login>, servers: &[&str], server: &str, query: &str) -> MetricAnswer {
        let (sender, mut events) = mpsc::channel(1);
        let draft = DraftMetric {
            name: "m".into(),
            server: server.into(),
            query: query.into(),
            condition: "< 1".into(),
        };
        let metric = plan::Metric::of(draft).unwrap();
        let asker = Asker::new(
            servers.iter().map(|server| server.parse().unwrap()).collect(),
            logins,
            sender.downgrade(),
        );
        let asker = asker.unwrap();
        let plan = PlanRef { namespace: "ns".into(), name: "p".into(), uid: "u".into() };
        let question = Question { round: 7, metric };
        asker.ask(AskMetric { plan: plan.clone(), question: question.clone() });
        let Some(Event::Metric { plan: of, question: to, answer }) = events.recv().await else { panic!() };
        assert_eq!((of, to), (plan, question));
        answer
    }

    #[tokio::test]
    async fn a_query_is_sent_whole_and_its_value_read() {
        let body = r#"{"status":"success","data":{"resultType":"scalar","result":[1,"0.5"]}}"#;
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let (url, asked) = server(answer.leak()).await;
        assert_eq!(ask(&url, "sum(rate(a{b=\"c\"}[1m])) & 1").await, MetricAnswer::Values(vec![0.5]));
        let asked = asked.await.unwrap();
        assert!(asked.starts_with("POST /api/v1/query HTTP/1.1\r\n"), "{asked}");
        assert!(asked.ends_with("query=sum%28rate%28a%7Bb%3D%22c%22%7D%5B1m%5D%29%29+%26+1"), "{asked}");
    }

    #[tokio::test]
    async fn a_login_is_sent_to_the_server_that_it_is_for_and_to_no_other() {
        let body = r#"{"status":"success","data":{"resultType":"scalar","result":[1,"0"]}}"#;
        let ok: &str = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).leak();
        let file = std::env::temp_dir().join(format!("metric-ask-{}", std::process::id()));
        std::fs::write(&file, "user:password").unwrap();
        let (own, asked_own) = server(ok).await;
        let (other, asked_other) = server(ok).await;
        let login = || vec![Login { server: own.parse().unwrap(), file: file.clone() }];
        let both = [&*own, &*other];
        assert_eq!(ask_with(login(), &both, &own, "up").await, MetricAnswer::Values(vec![0.0]));
        assert_eq!(ask_with(login(), &both, &other, "up").await, MetricAnswer::Values(vec![0.0]));
        let asked = asked_own.await.unwrap();
        assert!(asked.contains("\r\nauthorization: Basic dXNlcjpwYXNzd29yZA==\r\n"), "{asked}");
        let asked = asked_other.await.unwrap();
        assert!(!asked.to_ascii_lowercase().contains("authorization"), "{asked}");
        std::fs::remove_file(&file).unwrap();
        let MetricAnswer::Error(why) = ask_with(login(), &both, &own, "up").await else { panic!() };
        assert!(why.starts_with("the login ") && why.contains("metric-ask-"), "{why}");
    }

    #[tokio::test]
    async fn nobody_is_followed_elsewhere() {
        let (url, _) =
            server("HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n")
                .await;
        let MetricAnswer::Error(why) = ask(&url, "up").await else { panic!() };
        assert!(why.starts_with("HTTP 302"), "{why}");
    }

    #[tokio::test]
    async fn who_is_not_there_is_an_error_that_says_so() {
        let MetricAnswer::Error(why) = ask("http://127.0.0.1:1", "up").await else { panic!() };
        assert!(why.contains("refused"), "{why}");
    }

    #[tokio::test]
    async fn who_was_not_named_is_not_asked() {
        let (url, asked) = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        for servers in [&[][..], &["http://127.0.0.1:1"]] {
            let MetricAnswer::Error(why) = ask_among(servers, &url, "up").await else { panic!() };
            assert!(why.contains("PLAN_METRIC_SERVERS"), "{why}");
        }
        assert!(!asked.is_finished(), "it was called");
    }
}
