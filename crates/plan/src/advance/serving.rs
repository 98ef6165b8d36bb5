//! What a batch goes through once all of its bases serve: the soak, its metrics and the health of its modules, and a person's
//! confirmation (rule P2).

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use model::{Bilingual, ErrorCode, ErrorSource, ErrorType, Health, Language, bilingual};

use super::{Run, code};
use crate::{
    batches::{Base, Condition},
    gate::{Look, MetricStatus, Reading},
    health::HealthStatus,
    status::{BatchPhase, Failure, MOST_FAILURES, Phase},
};

impl<'a> Run<'a> {
    pub(super) fn soak(&mut self, place: usize) -> bool {
        if self.is_broken(place) {
            return self.back_to_release(place);
        }
        let soak = self.batch(place).map_or(Duration::ZERO, |batch| batch.soak);
        let over = *self.memory.soaks_since.get_or_insert(self.now) + soak;
        if self.now < over {
            self.wake = Some(over);
            let name = self.name(place);
            self.tell(
                Phase::Running,
                bilingual!(
                    "batch {name} serves, and is watched for {seconds} s",
                    "批次 {name} 已在服务，观察 {seconds} 秒",
                    seconds = soak.as_secs()
                ),
            );
            return false;
        }
        if self.spec.metrics.is_empty() && self.spec.health.is_none() {
            self.ask_for_confirmation(place);
        } else {
            self.set(place, BatchPhase::Gating);
        }
        true
    }

    /// Asks for the metrics (rule P10) and for the health of the modules (rule P14).
    pub(super) fn gate(&mut self, place: usize) -> bool {
        // A person may have looked at what the metrics do not say.
        if self.is_decided(place) {
            return true;
        }
        let bases = self.serving(place);
        let addresses = || bases.iter().filter_map(|base| Some((base.key.clone(), base.address?))).collect();
        let health = self.spec.health.as_ref();
        match self.memory.gate.look(&self.spec.metrics, health, addresses, self.facts.language, self.now) {
            Look::Ask(questions, health, until) => {
                (self.questions, self.health) = (questions, health);
                self.wake = Some(until);
            }
            Look::Wait(until) => self.wake = Some(until),
            Look::Over(metrics, said) => {
                let said: BTreeMap<Arc<str>, Health> = said.into_iter().collect();
                let said: Vec<_> = bases.iter().map(|base| (&base.key, said.get(&base.key))).collect();
                self.next.metrics = metrics;
                self.next.health = health.map(|_| HealthStatus::of(&said, self.facts.language));
                return self.judge(place, &said);
            }
        }
        self.tell_gate(place);
        false
    }

    /// A round of questions is over.
    fn judge(&mut self, place: usize, said: &[(&Arc<str>, Option<&Health>)]) -> bool {
        let is = |reading| move |metric: &MetricStatus| metric.reading == reading;
        let down = said.iter().filter_map(|(base, health)| match health {
            Some(Health::Down(why)) => Some((*base, why)),
            _ => None,
        });
        let (for_good, for_now): (Vec<_>, Vec<_>) =
            down.partition(|(base, _)| self.memory.gate.is_down_for_good(base));
        let is_too_bad = !for_good.is_empty() && self.count_down(place, &for_good);
        if is_too_bad || self.next.metrics.iter().any(is(Reading::Failed)) {
            self.next.confirmable = None;
            self.set(place, BatchPhase::Failed);
        } else if !for_now.is_empty() {
            // It may come up yet.
            self.next.confirmable = None;
        } else if self.next.metrics.iter().all(is(Reading::Passed)) {
            self.next.confirmable = None;
            self.ask_for_confirmation(place);
        } else if self.memory.gate.is_out_of_patience() && self.next.confirmable.is_none() {
            self.offer();
        }
        true
    }

    /// Where the module stays DOWN it has failed; true where that is more than is put up with (rule P6).
    fn count_down(&mut self, place: usize, down: &[(&Arc<str>, &String)]) -> bool {
        let code = ErrorCode::new(ErrorSource::ModuleController, ErrorType::BaseInstanceOperationFailed);
        let language = self.facts.language;
        let failure = |(base, why): &(&Arc<str>, &String)| {
            let message =
                bilingual!("its module serves and is DOWN: {why}", "它的模块在服务，健康状态为 DOWN：{why}");
            Failure { base: (*base).clone(), code, message: message.of(language).to_owned() }
        };
        let failures: Vec<Failure> = down.iter().map(failure).collect();
        let all = self.members(place).len();
        self.next.failed = self.next.failed.saturating_add(u32::try_from(failures.len()).unwrap_or(u32::MAX));
        self.memory.failed.extend(failures.iter().map(|failure| failure.base.clone()));
        self.next.failures.extend(failures);
        self.next.failures.truncate(MOST_FAILURES);
        self.next.failed > self.spec.max_failed || usize::try_from(self.next.failed).is_ok_and(|n| n >= all)
    }

    /// The bases of a batch that have not failed.
    fn serving(&self, place: usize) -> Vec<&'a Base> {
        self.members(place).into_iter().filter(|base| !self.is_counted(base)).collect()
    }

    /// It is among those that have failed, which are put up with. A leader that is new knows the first of them from the status.
    fn is_counted(&self, base: &Base) -> bool {
        self.memory.failed.contains(&base.key)
            || self.next.failures.iter().any(|failure| failure.base == base.key)
    }

    fn tell_gate(&mut self, place: usize) {
        let name = self.name(place);
        let down = self.next.health.as_ref().filter(|health| health.down > 0);
        let missing = self.next.metrics.iter().find(|metric| metric.reading == Reading::Missing);
        let why = match (down, missing) {
            (Some(HealthStatus { message, .. }), _) => {
                Some(bilingual!("the health of its modules: {message}", "模块的健康状态：{message}"))
            }
            (None, Some(MetricStatus { name, message, .. })) => {
                Some(bilingual!("metric {name}: {message}", "指标 {name}：{message}"))
            }
            (None, None) => None,
        };
        let what = match (self.spec.metrics.is_empty(), &self.spec.health) {
            (true, _) => bilingual!("the health of its modules is", "模块的健康状态"),
            (false, None) => bilingual!("its metrics are", "指标"),
            (false, Some(_)) => {
                bilingual!("its metrics and the health of its modules are", "指标和模块的健康状态")
            }
        };
        let with = |say: fn(&str, &str, &str, Language) -> String, why: &Bilingual| {
            Bilingual::each(|language| say(&name, what.of(language), why.of(language), language))
        };
        match (self.next.confirmable, why) {
            (None, None) => {
                let message = with(asked_for, &Bilingual::default());
                self.tell(Phase::Running, message);
            }
            (None, Some(why)) => {
                let message = with(asked_again, &why);
                self.tell(Phase::Running, message);
            }
            (Some(_), why) => {
                let why = why.unwrap_or_else(|| bilingual!("its metrics are asked for", "正在查询指标"));
                let message = with(waits_for_a_person, &why);
                self.tell(Phase::AwaitingConfirm, message);
                self.next.code = code(ErrorSource::OtherDownstream, ErrorType::ExternalError);
            }
        }
    }

    fn ask_for_confirmation(&mut self, place: usize) {
        if self.batch(place).is_some_and(|batch| batch.confirm) {
            self.offer();
            self.set(place, BatchPhase::AwaitingConfirm);
        } else {
            self.set(place, BatchPhase::Done);
        }
    }

    /// Offers a number greater than what was confirmed before: an early confirmation, or a late one of another batch, opens
    /// nothing.
    fn offer(&mut self) {
        let offer = self.next.offered.max(self.steering.confirmed).saturating_add(1);
        (self.next.confirmable, self.next.offered) = (Some(offer), offer);
    }

    /// A base does not serve any more, or a person has confirmed the batch: what was offered is worth nothing from now on.
    fn is_decided(&mut self, place: usize) -> bool {
        let is_broken = self.is_broken(place);
        let is_confirmed = self.next.confirmable.is_some_and(|offer| offer == self.steering.confirmed);
        if is_broken {
            self.back_to_release(place);
        } else if is_confirmed {
            self.set(place, BatchPhase::Done);
        } else {
            return false;
        }
        self.next.confirmable = None;
        true
    }

    pub(super) fn await_confirm(&mut self, place: usize) -> bool {
        if self.is_decided(place) {
            return true;
        }
        let name = self.name(place);
        self.tell(
            Phase::AwaitingConfirm,
            bilingual!(
                "batch {name} is done, and waits for somebody to confirm it",
                "批次 {name} 已完成，等待人工确认"
            ),
        );
        false
    }

    /// A base that served does not any more: the time of watching begins again.
    fn back_to_release(&mut self, place: usize) -> bool {
        self.memory.soaks_since = None;
        self.set(place, BatchPhase::Releasing);
        true
    }

    fn is_broken(&self, place: usize) -> bool {
        let members = self.members(place);
        members.is_empty()
            || members.into_iter().any(|base| base.condition != Condition::Ready && !self.is_counted(base))
    }
}

fn asked_for(name: &str, what: &str, _: &str, language: Language) -> String {
    match language {
        Language::English => format!("batch {name} serves, and {what} asked for"),
        Language::Chinese => format!("批次 {name} 已在服务，正在查询{what}"),
    }
}

fn asked_again(name: &str, what: &str, why: &str, language: Language) -> String {
    match language {
        Language::English => format!("batch {name} serves, and {what} asked for again: {why}"),
        Language::Chinese => format!("批次 {name} 已在服务，将再次查询{what}：{why}"),
    }
}

fn waits_for_a_person(name: &str, _: &str, why: &str, language: Language) -> String {
    match language {
        Language::English => {
            format!("batch {name} serves, and waits for its metrics or for somebody to confirm it: {why}")
        }
        Language::Chinese => format!("批次 {name} 已在服务，等待指标或人工确认：{why}"),
    }
}
