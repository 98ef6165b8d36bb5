//! Operation plans (工单): which there are, which bases they hold, and how they go on. The rules are in
//! `docs/design/plans.md` (P1 …), the decisions in the crate `plan`.
//!
//! Every replica holds Pods back by what it has seen of the plans' statuses, and by nothing else. Only the one that leads
//! moves a plan on, by writing its status: a base is released when that write is seen.

mod announcement;
pub(crate) mod bases;
mod preconditions;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use model::{Bilingual, BizName, ErrorCode, ErrorSource, ErrorType, Language, ModuleSpec, bilingual};
use plan::{
    Advanced, Base, BatchPhase, HealthAnswers, Held, Invalid, Memory, MetricAnswer, Phase, Question, Release,
    Status,
};

use crate::{
    action::{Action, AskHealth, AskMetric},
    config::Config,
    event::Now,
    placement::Site,
    request::{Request, WriteError},
    view::{NodeView, Owner, PlanRef, PlanView, PodView, RolledOut},
    write_slot::WriteSlot,
};

pub(crate) use preconditions::{leaves_room, may_ask, precondition, template, warning};

/// The annotation of a Pod template by which it names its plan.
pub const ANNOTATION: &str = "module-controller.koupleless.io/operation-plan";

/// The container reason of a Pod that a plan holds.
pub const HELD: &str = "HeldByPlan";

/// A status is written no more often than this.
const PAUSE: Duration = Duration::from_secs(1);

/// What happens within this time is looked at together: a batch makes many Pods Ready at once.
const TOGETHER: Duration = Duration::from_millis(250);

/// The plan that a Pod names, by namespace and name.
pub(crate) type Key = (Arc<str>, Arc<str>);

/// The plan that a Pod names.
pub(crate) fn named_by(pod: &PodView) -> Option<Key> {
    let name = pod.annotations.get(ANNOTATION)?;
    Some((pod.pod.namespace.clone(), name.as_str().into()))
}

/// What is known of one plan.
#[derive(Debug)]
struct Known {
    view: PlanView,
    memory: Memory,
    slot: WriteSlot,
    /// The status that is being written, or was and is not seen yet.
    sent: Option<Status>,
    /// What people were told last.
    told: Option<(Phase, Option<ErrorCode>)>,
    not_before: Duration,
    wake: Option<Duration>,
}

impl Known {
    /// It holds the bases that it has for itself: it has begun, or is about to, and is not over.
    fn is_under_way(&self) -> bool {
        let status = self.sent.as_ref().unwrap_or(&self.view.status);
        status.is_begun() && !status.phase.is_over()
    }

    fn name(&self) -> Option<&BizName> {
        self.view.spec.as_ref().ok().map(|spec| &spec.module.name)
    }
}

/// All operation plans.
#[derive(Debug, Default)]
pub(crate) struct Plans {
    known: BTreeMap<Key, Known>,
    /// What was rolled out of each workload, now and before.
    rolled_out: BTreeMap<Owner, Arc<RolledOut>>,
    /// The workloads that come to every base, of themselves or by our hand: a base that starts anew misses what they had there.
    coming: BTreeSet<Owner>,
    wakes: BTreeSet<(Duration, Key)>,
    /// A replica that knows no plans.
    without: Option<Arc<str>>,
    /// Why none is ever told of; none where plans are watched.
    unwatched: Option<Unwatched>,
    /// In which language Pods and plans are told of.
    language: Language,
}

/// Why plans are not watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unwatched {
    /// Because of a setting.
    Off,
    /// The cluster does not know them, or does not let this controller see them.
    Unavailable,
}

impl Unwatched {
    fn told(self) -> Bilingual {
        match self {
            Self::Off => bilingual!(
                "this controller does not watch operation plans, which ENABLE_MODULE_DEPLOYMENT_CONTROLLER=true turns on",
                "这个控制器不处理工单，设置 ENABLE_MODULE_DEPLOYMENT_CONTROLLER=true 才会处理"
            ),
            Self::Unavailable => bilingual!(
                "this controller cannot watch operation plans, and its log says why",
                "这个控制器无法读取工单，原因见它的日志"
            ),
        }
    }
}

/// What the replica that leads knows of a plan's workload.
#[derive(Debug)]
pub(crate) struct Facts {
    /// The bases that its Pods come to.
    pub(crate) bases: Vec<Base>,
    /// What its template names.
    pub(crate) template: plan::Template,
    /// What it must be like.
    pub(crate) precondition: Result<(), Invalid>,
    /// What may keep the plan from its end.
    pub(crate) warning: Option<Bilingual>,
    /// A plan that is under way with the same module on the same bases.
    pub(crate) other: Option<Arc<str>>,
    /// The environment that it belongs to; empty where that is not known yet.
    pub(crate) env: Arc<str>,
}

impl Default for Facts {
    /// Nothing is known of it.
    fn default() -> Self {
        let template = plan::Template::Missing;
        Self {
            bases: Vec::new(),
            template,
            precondition: Ok(()),
            warning: None,
            other: None,
            env: Arc::default(),
        }
    }
}

impl Plans {
    /// None yet.
    pub(crate) fn new(config: &Config) -> Self {
        let unwatched = (!config.module_deployments).then_some(Unwatched::Off);
        Self { unwatched, language: config.language, ..Self::default() }
    }

    /// They can be watched in this cluster, or cannot. True where that is news.
    pub(crate) fn see_watch(&mut self, works: bool) -> bool {
        let unwatched = (!works).then_some(Unwatched::Unavailable);
        let is_news = self.unwatched != Some(Unwatched::Off) && self.unwatched != unwatched;
        if is_news {
            self.unwatched = unwatched;
        }
        is_news
    }

    /// What is not there now may still come.
    pub(crate) fn is_watched(&self) -> bool {
        self.unwatched.is_none()
    }

    /// When [`Self::due`] has something.
    pub(crate) fn next_wake(&self) -> Option<Duration> {
        self.wakes.first().map(|(at, _)| *at)
    }

    /// A plan appeared or changed. True where it may hold other bases than before.
    pub(crate) fn see(&mut self, view: PlanView, now: Duration) -> bool {
        let key = (view.plan.namespace.clone(), view.plan.name.clone());
        let before = self.known.get_mut(&key);
        let holds_otherwise = match before {
            Some(known) if known.view.plan.uid == view.plan.uid => {
                // A version of 0 could not be read; a later one is told again.
                if view.resource_version < known.view.resource_version {
                    return false;
                }
                let before = std::mem::replace(&mut known.view, view);
                if before.status != known.view.status || before.generation != known.view.generation {
                    known.sent = None;
                }
                holds_otherwise(&before, &known.view)
            }
            _ => {
                if let Some(before) = self.known.remove(&key).and_then(|before| before.wake) {
                    self.wakes.remove(&(before, key.clone()));
                }
                let known = Known {
                    view,
                    memory: Memory::default(),
                    slot: WriteSlot::default(),
                    sent: None,
                    told: None,
                    not_before: Duration::ZERO,
                    wake: None,
                };
                self.known.insert(key, known);
                true
            }
        };
        self.touch_all(now);
        holds_otherwise
    }

    /// A plan is gone. Whose Pods it released, where it was known.
    pub(crate) fn lose(&mut self, plan: &PlanRef, now: Duration) -> Option<Owner> {
        let key = (plan.namespace.clone(), plan.name.clone());
        self.known.get(&key).filter(|known| known.view.plan.uid == plan.uid)?;
        let known = self.known.remove(&key)?;
        if let Some(at) = known.wake {
            self.wakes.remove(&(at, key));
        }
        self.touch_all(now);
        Some(known.view.owner())
    }

    /// Something of this workload has changed: its plans are looked at.
    pub(crate) fn touch(&mut self, owner: &Owner, now: Duration) {
        self.touch_where(now, |known| known.view.is_of(owner));
    }

    /// Something has changed that may concern any plan.
    pub(crate) fn touch_all(&mut self, now: Duration) {
        self.touch_where(now, |_| true);
    }

    fn touch_where(&mut self, now: Duration, is_meant: impl Fn(&Known) -> bool) {
        let Self { known, wakes, .. } = self;
        for (key, known) in known.iter_mut().filter(|(_, known)| !known.view.status.phase.is_over()) {
            if is_meant(known) {
                wake_at(wakes, key, known, (now + TOGETHER).max(known.not_before));
            }
        }
    }

    /// How many of a workload's bases the batch that is at work allows to be unavailable, and never more than half of them (rule
    /// P4); none where none is at work.
    pub(crate) fn most_unavailable(&self, owner: &Owner) -> Option<usize> {
        let at_work = |known: &Known| {
            let PlanView { spec, status, .. } = &known.view;
            let batches = spec.as_ref().ok()?.batches.iter().zip(&status.batches);
            let number = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
            let half = (number(status.bases) / 2).max(1);
            let releasing = batches.filter(|(_, status)| status.phase == BatchPhase::Releasing);
            let most = releasing.map(|(batch, status)| batch.max_unavailable.of(number(status.bases)));
            most.map(|most| most.min(half)).max()
        };
        self.known.values().filter(|known| known.view.is_of(owner)).filter_map(at_work).max()
    }

    /// Another replica that lives knows no plans, or none does not.
    pub(crate) fn see_replica_without(&mut self, replica: Option<&Arc<str>>, now: Duration) {
        if self.without.as_ref() != replica {
            self.without = replica.cloned();
            self.touch_all(now);
        }
    }

    /// Times are counted by who leads, and since it does (rule P5).
    pub(crate) fn begin(&mut self, now: Duration) {
        for known in self.known.values_mut() {
            (known.memory, known.sent) = (Memory::default(), None);
        }
        self.touch_all(now);
    }

    /// A plan that is to be looked at now.
    pub(crate) fn due(&mut self, now: Duration) -> Option<(Key, PlanView)> {
        while self.next_wake()? <= now {
            let (_, key) = self.wakes.pop_first()?;
            if let Some(known) = self.known.get_mut(&key) {
                known.wake = None;
                return Some((key, known.view.clone()));
            }
        }
        None
    }

    /// The plans that are under way with this module, but for this one: the first that began keeps the others waiting (rule P3).
    pub(crate) fn others<'a>(
        &'a self,
        key: &'a Key,
        name: &'a BizName,
    ) -> impl Iterator<Item = &'a PlanView> + 'a {
        let is_other = move |(of, known): &(&Key, &Known)| {
            *of != key && known.name() == Some(name) && known.is_under_way()
        };
        self.known.iter().filter(is_other).map(|(_, known)| &known.view)
    }

    /// There is this plan, and it is not over.
    pub(crate) fn is_not_over(&self, key: &Key) -> bool {
        self.known.get(key).is_some_and(|known| !known.view.status.phase.is_over())
    }

    /// What was rolled out of a workload, and whether it comes to every base. True where somebody who is held may not be any
    /// more, or something may stand in for him.
    pub(crate) fn see_rolled_out(
        &mut self,
        owner: Owner,
        rolled_out: Option<&Arc<RolledOut>>,
        comes: bool,
    ) -> bool {
        let came = match comes {
            true => self.coming.insert(owner.clone()),
            false => self.coming.remove(&owner),
        };
        let Some(rolled_out) = rolled_out else { return self.rolled_out.remove(&owner).is_some() || came };
        self.rolled_out.insert(owner, rolled_out.clone()).as_ref() != Some(rolled_out) || came
    }

    /// What was rolled out last under this name of a workload that comes to every base, also to this one: it stands in for a
    /// version that is held, where nothing else serves (rule P13).
    pub(crate) fn stand_in(&self, pod: &PodView, held: &ModuleSpec, node: &NodeView) -> Option<&ModuleSpec> {
        let owner = pod.owner.as_ref().filter(|owner| self.coming.contains(owner))?;
        let rolled_out = self.rolled_out.get(owner)?;
        let mut modules =
            rolled_out.modules.iter().filter(|_| rolled_out.placement.admits(&Site::lasting(node)));
        modules.find(|module| module.id.name == held.id.name && module.id != held.id)
    }

    /// Why what a Pod asks for may not be installed yet on the base behind a Node; none where it may (rule P1).
    pub(crate) fn hold(
        &self,
        pod: &PodView,
        module: &ModuleSpec,
        node: Option<&NodeView>,
        serves: bool,
    ) -> Option<Arc<str>> {
        let (namespace, name) = named_by(pod)?;
        let told = |why: &Bilingual, code: Option<ErrorCode>| {
            let why = why.of(self.language);
            let told = match (self.language, code) {
                (Language::English, None) => format!("operation plan {name} holds it: {why}"),
                (Language::English, Some(code)) => format!("operation plan {name} holds it: {why} ({code})"),
                (Language::Chinese, None) => format!("工单 {name} 尚未放行：{why}"),
                (Language::Chinese, Some(code)) => format!("工单 {name} 尚未放行：{why}（{code}）"),
            };
            Some(told.into())
        };
        // Somebody may delete a plan that has succeeded, or change it, and its Pods be made again for years.
        let was_rolled_out = || {
            let rolled_out = pod.owner.as_ref().and_then(|owner| self.rolled_out.get(owner));
            rolled_out.is_some_and(|rolled_out| rolled_out.has(module))
        };
        let Some(known) = self.known.get(&(namespace, name.clone())) else {
            if was_rolled_out() {
                return None;
            }
            let code = ErrorCode::new(ErrorSource::KouplelessBoard, ErrorType::OperationPlanNotFound);
            let why = self.unwatched.map_or_else(|| Held::NoPlan.told(), Unwatched::told);
            return told(&why, Some(code));
        };
        let PlanView { plan, spec, status, digest, .. } = &known.view;
        let spec = spec.as_ref().ok();
        let why = match node {
            // A base that has just come is asked before it has its Node: it is in no batch yet.
            None if plan::has_succeeded(spec, status, digest, &module.id) => return None,
            None => bilingual!("its base has no Node yet", "它的基座还没有 Node"),
            Some(node) => {
                let base = bases::of_node(&plan.uid, node, serves);
                match plan::hold(spec, status, digest, &module.id, &base) {
                    Release::Released => return None,
                    Release::Held(held) => held.told(),
                }
            }
        };
        if status.phase == Phase::Succeeded && was_rolled_out() { None } else { told(&why, None) }
    }

    /// Moves a plan on by what is known, and writes what that changes of its status.
    pub(crate) fn advance(&mut self, key: &Key, facts: Facts, now: Now, out: &mut Vec<Action>) {
        let Self { known, wakes, without, language, .. } = self;
        let Some(known) = known.get_mut(key) else { return };
        let Facts { bases, template, precondition, warning, other, env } = facts;
        // What was written is decided on when it is seen.
        if known.slot.is_busy() || known.view.status.phase.is_over() {
            return;
        }
        if let Some(at) = known.slot.wake().map(|at| at.max(known.not_before)).filter(|at| *at > now.mono) {
            return wake_at(wakes, key, known, at);
        }
        let digest = known.view.digest.clone();
        let replica_without = without.clone();
        let language = *language;
        let warning = warning.map(|warning| warning.of(language).to_owned());
        let bases = &bases;
        let facts =
            plan::Facts { bases, template, precondition, warning, other, replica_without, digest, language };
        let PlanView { spec, steering, status, .. } = &known.view;
        let Advanced { status: next, wake, questions, health } =
            plan::advance(spec.as_ref(), *steering, status, &facts, &mut known.memory, now.mono);
        if let Some(at) = wake {
            wake_at(wakes, key, known, at);
        }
        let ask = |question| AskMetric { plan: known.view.plan.clone(), question };
        out.extend(questions.into_iter().map(|question| Action::AskMetric(Box::new(ask(question)))));
        let ask = |question| AskHealth { plan: known.view.plan.clone(), question };
        out.extend(health.map(|question| Action::AskHealth(Box::new(ask(question)))));
        if next == known.view.status && env == known.view.env {
            return;
        }
        if known.told.as_ref() != Some(&(next.phase, next.code)) {
            known.told = Some((next.phase, next.code));
            out.extend(announcement::of(&known.view, &next));
        }
        known.slot.sent();
        known.not_before = now.mono + PAUSE;
        known.sent = Some(next.clone());
        out.push(Action::Request(Request::PatchPlanStatus {
            plan: known.view.plan.clone(),
            resource_version: known.view.resource_version,
            generation: known.view.generation,
            env,
            status: Box::new(next),
        }));
    }

    /// A question for a metric was answered.
    pub(crate) fn answered(
        &mut self,
        plan: &PlanRef,
        question: &Question,
        answer: MetricAnswer,
        now: Duration,
    ) {
        self.answer(plan, now, |memory| memory.answer(question.round, &question.metric.name, answer));
    }

    /// Bases were asked for the health of a plan's module.
    pub(crate) fn answered_health(
        &mut self,
        plan: &PlanRef,
        round: u64,
        answers: HealthAnswers,
        now: Duration,
    ) {
        self.answer(plan, now, |memory| memory.answer_health(round, answers));
    }

    fn answer(&mut self, plan: &PlanRef, now: Duration, note: impl FnOnce(&mut Memory)) {
        let Self { known, wakes, .. } = self;
        let key = (plan.namespace.clone(), plan.name.clone());
        let Some(known) = known.get_mut(&key).filter(|known| known.view.plan.uid == plan.uid) else { return };
        note(&mut known.memory);
        wake_at(wakes, &key, known, now.max(known.not_before));
    }

    /// The write of a status ended.
    pub(crate) fn written(&mut self, plan: &PlanRef, result: &Result<(), WriteError>, now: Duration) {
        let Self { known, wakes, .. } = self;
        let key = (plan.namespace.clone(), plan.name.clone());
        let Some(known) = known.get_mut(&key).filter(|known| known.view.plan.uid == plan.uid) else { return };
        known.slot.ended(now, result);
        if result.is_err() {
            known.sent = None;
        }
        let at = known.slot.wake().unwrap_or_default().max(known.not_before);
        wake_at(wakes, &key, known, at);
    }
}

/// It is looked at then, or before.
fn wake_at(wakes: &mut BTreeSet<(Duration, Key)>, key: &Key, known: &mut Known, at: Duration) {
    if let Some(before) = known.wake {
        if before <= at {
            return;
        }
        wakes.remove(&(before, key.clone()));
    }
    known.wake = Some(at);
    wakes.insert((at, key.clone()));
}

/// A base may be held by the one that is not by the other, or for another reason.
fn holds_otherwise(before: &PlanView, after: &PlanView) -> bool {
    let batches = |view: &PlanView| {
        let batches = view.status.batches.iter();
        batches.map(|batch| (batch.phase, batch.threshold, batch.bases > 0)).collect::<Vec<_>>()
    };
    let message =
        |view: &PlanView| (view.status.phase == Phase::Refused).then(|| view.status.message.clone());
    before.spec != after.spec
        || before.digest != after.digest
        || before.status.digest != after.status.digest
        || before.status.phase != after.status.phase
        || batches(before) != batches(after)
        || message(before) != message(after)
}

#[cfg(test)]
mod tests;
