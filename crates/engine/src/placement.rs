//! Which Nodes a Pod may be bound to: the scheduler's own rules for node selector, required node
//! affinity and tolerations.
//!
//! As `k8s.io/component-helpers/scheduling/corev1/nodeaffinity` and the scheduler's plugins
//! NodeAffinity, TaintToleration and NodeUnschedulable have it. `scheduler.rs` among the tests of
//! `cluster` holds this against what a real scheduler does.

mod anti_affinity;

use std::{collections::BTreeMap, sync::Arc};

use litemap::LiteMap;

use crate::view::{NodeView, Taint};

pub use self::anti_affinity::AntiAffinity;
pub(crate) use self::anti_affinity::{Blocked, blocked_by_siblings};

/// The taint that stands for `spec.unschedulable`.
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// Taints that Kubernetes sets by a Node's conditions, and takes away again by itself.
const BY_CONDITION: [&str; 6] = [
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/unreachable",
    "node.kubernetes.io/memory-pressure",
    "node.kubernetes.io/disk-pressure",
    "node.kubernetes.io/pid-pressure",
    "node.kubernetes.io/network-unavailable",
];

/// `operator` of a node selector's requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// The value is one of these.
    In,
    /// The value is none of these, or there is none.
    NotIn,
    /// There is a value.
    Exists,
    /// There is no value.
    DoesNotExist,
    /// The value is a greater integer.
    Gt,
    /// The value is a smaller integer.
    Lt,
    /// One that this version of ours does not know: it matches nothing.
    Unknown,
}

impl Operator {
    /// As Kubernetes writes it.
    pub fn from_name(name: &str) -> Self {
        match name {
            "In" => Self::In,
            "NotIn" => Self::NotIn,
            "Exists" => Self::Exists,
            "DoesNotExist" => Self::DoesNotExist,
            "Gt" => Self::Gt,
            "Lt" => Self::Lt,
            _ => Self::Unknown,
        }
    }

    /// As Kubernetes writes it; what is unknown stays so.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::In => "In",
            Self::NotIn => "NotIn",
            Self::Exists => "Exists",
            Self::DoesNotExist => "DoesNotExist",
            Self::Gt => "Gt",
            Self::Lt => "Lt",
            Self::Unknown => "Unknown",
        }
    }
}

/// One of `matchExpressions` or `matchFields`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// A label's key, or a field.
    pub key: String,
    /// How it is compared.
    pub operator: Operator,
    /// With what.
    pub values: Vec<String>,
}

/// One of `nodeSelectorTerms`: all of it must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeSelectorTerm {
    /// `matchExpressions`, on labels.
    pub expressions: Vec<Requirement>,
    /// `matchFields`, on `metadata.name`.
    pub fields: Vec<Requirement>,
}

/// One of `tolerations`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toleration {
    /// `key`; empty for every key.
    pub key: String,
    /// `operator`: `Exists`, or `Equal`, which an empty one means too.
    pub operator: String,
    /// `value`.
    pub value: String,
    /// `effect`; empty for every effect.
    pub effect: String,
}

/// What a Pod says of the Nodes that it may be bound to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Placement {
    /// `nodeSelector`.
    pub node_selector: BTreeMap<String, String>,
    /// `affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms`; none
    /// where there is no such affinity.
    pub terms: Option<Vec<NodeSelectorTerm>>,
    /// `tolerations`.
    pub tolerations: Vec<Toleration>,
}

/// A Node, as far as placing a Pod depends on it.
#[derive(Debug, Clone)]
pub struct Site<'a> {
    /// `metadata.name`.
    pub name: &'a str,
    /// Labels.
    pub labels: &'a LiteMap<Arc<str>, Arc<str>>,
    /// The taints that count.
    pub taints: Vec<&'a Taint>,
    /// `spec.unschedulable`.
    pub unschedulable: bool,
}

impl<'a> Site<'a> {
    /// A Node as it is at this moment: what the scheduler decides by.
    pub fn now(node: &'a NodeView) -> Self {
        let taints = node.taints.iter().collect();
        Self { name: &node.name, labels: &node.labels, taints, unschedulable: node.unschedulable }
    }

    /// A Node for good, without the taints of its conditions: a base that is silent for a minute, or
    /// short of metaspace, is one of the bases all the same (DaemonSets do likewise).
    pub fn lasting(node: &'a NodeView) -> Self {
        let mut site = Self::now(node);
        site.taints.retain(|taint| !BY_CONDITION.contains(&taint.key.as_str()));
        site
    }
}

impl Placement {
    /// Whether the scheduler may bind a Pod of this placement to this Node.
    pub fn admits(&self, site: &Site<'_>) -> bool {
        self.node_selector
            .iter()
            .all(|(key, value)| site.labels.get(key.as_str()).is_some_and(|label| **label == **value))
            && self.terms.as_ref().is_none_or(|terms| terms.iter().any(|term| term.admits(site)))
            && site.taints.iter().all(|taint| !bars(taint) || self.tolerates(taint))
            && (!site.unschedulable || self.tolerates(&unschedulable()))
    }

    fn tolerates(&self, taint: &Taint) -> bool {
        self.tolerations.iter().any(|toleration| toleration.covers(taint))
    }
}

/// `PreferNoSchedule` is a wish.
fn bars(taint: &Taint) -> bool {
    matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute")
}

fn unschedulable() -> Taint {
    Taint { key: UNSCHEDULABLE.into(), value: String::new(), effect: "NoSchedule".into() }
}

impl Toleration {
    fn covers(&self, taint: &Taint) -> bool {
        (self.effect.is_empty() || self.effect == taint.effect)
            && (self.key.is_empty() || self.key == taint.key)
            && match self.operator.as_str() {
                "Exists" => true,
                "" | "Equal" => self.value == taint.value,
                _ => false,
            }
    }
}

impl NodeSelectorTerm {
    /// A term that asks for nothing admits nothing.
    fn admits(&self, site: &Site<'_>) -> bool {
        let asks = !self.expressions.is_empty() || !self.fields.is_empty();
        let label = |key: &str| site.labels.get(key).map(|value| &**value);
        asks && self.expressions.iter().all(|expression| expression.holds(label(&expression.key)))
            && self.fields.iter().all(|field| field.holds_for_field(site.name))
    }
}

impl Requirement {
    /// Whether the label of this key may have this value, or none.
    ///
    /// A requirement that makes no sense (values where none belong, none where some do, one that is
    /// no label's value) holds for no Node.
    fn holds(&self, value: Option<&str>) -> bool {
        if !self.values.iter().all(|value| is_label_value(value)) {
            return false;
        }
        let listed = |value: &str| self.values.iter().any(|one| one == value);
        match self.operator {
            Operator::In => value.is_some_and(listed),
            Operator::NotIn => !self.values.is_empty() && !value.is_some_and(listed),
            Operator::Exists => self.values.is_empty() && value.is_some(),
            Operator::DoesNotExist => self.values.is_empty() && value.is_none(),
            Operator::Gt => self.compare(value).is_some_and(|(have, bound)| have > bound),
            Operator::Lt => self.compare(value).is_some_and(|(have, bound)| have < bound),
            Operator::Unknown => false,
        }
    }

    /// Both sides as integers, where both are.
    fn compare(&self, value: Option<&str>) -> Option<(i64, i64)> {
        let [bound] = self.values.as_slice() else { return None };
        Some((value?.parse().ok()?, bound.parse().ok()?))
    }

    /// The only field is `metadata.name`, compared with one name.
    fn holds_for_field(&self, name: &str) -> bool {
        let [wanted] = self.values.as_slice() else { return false };
        let found = if self.key == "metadata.name" { name } else { "" };
        match self.operator {
            Operator::In => found == wanted,
            Operator::NotIn => found != wanted,
            _ => false,
        }
    }
}

/// At most 63 letters, digits, `-`, `_` and `.`, a letter or digit first and last; or nothing.
fn is_label_value(text: &str) -> bool {
    let bytes = text.as_bytes();
    let at_end = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_alphanumeric);
    bytes.len() <= 63
        && at_end(bytes.first())
        && at_end(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

#[cfg(test)]
mod tests;
