//! How a plan goes on.

mod serving;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use model::{Bilingual, ErrorCode, ErrorSource, ErrorType, Language, bilingual};

use crate::{
    batches::{Base, Condition, batch_of, may_be_empty, threshold},
    gate::{Gate, MetricAnswer, Question, Reading},
    health::{HealthAnswers, HealthQuestion},
    spec::{Batch, Invalid, Spec, Steering},
    status::{BatchPhase, Failure, MOST_FAILURES, Phase, Status},
};

/// What the template of the workload names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Template {
    /// There is no such workload.
    Missing,
    /// This plan, with its module and version.
    This,
    /// This plan, with another module or version.
    OtherVersion(String),
    /// Another plan.
    Another(Arc<str>),
    /// No plan.
    None,
}

/// What is known of the workload and its bases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts<'a> {
    /// The bases that the workload's Pods come to.
    pub bases: &'a [Base],
    /// What its template names.
    pub template: Template,
    /// What the workload must be like.
    pub precondition: Result<(), Invalid>,
    /// What may keep the plan from its end although nothing is wrong for sure.
    pub warning: Option<String>,
    /// A plan that is not over and has the same module on the same bases.
    pub other: Option<Arc<str>>,
    /// A replica of the controller that lives and knows no plans: it would install what is held.
    pub replica_without: Option<Arc<str>>,
    /// What may not change of the plan once it has begun.
    pub digest: Arc<str>,
    /// In which language the status is told.
    pub language: Language,
}

/// What a leader remembers of the batch that is at work. Its successor starts the times anew: they get longer, never
/// shorter (rule P5).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Memory {
    /// Since when a base is at it.
    started: BTreeMap<Arc<str>, Duration>,
    /// The bases that have failed: all of them, where the status has the first.
    failed: BTreeSet<Arc<str>>,
    /// Since when all of them serve.
    soaks_since: Option<Duration>,
    gate: Gate,
}

impl Memory {
    /// A question for a metric was answered.
    pub fn answer(&mut self, round: u64, metric: &str, answer: MetricAnswer) {
        self.gate.answer(round, metric, answer);
    }

    /// Bases were asked for the health of the module.
    pub fn answer_health(&mut self, round: u64, answers: HealthAnswers) {
        self.gate.answer_health(round, answers);
    }
}

/// What a look at a plan comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advanced {
    /// The next status.
    pub status: Status,
    /// When to look again where nothing happens before.
    pub wake: Option<Duration>,
    /// The metrics to ask for.
    pub questions: Vec<Question>,
    /// The bases to ask for the health of the module.
    pub health: Option<HealthQuestion>,
}

impl Advanced {
    /// Nothing goes on by itself.
    fn rests(status: Status) -> Self {
        Self { status, wake: None, questions: Vec::new(), health: None }
    }
}

/// Moves a plan on.
pub fn advance(
    spec: Result<&Spec, &Invalid>,
    steering: Steering,
    status: &Status,
    facts: &Facts<'_>,
    memory: &mut Memory,
    now: Duration,
) -> Advanced {
    if status.phase.is_over() {
        return Advanced::rests(status.clone());
    }
    let warning = facts.warning.clone().unwrap_or_default();
    let mut next = Status { code: None, warning, ..status.clone() };
    let spec = match spec {
        Ok(spec) => spec,
        Err(invalid) if status.is_begun() => return Advanced::rests(changed(next, &invalid.told(), facts)),
        Err(invalid) => return Advanced::rests(refused(next, invalid, facts)),
    };
    if status.is_begun() && next.digest != facts.digest {
        let why = bilingual!(
            "its spec was changed after it had begun: write it as it was",
            "它的 spec 在开始之后被修改了：请改回原样"
        );
        return Advanced::rests(changed(next, &why, facts));
    }
    next.fit(spec);
    count(spec, &mut next, facts.bases);
    if let Some(ended) = end(&next, steering, facts) {
        return Advanced::rests(Status { warning: String::new(), ..ended });
    }
    if !status.is_begun()
        && let Some(waits) = wait_to_begin(&next, facts)
    {
        return Advanced::rests(waits);
    }
    let mut run =
        Run { spec, steering, facts, memory, now, next, wake: None, questions: Vec::new(), health: None };
    run.take_up_again();
    run.go_on();
    let Run { mut next, wake, questions, health, .. } = run;
    if next.phase.is_over() {
        next.warning.clear();
    }
    count(spec, &mut next, facts.bases);
    Advanced { status: next, wake, questions, health }
}

fn code(source: ErrorSource, kind: ErrorType) -> Option<ErrorCode> {
    Some(ErrorCode::new(source, kind))
}

fn invalid_parameter() -> Option<ErrorCode> {
    code(ErrorSource::OtherUpstream, ErrorType::InvalidParameter)
}

fn refused(next: Status, why: &Invalid, facts: &Facts<'_>) -> Status {
    let message = why.told().of(facts.language).to_owned();
    Status { phase: Phase::Refused, code: invalid_parameter(), message, ..next }
}

fn changed(next: Status, why: &Bilingual, facts: &Facts<'_>) -> Status {
    let message = bilingual!("nothing more is released", "不再放行").with(why);
    let message = message.of(facts.language).to_owned();
    Status { phase: Phase::Paused, code: invalid_parameter(), message, ..next }
}

/// The plan is over, because its workload or somebody says so.
fn end(next: &Status, steering: Steering, facts: &Facts<'_>) -> Option<Status> {
    let over = |phase, message: Bilingual| {
        let message = message.of(facts.language).to_owned();
        Some(Status { phase, message, confirmable: None, code: None, ..next.clone() })
    };
    match &facts.template {
        Template::Another(plan) if next.is_begun() => over(
            Phase::Superseded,
            bilingual!(
                "the workload's template names plan {plan} now",
                "工作负载的模板现在写的是工单 {plan}"
            ),
        ),
        Template::None if next.is_begun() => over(
            Phase::RolledBack,
            bilingual!("the workload's template names this plan no more", "工作负载的模板不再写这个工单"),
        ),
        Template::OtherVersion(version) if next.is_begun() => over(
            Phase::Superseded,
            bilingual!(
                "the workload's template asks for {version} now",
                "工作负载的模板现在要求的是 {version}"
            ),
        ),
        Template::Missing if next.is_begun() => {
            over(Phase::Superseded, bilingual!("the workload was deleted", "工作负载已被删除"))
        }
        _ if steering.abort => over(
            Phase::Aborted,
            bilingual!(
                "it was aborted: bases that were released stay, the others wait until the template changes",
                "工单已中止：已放行的基座保持不变，其余的等待模板改变"
            ),
        ),
        _ => None,
    }
}

/// What a plan that has not begun waits for; none where it may begin.
fn wait_to_begin(next: &Status, facts: &Facts<'_>) -> Option<Status> {
    let waits = |code, message: Bilingual| {
        let message = message.of(facts.language).to_owned();
        Some(Status { phase: Phase::Pending, code, message, ..next.clone() })
    };
    match &facts.template {
        Template::Missing => {
            let message = bilingual!("it waits for its workload to be created", "等待它的工作负载创建");
            return waits(None, message);
        }
        Template::None => {
            let message = bilingual!(
                "it waits for the workload's template to name it (annotation operation-plan)",
                "等待工作负载的模板写上它（注解 operation-plan）"
            );
            return waits(None, message);
        }
        Template::Another(plan) => {
            return waits(
                None,
                bilingual!(
                    "it waits for the workload's template to name it; that names plan {plan}",
                    "等待工作负载的模板写上它，现在写的是工单 {plan}"
                ),
            );
        }
        Template::OtherVersion(version) => {
            let invalid = Invalid::new(
                bilingual!(
                    "the workload's template names this plan and asks for {version}",
                    "工作负载的模板写了这个工单，要求的却是 {version}"
                ),
                bilingual!("write one version in both", "请在两处写同一个版本"),
            );
            return Some(refused(next.clone(), &invalid, facts));
        }
        Template::This => {}
    }
    if let Err(invalid) = &facts.precondition {
        return Some(refused(next.clone(), invalid, facts));
    }
    if let Some(other) = &facts.other {
        let code = code(ErrorSource::KouplelessBoard, ErrorType::OperationPlanMutualExclusion);
        return waits(
            code,
            bilingual!(
                "it waits for plan {other}, which has the same module on the same bases",
                "等待工单 {other}，它在相同的基座上操作同一个模块"
            ),
        );
    }
    // Of a base that no Pod of it comes to the batch would never be done.
    if facts.bases.iter().any(|base| base.available && base.condition == Condition::Absent) {
        let message = bilingual!(
            "it waits until every base has a Pod of the workload",
            "等待每个基座都有工作负载的 Pod"
        );
        return waits(None, message);
    }
    None
}

/// Counts for those who read.
fn count(spec: &Spec, next: &mut Status, bases: &[Base]) {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let is_ready = |base: &&Base| base.condition == Condition::Ready;
    next.bases = number(bases.len());
    next.ready = number(bases.iter().filter(is_ready).count());
    next.unavailable = number(bases.iter().filter(|base| base.is_unavailable()).count());
    let places: Vec<Option<usize>> = bases.iter().map(|base| batch_of(spec, next, base)).collect();
    for (place, batch) in next.batches.iter_mut().enumerate() {
        let of_it =
            || bases.iter().zip(&places).filter(|(_, its)| **its == Some(place)).map(|(base, _)| base);
        batch.bases = number(of_it().count());
        batch.ready = number(of_it().filter(is_ready).count());
    }
}

/// One look at a plan that runs.
struct Run<'a> {
    spec: &'a Spec,
    steering: Steering,
    facts: &'a Facts<'a>,
    memory: &'a mut Memory,
    now: Duration,
    next: Status,
    wake: Option<Duration>,
    questions: Vec<Question>,
    health: Option<HealthQuestion>,
}

impl<'a> Run<'a> {
    /// A failed plan goes on with the next attempt, where one was asked for.
    fn take_up_again(&mut self) {
        if self.steering.attempt <= self.next.attempt {
            return;
        }
        self.next.attempt = self.steering.attempt;
        if self.next.batches.iter().any(|batch| batch.phase == BatchPhase::Failed) {
            (self.next.failed, self.next.failures) = (0, Vec::new());
            self.next.metrics.clear();
            self.next.health = None;
            *self.memory = Memory::default();
            for batch in self.next.batches.iter_mut().filter(|batch| batch.phase == BatchPhase::Failed) {
                batch.phase = BatchPhase::Releasing;
            }
        }
    }

    fn go_on(&mut self) {
        for place in 0..self.spec.batches.len() {
            if !self.work_off(place) {
                return;
            }
        }
        let module = &self.spec.module;
        let Status { ready, bases: all, .. } = self.next;
        self.tell(
            Phase::Succeeded,
            match ready == all {
                true => bilingual!("every base has {module}", "所有基座都已有 {module}"),
                false => bilingual!(
                    "{ready} of {all} bases have {module}: the others may install it",
                    "{all} 个基座中有 {ready} 个已有 {module}：其余的可以安装"
                ),
            },
        );
        self.next.confirmable = None;
    }

    /// Works on a batch; true where it is done.
    fn work_off(&mut self, place: usize) -> bool {
        loop {
            let Some(batch) = self.next.batches.get(place) else { return true };
            let went_on = match batch.phase {
                BatchPhase::Done => return true,
                // What went wrong stays to be read.
                BatchPhase::Failed => {
                    self.fail(place);
                    return false;
                }
                BatchPhase::Waiting => self.begin(place),
                BatchPhase::Releasing => self.release(place),
                BatchPhase::Soaking => self.soak(place),
                BatchPhase::Gating => self.gate(place),
                BatchPhase::AwaitingConfirm => self.await_confirm(place),
            };
            if !went_on {
                return false;
            }
        }
    }

    fn begin(&mut self, place: usize) -> bool {
        let name = self.name(place);
        if self.steering.paused {
            let message = bilingual!("it is paused before batch {name}", "已在批次 {name} 之前暂停");
            self.tell(Phase::Paused, message);
            return false;
        }
        let waits = if self.next.is_begun() { Phase::Running } else { Phase::Pending };
        if let Some(replica) = &self.facts.replica_without {
            let message = bilingual!(
                "batch {name} waits: the controller's replica {replica} is of a version that knows no operation plans: it has to be \
                 replaced first",
                "批次 {name} 等待：控制器的副本 {replica} 版本过旧，不认识工单，必须先替换它"
            );
            self.tell(waits, message);
            return false;
        }
        let bases = self.facts.bases;
        let Status { unavailable, bases: all, .. } = self.next;
        if u64::from(unavailable) * 2 > u64::from(all) {
            let message = bilingual!(
                "batch {name} waits: {unavailable} of {all} bases are unavailable",
                "批次 {name} 等待：{all} 个基座中有 {unavailable} 个不可用"
            );
            self.tell(waits, message);
            self.next.code =
                code(ErrorSource::ModuleController, ErrorType::OverFiftyPercentBaseInstancesUnavaliable);
            return false;
        }
        let threshold = threshold(self.spec, &self.next, place, bases);
        if threshold.is_none() && !may_be_empty(self.spec, &self.next, place) {
            self.tell(
                waits,
                bilingual!(
                    "batch {name} waits for a base: its selector selects none that is left",
                    "批次 {name} 等待基座：剩下的基座中没有一个符合它的选择器"
                ),
            );
            return false;
        }
        self.next.digest = self.facts.digest.clone();
        // What is over as it begins was asked nothing: what the one before said stays to be read.
        if threshold.is_some() {
            self.next.metrics.clear();
            self.next.health = None;
        }
        *self.memory = Memory::default();
        self.set(place, if threshold.is_none() { BatchPhase::Done } else { BatchPhase::Releasing });
        if let Some(batch) = self.next.batches.get_mut(place) {
            batch.threshold = threshold;
        }
        count(self.spec, &mut self.next, bases);
        true
    }

    fn release(&mut self, place: usize) -> bool {
        // Those that it began with are gone for good, or come back: others take their place.
        if self.members(place).is_empty() {
            let others = threshold(self.spec, &self.next, place, self.facts.bases);
            let Some(others) = others else {
                let name = self.name(place);
                let message = bilingual!(
                    "batch {name} waits for a base: all that it had are gone",
                    "批次 {name} 等待基座：它原有的基座都已消失"
                );
                self.tell(Phase::Running, message);
                return false;
            };
            if let Some(batch) = self.next.batches.get_mut(place) {
                batch.threshold = batch.threshold.max(Some(others));
            }
        }
        let (mut left, mut occupied, mut failures) = (0, None, Vec::new());
        for base in self.members(place) {
            let failed = self.failure_of(base);
            match failed {
                Some((code, message)) => failures.push(Failure { base: base.key.clone(), code, message }),
                None if base.condition == Condition::Ready => {}
                None => {
                    left += 1;
                    occupied = occupied.or((base.condition == Condition::Occupied).then_some(&base.key));
                }
            }
        }
        self.next.failed = u32::try_from(failures.len()).unwrap_or(u32::MAX);
        // What works nowhere is no failure to be put up with.
        let is_everywhere = !failures.is_empty() && failures.len() == self.members(place).len();
        self.memory.failed = failures.iter().map(|failure| failure.base.clone()).collect();
        failures.truncate(MOST_FAILURES);
        self.next.failures = failures;
        if self.next.failed > self.spec.max_failed || is_everywhere {
            self.set(place, BatchPhase::Failed);
            return true;
        }
        if left > 0 {
            let paused = self.steering.paused;
            let name = self.name(place);
            let module = &self.spec.module;
            let message = match occupied {
                None => bilingual!(
                    "batch {name}: {left} of its bases do not serve {module} yet",
                    "批次 {name}：还有 {left} 个基座没有提供 {module} 的服务"
                ),
                Some(base) => bilingual!(
                    "batch {name}: {left} of its bases do not serve {module} yet; {base} is at work on something else, and comes \
                     when that is over",
                    "批次 {name}：还有 {left} 个基座没有提供 {module} 的服务；{base} 正在进行其他操作，结束之后轮到它"
                ),
            };
            if occupied.is_some() {
                self.next.code = code(ErrorSource::ModuleController, ErrorType::BaseInstanceUnderOperation);
            }
            self.tell(if paused { Phase::Paused } else { Phase::Running }, message);
            return false;
        }
        self.memory.soaks_since = Some(self.now);
        self.set(place, BatchPhase::Soaking);
        true
    }

    /// Why it has failed on a base; none where it serves or is still to come. What is at it is given its time (rule P6).
    fn failure_of(&mut self, base: &Base) -> Option<(ErrorCode, String)> {
        let timeout = self.spec.ready_timeout;
        match &base.condition {
            Condition::Failed { code, message } => Some((*code, message.clone())),
            Condition::Working => {
                let due = *self.memory.started.entry(base.key.clone()).or_insert(self.now) + timeout;
                if due > self.now {
                    self.wake = Some(self.wake.map_or(due, |wake| wake.min(due)));
                }
                let code = code(ErrorSource::ModuleController, ErrorType::BaseInstanceOperationTimeOut);
                let late = bilingual!(
                    "it was not ready {seconds} s after it had begun",
                    "开始 {seconds} 秒之后仍未就绪",
                    seconds = timeout.as_secs()
                );
                let late = late.of(self.facts.language).to_owned();
                code.filter(|_| due <= self.now).map(|code| (code, late))
            }
            // Its time begins with its turn.
            Condition::Ready
            | Condition::Absent
            | Condition::Held
            | Condition::Waiting
            | Condition::Occupied => {
                self.memory.started.remove(&base.key);
                None
            }
        }
    }

    fn fail(&mut self, place: usize) {
        let name = self.name(place);
        let Status { failed, failures, metrics, .. } = &self.next;
        if let Some(metric) = metrics.iter().find(|metric| metric.reading == Reading::Failed) {
            let (metric, why) = (&metric.name, &metric.message);
            let message = bilingual!(
                "batch {name} failed: metric {metric}: {why}. What was released stays, nothing more is released",
                "批次 {name} 失败：指标 {metric}：{why}。已放行的保持不变，不再放行"
            );
            self.tell(Phase::Failed, message);
            self.next.code = code(ErrorSource::ModuleController, ErrorType::BaseInstanceOperationFailed);
            return;
        }
        let message = match failures.first() {
            None => bilingual!(
                "batch {name} failed on {failed} of its bases. What runs is finished, nothing more is released",
                "批次 {name} 在 {failed} 个基座上失败。进行中的会做完，不再放行"
            ),
            Some(Failure { base, message, .. }) => bilingual!(
                "batch {name} failed on {failed} of its bases, the first on {base}: {message}. What runs is finished, nothing more is \
                 released",
                "批次 {name} 在 {failed} 个基座上失败，第一个是 {base}：{message}。进行中的会做完，不再放行"
            ),
        };
        let code = failures.first().map(|failure| failure.code);
        self.tell(Phase::Failed, message);
        self.next.code = code;
    }

    fn members(&self, place: usize) -> Vec<&'a Base> {
        let of_it = |base: &&Base| batch_of(self.spec, &self.next, base) == Some(place);
        self.facts.bases.iter().filter(of_it).collect()
    }

    fn batch(&self, place: usize) -> Option<&'a Batch> {
        self.spec.batches.get(place)
    }

    fn name(&self, place: usize) -> Arc<str> {
        self.batch(place).map(|batch| batch.name.clone()).unwrap_or_default()
    }

    fn set(&mut self, place: usize, phase: BatchPhase) {
        if let Some(batch) = self.next.batches.get_mut(place) {
            batch.phase = phase;
        }
    }

    fn tell(&mut self, phase: Phase, message: Bilingual) {
        (self.next.phase, self.next.message) = (phase, message.of(self.facts.language).to_owned());
    }
}

#[cfg(test)]
mod tests;
