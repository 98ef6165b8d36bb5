//! Label selectors, as Kubernetes has them.

use std::{collections::BTreeMap, sync::Arc};

use litemap::LiteMap;

/// How a label is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// It is one of the values.
    In,
    /// It is none of the values, or is not there.
    NotIn,
    /// It is there.
    Exists,
    /// It is not there.
    DoesNotExist,
}

impl Operator {
    /// As Kubernetes writes it.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "In" => Some(Self::In),
            "NotIn" => Some(Self::NotIn),
            "Exists" => Some(Self::Exists),
            "DoesNotExist" => Some(Self::DoesNotExist),
            _ => None,
        }
    }
}

/// One of `matchExpressions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The label's key.
    pub key: String,
    /// How it is compared.
    pub operator: Operator,
    /// With what.
    pub values: Vec<String>,
}

/// A label selector. An empty one selects everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selector {
    /// `matchLabels`.
    pub labels: BTreeMap<String, String>,
    /// `matchExpressions`.
    pub expressions: Vec<Requirement>,
}

impl Selector {
    /// All of it holds for these labels.
    pub fn selects(&self, labels: &LiteMap<Arc<str>, Arc<str>>) -> bool {
        let same = |(key, value): (&String, &String)| {
            labels.get(key.as_str()).is_some_and(|label| **label == **value)
        };
        self.labels.iter().all(same) && self.expressions.iter().all(|one| one.holds(labels))
    }
}

impl Requirement {
    fn holds(&self, labels: &LiteMap<Arc<str>, Arc<str>>) -> bool {
        let label = labels.get(self.key.as_str());
        let is_one = || label.is_some_and(|label| self.values.iter().any(|value| **value == **label));
        match self.operator {
            Operator::In => is_one(),
            Operator::NotIn => !is_one(),
            Operator::Exists => label.is_some(),
            Operator::DoesNotExist => label.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(all: &[(&str, &str)]) -> LiteMap<Arc<str>, Arc<str>> {
        all.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
    }

    #[test]
    fn labels_are_compared_as_kubernetes_does() {
        let here = labels(&[("zone", "az1"), ("tier", "gold")]);
        let asks = |operator, values: &[&str]| Selector {
            expressions: vec![Requirement {
                key: "zone".into(),
                operator,
                values: values.iter().map(|value| (*value).to_owned()).collect(),
            }],
            ..Selector::default()
        };
        assert!(Selector::default().selects(&here));
        assert!(asks(Operator::In, &["az1", "az2"]).selects(&here));
        assert!(!asks(Operator::NotIn, &["az1"]).selects(&here));
        assert!(
            asks(Operator::NotIn, &["az1"]).selects(&labels(&[])),
            "a label that is not there is none of them"
        );
        assert!(
            asks(Operator::Exists, &[]).selects(&here) && !asks(Operator::Exists, &[]).selects(&labels(&[]))
        );
        assert!(!asks(Operator::DoesNotExist, &[]).selects(&here));
        let gold =
            Selector { labels: [("tier".into(), "gold".into())].into(), ..asks(Operator::In, &["az2"]) };
        assert!(!gold.selects(&here), "all of it must hold");
    }
}
