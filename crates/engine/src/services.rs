//! Services, as far as it matters whether one sends requests to a Pod (rule O10).

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::view::{PodView, ServiceView};

/// The labels that a Service asks for.
type Selector = BTreeMap<String, String>;

/// Selectors, by namespace and the Service's UID.
#[derive(Debug, Default)]
pub(crate) struct Services {
    by_namespace: HashMap<Arc<str>, BTreeMap<Arc<str>, Selector>>,
}

impl Services {
    /// A Service appeared or changed.
    pub(crate) fn see(&mut self, view: ServiceView) {
        self.by_namespace.entry(view.namespace).or_default().insert(view.uid, view.selector);
    }

    /// A Service is gone.
    pub(crate) fn lose(&mut self, namespace: &Arc<str>, uid: &Arc<str>) {
        if let Some(services) = self.by_namespace.get_mut(namespace) {
            services.remove(uid);
            if services.is_empty() {
                self.by_namespace.remove(namespace);
            }
        }
    }

    /// Requests may come to the Pod through a Service, or through whatever is behind a readiness gate.
    pub(crate) fn may_send_to(&self, pod: &PodView) -> bool {
        let selects = |selector: &Selector| {
            !selector.is_empty() && selector.iter().all(|(key, value)| pod.labels.get(key) == Some(value))
        };
        !pod.readiness_gates.is_empty()
            || self.by_namespace.get(&pod.pod.namespace).is_some_and(|all| all.values().any(selects))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn a_service_sends_to_pods_of_its_namespace_that_carry_all_its_labels() {
        let view = |selector: &[(&str, &str)]| ServiceView {
            namespace: "default".into(),
            uid: "s".into(),
            resource_version: 1,
            selector: selector.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
        };
        let pod = testing::pod("p", "biz1", "1");
        let module = ("module-controller.koupleless.io/component", "module");
        for (selector, sends) in
            [(&[module][..], true), (&[module, ("app", "x")][..], false), (&[][..], false)]
        {
            let mut services = Services::default();
            services.see(view(selector));
            assert_eq!(services.may_send_to(&pod), sends, "{selector:?}");
        }
        let mut services = Services::default();
        services.see(ServiceView { namespace: "other".into(), ..view(&[module]) });
        assert!(!services.may_send_to(&pod));
        services.see(view(&[module]));
        services.lose(&"default".into(), &"s".into());
        assert!(!services.may_send_to(&pod));
        let gated = PodView { readiness_gates: vec!["example.com/gate".into()].into(), ..pod };
        assert!(services.may_send_to(&gated));
    }
}
