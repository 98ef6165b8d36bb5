use std::time::Duration;

use arklet::CallError;
use model::TunnelKind;
use rumqttc::PublishOptions;
use tunnel::{
    AddressRule, Addresses, Event, HttpConfig, HttpTunnel, MqttConfig, MqttTunnel, http::Refusal,
    mqtt::Dropped,
};

use crate::{
    http_listener::{exchange, post},
    mqtt::broker,
    support::{FakeArklet, FakeBase, QUERY, arklet_says, events, http_target, mqtt_heartbeat, soon},
};

fn heartbeat(identity: &str, ip: &str) -> String {
    format!(r#"{{"baseMetadata":{{"identity":"{identity}"}},"localIP":"{ip}","port":1238}}"#)
}

#[tokio::test]
async fn a_heartbeat_that_names_a_forbidden_address_is_answered_counted_and_goes_no_further() {
    let (sender, mut events) = events(8);
    let api_server = vec!["198.51.100.1:6443".parse().unwrap()];
    let addresses = Addresses::new(AddressRule { api_server, ..AddressRule::default() });
    let config = HttpConfig { addresses, ..HttpConfig::new("127.0.0.1:0".parse().unwrap()) };
    let tunnel = HttpTunnel::start(config, sender).await.unwrap();
    events.up().await;
    for (ip, said) in [
        ("169.254.169.254", "169.254.169.254 is a cloud's metadata service"),
        ("100.100.100.200", "100.100.100.200 is a cloud's metadata service"),
        ("127.0.0.1", "127.0.0.1 is a loopback address"),
        ("169.254.7.7", "169.254.7.7 is link-local"),
        ("fe80::1", "fe80::1 is link-local"),
        ("224.0.0.1", "no address of one host"),
        ("0.0.0.0", "no address of one host"),
        ("::ffff:198.51.100.1", "the API server's own address"),
    ] {
        let answer = exchange(tunnel.local_addr(), post("/heartbeat", &heartbeat("liar", ip))).await;
        assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains(said), "{ip}: {answer}");
    }
    let answer = exchange(tunnel.local_addr(), post("/heartbeat", &heartbeat("honest", "192.0.2.2"))).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let Event::Heartbeat { tunnel: TunnelKind::Http, report } = events.next().await else { panic!() };
    assert_eq!((report.identity.as_str(), report.peer), ("honest", "127.0.0.1".parse().ok()));
    let stats = tunnel.stats();
    assert_eq!((stats.refused(Refusal::Address), stats.heartbeats), (8, 1));
}

#[tokio::test]
async fn no_command_goes_to_a_forbidden_address_whoever_told_of_it() {
    let (sender, mut events) = events(8);
    let networks = vec!["192.0.2.0/24".parse().unwrap()];
    let addresses = Addresses::new(AddressRule { networks, ..AddressRule::default() });
    let config = HttpConfig { addresses, ..HttpConfig::new("127.0.0.1:0".parse().unwrap()) };
    let tunnel = HttpTunnel::start(config, sender).await.unwrap();
    let arklet = FakeArklet::start(arklet_says("{}")).await;
    tunnel.call(http_target(arklet.address), QUERY, Duration::from_secs(5));
    let Err(CallError::Unreachable(cause)) = events.outcome().await else { panic!() };
    assert!(cause.contains("127.0.0.1 is in none of the networks of BASE_ADDRESS_CIDRS"), "{cause}");
    assert_eq!(arklet.connections.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[tokio::test]
async fn over_mqtt_it_is_dropped_and_counted() {
    let broker = broker().await;
    let (sender, mut events) = events(8);
    let address = broker.local_addr();
    let networks = vec!["10.0.0.0/8".parse().unwrap()];
    let config = MqttConfig {
        addresses: Addresses::new(AddressRule { networks, ..AddressRule::default() }),
        ..MqttConfig::new(address.ip().to_string(), address.port(), "controller", "dev")
    };
    let tunnel = MqttTunnel::start(config, sender).unwrap();
    events.up().await;
    let base = FakeBase::start(address, "b1", None).await;
    // It names 192.0.2.2, and then an address that it may have.
    let lie = mqtt_heartbeat("b1", "activated");
    for payload in [lie.clone(), lie.replace("192.0.2.2", "10.0.0.2")] {
        let publish =
            base.client.publish("koupleless_dev/b1/base/heart", payload, PublishOptions::at_least_once());
        soon(publish).await.unwrap();
    }
    let Event::Heartbeat { report, .. } = events.next().await else { panic!() };
    assert_eq!(report.ip, "10.0.0.2".parse().ok());
    assert_eq!(tunnel.stats().dropped(Dropped::Address), 1);
}
