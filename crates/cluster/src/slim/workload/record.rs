//! What was rolled out last, as text: the message of a condition. It is the next controller that reads it.

use engine::{placement::Placement, view::RolledOut};
use model::{BizId, InstallStrategy, ModuleSpec};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{PodSpecJson, placement};
use crate::slim::nothing;

#[derive(Deserialize)]
struct RecordJson {
    modules: Vec<PackageJson>,
    /// In the words of a Pod's spec.
    #[serde(default, deserialize_with = "nothing")]
    placement: PodSpecJson,
    /// What was before.
    #[serde(default, deserialize_with = "nothing")]
    earlier: Vec<PackageJson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PackageJson {
    biz_name: String,
    biz_version: String,
    biz_url: String,
}

/// What the text says; none where it is not ours, or of a version of ours that said it in other words.
pub(super) fn read(text: &str) -> Option<RolledOut> {
    let RecordJson { modules, placement: spec, earlier } = serde_json::from_str(text).ok()?;
    let modules: Option<Vec<ModuleSpec>> = modules.into_iter().map(module).collect();
    let earlier = earlier.into_iter().filter_map(module).collect();
    Some(RolledOut { modules: modules?, placement: placement(spec), earlier })
}

fn module(json: PackageJson) -> Option<ModuleSpec> {
    Some(ModuleSpec {
        id: BizId { name: json.biz_name.parse().ok()?, version: json.biz_version.parse().ok()? },
        url: json.biz_url.parse().ok()?,
        strategy: InstallStrategy::default(),
        args: [].into(),
        envs: [].into(),
    })
}

/// The text. Packages are in it as written, because a base shall fetch them: whoever may read it may read the template.
pub(crate) fn write(rolled_out: &RolledOut) -> String {
    let package = |spec: &ModuleSpec| {
        json!({
            "bizName": spec.id.name.as_str(),
            "bizVersion": spec.id.version.as_str(),
            "bizUrl": spec.url.as_written(),
        })
    };
    let packages = |specs: &[ModuleSpec]| specs.iter().map(package).collect::<Vec<Value>>();
    let mut record = json!({
        "modules": packages(&rolled_out.modules),
        "placement": words(&rolled_out.placement),
    });
    if let (false, Some(record)) = (rolled_out.earlier.is_empty(), record.as_object_mut()) {
        record.insert("earlier".to_owned(), packages(&rolled_out.earlier).into());
    }
    record.to_string()
}

fn words(placement: &Placement) -> Value {
    let requirement = |requirement: &engine::placement::Requirement| {
        json!({
            "key": requirement.key,
            "operator": requirement.operator.as_str(),
            "values": requirement.values,
        })
    };
    let toleration = |toleration: &engine::placement::Toleration| {
        json!({
            "key": toleration.key,
            "operator": toleration.operator,
            "value": toleration.value,
            "effect": toleration.effect,
        })
    };
    let term = |term: &engine::placement::NodeSelectorTerm| {
        json!({
            "matchExpressions": term.expressions.iter().map(requirement).collect::<Value>(),
            "matchFields": term.fields.iter().map(requirement).collect::<Value>(),
        })
    };
    let required = placement.terms.as_ref().map(|terms| {
        let terms: Value = terms.iter().map(term).collect();
        json!({ "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": terms } })
    });
    json!({
        "nodeSelector": placement.node_selector,
        "affinity": required.map(|required| json!({ "nodeAffinity": required })),
        "tolerations": placement.tolerations.iter().map(toleration).collect::<Value>(),
    })
}

#[cfg(test)]
mod tests {
    use engine::{
        placement::{NodeSelectorTerm, Operator, Requirement, Toleration},
        view::WorkloadView,
    };

    use super::*;
    use crate::slim::{Kind, workload::Deployment};

    fn rolled_out() -> RolledOut {
        let package = PackageJson {
            biz_name: "biz1".into(),
            biz_version: "1.0.0".into(),
            biz_url: "https://u:p@repo/biz1.jar?sig=1".into(),
        };
        let operators = [Operator::In, Operator::NotIn, Operator::Exists, Operator::DoesNotExist];
        let more = [Operator::Gt, Operator::Lt, Operator::Unknown];
        let requirement = |operator| Requirement { key: "k".into(), operator, values: vec!["v".into()] };
        let earlier = PackageJson {
            biz_name: "biz1".into(),
            biz_version: "0.9.0".into(),
            biz_url: "https://repo/biz1-0.9.0.jar".into(),
        };
        RolledOut {
            earlier: vec![module(earlier).unwrap()],
            modules: vec![module(package).unwrap()],
            placement: Placement {
                node_selector: [("a".to_owned(), "b".to_owned())].into(),
                terms: Some(vec![NodeSelectorTerm {
                    expressions: operators.into_iter().chain(more).map(requirement).collect(),
                    fields: vec![requirement(Operator::In)],
                }]),
                tolerations: vec![Toleration {
                    key: "t".into(),
                    operator: "Exists".into(),
                    value: String::new(),
                    effect: "NoExecute".into(),
                }],
            },
        }
    }

    #[test]
    fn what_one_controller_writes_the_next_reads() {
        let all = rolled_out();
        assert_eq!(read(&write(&all)), Some(all.clone()));
        for terms in [None, Some(vec![])] {
            let placement = Placement { terms, ..Placement::default() };
            let few = RolledOut { modules: vec![], placement, earlier: vec![] };
            assert_eq!(read(&write(&few)), Some(few));
        }
        let message = write(&all);
        let json = json!({
            "metadata": {"namespace": "ns", "name": "d", "uid": "u"},
            "status": {"conditions": [
                {"type": "Available", "status": "True", "message": "x"},
                {"type": crate::slim::workload::ROLLED_OUT, "status": "True", "message": message},
            ]},
        });
        let view = WorkloadView::from(Deployment::read(&json.to_string()).unwrap());
        assert_eq!(view.rolled_out.as_deref(), Some(&all));
    }

    #[test]
    fn what_is_not_ours_says_nothing() {
        let bad_url = r#"{"modules":[{"bizName":"a","bizVersion":"1","bizUrl":"gopher://x"}]}"#;
        for text in ["", "Deployment has minimum availability.", "{}", r#"{"modules":[{}]}"#, bad_url] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
