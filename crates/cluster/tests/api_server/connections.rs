//! How requests get to the API server.

use std::time::{Duration, Instant};

use futures::future::join_all;
use kube::Client;
use testkit::{cluster::Cluster, proxy::Proxy, work_dir::WorkDir};

use crate::harness;

/// A client that has a connection, and the way that this takes.
async fn connected() -> (Proxy, Client) {
    let cluster = Cluster::shared().unwrap();
    let way = Proxy::start(cluster.address().unwrap()).unwrap();
    let dir = WorkDir::new("connections").unwrap();
    let kubeconfig = dir.join("kubeconfig");
    cluster.account_by(way.address(), &kubeconfig).unwrap();
    let client = harness::client(&kubeconfig).await;
    ask(&client).await.unwrap();
    (way, client)
}

async fn ask(client: &Client) -> kube::Result<String> {
    client.request_text(http::Request::get("/api/v1/nodes?limit=1").body(Vec::new()).unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn all_requests_share_one_connection() {
    let (way, client) = connected().await;
    let answers = join_all((0..500).map(|_| ask(&client))).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(way.connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_a_network_has_lost_is_given_up_and_another_is_made() {
    let (way, client) = connected().await;
    way.cut();
    let since = Instant::now();
    let lost = ask(&client).await;
    // Asked after 10 s, given up after 10 more; what read nothing on HTTP/1.1 was given up after 45.
    assert!(
        lost.is_err() && since.elapsed() < Duration::from_secs(40),
        "{lost:?} after {:?}",
        since.elapsed()
    );
    way.mend();
    ask(&client).await.unwrap();
    assert!(way.connections() > 1, "it is another");
}
