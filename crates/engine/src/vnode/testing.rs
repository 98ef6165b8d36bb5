//! One VNode from heartbeat to Module objects, for the tests of this folder.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use arklet::{Answer, AnswerKey, CallError, Command, Failure, FailureKind, Outcome, WireStrategy};
use jiff::Timestamp;
use model::{BaseState, BizId, BizState, BizStatus, TunnelKind};

use crate::{
    Action, ClusterEvent, Config, Engine, Event, Now, Request, ToBase, TunnelEvent, WriteError,
    action::{Announcement, Regarding},
    event::Watched,
    request::Write,
    testing,
    view::{ContainerState, ModuleState, ModuleView, NodeView, Owner, PlanView, PodRef, PodView},
};

/// One base over HTTP, an API server that does what it is told at once, and a clock of the test's own.
pub(crate) struct Case {
    pub(crate) engine: Engine,
    pub(crate) seconds: u64,
    /// What the base holds.
    pub(crate) held: BTreeMap<BizId, BizState>,
    /// Commands about biz that were sent, as text.
    pub(crate) commands: Vec<String>,
    /// Of each install, whether it was written down before.
    pub(crate) intended: Vec<bool>,
    /// Module objects, by name and version.
    pub(crate) modules: BTreeMap<BizId, ModuleView>,
    /// Writes of Module objects, as text.
    pub(crate) writes: Vec<String>,
    /// What every write of a Module object ends with, where it fails.
    pub(crate) refusal: Option<WriteError>,
    /// What every write of a Pod's status ends with, where it fails.
    pub(crate) status_refusal: Option<WriteError>,
    pub(crate) pods: BTreeMap<Arc<str>, PodView>,
    pub(crate) version: u64,
    /// Its Node, once there is one.
    pub(crate) node: Option<NodeView>,
    /// An earlier controller's install of it is at work: every other command for it is refused.
    pub(crate) at_work: Option<BizId>,
    /// Answers to commands about biz, where the base takes its time with them.
    pub(crate) slow: Option<Vec<Event>>,
    /// What people were told of Pods.
    pub(crate) said: Vec<Announcement>,
    /// Everything that was sent since the last look, as text.
    pub(crate) sent: Vec<String>,
    /// An operation plan; what is written of it is kept here.
    pub(crate) plan: Option<PlanView>,
    /// How the base carries installs out.
    pub(crate) manner: Manner,
    /// The base answers nothing, and sends no heartbeats.
    pub(crate) is_silent: bool,
    /// How often a Pod was told not to be Ready.
    pub(crate) unready: usize,
}

/// How a base carries installs out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It does what it is told, and says what came.
    Obeys,
    /// It does, and does not say what came.
    SaysNothing,
    /// It says that it did.
    Pretends,
    /// Whatever it is told, the package is another version; and it does not say what came.
    Misnames,
    /// One version has room at a time, and it knows no strategy; with no words where a start fails, where it has none.
    Old {
        /// It says what is wrong.
        tells: bool,
    },
    /// As a present one, with one version at a time, and no words where a start fails.
    Terse,
    /// What is there does not go.
    Clings,
}

impl Case {
    pub(crate) fn start(change: impl FnOnce(&mut Config), held: &[(&str, BizState)]) -> Self {
        Self::start_with(change, held, &[])
    }

    /// With Module objects of an earlier controller.
    pub(crate) fn start_with(
        change: impl FnOnce(&mut Config),
        held: &[(&str, BizState)],
        modules: &[ModuleView],
    ) -> Self {
        let mut config = Config::new("dev");
        change(&mut config);
        let mut case = Self {
            engine: Engine::new(config),
            seconds: 0,
            held: held.iter().map(|(name, state)| (id(name), *state)).collect(),
            commands: vec![],
            intended: vec![],
            modules: BTreeMap::new(),
            writes: vec![],
            refusal: None,
            status_refusal: None,
            pods: BTreeMap::new(),
            version: 10,
            node: None,
            at_work: None,
            slow: None,
            said: vec![],
            sent: vec![],
            plan: None,
            manner: Manner::Obeys,
            is_silent: false,
            unready: 0,
        };
        for module in modules {
            case.modules.insert(module.key.id.clone(), module.clone());
            case.step(Event::Cluster(ClusterEvent::Module(Box::new(module.clone()))));
        }
        for kind in Watched::NEEDED {
            case.step(Event::Cluster(ClusterEvent::Synced(kind)));
        }
        case.step(Event::Tunnel(TunnelEvent::TunnelUp(TunnelKind::Http)));
        case.until(0);
        case
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    /// The answers come that the base took its time with.
    pub(crate) fn answer_at_last(&mut self) {
        self.slow.take().unwrap().into_iter().for_each(|answer| self.step(answer));
    }

    /// Lets time pass, with a heartbeat every ten seconds.
    pub(crate) fn until(&mut self, seconds: u64) {
        loop {
            if self.seconds.is_multiple_of(10) && !self.is_silent {
                self.step(report(BaseState::Activated));
            }
            self.step(Event::Tick);
            if self.seconds >= seconds {
                return;
            }
            self.seconds += 1;
        }
    }

    pub(crate) fn step(&mut self, event: Event) {
        let now = Now { mono: Duration::from_secs(self.seconds), wall: Timestamp::UNIX_EPOCH };
        let mut actions = std::collections::VecDeque::from(self.engine.step(event, now));
        while let Some(action) = actions.pop_front() {
            for event in self.act(action) {
                actions.extend(self.engine.step(event, now));
            }
        }
    }

    fn act(&mut self, action: Action) -> Vec<Event> {
        self.sent.push(word(&action));
        if let Action::Base(ToBase::Call { command, .. }) = &action {
            let answer = self.answer(command);
            return match &mut self.slow {
                Some(slow) if command.biz().is_some() => {
                    slow.push(answer);
                    vec![]
                }
                _ => vec![answer],
            };
        }
        if let Action::Announce(said) = &action
            && matches!(said.regarding, Regarding::Pod(_))
        {
            self.said.push((**said).clone());
        }
        match action {
            Action::Request(request) => self.serve(request),
            _ => vec![],
        }
    }

    fn delete_pod(&mut self, pod: PodRef, done: Event) -> Vec<Event> {
        let version = self.next();
        if let Some(held) = self.pods.get_mut(&pod.uid).filter(|pod| pod.held) {
            held.deletion = Some(Duration::ZERO);
            held.resource_version = version;
            return vec![Event::Cluster(ClusterEvent::Pod(Box::new(held.clone()))), done];
        }
        self.pods.remove(&pod.uid);
        vec![done, Event::Cluster(ClusterEvent::PodGone(pod))]
    }

    /// As the API server does.
    fn serve(&mut self, request: Request) -> Vec<Event> {
        let Some(write) = request.write() else { return vec![] };
        let done = |write| Event::Written { write, result: Ok(()) };
        match request {
            Request::CreateNode(node) => {
                let version = self.next();
                let uid = format!("node-{version}").into();
                let node = NodeView { uid, resource_version: version, ..*node };
                self.node = Some(node.clone());
                vec![Event::Cluster(ClusterEvent::Node(Box::new(node))), done(write)]
            }
            Request::PatchNode { desired } => {
                self.put_node(|node| testing::with_metadata(node, &desired), write)
            }
            Request::PatchNodeStatus { desired } => {
                self.put_node(|node| testing::with_status(node, &desired), write)
            }
            Request::RenewLease { .. } => vec![done(write)],
            Request::PatchPodStatus { pod, status } => {
                if let Some(refusal) = self.status_refusal.clone() {
                    return vec![Event::Written { write, result: Err(refusal) }];
                }
                let version = self.next();
                self.unready += usize::from(!status.is_ready());
                let Some(view) = self.pods.get_mut(&pod.uid) else { return vec![] };
                view.status = *status;
                view.resource_version = version;
                vec![Event::Cluster(ClusterEvent::Pod(Box::new(view.clone()))), done(write)]
            }
            Request::DeletePod { pod } => self.delete_pod(pod, done(write)),
            Request::CreateModule(desired) => {
                if let Some(refusal) = self.refusal.clone() {
                    return vec![Event::Written { write, result: Err(refusal) }];
                }
                let uid = format!("module-{}", self.next()).into();
                let mut module = *desired;
                module.module.uid = uid;
                self.put(module, "create", write)
            }
            Request::PatchModule { desired, .. } => {
                let status = self.modules[&desired.key.id].status.clone();
                self.put(ModuleView { status, ..*desired }, "patch", write)
            }
            Request::PatchModuleStatus { key, status, .. } => {
                let what = format!("say {}", status.state.map_or("nothing", ModuleState::as_str));
                let module = ModuleView { status: *status, ..self.modules[&key.id].clone() };
                self.put(module, &what, write)
            }
            Request::DeleteModule { key, module, .. } => {
                self.modules.remove(&key.id);
                self.writes.push(format!("delete {}", key.id));
                vec![done(write), Event::Cluster(ClusterEvent::ModuleGone { key, module })]
            }
            Request::PatchPlanStatus { status, .. } => {
                let resource_version = self.next();
                let Some(plan) = &mut self.plan else { return vec![] };
                (plan.status, plan.resource_version) = (*status, resource_version);
                vec![Event::Cluster(ClusterEvent::Plan(Box::new(plan.clone()))), done(write)]
            }
            _ => vec![],
        }
    }

    fn put_node(&mut self, change: impl FnOnce(&NodeView) -> NodeView, write: Write) -> Vec<Event> {
        let version = self.next();
        let Some(seen) = &self.node else { return vec![] };
        let node = NodeView { resource_version: version, ..change(seen) };
        self.node = Some(node.clone());
        vec![Event::Cluster(ClusterEvent::Node(Box::new(node))), Event::Written { write, result: Ok(()) }]
    }

    /// Somebody else writes to the Node.
    pub(super) fn change_node(&mut self, change: impl FnOnce(&mut NodeView)) {
        let version = self.next();
        let Some(node) = &mut self.node else { return };
        change(node);
        node.resource_version = version;
        let view = Box::new(node.clone());
        self.step(Event::Cluster(ClusterEvent::Node(view)));
    }

    fn put(&mut self, mut module: ModuleView, what: &str, write: Write) -> Vec<Event> {
        module.resource_version = self.next();
        self.writes.push(format!("{what} {}", module.key.id));
        self.modules.insert(module.key.id.clone(), module.clone());
        vec![Event::Cluster(ClusterEvent::Module(Box::new(module))), Event::Written { write, result: Ok(()) }]
    }

    /// No controller runs for so long that Kubernetes gives the Node up; then another begins with what there is.
    pub(crate) fn begin_anew(
        &mut self,
        change: impl FnOnce(&mut NodeView, &mut BTreeMap<Arc<str>, PodView>),
    ) {
        let mut node = self.node.clone().unwrap();
        change(&mut node, &mut self.pods);
        self.node = Some(node.clone());
        self.engine = Engine::new(Config::new("dev"));
        self.sent.clear();
        let pods = self.pods.values().cloned().map(Box::new).map(ClusterEvent::Pod);
        let modules = self.modules.values().cloned().map(Box::new).map(ClusterEvent::Module);
        let node = std::iter::once(ClusterEvent::Node(Box::new(node)));
        let plan = self.plan.clone().map(Box::new).map(ClusterEvent::Plan);
        for event in node.chain(plan).chain(pods).chain(modules).collect::<Vec<_>>() {
            self.step(Event::Cluster(event));
        }
        for kind in Watched::NEEDED {
            self.step(Event::Cluster(ClusterEvent::Synced(kind)));
        }
        self.step(Event::Tunnel(TunnelEvent::TunnelUp(TunnelKind::Http)));
    }

    /// A controller that knows nothing begins; the base's Node is gone.
    pub(super) fn begin_without_node(&mut self) {
        self.node = None;
        self.engine = Engine::new(Config::new("dev"));
        let modules: Vec<Event> = self
            .modules
            .values()
            .cloned()
            .map(Box::new)
            .map(|view| Event::Cluster(ClusterEvent::Module(view)))
            .collect();
        modules.into_iter().for_each(|event| self.step(event));
        for kind in Watched::NEEDED {
            self.step(Event::Cluster(ClusterEvent::Synced(kind)));
        }
        self.step(Event::Tunnel(TunnelEvent::TunnelUp(TunnelKind::Http)));
    }

    /// Somebody deletes the Node.
    pub(super) fn delete_node(&mut self) {
        if let Some(node) = self.node.take() {
            self.step(Event::Cluster(ClusterEvent::NodeGone { name: node.name, uid: node.uid }));
        }
    }

    fn answer(&mut self, command: &Command) -> Event {
        let conflict = Failure { kind: FailureKind::Conflict, cause: "conflict".into(), detail: "".into() };
        let outcome: Outcome = match command {
            _ if self.is_silent => Err(CallError::TimedOut),
            command if command.biz().is_some() && command.biz() == self.at_work.as_ref() => {
                Err(CallError::Refused(conflict))
            }
            Command::QueryAllBiz => {
                Ok(Answer::Biz(self.held.iter().map(|(id, state)| biz(id, *state)).collect()))
            }
            Command::InstallBiz { spec, strategy } => {
                let how = if *strategy == WireStrategy::InstallOnly { "install" } else { "replace by" };
                self.commands.push(format!("{how} {}", spec.id));
                self.intended.push(self.modules.contains_key(&spec.id));
                self.install(&spec.id, *strategy == WireStrategy::UninstallThenInstall)
            }
            Command::UninstallBiz(id) if self.manner == Manner::Clings => {
                self.commands.push(format!("uninstall {id}"));
                Err(refused(FailureKind::Other, "it does not let go"))
            }
            Command::UninstallBiz(id) => {
                self.commands.push(format!("uninstall {id}"));
                self.held.remove(id);
                Ok(Answer::Uninstalled)
            }
            _ => Ok(Answer::Health(arklet::Health { master: None, ..arklet::Health::default() })),
        };
        let key = AnswerKey { command: command.kind(), biz: command.biz().cloned() };
        Event::Tunnel(TunnelEvent::Answer {
            tunnel: TunnelKind::Http,
            base: "b".parse().unwrap(),
            key,
            outcome,
        })
    }

    fn install(&mut self, id: &BizId, replaces: bool) -> Outcome {
        let is_of_name = |held: &BizId| held.name == id.name;
        let knows_strategy = !matches!(self.manner, Manner::Old { .. } | Manner::Clings);
        if replaces && knows_strategy {
            self.held.retain(|held, _| !is_of_name(held));
        }
        let has_room = !matches!(self.manner, Manner::Old { .. } | Manner::Terse | Manner::Clings);
        if self.held.contains_key(id) && !has_room {
            return Err(refused(FailureKind::RepeatBiz, "has been installed or registered"));
        }
        let tells = matches!(self.manner, Manner::Old { tells: true } | Manner::Clings);
        if !has_room && self.held.keys().any(is_of_name) {
            let kind = if tells { FailureKind::ContextPathTaken } else { FailureKind::Unclear };
            return Err(refused(kind, "no room"));
        }
        if id.version.as_str() == "bad" {
            let kind = if tells { FailureKind::StartUp } else { FailureKind::Unclear };
            return Err(refused(kind, "it does not start"));
        }
        if self.manner == Manner::Misnames {
            let other = BizId { version: "other".parse().unwrap(), ..id.clone() };
            self.held.insert(other, BizState::Activated);
        }
        if matches!(self.manner, Manner::Pretends | Manner::Misnames) {
            return Ok(Answer::Installed(vec![]));
        }
        self.held.insert(id.clone(), BizState::Activated);
        let came =
            if self.manner == Manner::SaysNothing { vec![] } else { vec![biz(id, BizState::Activated)] };
        Ok(Answer::Installed(came))
    }

    pub(crate) fn create(&mut self, name: &str, biz: &str) -> PodRef {
        self.make(testing::pod(name, biz, "1"))
    }

    /// One of a Deployment's, made now.
    pub(crate) fn create_version(&mut self, name: &str, biz: &str, version: &str) -> PodRef {
        let mut pod = testing::pod(name, biz, version);
        pod.created = Timestamp::UNIX_EPOCH + Duration::from_secs(self.seconds);
        pod.owner = Some(Owner { namespace: "default".into(), kind: "Deployment".into(), name: "d".into() });
        self.make(pod)
    }

    fn make(&mut self, mut pod: PodView) -> PodRef {
        pod.resource_version = self.next();
        let reference = pod.pod.clone();
        self.pods.insert(pod.pod.uid.clone(), pod.clone());
        self.step(Event::Cluster(ClusterEvent::Pod(Box::new(pod))));
        reference
    }

    /// Whether a Pod is Ready, and why its container waits, where it does.
    pub(crate) fn told(&self, pod: &PodRef) -> (bool, String) {
        let status = &self.pods[&pod.uid].status;
        let why = status.containers.first().map(|container| match &container.state {
            ContainerState::Waiting { reason, message } => format!("{reason} {message}").trim().to_owned(),
            _ => String::new(),
        });
        (status.is_ready(), why.unwrap_or_default())
    }

    pub(crate) fn delete(&mut self, pod: &PodRef) {
        self.change(pod, |view| view.deletion = Some(Duration::ZERO));
    }

    /// Somebody changes a Pod.
    pub(crate) fn change(&mut self, pod: &PodRef, change: impl FnOnce(&mut PodView)) {
        let version = self.next();
        let view = self.pods.get_mut(&pod.uid).unwrap();
        change(view);
        view.resource_version = version;
        let view = view.clone();
        self.step(Event::Cluster(ClusterEvent::Pod(Box::new(view))));
    }
}

pub(crate) fn id(name: &str) -> BizId {
    BizId { name: name.parse().unwrap(), version: "1".parse().unwrap() }
}

pub(crate) fn biz(id: &BizId, state: BizState) -> BizStatus {
    BizStatus { id: id.clone(), state, changed_at: None, message: "".into(), web_context_path: None }
}

fn refused(kind: FailureKind, cause: &str) -> CallError {
    CallError::Refused(Failure { kind, cause: cause.into(), detail: "".into() })
}

pub(crate) fn report(state: BaseState) -> Event {
    Event::Tunnel(TunnelEvent::Heartbeat {
        tunnel: TunnelKind::Http,
        report: testing::report(Some(1238), state),
    })
}

/// What an action is, in a word or two.
fn word(action: &Action) -> String {
    match action {
        Action::Base(ToBase::Call { command, .. }) => command.kind().to_string(),
        Action::Request(Request::PatchNodeStatus { desired }) => {
            format!("node Ready={:?}", desired.condition("Ready").map(|ready| ready.status))
        }
        Action::Request(Request::CreateNode(_)) => "create node".into(),
        Action::Request(Request::PatchNode { .. }) => "node metadata".into(),
        Action::Request(Request::RenewLease { .. }) => "lease".into(),
        Action::Request(Request::PatchPodStatus { .. }) => "pod status".into(),
        Action::Request(Request::DeletePod { .. }) => "delete pod".into(),
        Action::Request(
            Request::CreateModule(_) | Request::PatchModule { .. } | Request::PatchModuleStatus { .. },
        ) => "module".into(),
        Action::Request(Request::DeleteModule { .. }) => "delete module".into(),
        Action::Request(Request::FindBasePod { .. }) => "search".into(),
        Action::Announce(said) => format!("says {}", said.reason),
        _ => "other".into(),
    }
}
