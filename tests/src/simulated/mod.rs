//! Bases that are nothing but answers: for tests that need many, and for what no Java base can be brought to.

mod arklet;
mod http;
mod mqtt;

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use testkit::names;

pub use self::arklet::Release;
use self::{arklet::Arklet, mqtt::Connected};
use crate::heartbeat::{self, Heart, heartbeat};

/// How long a request or an answer may take.
const LIMIT: Duration = Duration::from_secs(10);

/// How often one of a fleet is heard: as often as a Java base.
const FLEET: Duration = Duration::from_secs(10);

/// A base: Arklet's commands, and a heartbeat each second. Dropped, it is silent.
#[derive(Debug)]
pub struct Simulated {
    identity: String,
    heartbeat: Value,
    arklet: Arc<Arklet>,
    /// The tunnel that hears it, `http://host:port`; none over MQTT.
    tunnel: Option<String>,
    /// Held while it says something to the tunnel.
    mouth: Arc<Mutex<()>>,
    _heart: Option<Arc<Heart>>,
    connected: Option<Connected>,
}

impl Simulated {
    /// One named `base` of this version, heard by a tunnel (`http://host:port`).
    pub fn start(tunnel: &str, version: &str) -> Result<Self> {
        Self::over_http(tunnel, vec![Self::new(version)?], heartbeat::PERIOD).pop().context("one base")
    }

    /// As [`Simulated::start`], where it says that it has these labels.
    pub fn labelled(tunnel: &str, version: &str, labels: &Value) -> Result<Self> {
        let mut base = Self::new(version)?;
        base.heartbeat["baseMetadata"]["labels"] = labels.clone();
        Self::over_http(tunnel, vec![base], heartbeat::PERIOD).pop().context("one base")
    }

    /// Many of them, each heard every 10 s, by one thread.
    pub fn fleet(tunnel: &str, version: &str, count: usize) -> Result<Vec<Self>> {
        let bases = (0..count).map(|_| Self::new(version)).collect::<Result<Vec<Self>>>()?;
        Ok(Self::over_http(tunnel, bases, FLEET))
    }

    /// One that is reached through the broker on this port of 127.0.0.1, in an environment.
    pub fn over_mqtt(port: u16, env: &str, version: &str) -> Self {
        Self::over_mqtt_from(port, env, version, Ipv4Addr::LOCALHOST)
    }

    /// As [`Simulated::over_mqtt`], where it says that this is its address: nobody calls it there.
    pub fn over_mqtt_from(port: u16, env: &str, version: &str, address: Ipv4Addr) -> Self {
        let identity = names::unique("simulated");
        // Over MQTT a base tells port 0.
        let heartbeat = heartbeat(&identity, version, SocketAddr::from((address, 0)));
        Self::connected(port, env, identity, heartbeat, Arc::default())
    }

    /// As [`Simulated::over_mqtt`], on a host of this name: over MQTT a base is told from others by nothing else.
    pub fn over_mqtt_on(port: u16, env: &str, version: &str, host: &str) -> Self {
        let identity = names::unique("simulated");
        let mut heartbeat = heartbeat(&identity, version, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        heartbeat["localHostName"] = json!(host);
        Self::connected(port, env, identity, heartbeat, Arc::default())
    }

    fn connected(port: u16, env: &str, identity: String, heartbeat: Value, arklet: Arc<Arklet>) -> Self {
        let topics = format!("koupleless_{env}/{identity}");
        let connected = Connected::start(port, topics, heartbeat.clone(), arklet.clone());
        let mut base = Self::unheard(identity, heartbeat, arklet);
        base.connected = Some(connected);
        base
    }

    /// One as the Go controller's own tests have it, over HTTP: it tells no name, states are in capitals, and the answer to
    /// an install has null where the list is.
    pub fn as_go_has_it(tunnel: &str, version: &str) -> Result<Self> {
        let mut base = Self::new(version)?;
        base.arklet.be_as_go_has_it();
        nameless(&mut base.heartbeat);
        Self::over_http(tunnel, vec![base], heartbeat::PERIOD).pop().context("one base")
    }

    /// The same over MQTT: see [`Simulated::over_mqtt`].
    pub fn as_go_has_it_over_mqtt(port: u16, env: &str, version: &str) -> Self {
        let (identity, arklet) = (names::unique("simulated"), Arc::<Arklet>::default());
        arklet.be_as_go_has_it();
        let mut heartbeat = heartbeat(&identity, version, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        nameless(&mut heartbeat);
        Self::connected(port, env, identity, heartbeat, arklet)
    }

    /// As [`Simulated::start`], but first it asks for its baseline and has all of it.
    pub fn play_back(tunnel: &str, version: &str) -> Result<Self> {
        let base = Self::new(version)?;
        let query = json!({
            "identity": base.identity, "name": "base", "version": version, "clusterName": "default",
        });
        let answer = testkit::http::post(&format!("{tunnel}/queryBaseline"), &query, LIMIT)?;
        ensure!(answer.status == 200, "{} {}", answer.status, answer.body);
        let baseline: Vec<Value> = serde_json::from_str(&answer.body).context("the baseline")?;
        for module in baseline {
            let word = |key: &str| module[key].as_str().unwrap_or_default().to_owned();
            base.put(&format!("{}:{}", word("bizName"), word("bizVersion")), "activated");
        }
        Self::over_http(tunnel, vec![base], heartbeat::PERIOD).pop().context("one base")
    }

    /// One that nobody hears yet.
    fn new(version: &str) -> Result<Self> {
        let (identity, arklet) = (names::unique("simulated"), Arc::<Arklet>::default());
        let heartbeat = heartbeat(&identity, version, http::serve(arklet.clone())?);
        Ok(Self::unheard(identity, heartbeat, arklet))
    }

    fn unheard(identity: String, heartbeat: Value, arklet: Arc<Arklet>) -> Self {
        let mouth = Arc::default();
        Self { identity, heartbeat, arklet, tunnel: None, mouth, _heart: None, connected: None }
    }

    fn over_http(tunnel: &str, mut bases: Vec<Self>, period: Duration) -> Vec<Self> {
        let voices = bases.iter().map(|base| {
            let (heartbeat, arklet, mouth) =
                (base.heartbeat.clone(), base.arklet.clone(), base.mouth.clone());
            move |say: &dyn Fn(&Value)| {
                let _speaks = mouth.lock();
                if !arklet.is_silent() {
                    say(&heartbeat);
                }
            }
        });
        let heart = Arc::new(Heart::take_turns(tunnel, period, voices.collect()));
        for base in &mut bases {
            (base.tunnel, base._heart) = (Some(tunnel.to_owned()), Some(heart.clone()));
        }
        bases
    }

    /// The name of its Node.
    pub fn node(&self) -> String {
        format!("virtual-node-{}", self.identity)
    }

    /// Its identity.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// The installs and uninstalls that came so far, `installBiz biz1:1.0.0`.
    pub fn commands(&self) -> Vec<String> {
        self.arklet.commands()
    }

    /// Those of [`Simulated::commands`] that were not refused. A replacement is both.
    pub fn done(&self) -> Vec<String> {
        self.arklet.done()
    }

    /// How often it was asked for what it has, and how it is.
    pub fn questions(&self) -> usize {
        self.arklet.questions()
    }

    /// What it has: its state by `name:version`.
    pub fn biz(&self) -> BTreeMap<String, String> {
        self.arklet.biz()
    }

    /// From now on the module `name:version` is in this state.
    pub fn put(&self, id: &str, state: &str) {
        self.arklet.put(id, state);
    }

    /// From now on the module `name:version` fails when it starts.
    pub fn fail_at_start(&self, id: &str) {
        self.arklet.fail_at_start(id);
    }

    /// A module that failed at its start does so no more.
    pub fn mend(&self, id: &str) {
        self.arklet.mend(id);
    }

    /// From now on it holds several versions of a module, which a base does where each has a web context path of its own.
    pub fn hold_two_versions(&self) {
        self.arklet.hold_two_versions();
    }

    /// The next uninstalls fail.
    pub fn refuse_uninstalls(&self, count: usize) {
        self.arklet.refuse_uninstalls(count);
    }

    /// From now on it is of this release.
    pub fn be(&self, release: Release) {
        self.arklet.be(release);
    }

    /// From now on an install or uninstall takes so long.
    pub fn take(&self, time: Duration) {
        self.arklet.take(time);
    }

    /// Neither heard any more nor answering.
    pub fn fall_silent(&self) {
        self.arklet.be_silent(true);
    }

    /// Heard and answering again.
    pub fn speak_again(&self) {
        self.arklet.be_silent(false);
    }

    /// Another process with the same identity takes its place, and has no modules.
    pub fn start_anew(&self) {
        self.arklet.start_anew();
    }

    /// What it says of itself; a last word is the same with another state.
    pub fn heartbeat(&self) -> &Value {
        &self.heartbeat
    }

    /// Its last word, the way it is heard.
    pub fn say_goodbye(&self) -> Result<()> {
        match &self.connected {
            Some(connected) => {
                connected.say_goodbye();
                Ok(())
            }
            None => self.say_goodbye_to(self.tunnel.as_ref().context("nobody hears it")?),
        }
    }

    /// Its last word, to this tunnel.
    pub fn say_goodbye_to(&self, tunnel: &str) -> Result<()> {
        self.fall_silent();
        // What it says at this moment must not come after its last word.
        drop(self.mouth.lock());
        let goodbye = last_word(&self.heartbeat);
        let answer = testkit::http::post(&format!("{tunnel}/heartbeat"), &goodbye, LIMIT)?;
        ensure!(answer.status == 200, "a goodbye: {} {}", answer.status, answer.body);
        Ok(())
    }
}

/// The heartbeat of a base that ends, in capitals where its others are.
fn last_word(heartbeat: &Value) -> Value {
    let mut goodbye = heartbeat.clone();
    goodbye["state"] = json!(if heartbeat["state"] == "ACTIVATED" { "DEACTIVATED" } else { "deactivated" });
    goodbye
}

/// A heartbeat as the Go controller's tests send it.
fn nameless(heartbeat: &mut Value) {
    if let Some(metadata) = heartbeat["baseMetadata"].as_object_mut() {
        metadata.remove("name");
    }
    heartbeat["localHostName"] = json!("localhost");
    heartbeat["state"] = json!("ACTIVATED");
}

impl Drop for Simulated {
    fn drop(&mut self) {
        self.fall_silent();
    }
}
