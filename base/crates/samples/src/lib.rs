//! Packages for tests, made of WebAssembly text where they are needed: no compiler of another language has to be there.
//!
//! What a sample does is told by the path of a request: see `module.wat`.

use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use package::Manifest;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const WIT: &str = include_str!("wasi.wit");
const MODULE: &str = include_str!("module.wat");

/// Modules that misbehave, by their names, each with the path at which it does.
pub const BAD: [(&str, &str); 6] = [
    ("loop1", "loop"),
    ("loop2", "loop"),
    ("loop3", "loop"),
    ("loop4", "loop"),
    ("bomb", "bomb"),
    ("flood", "flood"),
];

/// What a sample answers when it is asked for its health.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Health {
    /// 404: it does not know the question.
    #[default]
    Unknown,
    /// 200, `UP`.
    Up,
    /// 503, `DOWN`.
    Down,
    /// Nothing: it traps.
    Trap,
    /// `UP`, after this time.
    Slow(Duration),
    /// Nothing: it computes without end.
    Loop,
    /// `UP` from this time on, and nothing before it: it takes its time to start.
    UpFrom(SystemTime),
}

/// A package to be made.
#[derive(Debug, Clone)]
pub struct Sample {
    name: String,
    version: String,
    health: Health,
    path: String,
    limits: String,
    outbound_hosts: Vec<String>,
}

impl Sample {
    /// A module that serves at its own name.
    pub fn new(name: &str, version: &str) -> Self {
        let (name, version) = (name.to_owned(), version.to_owned());
        Self {
            path: name.clone(),
            name,
            version,
            health: Health::default(),
            limits: "{}".to_owned(),
            outbound_hosts: Vec::new(),
        }
    }

    /// What it says of its health.
    #[must_use]
    pub fn health(mut self, health: Health) -> Self {
        self.health = health;
        self
    }

    /// Its web context path.
    #[must_use]
    pub fn path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// What it asks for, as the section has it: `{"memoryMiB":8}`.
    #[must_use]
    pub fn limits(mut self, json: &str) -> Self {
        json.clone_into(&mut self.limits);
        self
    }

    /// A host that it may call, as the section has it: `host` or `host:port`.
    #[must_use]
    pub fn calls(mut self, host: &str) -> Self {
        self.outbound_hosts.push(host.to_owned());
        self
    }

    /// The package's bytes.
    ///
    /// # Errors
    /// Where name, version, path or limits are none.
    pub fn package(&self) -> Result<Vec<u8>> {
        let json = format!(
            r#"{{"name":"{}","version":"{}","webContextPath":"{}","limits":{},"outboundHosts":{:?}}}"#,
            self.name, self.version, self.path, self.limits, self.outbound_hosts
        );
        Ok(package::stamp(&self.component()?, &Manifest::parse(json.as_bytes())?)?)
    }

    /// The component alone, without the section.
    ///
    /// # Errors
    /// Where it does not fit together, which is a mistake of ours.
    pub fn component(&self) -> Result<Vec<u8>> {
        let who = format!(r#"{{"name":"{}","version":"{}"}}"#, self.name, self.version);
        let escaped: String = who.bytes().map(|byte| format!("\\{byte:02x}")).collect();
        let (health, wait, until) = match self.health {
            Health::Unknown => (0, Duration::ZERO, 0),
            Health::Up => (1, Duration::ZERO, 0),
            Health::Down => (2, Duration::ZERO, 0),
            Health::Trap => (3, Duration::ZERO, 0),
            Health::Slow(wait) => (4, wait, 0),
            Health::Loop => (5, Duration::ZERO, 0),
            Health::UpFrom(time) => {
                (6, Duration::ZERO, time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
            }
        };
        let text = MODULE
            .replace("$WHO$", &escaped)
            .replace("$WHO_LENGTH$", &who.len().to_string())
            .replace("$HEALTH$", &health.to_string())
            .replace("$WAIT$", &wait.as_nanos().to_string())
            .replace("$UNTIL$", &until.to_string());
        let mut module = wat::parse_str(text).context("the text of the module")?;
        let mut resolve = Resolve::default();
        let wit = resolve.push_str("wasi.wit", WIT).context("the interfaces")?;
        let world = resolve.select_world(&[wit], Some("module")).context("the world")?;
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
        ComponentEncoder::default().validate(true).module(&module)?.encode().context("the component")
    }

    /// Writes the package as `<name>-<version>.wasm` into a folder.
    ///
    /// # Errors
    /// As [`Sample::package`], and where it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<std::path::PathBuf> {
        let file = folder.join(format!("{}-{}.wasm", self.name, self.version));
        fs::write(&file, self.package()?).with_context(|| format!("writing {}", file.display()))?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_says_who_it_is() {
        let package = Sample::new("biz1", "1.0.0").path("shop").package().unwrap();
        let manifest = package::read(&package).unwrap();
        assert_eq!((manifest.id.to_string(), &*manifest.web_context_path), ("biz1:1.0.0".to_owned(), "shop"));
    }
}
