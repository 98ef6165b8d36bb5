//! What the tests share: the event channel's other end, a fake Arklet and a fake MQTT base.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use arklet::{AnswerKey, Command, Outcome};
use model::{BizId, TunnelKind};
use rumqttc::{AsyncClient, Incoming, MqttOptions, PublishOptions, QoS};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};
use tunnel::{AddressRule, Addresses, Event, Target};

/// Longer than anything takes on a busy machine: only a failing test waits this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The heartbeat of a real base 2.1.11.
pub(crate) const HEARTBEAT: &str = r#"{"baseMetadata":{"clusterName":"default","identity":"192.0.2.2","name":"TO_BE_IMPLEMENTED","version":"1.0.0"},"localHostName":"192.0.2.2","localIP":"192.0.2.2","port":1238,"state":"activated"}"#;

/// Arklet's answer to `queryAllBiz` with one biz.
pub(crate) const ONE_BIZ: &str = r#"{"code":"SUCCESS","data":[{"bizName":"biz1","bizState":"activated","bizStateRecords":[],"bizVersion":"1.0.0","mainClass":"lab.biz1.BizApp","webContextPath":"biz1"}]}"#;

/// Waits for something that must come.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("nothing came in time")
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let poll = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, poll).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// The receiving end of the event channel.
pub(crate) struct Events(pub(crate) mpsc::Receiver<Event>);

pub(crate) fn events(capacity: usize) -> (mpsc::Sender<Event>, Events) {
    let (sender, receiver) = mpsc::channel(capacity);
    (sender, Events(receiver))
}

impl Events {
    pub(crate) async fn next(&mut self) -> Event {
        soon(self.0.recv()).await.expect("the channel is closed")
    }

    /// The next answer; whatever comes before it is passed over.
    pub(crate) async fn answer(&mut self) -> (String, AnswerKey, Outcome) {
        loop {
            if let Event::Answer { base, key, outcome, .. } = self.next().await {
                return (base.to_string(), key, outcome);
            }
        }
    }

    pub(crate) async fn outcome(&mut self) -> Outcome {
        self.answer().await.2
    }

    pub(crate) async fn up(&mut self) {
        loop {
            if let Event::Up(_) = self.next().await {
                return;
            }
        }
    }

    pub(crate) async fn down(&mut self) -> String {
        loop {
            if let Event::Down { reason, .. } = self.next().await {
                return reason;
            }
        }
    }
}

/// Bases are on this host.
pub(crate) fn on_this_host() -> Addresses {
    let networks = vec!["127.0.0.0/8".parse().unwrap(), "192.0.2.0/24".parse().unwrap()];
    Addresses::new(AddressRule { networks, ..AddressRule::default() })
}

pub(crate) fn biz(name: &str, version: &str) -> BizId {
    BizId { name: name.parse().unwrap(), version: version.parse().unwrap() }
}

pub(crate) fn http_target(address: SocketAddr) -> Target {
    Target { base: "b1".parse().unwrap(), tunnel: TunnelKind::Http, address: Some(address), known: true }
}

pub(crate) fn mqtt_target(base: &str) -> Target {
    Target { base: base.parse().unwrap(), tunnel: TunnelKind::Mqtt, address: None, known: true }
}

/// What a fake Arklet does with a request.
#[derive(Clone)]
pub(crate) enum Behaviour {
    /// Writes this and closes, as Arklet does.
    Say(Vec<u8>),
    /// Writes this, and keeps the connection for the next request.
    KeepOpen(Vec<u8>),
    /// Reads and says nothing.
    Hang,
    /// Reads, and cuts the connection off.
    Reset,
}

/// A server on a port of its own that records what it is asked.
pub(crate) struct FakeArklet {
    pub(crate) address: SocketAddr,
    pub(crate) requests: mpsc::UnboundedReceiver<String>,
    pub(crate) connections: Arc<AtomicUsize>,
}

/// Arklet's answer: neither length nor type.
pub(crate) fn arklet_says(body: &str) -> Behaviour {
    Behaviour::Say(format!("HTTP/1.1 200 OK\r\n\r\n{body}").into_bytes())
}

impl FakeArklet {
    pub(crate) async fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = mpsc::unbounded_channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = connections.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(behave(stream, behaviour.clone(), sender.clone()));
            }
        });
        Self { address, requests, connections }
    }
}

async fn behave(mut stream: TcpStream, behaviour: Behaviour, requests: mpsc::UnboundedSender<String>) {
    while let Some(request) = read_request(&mut stream).await {
        let _ = requests.send(request);
        match &behaviour {
            Behaviour::Say(bytes) => {
                let _ = stream.write_all(bytes).await;
                return;
            }
            Behaviour::KeepOpen(bytes) => stream.write_all(bytes).await.unwrap(),
            Behaviour::Hang => std::future::pending().await,
            Behaviour::Reset => {
                stream.set_zero_linger().unwrap();
                return;
            }
        }
    }
}

/// Head and body of one request; none at the connection's end.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let mut some = [0; 4096];
        let read = stream.read(&mut some).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&some[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok())
            .unwrap_or(0);
        if body.len() >= length {
            return Some(text);
        }
    }
}

/// A base that talks MQTT 3.1.1 and answers every command with the same payload on a topic.
pub(crate) struct FakeBase {
    pub(crate) client: AsyncClient,
    /// The topics that commands came on.
    pub(crate) commands: mpsc::UnboundedReceiver<(String, String)>,
}

impl FakeBase {
    /// Connects and subscribes to its commands and its baseline in environment `dev`.
    pub(crate) async fn start(broker: SocketAddr, identity: &str, answer: Option<(&str, &str)>) -> Self {
        let mut options =
            MqttOptions::new(format!("base-{identity}"), (broker.ip().to_string(), broker.port()));
        options.set_max_packet_size(16 << 20, 16 << 20);
        let (client, mut events) = AsyncClient::builder(options).capacity(1024).build();
        for filter in ["+", "base/baseline"] {
            client.subscribe(format!("koupleless_dev/{identity}/{filter}"), QoS::AtLeastOnce).await.unwrap();
        }
        let answer = answer.map(|(channel, payload)| {
            (format!("koupleless_dev/{identity}/base/{channel}"), payload.to_owned())
        });
        let (sender, commands) = mpsc::unbounded_channel();
        let (ready, mut is_ready) = mpsc::channel(2);
        let publisher = client.clone();
        tokio::spawn(async move {
            while let Ok(event) = events.poll().await {
                match event {
                    rumqttc::Event::Incoming(Incoming::SubAck(_)) => {
                        let _ = ready.send(()).await;
                    }
                    rumqttc::Event::Incoming(Incoming::Publish(publish)) => {
                        let topic = String::from_utf8(publish.topic.to_vec()).unwrap();
                        let _ = sender.send((topic, String::from_utf8(publish.payload.to_vec()).unwrap()));
                        if let Some((topic, payload)) = &answer {
                            publisher
                                .try_publish(topic.clone(), payload.clone(), PublishOptions::at_least_once())
                                .unwrap();
                        }
                    }
                    _ => {}
                }
            }
        });
        for _ in 0..2 {
            soon(is_ready.recv()).await.expect("the base does not get its subscriptions");
        }
        Self { client, commands }
    }

    pub(crate) async fn publish(&self, identity: &str, channel: &str, payload: impl Into<Vec<u8>>) {
        let topic = format!("koupleless_dev/{identity}/base/{channel}");
        self.client.publish(topic, payload.into(), PublishOptions::at_least_once()).await.unwrap();
    }
}

/// An MQTT heartbeat of a base.
pub(crate) fn mqtt_heartbeat(identity: &str, state: &str) -> String {
    format!(
        r#"{{"data":{{"baseMetadata":{{"clusterName":"default","identity":"{identity}","name":"base","version":"1.0.0"}},"localHostName":"h","localIP":"192.0.2.2","port":0,"state":"{state}"}},"publishTimestamp":1795360400641}}"#
    )
}

/// The empty answer to `queryAllBiz` over MQTT.
pub(crate) const NO_BIZ: (&str, &str) = ("simpleBiz", r#"{"data":[],"publishTimestamp":1}"#);

/// A command without arguments.
pub(crate) const QUERY: Command = Command::QueryAllBiz;
