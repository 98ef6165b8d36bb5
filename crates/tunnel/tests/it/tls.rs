use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use mqtt5::broker::{BrokerConfig, MqttBroker, config::StorageConfig};
use tunnel::{MqttConfig, MqttTunnel, TlsConfig};

use crate::{
    directory::{Directory, ca},
    support::events,
};

/// A broker that speaks TLS; with a CA for clients it wants to know them.
async fn broker((certificate, key): (PathBuf, PathBuf), clients: Option<&Path>) -> SocketAddr {
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let mut tls = mqtt5::broker::config::TlsConfig::new(certificate, key).with_bind_address(any);
    if let Some(ca) = clients {
        tls = tls.with_ca_file(ca.to_owned()).with_require_client_cert(true);
    }
    let config = BrokerConfig::new()
        .with_bind_address(any)
        .with_tls(tls)
        .with_storage(StorageConfig::new().with_persistence(false));
    let mut broker = MqttBroker::with_config(config).await.unwrap();
    let address = broker.tls_local_addr().unwrap();
    let mut ready = broker.ready_receiver();
    tokio::spawn(async move { broker.run().await });
    ready.wait_for(|ready| *ready).await.unwrap();
    address
}

/// Connects under this name; the reason where it does not come up.
async fn connect(host: &str, broker: SocketAddr, tls: TlsConfig) -> Result<(), String> {
    let (sender, mut events) = events(8);
    let config = MqttConfig {
        tls: Some(tls),
        reconnect_min: Duration::from_secs(60),
        reconnect_max: Duration::from_secs(60),
        ..MqttConfig::new(host, broker.port(), "controller", "dev")
    };
    let _tunnel = MqttTunnel::start(config, sender).unwrap();
    match events.next().await {
        tunnel::Event::Up(_) => Ok(()),
        tunnel::Event::Down { reason, .. } => Err(reason),
        other => panic!("{other:?}"),
    }
}

fn trust(ca: &Path) -> TlsConfig {
    TlsConfig::load(Some(ca), None, None).unwrap().unwrap()
}

#[tokio::test]
async fn a_broker_is_taken_only_under_its_own_name_and_the_right_ca() {
    let directory = Directory::new();
    let (right, wrong) = (ca(), ca());
    let right_file = directory.write("right.pem", right.pem());
    let wrong_file = directory.write("wrong.pem", wrong.pem());
    let named = broker(directory.issue(&right, "named", &["localhost", "127.0.0.1"]), None).await;
    assert_eq!(connect("localhost", named, trust(&right_file)).await, Ok(()));
    assert_eq!(connect("127.0.0.1", named, trust(&right_file)).await, Ok(()));
    let refused = connect("localhost", named, trust(&wrong_file)).await.unwrap_err();
    assert!(refused.contains("TLS: invalid peer certificate"), "{refused}");
    let other = broker(directory.issue(&right, "other", &["broker.example"]), None).await;
    let refused = connect("localhost", other, trust(&right_file)).await.unwrap_err();
    assert!(refused.contains("not valid for name") || refused.contains("NotValidForName"), "{refused}");
}

#[tokio::test]
async fn a_broker_that_wants_a_certificate_gets_it() {
    let directory = Directory::new();
    let ca = ca();
    let ca_file = directory.write("ca.pem", ca.pem());
    let (certificate, key) = directory.issue(&ca, "client", &["controller"]);
    let broker = broker(directory.issue(&ca, "server", &["localhost"]), Some(&ca_file)).await;
    let known = TlsConfig::load(Some(&ca_file), Some(&certificate), Some(&key)).unwrap().unwrap();
    assert_eq!(connect("localhost", broker, known).await, Ok(()));
    let refused = connect("localhost", broker, trust(&ca_file)).await.unwrap_err();
    assert!(refused.contains("CertificateRequired"), "{refused}");
}

#[tokio::test]
async fn the_next_connection_uses_what_the_files_hold_by_then() {
    let directory = Directory::new();
    let ca = ca();
    let ca_file = directory.write("ca.pem", self::ca().pem());
    let broker = broker(directory.issue(&ca, "server", &["localhost"]), None).await;
    let (sender, mut events) = events(8);
    let soon = Duration::from_millis(100);
    let config = MqttConfig {
        tls: Some(trust(&ca_file)),
        reconnect_min: soon,
        reconnect_max: soon,
        ..MqttConfig::new("localhost", broker.port(), "controller", "dev")
    };
    let _tunnel = MqttTunnel::start(config, sender).unwrap();
    let tunnel::Event::Down { reason, .. } = events.next().await else { panic!() };
    assert!(reason.contains("TLS: invalid peer certificate"), "{reason}");
    directory.write("ca.pem", ca.pem());
    events.up().await;
}

#[test]
fn a_file_that_is_no_good_is_refused_with_variable_and_name() {
    let directory = Directory::new();
    let ca = ca();
    let ca_file = directory.write("ca.pem", ca.pem());
    let (certificate, key) = directory.issue(&ca, "client", &["c"]);
    let (_, other_key) = directory.issue(&ca, "other", &["c"]);
    let noise = directory.write("noise.pem", "not PEM at all");
    let missing = directory.0.join("missing.pem");
    let load = |ca: Option<&Path>, crt: Option<&Path>, key: Option<&Path>| {
        TlsConfig::load(ca, crt, key).map(|config| config.is_some()).map_err(|error| error.to_string())
    };
    assert_eq!(load(None, None, None), Ok(false));
    assert_eq!(load(Some(&ca_file), Some(&certificate), Some(&key)), Ok(true));
    for (error, says) in [
        (load(Some(&missing), None, None), "MQTT_CA_PATH: "),
        (load(Some(&missing), None, None), "missing.pem cannot be read: No such file"),
        (load(Some(&noise), None, None), "noise.pem holds no PEM certificate"),
        (load(Some(&ca_file), Some(&noise), Some(&key)), "MQTT_CLIENT_CRT_PATH: "),
        (load(Some(&ca_file), Some(&certificate), Some(&noise)), "MQTT_CLIENT_KEY_PATH: "),
        (load(Some(&ca_file), Some(&certificate), None), "MQTT_CLIENT_KEY_PATH is not set"),
        (load(Some(&ca_file), None, Some(&key)), "MQTT_CLIENT_CRT_PATH is not set"),
        (load(None, Some(&certificate), Some(&key)), "MQTT_CA_PATH is not set"),
        (load(Some(&ca_file), Some(&certificate), Some(&other_key)), "does not fit"),
    ] {
        let error = error.unwrap_err();
        assert!(error.contains(says), "{error:?} does not say {says:?}");
    }
}
