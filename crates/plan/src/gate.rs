//! Asks for the metrics of a batch and for the health of its modules, round by round, until all have passed, one has failed, or a
//! person is needed.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use model::{Bilingual, Health, Language, bilingual};

use crate::{
    health::{HealthAnswers, HealthEndpoint, HealthQuestion},
    metric::Metric,
};

/// When it is asked anew where an answer was missing: a server that starts anew takes half a minute.
const AGAIN: Duration = Duration::from_secs(15);
/// The same once a person was asked for.
const AGAIN_LATER: Duration = Duration::from_secs(60);
/// So many rounds without all answers, and a person is asked for; and so many in a row with a module that is DOWN, and it has
/// failed.
const PATIENCE: u32 = 4;
/// No answer comes after this: the one who was to ask has given up long before.
const LOST: Duration = Duration::from_secs(30);

/// So many values of a metric are shown.
const SHOWN: usize = 3;

/// What a server answered.
#[derive(Debug, Clone, PartialEq)]
pub enum MetricAnswer {
    /// The values of all series; none where it has no data.
    Values(Vec<f64>),
    /// It could not be asked, or answered something else; why.
    Error(String),
}

/// A metric that is to be asked for now. Each question has an answer, once or never.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// To be given with the answer: those of earlier rounds are not counted.
    pub round: u64,
    /// Which of the plan's metrics.
    pub metric: Metric,
}

/// How a metric stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// All of its values are as they must be.
    Passed,
    /// A value is not.
    Failed,
    /// There was no answer, or none with a value.
    Missing,
}

impl Reading {
    const ALL: [Self; 3] = [Self::Passed, Self::Failed, Self::Missing];

    /// As it is written in the status.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "Passed",
            Self::Failed => "Failed",
            Self::Missing => "Missing",
        }
    }

    /// What a status says; none where it is nothing that is known here.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reading| reading.as_str() == name)
    }
}

/// What came of asking for a metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricStatus {
    /// Its name.
    pub name: Arc<str>,
    /// How it stands.
    pub reading: Reading,
    /// The value, or why there is none.
    pub message: String,
}

impl MetricStatus {
    fn of(metric: &Metric, answer: Option<&MetricAnswer>, language: Language) -> Self {
        let Metric { name, server, condition, .. } = metric;
        let missing = |message: Bilingual| (Reading::Missing, message);
        let (reading, message) = match answer {
            None => missing(bilingual!("{server} has not answered", "{server} 没有应答")),
            Some(MetricAnswer::Error(why)) => missing(bilingual!("{server}: {why}", "{server}：{why}")),
            Some(MetricAnswer::Values(values)) if values.iter().all(|value| value.is_nan()) => {
                missing(bilingual!("{server} has no data for its query", "{server} 没有该查询的数据"))
            }
            Some(MetricAnswer::Values(values)) if values.iter().any(|value| value.is_nan()) => {
                missing(bilingual!("one of its values is no number", "它的值中有一个不是数"))
            }
            Some(MetricAnswer::Values(values)) => match values.iter().find(|value| !condition.holds(**value))
            {
                Some(value) => (
                    Reading::Failed,
                    bilingual!("it is {value}, and must be {condition}", "值为 {value}，应当 {condition}"),
                ),
                None => {
                    let values: Vec<String> = values.iter().take(SHOWN).map(f64::to_string).collect();
                    let values = values.join(", ");
                    let told = bilingual!(
                        "it is {values}, as must be {condition}",
                        "值为 {values}，符合 {condition}"
                    );
                    (Reading::Passed, told)
                }
            },
        };
        Self { name: name.clone(), reading, message: message.of(language).to_owned() }
    }
}

/// What a leader remembers of the round that is under way.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Gate {
    round: u64,
    asked: Option<Duration>,
    /// By the metric's name.
    answers: Vec<(Arc<str>, MetricAnswer)>,
    /// None until the bases were asked.
    health: Option<HealthAnswers>,
    incomplete: u32,
    /// In how many rounds in a row the module was DOWN, by its base.
    down: BTreeMap<Arc<str>, u32>,
    ask_after: Option<Duration>,
}

/// What a look at the gate comes to.
#[derive(Debug, PartialEq)]
pub(crate) enum Look {
    /// Ask these, and look again then or when an answer came.
    Ask(Vec<Question>, Option<HealthQuestion>, Duration),
    /// Look again then.
    Wait(Duration),
    /// A round is over.
    Over(Vec<MetricStatus>, HealthAnswers),
}

impl Gate {
    /// An answer came. One of an earlier round says nothing.
    pub(crate) fn answer(&mut self, round: u64, name: &str, answer: MetricAnswer) {
        if self.asked.is_some() && self.round == round && !self.answers.iter().any(|(of, _)| **of == *name) {
            self.answers.push((name.into(), answer));
        }
    }

    /// Bases answered. Of an earlier round they say nothing.
    pub(crate) fn answer_health(&mut self, round: u64, answers: HealthAnswers) {
        if self.asked.is_some() && self.round == round && self.health.is_none() {
            self.health = Some(answers);
        }
    }

    /// The module was DOWN on this base in so many rounds that nobody waits for it any more.
    pub(crate) fn is_down_for_good(&self, base: &str) -> bool {
        self.down.get(base).is_some_and(|rounds| *rounds >= PATIENCE)
    }

    /// A person is to be asked for.
    pub(crate) fn is_out_of_patience(&self) -> bool {
        self.incomplete >= PATIENCE
    }

    /// Begins a round, goes on with it or ends it. After one without all answers the next is a while later.
    pub(crate) fn look(
        &mut self,
        metrics: &[Metric],
        health: Option<&HealthEndpoint>,
        bases: impl FnOnce() -> Vec<(Arc<str>, IpAddr)>,
        language: Language,
        now: Duration,
    ) -> Look {
        let Some(asked) = self.asked else {
            if let Some(at) = self.ask_after.filter(|at| *at > now) {
                return Look::Wait(at);
            }
            // Later rounds have greater numbers, whoever forgot the earlier ones.
            self.round = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
            (self.asked, self.ask_after) = (Some(now), None);
            self.answers.clear();
            self.health = None;
            let round = self.round;
            let questions = metrics.iter().map(|metric| Question { round, metric: metric.clone() });
            let ask = |endpoint: &HealthEndpoint| HealthQuestion {
                round,
                endpoint: endpoint.clone(),
                bases: bases(),
            };
            return Look::Ask(questions.collect(), health.map(ask), now + LOST);
        };
        let lacks = self.answers.len() < metrics.len() || (health.is_some() && self.health.is_none());
        if lacks && now < asked + LOST {
            return Look::Wait(asked + LOST);
        }
        let answer = |metric: &Metric| {
            self.answers.iter().find(|(of, _)| *of == metric.name).map(|(_, answer)| answer)
        };
        let all: Vec<MetricStatus> =
            metrics.iter().map(|metric| MetricStatus::of(metric, answer(metric), language)).collect();
        self.asked = None;
        if all.iter().any(|one| one.reading == Reading::Missing) {
            self.incomplete = self.incomplete.saturating_add(1);
        }
        let said = self.health.take().unwrap_or_default();
        let before = std::mem::take(&mut self.down);
        let down = said.iter().filter(|(_, health)| matches!(health, Health::Down(_)));
        let rounds = |base: &Arc<str>| before.get(base).map_or(1, |rounds| rounds.saturating_add(1));
        self.down = down.map(|(base, _)| (base.clone(), rounds(base))).collect();
        self.ask_after = Some(now + if self.is_out_of_patience() { AGAIN_LATER } else { AGAIN });
        Look::Over(all, said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::DraftMetric;

    fn metric(name: &str) -> Metric {
        Metric::of(DraftMetric {
            name: name.into(),
            server: "http://p:9090".into(),
            query: "up".into(),
            condition: "< 0.1".into(),
        })
        .unwrap()
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn look(gate: &mut Gate, metrics: &[Metric], now: Duration) -> Look {
        gate.look(metrics, None, Vec::new, Language::English, now)
    }

    fn read(answer: MetricAnswer) -> (Reading, String) {
        let MetricStatus { reading, message, .. } =
            MetricStatus::of(&metric("m"), Some(&answer), Language::English);
        (reading, message)
    }

    #[test]
    fn every_value_must_be_as_asked_and_none_passes_that_is_not_there() {
        let values = |values: &[f64]| read(MetricAnswer::Values(values.to_vec())).0;
        assert_eq!(values(&[0.0]), Reading::Passed);
        assert_eq!(values(&[0.0, 0.05]), Reading::Passed);
        assert_eq!(values(&[0.0, 0.5]), Reading::Failed);
        for missing in [&[][..], &[f64::NAN], &[0.0, f64::NAN]] {
            assert_eq!(values(missing), Reading::Missing, "{missing:?}");
        }
        assert_eq!(read(MetricAnswer::Values(vec![0.5])).1, "it is 0.5, and must be < 0.1");
        assert_eq!(read(MetricAnswer::Error("HTTP 503".into())).1, "http://p:9090: HTTP 503");
    }

    #[test]
    fn a_round_is_over_when_all_answered_and_what_comes_late_is_not_counted() {
        let (mut gate, metrics) = (Gate::default(), [metric("a"), metric("b")]);
        let Look::Ask(questions, None, until) = look(&mut gate, &metrics, seconds(1)) else {
            panic!("nothing is asked")
        };
        assert_eq!((questions.len(), until), (2, seconds(1) + LOST));
        let round = questions[0].round;
        gate.answer(round, "a", MetricAnswer::Values(vec![0.0]));
        gate.answer(round, "a", MetricAnswer::Values(vec![9.0]));
        gate.answer(round - 1, "b", MetricAnswer::Values(vec![9.0]));
        assert_eq!(look(&mut gate, &metrics, seconds(2)), Look::Wait(until));
        gate.answer(round, "b", MetricAnswer::Values(vec![0.0]));
        let Look::Over(all, _) = look(&mut gate, &metrics, seconds(3)) else { panic!("it is not over") };
        assert!(all.iter().all(|one| one.reading == Reading::Passed), "{all:?}");
    }

    #[test]
    fn what_does_not_answer_is_asked_again_and_then_a_person() {
        let (mut gate, metrics, mut now) = (Gate::default(), [metric("a")], seconds(0));
        for round in 1..=PATIENCE {
            assert!(!gate.is_out_of_patience());
            assert!(matches!(look(&mut gate, &metrics, now), Look::Ask(_, _, _)), "round {round}");
            now += LOST;
            assert!(matches!(look(&mut gate, &metrics, now), Look::Over(_, _)));
            let Look::Wait(again) = look(&mut gate, &metrics, now) else { panic!("it is asked at once") };
            now = again;
        }
        assert!(gate.is_out_of_patience());
        assert!(matches!(look(&mut gate, &metrics, now), Look::Ask(_, _, _)), "it is asked all the same");
    }
}
