//! What a workload must be like for a plan to release its Pods batch by batch (rule P8).

use model::BizId;
use plan::{Invalid, Template};

use super::ANNOTATION;
use crate::{
    pod::translate,
    view::{CountOrPercent, WorkloadKind, WorkloadView},
};

/// What the workload's template names.
pub(crate) fn template(workload: Option<&WorkloadView>, plan: &str, module: &BizId) -> Template {
    let Some(view) = workload.filter(|view| !view.deleting) else { return Template::Missing };
    match view.template.annotations.get(ANNOTATION) {
        None => Template::None,
        Some(name) if name != plan => Template::Another(name.as_str().into()),
        Some(_) => {
            let modules = translate::of_template(view);
            let named = |same: &dyn Fn(&BizId) -> bool| modules.iter().any(|spec| same(&spec.id));
            if named(&|id| id == module) {
                return Template::This;
            }
            let all: Vec<String> = modules.iter().map(|spec| spec.id.to_string()).collect();
            Template::OtherVersion(if all.is_empty() { "no module".to_owned() } else { all.join(" and ") })
        }
    }
}

/// All of its Pods have to be there at once, beside those of before: of a Pod that is not made nobody can say which base it
/// comes to.
pub(crate) fn precondition(view: &WorkloadView, bases: usize) -> Result<(), Invalid> {
    let modules = translate::of_template(view).len();
    if modules > 1 {
        return Err(Invalid::new(
            format!("the workload's Pods have {modules} modules"),
            "give each module a workload of its own",
        ));
    }
    let is_whole = match view.max_surge {
        CountOrPercent::Percent(percent) => percent >= 100,
        CountOrPercent::Count(count) => {
            view.workload.kind == WorkloadKind::Deployment && i64::from(count) >= i64::from(view.replicas)
        }
    };
    let keeps_all = matches!(view.max_unavailable, CountOrPercent::Percent(0) | CountOrPercent::Count(0));
    if !is_whole || !keeps_all {
        return Err(Invalid::new(
            "the workload's rolling update does not make all new Pods beside the old ones",
            "write maxSurge: 100% and maxUnavailable: 0",
        ));
    }
    let replicas = usize::try_from(view.replicas).unwrap_or_default();
    if view.workload.kind == WorkloadKind::Deployment && replicas != bases {
        return Err(Invalid::new(
            format!("the Deployment has {replicas} replicas, and {bases} bases match it"),
            "give it one replica for each base, as a peer Deployment has by itself",
        ));
    }
    Ok(())
}
