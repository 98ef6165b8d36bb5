//! A robot that answers as it is told, and announcements to report.

use std::{
    collections::{HashMap, VecDeque},
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
    routing::post,
};
use engine::{Alarm, Announcement, Regarding, view::PodRef};
use jiff::Timestamp;
use model::{BizId, ErrorCode, ErrorSource, ErrorType, Secret};
use report::{Config, Hook, HookCounts, Reporter};
use serde_json::Value;
use testkit::wait::wait_for;
use tokio::net::TcpListener;

/// Everything here takes milliseconds; this allows for a busy machine.
const LIMIT: Duration = Duration::from_secs(20);

/// What a robot does with a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reply {
    /// Takes it.
    Take,
    /// Answers 200 with this body.
    Say(&'static str),
    /// Answers 200 with an error that quotes the request's URL.
    Quote,
    /// Answers with this status.
    Status(u16),
    /// Answers nothing.
    Hang,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) query: HashMap<String, String>,
    pub(crate) content_type: String,
    pub(crate) body: Value,
}

impl Heard {
    pub(crate) fn text(&self) -> &str {
        self.body["markdown"]["text"].as_str().unwrap()
    }

    /// How many reports are in it.
    pub(crate) fn reports(&self) -> usize {
        self.text().matches("### ").count()
    }
}

#[derive(Debug)]
struct Shared {
    heard: Vec<Heard>,
    /// The replies to the next requests; then the last one for ever.
    replies: VecDeque<Reply>,
}

/// A robot. It lives as long as the test's runtime.
#[derive(Clone, Debug)]
pub(crate) struct Robot {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

impl Robot {
    pub(crate) async fn start(replies: &[Reply]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Shared { heard: Vec::new(), replies: replies.iter().copied().collect() };
        let robot = Self { address, shared: Arc::new(Mutex::new(shared)) };
        let router = Router::new().route("/robot/send", post(take)).with_state(robot.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        robot
    }

    pub(crate) fn hook(&self, token: &str, secret: Option<&str>) -> Hook {
        hook(self.address, token, secret)
    }

    /// What comes next is answered like this.
    pub(crate) fn answer(&self, reply: Reply) {
        self.shared.lock().unwrap().replies = VecDeque::from([reply]);
    }

    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.shared.lock().unwrap().heard.clone()
    }

    /// Waits until it has heard so many requests.
    pub(crate) fn wait_heard(&self, requests: usize) -> Vec<Heard> {
        wait_for(&format!("{requests} requests"), LIMIT, || {
            Ok(Some(self.heard()).filter(|heard| heard.len() >= requests))
        })
        .unwrap()
    }
}

/// A robot's URL at any address.
pub(crate) fn hook(address: SocketAddr, token: &str, secret: Option<&str>) -> Hook {
    let url = format!("http://{address}/robot/send?access_token={token}");
    Hook::new(&url, secret.map(Secret::new)).unwrap()
}

/// An address where nobody listens.
pub(crate) async fn nobody() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap()
}

async fn take(State(robot): State<Robot>, uri: Uri, headers: HeaderMap, body: String) -> Response {
    let query = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let query = query.into_owned().collect();
    let reply = {
        let mut shared = robot.shared.lock().unwrap();
        let content_type = headers["content-type"].to_str().unwrap().to_owned();
        shared.heard.push(Heard { query, content_type, body: serde_json::from_str(&body).unwrap() });
        let last = *shared.replies.back().unwrap();
        if shared.replies.len() > 1 { shared.replies.pop_front().unwrap() } else { last }
    };
    match reply {
        Reply::Take => r#"{"errcode":0,"errmsg":"ok"}"#.into_response(),
        Reply::Say(body) => body.into_response(),
        Reply::Quote => format!(r#"{{"errcode":300001,"errmsg":"no such robot: {uri}"}}"#).into_response(),
        Reply::Status(code) => (StatusCode::from_u16(code).unwrap(), "sorry").into_response(),
        Reply::Hang => std::future::pending().await,
    }
}

/// Short times, so that nothing is waited for but what is tested.
pub(crate) fn config() -> Config {
    let mut config = Config::new("dev");
    config.times.deadline = Duration::from_secs(10);
    config.times.retries = vec![Duration::from_millis(10); 2];
    config.times.throttled_retries = vec![Duration::from_millis(10); 2];
    config
}

pub(crate) fn reporter(hooks: Vec<Hook>, config: Config) -> Reporter {
    Reporter::start(hooks, config).unwrap()
}

pub(crate) fn now() -> Timestamp {
    "2026-11-23T01:02:03Z".parse().unwrap()
}

/// The install of biz1 failed on the base of this number.
pub(crate) fn failed(base: u32) -> Announcement {
    Announcement {
        regarding: Regarding::Pod(PodRef {
            namespace: "default".into(),
            name: format!("biz1-{base}").into(),
            uid: format!("u-{base}").into(),
        }),
        warning: true,
        reason: "Arklet.PullBizError".into(),
        action: "Install",
        note: "for the Event".into(),
        code: Some(ErrorCode::new(ErrorSource::Arklet, ErrorType::PullBizError)),
        detail: "for the log".into(),
        what: "installing biz1:1.0.0: no such file".into(),
        base: format!("base-{base}").parse().unwrap(),
        biz: Some(BizId { name: "biz1".parse().unwrap(), version: "1.0.0".parse().unwrap() }),
        trace: u64::from(base).into(),
        alarm: Some(Alarm::InstallFailed),
    }
}

/// Waits until a hook's counts are such.
pub(crate) fn wait_counts(
    reporter: &Reporter,
    hook: usize,
    wanted: impl Fn(HookCounts) -> bool,
) -> HookCounts {
    let mut last = HookCounts::default();
    wait_for(&format!("hook {hook}'s counts"), LIMIT, || {
        last = reporter.counts()[hook];
        Ok(wanted(last).then_some(()))
    })
    .unwrap_or_else(|error| panic!("{error:#}: {last:?}"));
    last
}
