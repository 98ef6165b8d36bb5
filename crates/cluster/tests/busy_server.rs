//! A server that takes so many requests at once, and answers 429 to what is over.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "as in every test, here in its helpers too"
)]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use cluster::{DeliveryFilter, LaneKind, Writer, WriterConfig};
use engine::{
    Event, Request, Write, WriteError,
    view::{ModuleKey, ModuleRef, PodRef},
};
use model::{BizId, Fence};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Barrier, mpsc},
};

/// As priority and fairness answers: in plain text, with the pause in a header only.
fn enough(seconds: u32) -> String {
    format!(
        "HTTP/1.1 429 Too Many Requests\r\nRetry-After: {seconds}\r\nConnection: close\r\nContent-Length: 18\r\n\r\n\
         Too many requests."
    )
}
const DONE: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";
const TAKES: Duration = Duration::from_millis(10);

struct Server {
    most: usize,
    /// Where there are more, it wants to be left alone for so many seconds.
    pause: u32,
    /// So many of the first are answered when all of them have come: how busy the machine is does not decide
    /// how many run at once.
    together: usize,
    met: Barrier,
    running: AtomicUsize,
    /// When each request came, and whether it was taken.
    asked: Mutex<Vec<(Instant, bool)>>,
}

impl Server {
    async fn start(most: usize, pause: u32, together: usize) -> (Arc<Self>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (running, asked) = (AtomicUsize::new(0), Mutex::default());
        let server = Arc::new(Self { most, pause, together, met: Barrier::new(together), running, asked });
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serving.clone().answer(connection));
            }
        });
        (server, address)
    }

    async fn answer(self: Arc<Self>, mut connection: TcpStream) {
        if !read_request(&mut connection).await {
            return;
        }
        let taken = self.running.fetch_add(1, SeqCst) < self.most;
        let before = {
            let mut asked = self.asked.lock().unwrap();
            asked.push((Instant::now(), taken));
            asked.len() - 1
        };
        if before < self.together {
            let met = tokio::time::timeout(Duration::from_secs(20), self.met.wait()).await;
            met.unwrap_or_else(|_| panic!("{} of {} came", self.asked().len(), self.together));
        }
        if taken {
            tokio::time::sleep(TAKES).await;
        }
        self.running.fetch_sub(1, SeqCst);
        let _ = connection.write_all(if taken { DONE.into() } else { enough(self.pause) }.as_bytes()).await;
    }

    fn asked(&self) -> Vec<(Instant, bool)> {
        self.asked.lock().unwrap().clone()
    }
}

/// Reads head and body. False where the peer ends before.
async fn read_request(connection: &mut TcpStream) -> bool {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return true;
            }
        }
        if !matches!(connection.read_buf(&mut bytes).await, Ok(read) if read > 0) {
            return false;
        }
    }
}

fn delete(name: &str) -> Request {
    Request::DeletePod { pod: PodRef { namespace: "ns".into(), name: name.into(), uid: "u".into() } }
}

fn delete_module(n: usize) -> Request {
    let version = n.to_string();
    let id = BizId { name: "biz".parse().unwrap(), version: version.parse().unwrap() };
    let key = ModuleKey { vnode: "virtual-node-a".into(), id };
    let module = ModuleRef { namespace: "ns".into(), name: version.into(), uid: "u".into() };
    Request::DeleteModule { key, module, resource_version: None }
}

fn writer(address: &str) -> (Writer, mpsc::Receiver<Event>) {
    fenced(address, Fence::open())
}

fn fenced(address: &str, fence: Fence) -> (Writer, mpsc::Receiver<Event>) {
    let mut config = kube::Config::new(format!("http://{address}").parse().unwrap());
    config.default_retry = false;
    let client = kube::Client::try_from(config).unwrap();
    let (events, received) = mpsc::channel(64);
    let config = WriterConfig { fence, ..WriterConfig::default() };
    (Writer::new(client, config, events, DeliveryFilter::new()), received)
}

fn places(writer: &Writer, lane: LaneKind) -> u64 {
    writer.counters().snapshot().places.iter().find(|(kind, _)| *kind == lane).unwrap().1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_come_to_what_the_server_takes_and_leave_it_alone_when_it_says_so() {
    const WRITES: usize = 600;
    const AT_ONCE: usize = 64;
    let (server, address) = Server::start(8, 1, AT_ONCE).await;
    let (writer, mut received) = writer(&address);
    assert_eq!(
        (places(&writer, LaneKind::Writes), places(&writer, LaneKind::Renewals)),
        (AT_ONCE as u64, 32)
    );
    for n in 0..WRITES {
        writer.submit(delete(&n.to_string()));
    }
    let mut done = 0;
    while done < WRITES {
        match received.recv().await.unwrap() {
            Event::Written { write: Write::DeletePod(_), result: Ok(()) } => done += 1,
            // As the engine does, at the end of what waits.
            Event::Written {
                write: Write::DeletePod(pod),
                result: Err(WriteError::Unavailable { retry_after, .. }),
            } => {
                assert_eq!(retry_after, Some(Duration::from_secs(1)));
                writer.submit(Request::DeletePod { pod });
            }
            other => panic!("{other:?}"),
        }
    }
    let asked = server.asked();
    let refused = asked.iter().filter(|(_, taken)| !taken).count();
    assert!(refused >= AT_ONCE - 8, "it had enough at first: {refused} of {}", asked.len());
    // 64, 32 and 16 at once are too many, and then one now and then.
    assert!(refused <= 56 + 24 + 8 + 20, "{refused} of {}", asked.len());
    // Beside the 8 that the server counts, some are on their way: on a busy machine a few.
    let now = places(&writer, LaneKind::Writes);
    assert!((1..16).contains(&now), "{now}");
    assert_eq!(places(&writer, LaneKind::Renewals), 32, "no renewal was refused");
    // What was taken may make room for one more before the refusal next to it is read.
    let (wave, answered) = (Duration::from_millis(500), asked[AT_ONCE - 1].0);
    let early = asked.iter().filter(|(at, _)| (wave..Duration::from_millis(990)).contains(&(*at - answered)));
    assert_eq!(early.count(), 0, "it asked for a second");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_come_before_what_nothing_waits_for() {
    let (_server, address) = Server::start(1_000, 1, 0).await;
    let (writer, mut received) = writer(&address);
    for n in 0..400 {
        writer.submit(delete_module(n));
    }
    for n in 0..200 {
        writer.submit(delete(&n.to_string()));
    }
    let (mut pods, mut modules) = (0, 0);
    while pods < 200 {
        match received.recv().await.unwrap() {
            Event::Written { write: Write::DeletePod(_), result: Ok(()) } => pods += 1,
            Event::Written { write: Write::DeleteModule(_), result: Ok(()) } => modules += 1,
            other => panic!("{other:?}"),
        }
    }
    // 8 of 72 at once: in the time of 200 Pods that is 25, and more where the machine is busy.
    assert!(modules < 200, "{modules} Module objects were deleted meanwhile");
    while modules < 400 {
        match received.recv().await.unwrap() {
            Event::Written { write: Write::DeleteModule(_), result: Ok(()) } => modules += 1,
            other => panic!("{other:?}"),
        }
    }
}

/// One of several replicas that ends: what a busy server put off is not sent any more, and others wait for the end of this one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_not_be_sent_any_more_is_not_waited_for_at_the_end() {
    const WRITES: usize = 100;
    let (server, address) = Server::start(0, 20, 1).await;
    let fence = Fence::new(|| Duration::ZERO);
    fence.open_until(1, Duration::from_secs(7));
    let (writer, mut received) = fenced(&address, fence.clone());
    for n in 0..WRITES {
        writer.submit(delete(&n.to_string()));
        writer.submit(delete_module(n));
    }
    // The first that is told that there is enough shuts the lane for all that have not begun.
    assert!(matches!(received.recv().await, Some(Event::Written { result: Err(_), .. })));
    let telling = tokio::spawn(async move { while received.recv().await.is_some() {} });
    fence.close();
    let begun = Instant::now();
    assert!(writer.shutdown(Duration::from_secs(30)).await, "nothing was cut off");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(server.asked().len() < 2 * WRITES, "some had to wait");
    telling.abort();
}
