use proptest::prelude::*;

use super::*;

fn node(labels: &[(&str, &str)], taints: &[(&str, &str, &str)]) -> NodeView {
    NodeView {
        name: "n".into(),
        labels: labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
        taints: taints
            .iter()
            .map(|(key, value, effect)| Taint {
                key: key.to_string(),
                value: value.to_string(),
                effect: effect.to_string(),
            })
            .collect(),
        ..NodeView::default()
    }
}

fn requirement(key: &str, operator: &str, values: &[&str]) -> Requirement {
    Requirement {
        key: key.into(),
        operator: Operator::from_name(operator),
        values: values.iter().map(ToString::to_string).collect(),
    }
}

fn term(expressions: &[Requirement]) -> NodeSelectorTerm {
    NodeSelectorTerm { expressions: expressions.to_vec(), fields: Vec::new() }
}

fn one_of(terms: &[NodeSelectorTerm]) -> Placement {
    Placement { terms: Some(terms.to_vec()), ..Placement::default() }
}

fn holds(key: &str, operator: &str, values: &[&str]) -> bool {
    let node = node(&[("a", "x"), ("n", "7"), ("empty", "")], &[]);
    one_of(&[term(&[requirement(key, operator, values)])]).admits(&Site::now(&node))
}

#[test]
fn in_and_not_in() {
    assert!(holds("a", "In", &["y", "x"]) && !holds("a", "In", &["y"]) && !holds("b", "In", &["x"]));
    assert!(!holds("a", "NotIn", &["x"]) && holds("a", "NotIn", &["y"]));
    assert!(holds("b", "NotIn", &["x"]), "a label that is not there is none of them");
    assert!(holds("empty", "In", &[""]) && !holds("b", "In", &[""]));
    assert!(!holds("a", "In", &[]) && !holds("a", "NotIn", &[]), "without values it makes no sense");
}

#[test]
fn exists_and_does_not_exist() {
    assert!(holds("a", "Exists", &[]) && holds("empty", "Exists", &[]) && !holds("b", "Exists", &[]));
    assert!(holds("b", "DoesNotExist", &[]) && !holds("a", "DoesNotExist", &[]));
    assert!(!holds("a", "Exists", &["x"]) && !holds("b", "DoesNotExist", &["x"]));
}

#[test]
fn greater_and_less_compare_integers() {
    assert!(holds("n", "Gt", &["6"]) && !holds("n", "Gt", &["7"]) && !holds("n", "Lt", &["7"]));
    assert!(holds("n", "Lt", &["10"]), "as integers, not as texts");
    assert!(!holds("a", "Gt", &["1"]) && !holds("b", "Lt", &["1"]) && !holds("n", "Gt", &["x"]));
    assert!(!holds("n", "Gt", &["1", "2"]) && !holds("n", "Gt", &[]));
    assert!(!holds("n", "Gt", &["-1"]), "-1 is no label's value, so the requirement makes no sense");
}

#[test]
fn what_is_unknown_or_no_label_value_matches_nothing() {
    assert!(!holds("a", "Like", &["x"]));
    assert!(!holds("a", "NotIn", &["no value"]) && !holds("a", "In", &["x", &"y".repeat(64)]));
}

#[test]
fn the_field_is_the_name() {
    let node = node(&[], &[]);
    let by = |operator, values: &[&str]| {
        let fields = vec![requirement("metadata.name", operator, values)];
        one_of(&[NodeSelectorTerm { expressions: Vec::new(), fields }]).admits(&Site::now(&node))
    };
    assert!(by("In", &["n"]) && !by("In", &["m"]) && by("NotIn", &["m"]) && !by("NotIn", &["n"]));
    assert!(!by("In", &["n", "m"]) && !by("Exists", &[]));
}

#[test]
fn terms_are_alternatives_and_all_of_one_must_hold() {
    let node = node(&[("a", "x")], &[]);
    let (right, wrong) = (requirement("a", "In", &["x"]), requirement("b", "Exists", &[]));
    let admits = |terms: &[NodeSelectorTerm]| one_of(terms).admits(&Site::now(&node));
    let (fits, fails) = (term(std::slice::from_ref(&right)), term(std::slice::from_ref(&wrong)));
    assert!(admits(&[fails, fits]));
    assert!(!admits(&[term(&[right.clone(), wrong])]));
    let both = NodeSelectorTerm {
        expressions: vec![right.clone()],
        fields: vec![requirement("metadata.name", "In", &["m"])],
    };
    assert!(!admits(&[both]));
    assert!(!admits(&[]) && !admits(&[term(&[])]), "no term, or an empty one, matches nothing");
    assert!(admits(&[term(&[]), term(&[right])]));
    assert!(Placement::default().admits(&Site::now(&node)), "no affinity matches all");
}

#[test]
fn the_node_selector_is_added_to_the_affinity() {
    let node = node(&[("a", "x"), ("b", "y")], &[]);
    let mut placement = one_of(&[term(&[requirement("a", "Exists", &[])])]);
    placement.node_selector.insert("b".into(), "y".into());
    assert!(placement.admits(&Site::now(&node)));
    placement.node_selector.insert("b".into(), "z".into());
    assert!(!placement.admits(&Site::now(&node)));
}

fn tolerating(key: &str, operator: &str, value: &str, effect: &str) -> Placement {
    let toleration =
        Toleration { key: key.into(), operator: operator.into(), value: value.into(), effect: effect.into() };
    Placement { tolerations: vec![toleration], ..Placement::default() }
}

#[test]
fn taints_that_bar_must_be_tolerated() {
    let node = node(&[], &[("k", "v", "NoExecute")]);
    let admits = |placement: Placement| placement.admits(&Site::now(&node));
    assert!(!admits(Placement::default()));
    for (key, operator, value, effect) in [
        ("k", "Equal", "v", "NoExecute"),
        ("k", "", "v", ""),
        ("k", "Exists", "", "NoExecute"),
        ("", "Exists", "", ""),
    ] {
        assert!(admits(tolerating(key, operator, value, effect)), "{key} {operator} {value} {effect}");
    }
    for (key, operator, value, effect) in [
        ("k", "Equal", "w", "NoExecute"),
        ("k", "Equal", "v", "NoSchedule"),
        ("j", "Exists", "", ""),
        ("", "Exists", "", "NoSchedule"),
        ("k", "Gt", "v", ""),
    ] {
        assert!(!admits(tolerating(key, operator, value, effect)), "{key} {operator} {value} {effect}");
    }
}

#[test]
fn a_preference_bars_nobody() {
    let node = node(&[], &[("k", "v", "PreferNoSchedule")]);
    assert!(Placement::default().admits(&Site::now(&node)));
}

#[test]
fn a_cordoned_node_must_be_tolerated_before_its_taint_comes() {
    let mut node = node(&[], &[]);
    node.unschedulable = true;
    assert!(!Placement::default().admits(&Site::now(&node)));
    assert!(tolerating(UNSCHEDULABLE, "Exists", "", "NoSchedule").admits(&Site::now(&node)));
}

#[test]
fn taints_of_conditions_do_not_last() {
    let node = node(&[], &[("node.kubernetes.io/unreachable", "", "NoExecute")]);
    assert!(!Placement::default().admits(&Site::now(&node)));
    assert!(Placement::default().admits(&Site::lasting(&node)));
}

fn requirements() -> impl Strategy<Value = Requirement> {
    let operator = prop::sample::select(vec!["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]);
    let values = prop::collection::vec(prop::sample::select(vec!["x", "y", "3", "7"]), 0..3);
    (prop::sample::select(vec!["a", "b"]), operator, values)
        .prop_map(|(key, operator, values)| requirement(key, operator, &values))
}

fn labels() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    let value = || prop::option::of(prop::sample::select(vec!["x", "y", "5"]));
    (value(), value()).prop_map(|(a, b)| {
        [a.map(|value| ("a", value)), b.map(|value| ("b", value))].into_iter().flatten().collect()
    })
}

proptest! {
    /// More alternatives admit more, more conditions fewer.
    #[test]
    fn terms_widen_and_expressions_narrow(
        first in prop::collection::vec(requirements(), 0..3),
        second in prop::collection::vec(requirements(), 0..3),
        labels in labels(),
    ) {
        let node = node(&labels, &[]);
        let site = Site::now(&node);
        let (a, b) = (one_of(&[term(&first)]).admits(&site), one_of(&[term(&second)]).admits(&site));
        prop_assert_eq!(one_of(&[term(&first), term(&second)]).admits(&site), a || b);
        if !first.is_empty() && !second.is_empty() {
            let both = [first, second].concat();
            prop_assert_eq!(one_of(&[term(&both)]).admits(&site), a && b);
        }
    }

    /// An operator and its opposite never both hold, and with values that make sense one does.
    #[test]
    fn opposites_exclude_each_other(requirement in requirements(), labels in labels()) {
        let node = node(&labels, &[]);
        let site = Site::now(&node);
        let opposite = match requirement.operator {
            Operator::In => Operator::NotIn,
            Operator::NotIn => Operator::In,
            Operator::Exists => Operator::DoesNotExist,
            Operator::DoesNotExist => Operator::Exists,
            Operator::Gt => Operator::Lt,
            other => { prop_assume!(other == Operator::Lt); Operator::Gt }
        };
        let holds = one_of(&[term(std::slice::from_ref(&requirement))]).admits(&site);
        let other = one_of(&[term(&[Requirement { operator: opposite, ..requirement.clone() }])]).admits(&site);
        prop_assert!(!(holds && other));
        let makes_sense = match requirement.operator {
            Operator::In | Operator::NotIn => !requirement.values.is_empty(),
            Operator::Exists | Operator::DoesNotExist => requirement.values.is_empty(),
            _ => false,
        };
        prop_assert!(!makes_sense || holds || other);
    }
}
