//! A server that is not there, or that does not answer.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "as in every test, here in its helpers too"
)]

use std::time::Duration;

use cluster::{DeliveryFilter, WatchConfig, Writer, WriterConfig};
use engine::{Event, Request, Write, WriteError, view::PodRef};
use tokio::{net::TcpListener, sync::mpsc};

fn writer(address: &str, max_waiting: usize) -> (Writer, mpsc::Receiver<Event>, kube::Client) {
    let client =
        kube::Client::try_from(kube::Config::new(format!("http://{address}").parse().unwrap())).unwrap();
    let (events, received) = mpsc::channel(16);
    let deadline = Duration::from_millis(300);
    let config = WriterConfig { deadline, max_waiting, max_running: 1, ..WriterConfig::default() };
    (Writer::new(client.clone(), config, events, DeliveryFilter::new()), received, client)
}

fn delete(name: &str) -> Request {
    Request::DeletePod { pod: pod(name) }
}

fn pod(name: &str) -> PodRef {
    PodRef { namespace: "ns".into(), name: name.into(), uid: "u".into() }
}

async fn reason(received: &mut mpsc::Receiver<Event>) -> (Write, String) {
    match received.recv().await {
        Some(Event::Written { write, result: Err(WriteError::Unavailable { reason, .. }) }) => {
            (write, reason)
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn no_connection_is_said_and_the_watch_says_so_too() {
    // Bound and closed again: nobody listens there.
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let (writer, mut received, client) = writer(&address, 8);
    writer.submit(delete("a"));
    let (write, reason) = reason(&mut received).await;
    assert_eq!(write, Write::DeletePod(pod("a")));
    assert!(reason.contains("refused"), "{reason}");

    let (events, _received) = mpsc::channel(16);
    let watches = cluster::watch(client, WatchConfig::default(), events, DeliveryFilter::new());
    while watches.health().iter().any(|watch| watch.errors == 0) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!watches.synced());
    assert!(watches.health().iter().all(|watch| watch.failing && !watch.ended), "{:?}", watches.health());
    watches.shutdown().await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (writer, mut received, _) = writer(&listener.local_addr().unwrap().to_string(), 8);
    writer.submit(delete("a"));
    assert_eq!(reason(&mut received).await.1, "the API server did not answer within 0.3 s");
}

#[tokio::test]
async fn too_many_writes_are_turned_away_and_not_forgotten() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (writer, mut received, _) = writer(&listener.local_addr().unwrap().to_string(), 2);
    for name in ["a", "b", "c", "d", "e"] {
        writer.submit(delete(name));
    }
    let mut reasons = Vec::new();
    for _ in 0..5 {
        reasons.push(reason(&mut received).await.1);
    }
    let overflowed = reasons.iter().filter(|reason| reason.contains("wait already")).count();
    let counts = writer.counters().snapshot();
    assert!(overflowed >= 2, "{reasons:?}");
    assert_eq!((counts.overflowed, counts.waiting, counts.running), (overflowed as u64, 0, 0));
    assert!(writer.shutdown(Duration::from_secs(1)).await);
    writer.submit(delete("f"));
}
