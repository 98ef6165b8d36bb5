//! What a workload must be like for a plan to release its Pods batch by batch (rule P8).

use model::{Bilingual, BizId, ModuleSpec, bilingual};
use plan::{Base, Invalid, MetricServer, Spec, Template};

use super::ANNOTATION;
use crate::view::{CountOrPercent, Phase, PodView, TemplateView, WorkloadKind, WorkloadView};

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
            bilingual!(
                "metric {name}: {server} is not among the servers that may be asked",
                "指标 {name}：{server} 不在允许查询的服务器之中",
                name = metric.name,
                server = metric.server
            ),
            bilingual!(
                "name it in PLAN_METRIC_SERVERS of the controller, or ask one that is named there",
                "请把它写进控制器的 PLAN_METRIC_SERVERS，或查询其中已有的服务器"
            ),
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
            bilingual!(
                "the workload's Pods have {count} modules",
                "工作负载的 Pod 有 {count} 个模块",
                count = modules.len()
            ),
            bilingual!("give each module a workload of its own", "请让每个模块使用自己的工作负载"),
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
            bilingual!(
                "the workload's rolling update does not make all new Pods beside the old ones",
                "工作负载滚动更新时，不会在旧 Pod 之外创建全部新 Pod"
            ),
            bilingual!(
                "write maxSurge: 100% and maxUnavailable: 0",
                "请写 maxSurge: 100% 和 maxUnavailable: 0"
            ),
        ));
    }
    let replicas = usize::try_from(view.replicas).unwrap_or_default();
    // A base that is silent for a while is one that a peer Deployment does not count.
    let (all, available) = (bases.len(), bases.iter().filter(|base| base.available).count());
    if view.workload.kind == WorkloadKind::Deployment && !(available..=all).contains(&replicas) {
        return Err(Invalid::new(
            bilingual!(
                "the Deployment has {replicas} replicas, and {all} bases match it",
                "Deployment 有 {replicas} 个副本，而符合条件的基座有 {all} 个"
            ),
            bilingual!(
                "give it one replica for each base, as a peer Deployment has by itself",
                "请让副本数等于基座数，对等部署会自动如此"
            ),
        ));
    }
    Ok(())
}

/// A Deployment's Pods keep away from each other, and not from those of before: else no base that has one takes another, and
/// none of those goes before.
pub(crate) fn leaves_room<'a>(
    view: &WorkloadView,
    plan: &str,
    mut pods: impl Iterator<Item = &'a PodView>,
) -> Result<(), Invalid> {
    if view.workload.kind != WorkloadKind::Deployment {
        return Ok(());
    }
    let TemplateView { labels, anti_affinity, .. } = &view.template;
    let is_of_before = |pod: &PodView| {
        let is_over = matches!(pod.status.phase, Phase::Succeeded | Phase::Failed);
        let names_it = pod.annotations.get(ANNOTATION).is_some_and(|name| name == plan);
        !is_over && pod.deletion.is_none() && !names_it
    };
    let keeps_from =
        |pod: &PodView| anti_affinity.iter().any(|rule| rule.keeps_from_earlier(labels, &pod.labels));
    match pods.find(|pod| is_of_before(pod) && keeps_from(pod)) {
        None => Ok(()),
        Some(pod) => Err(Invalid::new(
            bilingual!(
                "the required podAntiAffinity of the Deployment's template keeps its Pods from those of before too, as from {pod}",
                "Deployment 模板中必需的 podAntiAffinity 使新 Pod 也不能与旧 Pod（例如 {pod}）共处",
                pod = pod.pod.name
            ),
            bilingual!(
                "let it match one version only: by matchLabelKeys: [pod-template-hash] where Kubernetes is 1.31 or newer, else by a \
                 label with the version that is in the template and not in the Deployment's selector",
                "请让它只匹配一个版本：Kubernetes 1.31 及以上用 matchLabelKeys: [pod-template-hash]，否则在模板中加一个带版本的标签，\
                 且不写入 Deployment 的 selector"
            ),
        )),
    }
}

/// What may keep a plan from its end although nothing is wrong for sure.
pub(crate) fn warning(view: &WorkloadView, bases: &[Base], unplaced: usize) -> Option<Bilingual> {
    let is_deployment = view.workload.kind == WorkloadKind::Deployment;
    let silent = bases.iter().filter(|base| !base.available).count();
    // A base that is silent takes no Pod, and one that waits for it is as it must be.
    if unplaced > silent {
        return Some(bilingual!(
            "{unplaced} of its Pods find no base: their Events say why; where it is an anti-affinity of the Pods of before, those \
             have to be replaced once without a plan, by a template with another one",
            "它有 {unplaced} 个 Pod 找不到基座，原因见这些 Pod 的 Event；如果是旧 Pod 的反亲和所致，需要先不用工单、换一个反亲和不同的模板把旧 Pod \
             替换一次"
        ));
    }
    let TemplateView { labels, anti_affinity, .. } = &view.template;
    let is_apart = anti_affinity.iter().any(|rule| rule.keeps_apart(labels));
    (is_deployment && bases.len() > 1 && !is_apart).then(|| {
        bilingual!(
            "nothing keeps two of its Pods from one base, and then another has none and is waited for: `kubectl koupleless plan new` \
             writes a podAntiAffinity",
            "没有设置避免两个 Pod 落在同一个基座上，那样会有基座没有 Pod，工单会一直等它：`kubectl koupleless plan new` 会写上 podAntiAffinity"
        )
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        placement::{AntiAffinity, Operator, Requirement},
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
    fn p8_new_pods_keep_away_from_each_other_and_not_from_those_of_before() {
        let selector = |labels: &[(&str, &str)]| {
            let of = |(key, value): &(&str, &str)| Requirement {
                key: (*key).into(),
                operator: Operator::In,
                values: vec![(*value).to_owned()],
            };
            labels.iter().map(of).collect::<Vec<_>>()
        };
        let labels = |labels: &[(&str, &str)]| -> BTreeMap<String, String> {
            labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let template = |of: &[(&str, &str)], keys: &[&str]| {
            let mut view = whole(2);
            view.template.labels = labels(&[("app", "biz1"), ("version", "2")]);
            view.template.anti_affinity = vec![AntiAffinity {
                topology_key: "kubernetes.io/hostname".into(),
                selector: Some(selector(of)),
                own_namespace: true,
                keys: keys.iter().map(ToString::to_string).collect(),
            }];
            view
        };
        let mut old = testing::pod("old", "biz1", "1");
        old.labels = labels(&[("app", "biz1"), ("version", "1"), ("pod-template-hash", "h")]).into();
        let room = |view: &WorkloadView, pod: &PodView| leaves_room(view, "p", std::iter::once(pod)).is_ok();
        assert!(!room(&template(&[("app", "biz1")], &[]), &old), "whatever its version");
        assert!(!room(&template(&[("app", "biz1")], &["app"]), &old));
        assert!(!room(&template(&[("app", "biz1")], &["no-such-label"]), &old));
        assert!(room(&template(&[("app", "biz1")], &["pod-template-hash"]), &old));
        assert!(room(&template(&[("app", "biz1")], &["version"]), &old));
        assert!(room(&template(&[("app", "biz1"), ("version", "2")], &[]), &old));
        let blocking = template(&[("app", "biz1")], &[]);
        let mut set = blocking.clone();
        set.workload.kind = WorkloadKind::DaemonSet;
        assert!(room(&set, &old), "its Pods are bound to their Nodes by their names");
        let goes = PodView { deletion: Some(std::time::Duration::ZERO), ..old.clone() };
        let of_the_plan =
            PodView { annotations: [(ANNOTATION.to_owned(), "p".to_owned())].into_iter().collect(), ..old };
        assert!(room(&blocking, &goes) && room(&blocking, &of_the_plan));
        // What may go wrong is said, and keeps nobody.
        let of_version = template(&[("app", "biz1"), ("version", "2")], &[]);
        assert_eq!(warning(&of_version, &bases(2, 2), 0), None);
        assert!(warning(&whole(2), &bases(2, 2), 0).is_some_and(|told| told.english().contains("plan new")));
        assert_eq!(warning(&whole(1), &bases(1, 1), 0), None, "there is one base");
        assert_eq!(warning(&of_version, &bases(2, 1), 1), None, "it waits for the one that is silent");
        assert!(
            warning(&of_version, &bases(2, 2), 1).is_some_and(|told| told.english().contains("find no base"))
        );
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
            Spec::of(plan::Draft {
                module,
                batches,
                ready_timeout_seconds: 60,
                max_failed: 0,
                metrics,
                health: None,
            })
            .unwrap()
        };
        let servers = ["http://prometheus:9090".parse().unwrap()];
        assert_eq!(may_ask(&spec("http://prometheus:9090/"), &servers), Ok(()));
        for other in
            ["http://prometheus:9091", "https://prometheus:9090", "http://prometheus:9090/x", "http://other"]
        {
            assert!(
                may_ask(&spec(other), &servers).unwrap_err().mend.english().contains("PLAN_METRIC_SERVERS"),
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
