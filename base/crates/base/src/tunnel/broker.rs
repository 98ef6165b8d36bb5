//! How a base reaches its broker.

use std::path::Path;

use anyhow::{Context as _, Result};
use model::Secret;
use rumqttc::TlsConfiguration;

use crate::settings::Mqtt;

/// A broker, and who the base is to it.
#[derive(Clone)]
pub(crate) struct Broker {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) client_id: String,
    pub(super) user: Option<(String, Secret)>,
    pub(super) tls: Option<TlsConfiguration>,
    /// What topics begin with, after `koupleless_`.
    pub(super) env: String,
}

impl Broker {
    /// Reads the files that the settings name.
    ///
    /// # Errors
    /// Where one cannot be read.
    pub(crate) fn open(mqtt: &Mqtt, identity: &str) -> Result<Self> {
        let read = |file: &Path| std::fs::read(file).with_context(|| format!("reading {}", file.display()));
        let client_auth = match &mqtt.certificate {
            Some((certificate, key)) => Some((read(certificate)?, read(key)?)),
            None => None,
        };
        let tls = match &mqtt.ca {
            Some(ca) => Some(TlsConfiguration::Simple { ca: read(ca)?, alpn: None, client_auth }),
            None => None,
        };
        Ok(Self {
            host: mqtt.host.clone(),
            port: mqtt.port,
            // Not every broker takes a slash.
            client_id: format!("{}-{}", mqtt.client_prefix, identity.replace('/', "-")),
            user: mqtt.user.clone(),
            tls,
            env: mqtt.env.clone(),
        })
    }
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}
