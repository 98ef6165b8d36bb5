//! The ways to a base: it may be heard over HTTP, over MQTT, or over both, and is one base.

use std::{net::SocketAddr, time::Duration};

use model::{BaseIdentity, BaseReport, TunnelKind};

use crate::action::Target;

/// What is known of the two ways.
#[derive(Debug, Clone, Default)]
pub(crate) struct Links {
    http: Option<(SocketAddr, Duration)>,
    mqtt: Option<Duration>,
}

impl Links {
    /// The ways that a Node's labels and addresses tell of.
    pub(crate) fn assumed(tunnel: TunnelKind, address: Option<SocketAddr>, now: Duration) -> Self {
        match tunnel {
            TunnelKind::Http => Self { http: address.map(|address| (address, now)), mqtt: None },
            TunnelKind::Mqtt => Self { http: None, mqtt: Some(now) },
        }
    }

    /// A heartbeat came this way.
    pub(crate) fn heard(&mut self, tunnel: TunnelKind, report: &BaseReport, now: Duration) {
        match tunnel {
            TunnelKind::Http => {
                if let (Some(ip), Some(port)) = (report.ip, report.port) {
                    self.http = Some((SocketAddr::new(ip, port), now));
                }
            }
            TunnelKind::Mqtt => self.mqtt = Some(now),
        }
    }

    /// It was heard over MQTT within `fresh`.
    pub(crate) fn hears_mqtt(&self, now: Duration, fresh: Duration) -> bool {
        self.mqtt.is_some_and(|heard| now.saturating_sub(heard) < fresh)
    }

    /// The way for commands: the one heard last, HTTP where both were heard within `fresh`,
    /// because a Java base knows more commands there.
    pub(crate) fn target(&self, base: &BaseIdentity, fresh: Duration) -> Option<Target> {
        let http = || {
            self.http.map(|(address, _)| Target {
                base: base.clone(),
                tunnel: TunnelKind::Http,
                address: Some(address),
                known: false,
            })
        };
        let mqtt = || {
            let base = base.clone();
            self.mqtt.map(|_| Target { base, tunnel: TunnelKind::Mqtt, address: None, known: false })
        };
        match (self.http, self.mqtt) {
            (Some((_, http_heard)), Some(mqtt_heard)) if http_heard + fresh < mqtt_heard => mqtt(),
            (Some(_), _) => http(),
            (None, _) => mqtt(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::BaseState;

    use super::*;

    fn report() -> BaseReport {
        BaseReport {
            identity: "b".parse().unwrap(),
            name: None,
            version: Arc::from(""),
            cluster: Arc::from(""),
            stack: Arc::from("java"),
            host_name: Arc::from(""),
            ip: "127.0.0.1".parse().ok(),
            peer: None,
            port: Some(1238),
            labels: std::collections::BTreeMap::new(),
            state: BaseState::Activated,
        }
    }

    #[test]
    fn a_base_heard_on_both_is_asked_over_http_until_http_falls_silent() {
        let s = Duration::from_secs;
        let (base, mut links) = ("b".parse().unwrap(), Links::default());
        assert_eq!(links.target(&base, s(25)), None);
        links.heard(TunnelKind::Mqtt, &report(), s(0));
        assert_eq!(links.target(&base, s(25)).unwrap().tunnel, TunnelKind::Mqtt);
        links.heard(TunnelKind::Http, &report(), s(1));
        assert_eq!(links.target(&base, s(25)).unwrap().tunnel, TunnelKind::Http);
        links.heard(TunnelKind::Mqtt, &report(), s(27));
        assert_eq!(links.target(&base, s(25)).unwrap().tunnel, TunnelKind::Mqtt);
    }
}
