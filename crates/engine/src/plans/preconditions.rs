//! What a workload must be like for a plan to release its Pods batch by batch (rule P8).

use model::{BizId, ModuleSpec};
use plan::{Base, Invalid, MetricServer, Spec, Template};

use super::ANNOTATION;
use crate::view::{CountOrPercent, WorkloadKind, WorkloadView};

/// What the workload's template names, which asks for these modules.
pub(crate) fn template(
    workload: Option<&WorkloadView>,
    modules: &[ModuleSpec],
    plan: &str,
    module: &BizId,
) -> Template {
    let Some(view) = workload.filter(|view| !view.deleting) else { return Template::Missing };
    match view.template.annotations.get(ANNOTATION) {
        None => Template::None,
        Some(name) if name != plan => Template::Another(name.as_str().into()),
        Some(_) => {
            if modules.iter().any(|spec| spec.id == *module) {
                return Template::This;
            }
            let all: Vec<String> = modules.iter().map(|spec| spec.id.to_string()).collect();
            Template::OtherVersion(if all.is_empty() { "no module".to_owned() } else { all.join(" and ") })
        }
    }
}

/// Nobody is asked for metrics but who was named in the settings: whoever may write plans may not have the controller call
/// whom he likes.
pub(crate) fn may_ask(spec: &Spec, servers: &[MetricServer]) -> Result<(), Invalid> {
    match spec.metrics.iter().find(|metric| !servers.contains(&metric.server)) {
        None => Ok(()),
        Some(metric) => Err(Invalid::new(
            format!("metric {}: {} is not among the servers that may be asked", metric.name, metric.server),
            "name it in PLAN_METRIC_SERVERS of the controller, or ask one that is named there",
        )),
    }
}

/// All of its Pods have to be there at once, beside those of before: of a Pod that is not made nobody can say which base it
/// comes to.
pub(crate) fn precondition(
    view: &WorkloadView,
    modules: &[ModuleSpec],
    bases: &[Base],
) -> Result<(), Invalid> {
    if modules.len() > 1 {
        return Err(Invalid::new(
            format!("the workload's Pods have {} modules", modules.len()),
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
    // A base that is silent for a while is one that a peer Deployment does not count.
    let (all, available) = (bases.len(), bases.iter().filter(|base| base.available).count());
    if view.workload.kind == WorkloadKind::Deployment && !(available..=all).contains(&replicas) {
        return Err(Invalid::new(
            format!("the Deployment has {replicas} replicas, and {all} bases match it"),
            "give it one replica for each base, as a peer Deployment has by itself",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        plans::bases::of_node,
        replicas::tests::deployment,
        testing,
        view::{Condition, ConditionStatus},
    };

    /// So many bases, and so many of them heard.
    fn bases(all: usize, available: usize) -> Vec<Base> {
        let base = |n: usize| {
            let mut node = testing::node(&format!("b{n}"));
            let status = ConditionStatus::from(n < available);
            let text = || "x".into();
            node.conditions = vec![Condition {
                kind: "Ready".into(),
                status,
                reason: text(),
                message: text(),
                changed: None,
            }];
            of_node("uid", &node, true)
        };
        (0..all).map(base).collect()
    }

    fn whole(replicas: i32) -> WorkloadView {
        WorkloadView {
            max_surge: CountOrPercent::Percent(100),
            max_unavailable: CountOrPercent::Count(0),
            ..deployment(replicas)
        }
    }

    #[test]
    fn p8_all_new_pods_are_there_at_once_one_for_each_base() {
        assert_eq!(precondition(&whole(3), &[], &bases(3, 3)), Ok(()));
        assert_eq!(precondition(&whole(2), &[], &bases(3, 2)), Ok(()), "one is silent");
        assert!(precondition(&whole(2), &[], &bases(3, 3)).is_err(), "one would have no Pod");
        assert!(precondition(&whole(4), &[], &bases(3, 3)).is_err(), "one would have two");
        let count = WorkloadView { max_surge: CountOrPercent::Count(3), ..whole(3) };
        assert_eq!(precondition(&count, &[], &bases(3, 3)), Ok(()));
        for narrow in [CountOrPercent::Percent(99), CountOrPercent::Count(2)] {
            assert!(
                precondition(&WorkloadView { max_surge: narrow, ..whole(3) }, &[], &bases(3, 3)).is_err()
            );
        }
        let gap = WorkloadView { max_unavailable: CountOrPercent::Percent(1), ..whole(3) };
        assert!(precondition(&gap, &[], &bases(3, 3)).is_err());
    }

    #[test]
    fn p10_only_servers_that_were_named_are_asked() {
        let metric = |server: &str| plan::DraftMetric {
            name: "errors".into(),
            server: server.into(),
            query: "up".into(),
            condition: "> 0".into(),
        };
        let spec = |server: &str| {
            let batches = vec![plan::DraftBatch { name: "all".into(), ..plan::DraftBatch::default() }];
            let module = BizId { name: "biz1".parse().unwrap(), version: "2".parse().unwrap() };
            let metrics = vec![metric(server)];
            Spec::of(plan::Draft { module, batches, ready_timeout_seconds: 60, max_failed: 0, metrics })
                .unwrap()
        };
        let servers = ["http://prometheus:9090".parse().unwrap()];
        assert_eq!(may_ask(&spec("http://prometheus:9090/"), &servers), Ok(()));
        for other in
            ["http://prometheus:9091", "https://prometheus:9090", "http://prometheus:9090/x", "http://other"]
        {
            assert!(
                may_ask(&spec(other), &servers).unwrap_err().mend.contains("PLAN_METRIC_SERVERS"),
                "{other}"
            );
        }
    }

    #[test]
    fn a_daemon_set_counts_for_itself() {
        let mut set = whole(0);
        set.workload.kind = WorkloadKind::DaemonSet;
        assert_eq!(precondition(&set, &[], &bases(3, 3)), Ok(()));
    }
}
