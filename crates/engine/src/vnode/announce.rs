//! What people are told about a base and its Pods.

use std::sync::Arc;

use arklet::{Command, CommandKind};
use model::{Bilingual, BizId, ErrorCode, ErrorSource, ErrorType, Fault};

use super::{Context, Liveness, Op, VNode};
use crate::{
    action::{Action, Alarm, Announcement, Regarding},
    event::Now,
    trace::TraceId,
};

/// A base of which nothing is heard, or which answers nothing.
pub(super) const LOST: ErrorCode =
    ErrorCode::new(ErrorSource::ModuleController, ErrorType::BaseInstanceNotReady);
/// So many bases are silent at once that it is not their fault.
pub(super) const MANY_LOST: ErrorCode =
    ErrorCode::new(ErrorSource::ModuleController, ErrorType::OverFiftyPercentBaseInstancesUnavaliable);
/// The broker is away.
pub(super) const TUNNEL_DOWN: ErrorCode =
    ErrorCode::new(ErrorSource::OtherDownstream, ErrorType::ExternalError);

/// Something about a base, before it is known of which.
pub(super) struct News<'a> {
    pub(super) warning: bool,
    pub(super) reason: &'a str,
    pub(super) action: &'static str,
    pub(super) note: Bilingual,
}

/// What a fault came of.
#[derive(Clone, Copy)]
pub(super) enum Origin<'a> {
    /// What the Pod itself says.
    Pod,
    /// An install that could not even be sent.
    Unsent(&'a BizId),
    /// A command.
    Command(&'a Op),
    /// What the base installed by itself when it started.
    Baseline,
    /// What the base was asked.
    Question,
}

impl Origin<'_> {
    fn biz(self) -> Option<BizId> {
        match self {
            Self::Pod | Self::Baseline | Self::Question => None,
            Self::Unsent(id) => Some(id.clone()),
            Self::Command(op) => op.key.biz.clone(),
        }
    }

    /// How people on call are told of it.
    fn alarm(self, kind: ErrorType) -> Option<Alarm> {
        let command = match self {
            Self::Pod => return None,
            Self::Question => return Some(Alarm::LostBase),
            Self::Unsent(_) | Self::Baseline => CommandKind::InstallBiz,
            Self::Command(op) => op.key.command,
        };
        match (command, kind) {
            (_, ErrorType::InstallModuleTimedOut | ErrorType::UninstallBizTimedOut) => Some(Alarm::TimedOut),
            (CommandKind::InstallBiz, _) => Some(Alarm::InstallFailed),
            (CommandKind::UninstallBiz, _) => Some(Alarm::UninstallFailed),
            _ => None,
        }
    }
}

impl VNode {
    /// Tells people something about the base.
    pub(super) fn announce(&self, news: News<'_>, ctx: &mut Context<'_>) {
        let trace = TraceId::new(&[self.identity.as_str(), news.reason], ctx.now);
        self.tell(self.as_regarding(), news, None, trace, ctx);
    }

    /// Tells people that the base is away, or is back: everything told of one absence bears one id.
    pub(super) fn announce_trouble(
        &self,
        news: News<'_>,
        alarm: Option<(Alarm, ErrorCode)>,
        ctx: &mut Context<'_>,
    ) {
        let trace =
            self.trouble.unwrap_or_else(|| TraceId::new(&[self.identity.as_str(), news.reason], ctx.now));
        self.tell(self.as_regarding(), news, alarm, trace, ctx);
    }

    /// Tells people something about a Pod that is no fault.
    pub(super) fn announce_of_pod(&self, uid: &Arc<str>, news: News<'_>, ctx: &mut Context<'_>) {
        let Some(pod) = self.pods.get(uid) else { return };
        let trace = TraceId::new(&[self.identity.as_str(), uid, news.reason], ctx.now);
        self.tell(Regarding::Pod(pod.view.pod.clone()), news, None, trace, ctx);
    }

    fn tell(
        &self,
        regarding: Regarding,
        news: News<'_>,
        alarm: Option<(Alarm, ErrorCode)>,
        trace: TraceId,
        ctx: &mut Context<'_>,
    ) {
        ctx.out.push(Action::Announce(Box::new(Announcement {
            regarding,
            warning: news.warning,
            reason: news.reason.to_owned(),
            action: news.action,
            what: news.note.clone(),
            note: news.note,
            code: alarm.map(|(_, code)| code),
            detail: String::new(),
            base: Some(self.identity.clone()),
            biz: None,
            trace,
            alarm: alarm.map(|(alarm, _)| alarm),
        })));
    }

    /// Tells people what went wrong with a Pod.
    pub(super) fn announce_fault(
        &self,
        uid: &Arc<str>,
        action: &'static str,
        origin: Origin<'_>,
        fault: &Fault,
        ctx: &mut Context<'_>,
    ) {
        let Some(pod) = self.pods.get(uid) else { return };
        let regarding = Regarding::Pod(pod.view.pod.clone());
        let action = self.fault(regarding, action, origin, fault, ctx);
        ctx.out.push(action);
    }

    /// Tells people of a fault that no Pod can be told of.
    pub(super) fn announce_fault_of_base(
        &self,
        action: &'static str,
        origin: Origin<'_>,
        fault: &Fault,
        ctx: &mut Context<'_>,
    ) {
        let action = self.fault(self.as_regarding(), action, origin, fault, ctx);
        ctx.out.push(action);
    }

    fn fault(
        &self,
        regarding: Regarding,
        action: &'static str,
        origin: Origin<'_>,
        fault: &Fault,
        ctx: &Context<'_>,
    ) -> Action {
        let about = match &regarding {
            Regarding::Pod(pod) => pod.uid.clone(),
            Regarding::Node { name, .. } => name.clone(),
            Regarding::Workload(workload) => workload.uid.clone(),
            Regarding::Plan(plan) => plan.uid.clone(),
        };
        let trace = match origin {
            Origin::Command(op) => op.trace,
            Origin::Pod | Origin::Unsent(_) | Origin::Baseline | Origin::Question => {
                TraceId::new(&[self.identity.as_str(), &about, fault.doing.english()], ctx.now)
            }
        };
        Action::Announce(Box::new(Announcement {
            regarding,
            warning: true,
            reason: fault.code.to_string(),
            action,
            what: fault.what(),
            note: fault.message(),
            code: Some(fault.code),
            detail: fault.detail.clone(),
            base: Some(self.identity.clone()),
            biz: origin.biz(),
            trace,
            alarm: origin.alarm(fault.code.kind),
        }))
    }

    fn as_regarding(&self) -> Regarding {
        let uid = self.node.as_ref().map(|node| node.uid.clone()).unwrap_or_default();
        Regarding::Node { name: self.name.clone(), uid }
    }

    /// The id of a command that is about to be sent.
    pub(super) fn trace_of(&self, command: &Command, now: Now) -> TraceId {
        let biz = command.biz().map(BizId::to_string).unwrap_or_default();
        TraceId::new(&[self.identity.as_str(), &command.kind().to_string(), &biz], now)
    }
}

impl Liveness {
    /// How people on call are told of it; none for what the base itself said.
    pub(super) fn alarm(self) -> Option<(Alarm, ErrorCode)> {
        match self {
            Self::Silent | Self::Unanswering => Some((Alarm::LostBase, LOST)),
            Self::Alive | Self::NotServing | Self::Gone => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use arklet::{Answer, AnswerKey, CallError, Failure, FailureKind, Outcome};
    use jiff::Timestamp;
    use model::{BaseState, TunnelKind};

    use super::*;
    use crate::{
        ClusterEvent, Config, Engine, Event, Request, ToBase, TunnelEvent,
        event::Watched,
        request::{Write, WriteError},
        testing,
        view::{ModuleView, NodeView},
    };

    /// One base over MQTT with one Pod on it, on a clock of the test's own.
    struct Case {
        engine: Engine,
        seconds: u64,
        takes_modules: bool,
        said: Vec<Announcement>,
        sent: Vec<(Command, TraceId)>,
    }

    impl Case {
        fn start() -> Self {
            Self::start_with(true)
        }

        fn start_with(takes_modules: bool) -> Self {
            let engine = Engine::new(Config::new("dev"));
            let mut case = Self { engine, seconds: 0, takes_modules, said: Vec::new(), sent: Vec::new() };
            for kind in Watched::NEEDED {
                case.step(Event::Cluster(ClusterEvent::Synced(kind)));
            }
            case.step(Event::Tunnel(TunnelEvent::TunnelUp(TunnelKind::Mqtt)));
            case.heartbeat(BaseState::Activated);
            case.answer(CommandKind::QueryAllBiz, None, Ok(Answer::Biz(Vec::new())));
            case.step(Event::Cluster(ClusterEvent::Pod(Box::new(testing::pod("p", "biz1", "1.0.0")))));
            case
        }

        fn step(&mut self, event: Event) {
            let now = Now { mono: Duration::from_secs(self.seconds), wall: Timestamp::UNIX_EPOCH };
            for action in self.engine.step(event, now) {
                match action {
                    Action::Announce(said) => self.said.push(*said),
                    Action::Base(ToBase::Call { command, trace, .. }) => self.sent.push((command, trace)),
                    Action::Request(Request::CreateNode(node)) => self.written(*node, Write::CreateNode),
                    Action::Request(Request::PatchNode { desired }) => {
                        self.written(*desired, Write::PatchNode)
                    }
                    Action::Request(Request::PatchNodeStatus { desired }) => {
                        self.written(*desired, Write::PatchNodeStatus)
                    }
                    Action::Request(Request::CreateModule(module)) => self.intended(*module),
                    _ => {}
                }
            }
        }

        /// The API server takes every Node as it is given.
        fn written(&mut self, mut node: NodeView, write: fn(Arc<str>) -> Write) {
            let name = node.name.clone();
            node.uid = "1".into();
            node.resource_version += 1;
            self.step(Event::Cluster(ClusterEvent::Node(Box::new(node))));
            self.step(Event::Written { write: write(name), result: Ok(()) });
        }

        /// So does it a Module object, or refuses all of them.
        fn intended(&mut self, mut module: ModuleView) {
            let write = Write::CreateModule(module.key.clone());
            let mut result = Err(WriteError::Refused("a quota".into()));
            if self.takes_modules {
                module.module.uid = "2".into();
                module.resource_version = 1;
                self.step(Event::Cluster(ClusterEvent::Module(Box::new(module))));
                result = Ok(());
            }
            self.step(Event::Written { write, result });
        }

        fn heartbeat(&mut self, state: BaseState) {
            let report = testing::report(None, state);
            self.step(Event::Tunnel(TunnelEvent::Heartbeat { tunnel: TunnelKind::Mqtt, report }));
        }

        fn answer(&mut self, command: CommandKind, biz: Option<&str>, outcome: Outcome) {
            let biz =
                biz.map(|version| BizId { name: "biz1".parse().unwrap(), version: version.parse().unwrap() });
            let (tunnel, base) = (TunnelKind::Mqtt, "b".parse().unwrap());
            self.step(Event::Tunnel(TunnelEvent::Answer {
                tunnel,
                base,
                key: AnswerKey { command, biz },
                outcome,
            }));
        }

        fn alarms(&self) -> Vec<(Alarm, String, &Announcement)> {
            let alarm = |said: &Announcement| Some((said.alarm?, said.code?.to_string()));
            self.said.iter().filter_map(|said| alarm(said).map(|(alarm, code)| (alarm, code, said))).collect()
        }
    }

    #[test]
    fn a_failed_install_is_an_alarm_that_bears_the_id_of_its_command() {
        let mut case = Case::start();
        let (command, trace) = case.sent.last().unwrap().clone();
        assert_eq!(command.kind(), CommandKind::InstallBiz);
        let failure =
            Failure { kind: FailureKind::PullFailed, cause: "gone".into(), detail: "gone\n\tat x".into() };
        case.answer(CommandKind::InstallBiz, Some("1.0.0"), Err(CallError::Refused(failure)));
        let [(alarm, code, said)] = &case.alarms()[..] else { panic!("{:?}", case.said) };
        assert_eq!((*alarm, code.as_str()), (Alarm::InstallFailed, "Arklet.PullBizError"));
        assert_eq!((said.trace, said.base.as_ref().unwrap().as_str()), (trace, "b"));
        assert_eq!(said.biz.as_ref().unwrap().to_string(), "biz1:1.0.0");
        assert_eq!(said.what.english(), "installing biz1:1.0.0: gone");
        assert!(matches!(&said.regarding, Regarding::Pod(pod) if &*pod.name == "p"));
    }

    #[test]
    fn an_install_that_could_not_be_sent_is_an_alarm_too() {
        let case = Case::start_with(false);
        let [(alarm, code, said)] = &case.alarms()[..] else { panic!("{:?}", case.said) };
        assert_eq!((*alarm, code.as_str()), (Alarm::InstallFailed, "ModuleController.DBAccessError"));
        assert_eq!(said.biz.as_ref().unwrap().to_string(), "biz1:1.0.0");
        assert!(case.sent.iter().all(|(command, _)| command.kind() != CommandKind::InstallBiz));
    }

    /// Each try is told once, and that there will be few from now on once more.
    #[test]
    fn an_install_that_fails_again_and_again_is_told_when_it_comes_to_the_longest_wait() {
        let mut case = Case::start();
        let failure = || Failure { kind: FailureKind::PullFailed, cause: "gone".into(), detail: "".into() };
        let tries = |case: &Case| {
            case.sent.iter().filter(|(command, _)| command.kind() == CommandKind::InstallBiz).count()
        };
        for told in 1..=8 {
            case.answer(CommandKind::InstallBiz, Some("1.0.0"), Err(CallError::Refused(failure())));
            case.answer(CommandKind::QueryAllBiz, None, Ok(Answer::Biz(Vec::new())));
            while tries(&case) == told {
                assert!(case.seconds < 3_600, "{told} tries in an hour");
                case.seconds += 5;
                case.heartbeat(BaseState::Activated);
                case.answer(CommandKind::QueryAllBiz, None, Ok(Answer::Biz(Vec::new())));
                case.step(Event::Tick);
            }
        }
        let told: Vec<String> = case.alarms().into_iter().map(|(_, code, _)| code).collect();
        let count = |code: &str| told.iter().filter(|told| *told == code).count();
        assert_eq!(count("Arklet.PullBizError"), 8, "{told:?}");
        assert_eq!(
            told.iter().position(|told| told == "ModuleController.RetryTimesExceeded"),
            Some(6),
            "{told:?}"
        );
        assert_eq!(count("ModuleController.RetryTimesExceeded"), 1, "{told:?}");
    }

    #[test]
    fn what_is_no_arklet_is_told_once_although_it_has_no_node() {
        let mut case = Case::start_with(true);
        let before = case.said.len();
        for _ in 0..5 {
            case.seconds += 31;
            case.heartbeat(BaseState::Activated);
            case.step(Event::Tick);
            let outcome = Err(CallError::NotArklet("HTTP 404 Not Found: who?".into()));
            case.answer(CommandKind::QueryAllBiz, None, outcome);
        }
        let codes = case.said.iter().skip(before).filter_map(|said| Some(said.code?.to_string()));
        let codes: Vec<String> = codes.filter(|code| code == "Arklet.ArkletServiceNotFound").collect();
        assert_eq!(codes.len(), 1);
    }

    #[test]
    fn a_command_without_an_answer_is_an_alarm_of_its_own_kind() {
        let mut case = Case::start();
        case.answer(CommandKind::InstallBiz, Some("1.0.0"), Err(CallError::TimedOut));
        let [(alarm, code, _)] = &case.alarms()[..] else { panic!("{:?}", case.said) };
        assert_eq!((*alarm, code.as_str()), (Alarm::TimedOut, "Arklet.InstallModuleTimedOut"));
    }

    #[test]
    fn a_failed_uninstall_is_told_of_the_base_where_no_pod_is_left() {
        let mut case = Case::start();
        let biz = model::BizStatus {
            id: BizId { name: "biz1".parse().unwrap(), version: "1.0.0".parse().unwrap() },
            state: model::BizState::Activated,
            changed_at: None,
            message: "".into(),
            web_context_path: None,
        };
        case.answer(CommandKind::InstallBiz, Some("1.0.0"), Ok(Answer::Installed(vec![biz])));
        case.step(Event::Cluster(ClusterEvent::PodGone(testing::pod("p", "biz1", "1.0.0").pod)));
        let (command, trace) = case.sent.last().unwrap().clone();
        assert_eq!(command.kind(), CommandKind::UninstallBiz);
        let failure = Failure { kind: FailureKind::Other, cause: "no".into(), detail: "no".into() };
        case.answer(CommandKind::UninstallBiz, Some("1.0.0"), Err(CallError::Refused(failure)));
        let [(alarm, code, said)] = &case.alarms()[..] else { panic!("{:?}", case.said) };
        assert_eq!((*alarm, code.as_str()), (Alarm::UninstallFailed, "Arklet.UninstallBizFailed"));
        assert_eq!(said.trace, trace);
        assert!(matches!(&said.regarding, Regarding::Node { name, .. } if &**name == "virtual-node-b"));
    }

    #[test]
    fn a_base_that_falls_silent_is_an_alarm_and_one_that_says_goodbye_is_none() {
        let mut case = Case::start();
        case.seconds = 26;
        case.step(Event::Tick);
        // Its Pods are NotReady first, or some seconds have passed.
        case.seconds = 60;
        case.step(Event::Tick);
        let [(alarm, code, said), ..] = &case.alarms()[..] else { panic!("{:?}", case.said) };
        assert_eq!((*alarm, code.as_str()), (Alarm::LostBase, "ModuleController.BaseInstanceNotReady"));
        assert!(said.what.english().contains("nothing has been heard"), "{}", said.what);
        let ids: Vec<TraceId> = case.alarms().iter().map(|(_, _, said)| said.trace).collect();
        assert!(ids.iter().all(|id| *id == said.trace), "one absence, one id: {ids:?}");

        let mut case = Case::start();
        case.heartbeat(BaseState::Deactivated);
        case.seconds = 60;
        case.step(Event::Tick);
        assert!(case.said.iter().any(|said| said.reason == "BaseLeft"), "{:?}", case.said);
        assert!(case.alarms().is_empty(), "{:?}", case.alarms());
    }
}
