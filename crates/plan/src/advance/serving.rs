//! What a batch goes through once all of its bases serve: the soak, its metrics, and a person's confirmation (rule P2).

use std::time::Duration;

use model::{ErrorSource, ErrorType};

use super::{Run, code};
use crate::{
    batches::{Base, Condition},
    gate::{Look, MetricStatus, Reading},
    status::{BatchPhase, Phase},
};

impl Run<'_> {
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
                format!("batch {name} serves, and is watched for {} s", soak.as_secs()),
            );
            return false;
        }
        if self.spec.metrics.is_empty() {
            self.ask_for_confirmation(place);
        } else {
            self.set(place, BatchPhase::Gating);
        }
        true
    }

    /// Asks for the metrics (rule P10).
    pub(super) fn gate(&mut self, place: usize) -> bool {
        // A person may have looked at what the metrics do not say.
        if self.is_decided(place) {
            return true;
        }
        match self.memory.gate.look(&self.spec.metrics, self.now) {
            Look::Ask(questions, until) => {
                self.questions = questions;
                self.wake = Some(until);
            }
            Look::Wait(until) => self.wake = Some(until),
            Look::Over(metrics) => {
                self.next.metrics = metrics;
                return self.judge(place);
            }
        }
        self.tell_gate(place);
        false
    }

    /// A round of questions is over.
    fn judge(&mut self, place: usize) -> bool {
        let is = |reading| move |metric: &MetricStatus| metric.reading == reading;
        if self.next.metrics.iter().any(is(Reading::Failed)) {
            self.next.confirmable = None;
            self.set(place, BatchPhase::Failed);
        } else if self.next.metrics.iter().all(is(Reading::Passed)) {
            self.next.confirmable = None;
            self.ask_for_confirmation(place);
        } else if self.memory.gate.is_out_of_patience() && self.next.confirmable.is_none() {
            self.offer();
        }
        true
    }

    fn tell_gate(&mut self, place: usize) {
        let name = self.name(place);
        let missing = self.next.metrics.iter().find(|metric| metric.reading == Reading::Missing);
        let why = missing.map(|metric| format!("metric {}: {}", metric.name, metric.message));
        match (self.next.confirmable, why) {
            (None, None) => {
                self.tell(Phase::Running, format!("batch {name} serves, and its metrics are asked for"))
            }
            (None, Some(why)) => {
                self.tell(
                    Phase::Running,
                    format!("batch {name} serves, and its metrics are asked for again: {why}"),
                );
            }
            (Some(_), why) => {
                let why = why.unwrap_or_else(|| "its metrics are asked for".to_owned());
                let message = format!(
                    "batch {name} serves, and waits for its metrics or for somebody to confirm it: {why}"
                );
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
            format!("batch {name} is done, and waits for somebody to confirm it"),
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
        let is_counted = |base: &Base| self.next.failures.iter().any(|failure| failure.base == base.key);
        let members = self.members(place);
        members.is_empty()
            || members.into_iter().any(|base| base.condition != Condition::Ready && !is_counted(base))
    }
}
