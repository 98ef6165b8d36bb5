//! A base, as real Java bases were seen to behave (`crates/arklet/testdata`).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use arklet::{Answer, CallError, Command, Failure, FailureKind, Health, Outcome, WireStrategy};
use model::{BizId, BizState, BizStatus};

use crate::network::Call;

/// A base process and what is installed in it.
#[derive(Debug, Default)]
pub struct Base {
    /// It runs. A base that does not run answers nothing and refuses connections.
    pub up: bool,
    /// It runs, but is stopped (a pause): commands wait until it goes on.
    pub paused: bool,
    /// What is installed.
    pub biz: BTreeMap<BizId, Biz>,
    /// What was installed when the process before this one ended: whoever has not heard of that may take it to be there.
    pub lost: BTreeMap<BizId, Biz>,
    /// The names and versions on which a command is at work: a base refuses another one for the same
    /// (`crates/arklet/testdata/http/2.1.11/64-sync-install-conflict-while-running.json`).
    locked: BTreeSet<BizId>,
    /// It is connected to the broker, where it uses one.
    pub connected: bool,
    /// Commands that came while it is stopped, in their order.
    pub(crate) waiting: Vec<Call>,
    /// Counts starts of the process: what was sent to an earlier one is lost.
    pub incarnation: u32,
    /// What it does otherwise than a present Java base; each start may be of another release.
    pub release: Release,
    /// It was of a release that knows no `installStrategy`, now or before: whoever has learnt that may not know better yet.
    pub has_only_installed: bool,
}

/// Which releases a base may be of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Release {
    /// A present one.
    #[default]
    Present,
    /// It says that it has installed something, and not what.
    NamesNothing,
    /// It does not say why a start failed, as those of koupleless 2.1.6 over MQTT.
    Terse,
    /// It knows no `installStrategy`, as those before koupleless 1.3.
    Old,
    /// Neither.
    OldAndTerse,
}

impl Release {
    /// All of them, the present one as often as the others together.
    pub const ALL: [Self; 8] = [
        Self::Present,
        Self::Present,
        Self::Present,
        Self::Present,
        Self::NamesNothing,
        Self::Terse,
        Self::Old,
        Self::OldAndTerse,
    ];

    /// An install is only that: what else is there of the same name stays, whatever the install says.
    pub fn only_installs(self) -> bool {
        matches!(self, Self::Old | Self::OldAndTerse)
    }
}

/// An installed biz.
#[derive(Debug, Clone)]
pub struct Biz {
    /// Its state.
    pub state: BizState,
    /// Where it serves: one biz per path.
    pub context_path: Arc<str>,
    /// When it was last activated.
    pub activated: Duration,
    /// What it came from.
    pub package: Package,
}

/// What a package does when it is installed: its URL says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Package {
    /// It starts; the context path is the biz's name.
    Good,
    /// The same from another URL.
    GoodToo,
    /// It starts; the context path has the version in it, so two versions fit.
    OwnPath,
    /// It is not there.
    Missing,
    /// Its start fails.
    Failing,
    /// Its manifest says another version.
    Misnamed,
}

impl Package {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Good, Self::GoodToo, Self::OwnPath, Self::Missing, Self::Failing, Self::Misnamed];

    /// The URL that stands for it.
    pub fn url(self) -> String {
        format!("file:///{self:?}.jar")
    }

    /// Where its biz of this name and version serves.
    pub fn context_path(self, id: &BizId) -> Arc<str> {
        match self {
            Self::OwnPath => format!("{}-{}", id.name, id.version).into(),
            _ => id.name.as_str().into(),
        }
    }

    /// What a URL stands for.
    pub fn of(url: &str) -> Self {
        Self::ALL.into_iter().find(|package| package.url() == url).unwrap_or(Self::Missing)
    }
}

impl Base {
    /// A command arrives. From then until its answer no other is taken for the same name and version.
    ///
    /// # Errors
    /// What the base answers at once.
    pub fn take(&mut self, command: &Command) -> Result<(), CallError> {
        match command.biz() {
            Some(id) if !self.locked.insert(id.clone()) => Err(refusal(FailureKind::Conflict)),
            _ => Ok(()),
        }
    }

    /// Carries a command out and says what the base answers.
    pub fn carry_out(&mut self, command: &Command, now: Duration) -> Outcome {
        if let Some(id) = command.biz() {
            self.locked.remove(id);
        }
        match command {
            Command::QueryAllBiz => {
                Ok(Answer::Biz(self.biz.iter().map(|(id, biz)| status(id, biz)).collect()))
            }
            Command::Health => Ok(Answer::Health(Health { master: None, ..Health::default() })),
            Command::InstallBiz { spec, strategy } => {
                self.install(&spec.id, Package::of(spec.url.as_written()), *strategy, now)
            }
            Command::UninstallBiz(id) => match self.biz.remove(id) {
                Some(_) => Ok(Answer::Uninstalled),
                None => refused(FailureKind::NotFoundBiz),
            },
            Command::SwitchBiz(id) => self.switch(id, now),
            _ => refused(FailureKind::CommandNotFound),
        }
    }

    fn install(&mut self, id: &BizId, package: Package, strategy: WireStrategy, now: Duration) -> Outcome {
        // Fetched before anything else happens.
        let id = match package {
            Package::Missing => return refused(FailureKind::PullFailed),
            Package::Misnamed => BizId { name: id.name.clone(), version: word("misnamed") },
            _ => id.clone(),
        };
        match strategy {
            WireStrategy::UninstallThenInstall if !self.release.only_installs() => {
                self.biz.retain(|other, _| other.name != id.name);
            }
            _ if self.biz.contains_key(&id) => {
                return refused(FailureKind::RepeatBiz);
            }
            _ => {}
        }
        let context_path = package.context_path(&id);
        let failed = |kind| match self.release {
            Release::Terse | Release::OldAndTerse => refused(FailureKind::Unclear),
            _ => refused(kind),
        };
        if self.biz.values().any(|biz| biz.context_path == context_path) {
            return failed(FailureKind::ContextPathTaken);
        }
        if package == Package::Failing {
            return failed(FailureKind::StartUp);
        }
        let another_serves =
            self.biz.iter().any(|(other, biz)| other.name == id.name && biz.state == BizState::Activated);
        let state = if another_serves { BizState::Deactivated } else { BizState::Activated };
        let biz = Biz { state, context_path, activated: now, package };
        let came = vec![status(&id, &biz)];
        let answer = Answer::Installed(if self.release == Release::NamesNothing { vec![] } else { came });
        self.biz.insert(id, biz);
        Ok(answer)
    }

    fn switch(&mut self, id: &BizId, now: Duration) -> Outcome {
        if !self.biz.contains_key(id) {
            return refused(FailureKind::NotFoundBiz);
        }
        for (other, biz) in self.biz.iter_mut().filter(|(other, _)| other.name == id.name) {
            biz.state = if other == id { BizState::Activated } else { BizState::Deactivated };
            biz.activated = now;
        }
        Ok(Answer::Switched)
    }

    /// The process ends; nothing of it stays.
    pub fn crash(&mut self) {
        self.up = false;
        self.paused = false;
        self.lost = std::mem::take(&mut self.biz);
        self.locked.clear();
        self.waiting.clear();
        self.connected = false;
    }

    /// It is started (again), maybe as another release.
    pub fn start(&mut self, release: Release) {
        self.up = true;
        self.release = release;
        self.has_only_installed |= release.only_installs();
        self.incarnation += 1;
    }
}

fn status(id: &BizId, biz: &Biz) -> BizStatus {
    BizStatus {
        id: id.clone(),
        state: biz.state,
        changed_at: None,
        message: "".into(),
        web_context_path: None,
    }
}

fn refused(kind: FailureKind) -> Outcome {
    Err(refusal(kind))
}

fn refusal(kind: FailureKind) -> CallError {
    CallError::Refused(Failure { kind, cause: format!("{kind:?}"), detail: "".into() })
}

/// A name or version of this model: short and legal.
pub fn word<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    match text.parse() {
        Ok(word) => word,
        #[allow(clippy::panic, reason = "the model's own literals; a wrong one is a mistake in the model")]
        Err(error) => panic!("{text:?} is no word: {error:?}"),
    }
}
