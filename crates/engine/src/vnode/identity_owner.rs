//! Who owns an identity: the base that came first with it, as long as it is alive.
//!
//! Anybody who reaches a tunnel can use any identity. Heartbeats from another
//! address are refused until the owner sends no heartbeats, answers nothing, or says goodbye. Between two
//! heartbeats over MQTT there is nothing to compare: no socket's address comes with them and
//! nothing is called at the one they name; there the broker's rights say who may speak as whom.
//!
//! What names the right address, but does not come the base's own way (the tunnel it is reached by, and over
//! HTTP the peer that its heartbeats come from), is a sign of life and nothing else: it neither ends
//! the base, nor changes what is known of it, nor starts it anew.

use std::{fmt, net::IpAddr, time::Duration};

use arklet::{AnswerKey, CommandKind, Outcome};
use model::{BaseReport, BaseState, Bilingual, TunnelKind};

use super::{Context, News, VNode};
use crate::{config::Config, event::Now};

/// How often one base's rivals are spoken of: a heartbeat comes every 10 or 12 s.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// Between two questions for a baseline by which a base is taken for started anew: a JVM takes longer to start twice, and
/// each costs questions.
const RESTART_EVERY: Duration = Duration::from_secs(30);

/// Where the owner of an identity is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IdentityOwner {
    tunnel: TunnelKind,
    ip: Option<IpAddr>,
    port: Option<u16>,
    /// It spoke from the very address that it named: nothing translates addresses in between, so
    /// whoever names this address and speaks from another is not it.
    direct: bool,
    /// Where its heartbeats come from; none over MQTT.
    peer: Option<IpAddr>,
}

impl IdentityOwner {
    fn of(tunnel: TunnelKind, report: &BaseReport) -> Self {
        let ip = report.ip.map(|ip| ip.to_canonical());
        let peer = report.peer.map(|peer| peer.to_canonical());
        Self { tunnel, ip, port: report.port, direct: ip.is_some() && peer == ip, peer }
    }

    /// Whether this heartbeat is of somebody else.
    fn differs(&self, tunnel: TunnelKind, report: &BaseReport) -> bool {
        let other = Self::of(tunnel, report);
        let ports = self.port.zip(other.port);
        match (self.tunnel, tunnel) {
            (TunnelKind::Mqtt, TunnelKind::Mqtt) => false,
            (TunnelKind::Mqtt, TunnelKind::Http) => other.ip != self.ip,
            (TunnelKind::Http, _) => {
                other.ip != self.ip
                    || ports.is_some_and(|(ours, theirs)| ours != theirs)
                    || self.direct && other.peer.is_some() && other.peer != self.ip
            }
        }
    }

    /// Whether what comes over this tunnel, from this peer, comes the owner's own way.
    fn speaks_from(&self, tunnel: TunnelKind, peer: Option<IpAddr>) -> bool {
        match (self.tunnel, tunnel) {
            (TunnelKind::Mqtt, TunnelKind::Mqtt) => true,
            (TunnelKind::Http, TunnelKind::Http) => peer.map(|peer| peer.to_canonical()) == self.peer,
            (TunnelKind::Mqtt, TunnelKind::Http) | (TunnelKind::Http, TunnelKind::Mqtt) => false,
        }
    }
}

impl fmt::Display for IdentityOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.ip, self.port) {
            (Some(ip), Some(port)) => write!(f, "{ip} port {port}")?,
            (Some(ip), None) => write!(f, "{ip}")?,
            (None, _) => f.write_str("no address")?,
        }
        write!(f, " over {}", self.tunnel)
    }
}

/// Who owns the identity of one base, and when people were last told of others who claim it.
#[derive(Debug, Clone, Default)]
pub(super) struct IdentityOwnership {
    owner: Option<IdentityOwner>,
    /// When it was last heard on its own way.
    heard: Duration,
    /// When it was last taken for started anew because it asked for its baseline.
    restarted: Option<Duration>,
    said: Option<Duration>,
}

impl IdentityOwnership {
    /// A heartbeat of the owner was taken, or of who is the owner from now on.
    pub(super) fn heard(&mut self, tunnel: TunnelKind, report: &BaseReport, now: Duration) {
        (self.owner, self.heard) = (Some(IdentityOwner::of(tunnel, report)), now);
    }
}

/// Whose a heartbeat is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Voice {
    /// The base's.
    Own,
    /// It may be the base's, on another way than its own.
    Echo,
    /// Somebody else's, who claims the identity of a base that is alive elsewhere.
    Impostor,
}

/// Whether a heartbeat may be of whoever sent the one before, a moment ago.
pub(crate) fn may_follow(before: (TunnelKind, &BaseReport), tunnel: TunnelKind, report: &BaseReport) -> bool {
    let owner = IdentityOwner::of(before.0, before.1);
    let is_its = report.state == BaseState::Activated || owner.speaks_from(tunnel, report.peer);
    is_its && !owner.differs(tunnel, report)
}

impl VNode {
    /// Whose this heartbeat is.
    pub(crate) fn voice(&self, tunnel: TunnelKind, report: &BaseReport, now: Now, config: &Config) -> Voice {
        let Some(owner) = self.owner(now, config) else { return Voice::Own };
        if owner.differs(tunnel, report) {
            return Voice::Impostor;
        }
        // Heard over HTTP too, it is known by the way that tells more. Commands would go to the port that it names, so it
        // has to be at the base's address itself.
        let is_more = (owner.tunnel, tunnel) == (TunnelKind::Mqtt, TunnelKind::Http)
            && report.state == BaseState::Activated
            && IdentityOwner::of(tunnel, report).direct;
        if is_more || owner.speaks_from(tunnel, report.peer) {
            return Voice::Own;
        }
        match report.state {
            BaseState::Activated => Voice::Echo,
            // That it ends, or does not serve, it has to say itself.
            BaseState::Deactivated | BaseState::NotServing => Voice::Impostor,
        }
    }

    fn owner(&self, now: Now, config: &Config) -> Option<IdentityOwner> {
        let fresh = now.mono.saturating_sub(self.identity_owner.heard) < config.times.not_ready_after;
        self.identity_owner.owner.filter(|_| fresh && self.life.is_heard_and_well(now.mono, &config.times))
    }

    /// Whether what comes over this tunnel, from this peer, comes the way that the base itself is reached by.
    fn is_own_way(&self, tunnel: TunnelKind, peer: Option<IpAddr>, now: Now, config: &Config) -> bool {
        if let Some(owner) = self.owner(now, config) {
            return owner.speaks_from(tunnel, peer);
        }
        // Of one that is silent, or that this process has not heard yet, its Node or its last heartbeat tells.
        let Some(target) = self.target(config) else { return false };
        let before = self.identity_owner.owner.is_some_and(|owner| owner.speaks_from(tunnel, peer));
        let at_it =
            target.address.map(|address| address.ip().to_canonical()) == peer.map(|peer| peer.to_canonical());
        target.tunnel == tunnel && (before || tunnel == TunnelKind::Mqtt || at_it)
    }

    /// Whether it may be the base itself that asks for its baseline, and installs then what it is told. A base that is
    /// heard over both asks over MQTT, whatever it is reached by.
    pub(crate) fn may_play_back(
        &self,
        tunnel: TunnelKind,
        peer: Option<IpAddr>,
        now: Now,
        config: &Config,
    ) -> bool {
        self.is_own_way(tunnel, peer, now, config) || self.hears_over_mqtt(tunnel, now, config)
    }

    /// Somebody asks for the base's baseline. Where that is the base itself, it was started anew, and what is known of
    /// before is out of date; but not while a command is at work there, whose end will tell, and not without end.
    pub(crate) fn asked_for_baseline(&mut self, tunnel: TunnelKind, peer: Option<IpAddr>, ctx: &Context<'_>) {
        let now = ctx.now.mono;
        if !self.is_own_way(tunnel, peer, ctx.now, ctx.config) {
            return;
        }
        let often = self.identity_owner.restarted.is_some_and(|at| now < at + RESTART_EVERY);
        if often || !self.ops.is_empty() {
            self.look_again(now);
        } else {
            self.identity_owner.restarted = Some(now);
            self.restarted(now);
        }
    }

    /// An answer came, or the news that none will. One that does not come the way that was asked is somebody else's.
    pub(crate) fn answered(
        &mut self,
        tunnel: TunnelKind,
        key: &AnswerKey,
        outcome: Outcome,
        ctx: &mut Context<'_>,
    ) {
        let op = || key.biz.as_ref().and_then(|id| self.ops.get(&id.name)).filter(|op| op.key == *key);
        let asked = match key.command {
            CommandKind::QueryAllBiz => self.inventory_query.way(),
            CommandKind::Health => self.health_query.way(),
            // A baseline is asked for and told of on the same way.
            CommandKind::BatchInstallBiz => {
                Some(tunnel).filter(|_| self.hears_over_mqtt(tunnel, ctx.now, ctx.config))
            }
            _ => op().map(|op| op.tunnel),
        };
        let expected = asked.or_else(|| self.target(ctx.config).map(|target| target.tunnel));
        if expected.is_none_or(|expected| expected == tunnel) {
            self.answer(key, outcome, ctx);
        }
    }

    /// This tunnel is MQTT, and the base is heard over it, be it over HTTP too.
    fn hears_over_mqtt(&self, tunnel: TunnelKind, now: Now, config: &Config) -> bool {
        tunnel == TunnelKind::Mqtt && self.links.hears_mqtt(now.mono, config.times.not_ready_after)
    }

    /// Says that a heartbeat was refused; nothing else comes of it.
    pub(crate) fn refuse_impostor(&mut self, tunnel: TunnelKind, report: &BaseReport, ctx: &mut Context<'_>) {
        let (Some(owner), now) = (self.identity_owner.owner, ctx.now.mono) else { return };
        if self.identity_owner.said.is_some_and(|said| now < said + SAID_EVERY) {
            return;
        }
        self.identity_owner.said = Some(now);
        let other = IdentityOwner::of(tunnel, report);
        let (from, from_zh) = match report.peer {
            Some(peer) => (format!(", sent from {peer}"), format!("，发自 {peer}")),
            None => Default::default(),
        };
        let note = Bilingual::new(
            format!(
                "heartbeats of another are refused: they name {other}{from}, while the base is alive at {owner}; two bases may have the \
                 same identity"
            ),
            format!(
                "拒绝了另一方的心跳：其中写的是 {other}{from_zh}，而基座正在 {owner} 正常运行；可能有两个基座使用了同一个标识"
            ),
        );
        self.announce(News { warning: true, reason: "IdentityClaimed", action: "Register", note }, ctx);
    }
}

#[cfg(test)]
mod tests;
