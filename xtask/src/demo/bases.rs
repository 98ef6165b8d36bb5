//! The bases of the demo: WebAssembly bases, or Java bases.

use std::net::Ipv4Addr;

use anyhow::{Result, ensure};
use testkit::{
    artifacts,
    http::Answer,
    java_base::{JavaBase, JavaBaseOptions, MqttAccess},
    wasm_base::{WasmBase, WasmBaseOptions},
};

use super::{Way, manifest};

/// What the bases are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stack {
    Wasm,
    Java,
}

/// How a base reaches the controller.
#[derive(Debug, Clone)]
pub(crate) enum Reach {
    /// `http://host:port`.
    Http(String),
    /// A broker on this port of 127.0.0.1.
    Mqtt(u16),
}

/// A running base.
#[derive(Debug)]
pub(crate) enum Base {
    Wasm(Box<WasmBase>),
    Java(Box<JavaBase>),
}

impl Stack {
    /// As the label `base.koupleless.io/stack` has it.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Wasm => "wasm",
            Self::Java => "java",
        }
    }

    /// As a reader knows it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Wasm => "WebAssembly",
            Self::Java => "Java",
        }
    }

    /// Finds or builds it.
    pub(crate) fn prepare(self) -> Result<()> {
        match self {
            Self::Wasm => artifacts::wasm_base().map(drop),
            Self::Java => artifacts::java().map(drop),
        }
    }

    /// The URL of a version of the module `biz1`.
    pub(crate) fn package(self, version: &str) -> Result<String> {
        let file = match self {
            Self::Wasm => artifacts::wasm_base()?.package("biz1", version)?,
            Self::Java => artifacts::java()?.package("biz1", version)?,
        };
        Ok(format!("file://{}", file.display()))
    }

    /// The version that the module is updated to, where a base can hold it beside 1.0.0 when it talks this way: a Java base
    /// can where the web context path is another one, and cannot switch over MQTT.
    pub(crate) fn updates_to(self, way: Way) -> Option<&'static str> {
        match (self, way) {
            (Self::Wasm, _) => Some("2.0.0"),
            (Self::Java, Way::Http) => Some("3.0.0"),
            (Self::Java, Way::Mqtt) => None,
        }
    }

    /// Starts several beside each other.
    pub(crate) fn start(self, identities: &[String], env: &str, reach: &Reach) -> Result<Vec<Base>> {
        let (http_tunnel, mqtt) = match reach {
            Reach::Http(url) => (Some(url.clone()), None),
            Reach::Mqtt(port) => {
                let url = format!("tcp://127.0.0.1:{port}");
                (None, Some(MqttAccess { url, ..MqttAccess::default() }))
            }
        };
        let (version, env) = (manifest::BASE_VERSION.to_owned(), env.to_owned());
        match self {
            Self::Wasm => {
                let options = identities.iter().map(|identity| WasmBaseOptions {
                    identity: identity.clone(),
                    version: version.clone(),
                    env: env.clone(),
                    http_tunnel: http_tunnel.clone(),
                    mqtt: mqtt.clone(),
                    ..WasmBaseOptions::default()
                });
                options
                    .map(|options| WasmBase::start(options).map(|base| Base::Wasm(Box::new(base))))
                    .collect()
            }
            Self::Java => {
                let options = identities.iter().map(|identity| JavaBaseOptions {
                    hostname: identity.clone(),
                    identity: identity.clone(),
                    version: version.clone(),
                    env: env.clone(),
                    http_tunnel: http_tunnel.clone(),
                    mqtt: mqtt.clone(),
                    ..JavaBaseOptions::default()
                });
                let bases = JavaBase::start_all(options.collect())?;
                Ok(bases.into_iter().map(|base| Base::Java(Box::new(base))).collect())
            }
        }
    }
}

impl Base {
    pub(crate) fn identity(&self) -> &str {
        match self {
            Self::Wasm(base) => base.identity(),
            Self::Java(base) => base.identity(),
        }
    }

    /// The Node that stands for it.
    pub(crate) fn node(&self) -> String {
        format!("virtual-node-{}", self.identity())
    }

    pub(crate) fn ip(&self) -> Ipv4Addr {
        match self {
            Self::Wasm(base) => base.ip(),
            Self::Java(base) => base.ip(),
        }
    }

    pub(crate) fn web_port(&self) -> u16 {
        match self {
            Self::Wasm(base) => base.web_port(),
            Self::Java(base) => base.web_port(),
        }
    }

    pub(crate) fn log(&self) -> String {
        match self {
            Self::Wasm(base) => base.log(),
            Self::Java(base) => base.log(),
        }
    }

    pub(crate) fn http_get(&self, path: &str) -> Result<Answer> {
        match self {
            Self::Wasm(base) => base.http_get(path),
            Self::Java(base) => base.http_get(path),
        }
    }

    /// The version that answers at a path; none where nothing does.
    pub(crate) fn serving(&self, path: &str) -> Result<Option<String>> {
        match self {
            Self::Wasm(base) => base.serving(path),
            Self::Java(base) => base.serving(path),
        }
    }

    /// An error unless it holds exactly these modules, `name:version state`.
    pub(crate) fn holds(&self, expected: &[String]) -> Result<()> {
        let biz = match self {
            Self::Wasm(base) => base.biz()?,
            Self::Java(base) => {
                let all = base.query_all_biz()?.into_iter();
                all.map(|biz| format!("{}:{} {}", biz.name, biz.version, biz.state)).collect()
            }
        };
        ensure!(biz == expected, "{} has {biz:?}", self.identity());
        Ok(())
    }

    /// Stops it: it says goodbye.
    pub(crate) fn stop(&mut self) -> Result<()> {
        match self {
            Self::Wasm(base) => base.stop(),
            Self::Java(base) => base.stop(),
        }
    }
}
