//! One simulated base: what it holds, and how it answers. No socket, no clock.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use arklet::CommandKind;
use serde_json::{Value, json};

use super::words::{self, Case};

/// A biz by name and version.
pub type Id = (String, String);

/// The moment of something: the wall clock for what a base tells, the other for what we measure.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Milliseconds since 1970.
    pub wall_ms: i64,
    /// The clock that latencies are taken from.
    pub mono: Instant,
}

/// When a base got a command about a biz, and when it had its answer ready.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// The command was read.
    pub begun: Instant,
    /// The answer was ready to be sent.
    pub ended: Instant,
}

/// What became of a command.
#[derive(Debug)]
pub enum Begun {
    /// Answered at once.
    Answer(Value),
    /// It takes this long; then [`Base::finish`] has the answer.
    Takes(Duration, Operation),
    /// A Java base never answers this: a body that is no JSON.
    Silence,
}

/// An installation or uninstallation under way.
#[derive(Clone, Debug)]
pub struct Operation {
    kind: CommandKind,
    id: Id,
    begun: Moment,
}

impl Operation {
    /// Which command.
    pub fn kind(&self) -> CommandKind {
        self.kind
    }

    /// Which biz.
    pub fn id(&self) -> &Id {
        &self.id
    }
}

#[derive(Debug)]
struct Biz {
    resolved_ms: i64,
    /// None while it starts.
    activated_ms: Option<i64>,
}

/// A base.
#[derive(Debug)]
pub struct Base {
    identity: String,
    case: Case,
    version: String,
    /// The least and the most that an installation takes.
    install: (Duration, Duration),
    /// It holds one version of a module at a time.
    holds_one: bool,
    biz: BTreeMap<Id, Biz>,
    busy: BTreeSet<Id>,
    counts: BTreeMap<CommandKind, u64>,
    unknown: u64,
    conflicts: u64,
    installs: HashMap<Id, Work>,
    uninstalls: HashMap<Id, Work>,
    random: u64,
}

impl Base {
    /// A base that holds nothing yet.
    pub fn new(identity: &str, version: &str, case: Case, install: (Duration, Duration)) -> Self {
        // Any seed that differs from base to base; xorshift must not start from 0.
        let seed = identity.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self {
            identity: identity.to_owned(),
            version: version.to_owned(),
            case,
            install,
            holds_one: false,
            biz: BTreeMap::new(),
            busy: BTreeSet::new(),
            counts: BTreeMap::new(),
            unknown: 0,
            conflicts: 0,
            installs: HashMap::new(),
            uninstalls: HashMap::new(),
            random: seed | 1,
        }
    }

    /// From now on it holds one version of a module at a time, as SOFAArk does where versions have one web context path.
    pub fn hold_one_version(&mut self) {
        self.holds_one = true;
    }

    /// Takes a command by its name and the bytes that came with it.
    pub fn begin(&mut self, command: &str, body: &[u8], now: Moment) -> Begun {
        let Some(kind) = CommandKind::from_name(command) else {
            self.unknown += 1;
            return Begun::Answer(json!({"code": "CMD_NOT_FOUND", "message": "please follow the doc"}));
        };
        *self.counts.entry(kind).or_default() += 1;
        let Ok(body) = serde_json::from_slice::<Value>(body) else { return Begun::Silence };
        match kind {
            CommandKind::InstallBiz | CommandKind::UninstallBiz => self.operate(kind, &body, now),
            CommandKind::QueryAllBiz => Begun::Answer(
                self.success(Value::Array(self.biz.iter().map(|(id, biz)| self.entry(id, biz)).collect())),
            ),
            CommandKind::Health => Begun::Answer(self.success(words::health(&self.version, self.case))),
            _ => Begun::Answer(json!({
                "baseIdentity": self.identity, "code": "CMD_NOT_FOUND", "message": "the bench's bases do not know it",
            })),
        }
    }

    fn operate(&mut self, kind: CommandKind, body: &Value, now: Moment) -> Begun {
        let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let id = (text("bizName"), text("bizVersion"));
        if self.busy.contains(&id) {
            self.conflicts += 1;
            return Begun::Answer(self.with_code("FAILED", words::conflict(kind, &id)));
        }
        let there = self.biz.contains_key(&id);
        match kind {
            // The versions that are there go first, as in Java; what it takes is told as one.
            CommandKind::InstallBiz
                if text("installStrategy").eq_ignore_ascii_case("uninstallThenInstall") =>
            {
                self.biz.retain(|held, _| held.0 != id.0);
            }
            CommandKind::InstallBiz if there => {
                return Begun::Answer(self.inner_failure(words::repeat(&id), "install biz not success!"));
            }
            CommandKind::InstallBiz if self.holds_one && self.biz.keys().any(|held| held.0 == id.0) => {
                return Begun::Answer(words::not_unique(&id.0));
            }
            CommandKind::UninstallBiz if !there => {
                return Begun::Answer(
                    self.inner_failure(words::not_found(&id), "uninstall biz not success!"),
                );
            }
            _ => {}
        }
        let mut takes = Duration::ZERO;
        if kind == CommandKind::InstallBiz {
            takes = self.install_time();
            self.biz.insert(id.clone(), Biz { resolved_ms: now.wall_ms, activated_ms: None });
        }
        self.busy.insert(id.clone());
        Begun::Takes(takes, Operation { kind, id, begun: now })
    }

    /// The end of an operation: what the base answers.
    pub fn finish(&mut self, operation: Operation, now: Moment) -> Value {
        let Operation { kind, id, begun } = operation;
        self.busy.remove(&id);
        let work = Work { begun: begun.mono, ended: now.mono };
        if kind == CommandKind::UninstallBiz {
            self.biz.remove(&id);
            let answer = self.success(words::uninstalled(&id));
            self.uninstalls.insert(id, work);
            return answer;
        }
        let biz = Biz { resolved_ms: begun.wall_ms, activated_ms: Some(now.wall_ms) };
        let records = self.records(&biz);
        self.biz.insert(id.clone(), biz);
        let took_ms = now.wall_ms - begun.wall_ms;
        let answer = self.success(words::installed(&id, self.state(true), records, took_ms));
        self.installs.insert(id, work);
        answer
    }

    /// How often each command came so far, by its name.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let rest = [("unknown", self.unknown), ("conflicts", self.conflicts)];
        self.counts
            .iter()
            .map(|(kind, count)| (kind.name(), *count))
            .chain(rest.into_iter().filter(|(_, count)| *count > 0))
    }

    /// How many biz are activated.
    pub fn activated(&self) -> usize {
        self.biz.values().filter(|biz| biz.activated_ms.is_some()).count()
    }

    /// When this biz was last installed and how long that took here.
    pub fn install_of(&self, id: &Id) -> Option<Work> {
        self.installs.get(id).copied()
    }

    /// When this biz was last uninstalled and how long that took here.
    pub fn uninstall_of(&self, id: &Id) -> Option<Work> {
        self.uninstalls.get(id).copied()
    }

    /// The short form of a biz, as MQTT's `simpleBiz` has it.
    pub fn simple_list(&self) -> Value {
        let simple = |(id, biz): (&Id, &Biz)| {
            let last = self.records(biz).as_array().and_then(|all| all.last().cloned()).unwrap_or_default();
            // The list has its states in small letters, the records in capitals.
            let state = if biz.activated_ms.is_some() { "activated" } else { "resolved" };
            json!({"latestStateRecord": last, "name": id.0, "state": state, "version": id.1})
        };
        self.biz.iter().map(simple).collect()
    }

    fn entry(&self, id: &Id, biz: &Biz) -> Value {
        json!({
            "bizName": id.0,
            "bizState": self.state(biz.activated_ms.is_some()),
            "bizStateRecords": self.records(biz),
            "bizVersion": id.1,
            "mainClass": "lab.BizApp",
            "webContextPath": id.0,
        })
    }

    fn state(&self, activated: bool) -> &'static str {
        self.case.of(if activated { "activated" } else { "resolved" })
    }

    fn records(&self, biz: &Biz) -> Value {
        let record = |at: i64, reason: &str, state: &str| {
            json!({
                "changeTime": at, "message": "", "reason": self.case.of(reason), "state": self.case.of(state),
            })
        };
        let created = record(biz.resolved_ms, "Created", "resolved");
        match biz.activated_ms {
            Some(at) => json!([created, record(at, "Started", "activated")]),
            None => json!([created]),
        }
    }

    fn success(&self, data: Value) -> Value {
        json!({"baseIdentity": self.identity, "code": "SUCCESS", "data": data})
    }

    fn inner_failure(&self, data: Value, message: &str) -> Value {
        json!({"baseIdentity": self.identity, "code": "FAILED", "data": data, "message": message})
    }

    fn with_code(&self, code: &str, message: String) -> Value {
        json!({"baseIdentity": self.identity, "code": code, "message": message})
    }

    fn install_time(&mut self) -> Duration {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let (least, most) = self.install;
        let share = u32::try_from(self.random % 1_000).unwrap_or(0);
        least + most.saturating_sub(least) * share / 1_000
    }
}

#[cfg(test)]
mod tests {
    use arklet::{Answer, CallError, FailureKind, Outcome, parse_answer};
    use model::BizState;

    use super::*;

    fn now() -> Moment {
        Moment { wall_ms: 1_795_360_454_523, mono: Instant::now() }
    }

    fn base() -> Base {
        Base::new("base-1", "v1", Case::Http, (Duration::ZERO, Duration::from_millis(5)))
    }

    fn ask(base: &mut Base, kind: CommandKind, body: &str) -> Outcome {
        let answer = match base.begin(kind.name(), body.as_bytes(), now()) {
            Begun::Answer(answer) => answer,
            Begun::Takes(takes, operation) => {
                assert!(takes <= Duration::from_millis(5));
                base.finish(operation, now())
            }
            Begun::Silence => panic!("no answer"),
        };
        parse_answer(kind, answer.to_string().as_bytes())
    }

    const BIZ: &str = r#"{"bizName":"biz1","bizVersion":"1.0.0","bizUrl":"file:///biz1.jar"}"#;

    #[test]
    fn a_life_as_the_controller_reads_it() {
        let mut base = base();
        assert_eq!(ask(&mut base, CommandKind::QueryAllBiz, "{}"), Ok(Answer::Biz(vec![])));
        let Ok(Answer::Installed(installed)) = ask(&mut base, CommandKind::InstallBiz, BIZ) else { panic!() };
        assert_eq!(
            (installed[0].id.to_string().as_str(), installed[0].state),
            ("biz1:1.0.0", BizState::Activated)
        );
        assert!(installed[0].changed_at.is_some());
        let Ok(Answer::Biz(list)) = ask(&mut base, CommandKind::QueryAllBiz, "{}") else { panic!() };
        assert_eq!(list[0].state, BizState::Activated);
        assert_eq!(ask(&mut base, CommandKind::UninstallBiz, BIZ), Ok(Answer::Uninstalled));
        assert_eq!(ask(&mut base, CommandKind::QueryAllBiz, "{}"), Ok(Answer::Biz(vec![])));
        let counts: Vec<_> = base.counts().collect();
        assert_eq!(counts, [("installBiz", 1), ("uninstallBiz", 1), ("queryAllBiz", 3)]);
        let id = ("biz1".to_owned(), "1.0.0".to_owned());
        assert!(base.install_of(&id).is_some() && base.uninstall_of(&id).is_some());
    }

    #[test]
    fn a_replacement_ends_the_versions_before_it() {
        let mut base = base();
        assert!(ask(&mut base, CommandKind::InstallBiz, BIZ).is_ok());
        let next =
            r#"{"bizName":"biz1","bizVersion":"2","bizUrl":"u","installStrategy":"uninstallThenInstall"}"#;
        assert!(ask(&mut base, CommandKind::InstallBiz, next).is_ok());
        assert_eq!(base.biz.keys().map(|id| id.1.as_str()).collect::<Vec<_>>(), ["2"]);
    }

    #[test]
    fn one_that_holds_one_version_refuses_a_second_beside_it() {
        let mut base = base();
        base.hold_one_version();
        assert!(ask(&mut base, CommandKind::InstallBiz, BIZ).is_ok());
        let second = BIZ.replace("1.0.0", "2.0.0");
        let Err(CallError::Refused(failure)) = ask(&mut base, CommandKind::InstallBiz, &second) else {
            panic!()
        };
        assert_eq!(failure.kind, FailureKind::ContextPathTaken);
        let replaces = second.replace('}', r#","installStrategy":"uninstallThenInstall"}"#);
        assert!(ask(&mut base, CommandKind::InstallBiz, &replaces).is_ok());
        assert_eq!(base.activated(), 1);
    }

    #[test]
    fn health_names_the_base() {
        let Ok(Answer::Health(health)) = ask(&mut base(), CommandKind::Health, "{}") else { panic!() };
        assert_eq!(health.master.unwrap().to_string(), "base:v1");
        assert_eq!(health.max_metaspace_bytes, None);
        assert!(health.committed_metaspace_bytes.is_some());
    }

    #[test]
    fn refusals_are_those_of_a_java_base() {
        let refused = |outcome: Outcome| match outcome {
            Err(CallError::Refused(failure)) => failure.kind,
            other => panic!("{other:?}"),
        };
        let mut base = base();
        assert_eq!(refused(ask(&mut base, CommandKind::UninstallBiz, BIZ)), FailureKind::NotFoundBiz);
        let Begun::Takes(_, operation) = base.begin("installBiz", BIZ.as_bytes(), now()) else { panic!() };
        assert_eq!(refused(ask(&mut base, CommandKind::InstallBiz, BIZ)), FailureKind::Conflict);
        base.finish(operation, now());
        assert_eq!(refused(ask(&mut base, CommandKind::InstallBiz, BIZ)), FailureKind::RepeatBiz);
        assert_eq!(refused(ask(&mut base, CommandKind::SwitchBiz, BIZ)), FailureKind::CommandNotFound);
        assert!(base.counts().any(|count| count == ("conflicts", 1)));
    }

    #[test]
    fn what_is_no_json_is_never_answered() {
        assert!(matches!(base().begin("installBiz", b"{", now()), Begun::Silence));
    }
}
