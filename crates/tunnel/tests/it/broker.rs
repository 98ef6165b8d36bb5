use model::Secret;
use rumqttc::{AsyncClient, ConnectReturnCode, ConnectionError, Event, Incoming, MqttOptions};
use tunnel::{EmbeddedBroker, broker::Access};

use crate::{mqtt::broker, support::soon};

/// Connects with MQTT 3.1.1, as a Java base does, and says how it went.
async fn connect(broker: &EmbeddedBroker, user: Option<(&str, &str)>) -> Result<(), ConnectionError> {
    let address = broker.local_addr();
    let mut options = MqttOptions::new("client", (address.ip().to_string(), address.port()));
    if let Some((user, password)) = user {
        options.set_credentials(user, password.to_owned());
    }
    let (_client, mut events) = AsyncClient::builder(options).capacity(1).build();
    soon(events.poll()).await.map(|event| assert!(matches!(event, Event::Incoming(Incoming::ConnAck(_)))))
}

#[tokio::test]
async fn the_right_password_is_taken_and_others_are_not() {
    let access = Access::Password { username: "u".into(), password: Secret::new("secret") };
    let broker = EmbeddedBroker::start("127.0.0.1:0".parse().unwrap(), access).await.unwrap();
    connect(&broker, Some(("u", "secret"))).await.unwrap();
    for user in [None, Some(("u", "")), Some(("u", "secre")), Some(("u", "secretx")), Some(("v", "secret"))] {
        let refused = connect(&broker, user).await;
        assert!(
            matches!(
                refused,
                Err(ConnectionError::ConnectionRefused(ConnectReturnCode::BadUserNamePassword))
            ),
            "{user:?}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_names_it() {
    let broker = broker().await;
    let error = EmbeddedBroker::start(broker.local_addr(), Access::Anyone).await.unwrap_err();
    assert!(error.to_string().contains(&broker.local_addr().to_string()), "{error}");
}

#[tokio::test]
async fn after_the_shutdown_the_port_is_free() {
    let first = broker().await;
    let address = first.local_addr();
    connect(&first, None).await.unwrap();
    first.shutdown().await;
    let second = EmbeddedBroker::start(address, Access::Anyone).await.unwrap();
    connect(&second, None).await.unwrap();
}
