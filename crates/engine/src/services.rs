//! Services, as far as it matters whether one sends requests to a Pod (rule O10), or leads to the kubelet API.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::Arc,
};

use crate::{
    config::{Config, KubeletConfig},
    view::{PodView, ServiceView},
};

/// The labels that a Service asks for.
type Selector = BTreeMap<String, String>;

/// Selectors, by namespace and the Service's UID.
#[derive(Debug, Default)]
pub(crate) struct Services {
    by_namespace: HashMap<Arc<str>, BTreeMap<Arc<str>, Selector>>,
    /// Those that lead to a kubelet API, by namespace and UID.
    kubelets: BTreeMap<(Arc<str>, Arc<str>), IpAddr>,
}

impl Services {
    /// A Service appeared or changed.
    pub(crate) fn see(&mut self, view: ServiceView) {
        let key = (view.namespace.clone(), view.uid.clone());
        match view.kubelet {
            Some(address) => drop(self.kubelets.insert(key, address)),
            None => drop(self.kubelets.remove(&key)),
        }
        self.by_namespace.entry(view.namespace).or_default().insert(view.uid, view.selector);
    }

    /// A Service is gone.
    pub(crate) fn lose(&mut self, namespace: &Arc<str>, uid: &Arc<str>) {
        self.kubelets.remove(&(namespace.clone(), uid.clone()));
        if let Some(services) = self.by_namespace.get_mut(namespace) {
            services.remove(uid);
            if services.is_empty() {
                self.by_namespace.remove(namespace);
            }
        }
    }

    /// Where API servers reach the kubelet API: at the address that was set, else at that of the controller's own Service. Of
    /// several it is always the same one.
    pub(crate) fn kubelet(&self, config: &Config) -> Option<(IpAddr, u16)> {
        let KubeletConfig { port, address } = config.kubelet?;
        let own = || {
            let mut own = self.kubelets.iter().filter(|((namespace, _), _)| *namespace == config.namespace);
            own.next().map(|(_, address)| *address)
        };
        Some((address.or_else(own)?, port))
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
            kubelet: None,
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

    #[test]
    fn the_kubelet_api_is_where_it_was_set_else_where_the_own_service_is() {
        let view = |namespace: &str, uid: &str, address: &str| ServiceView {
            namespace: namespace.into(),
            uid: uid.into(),
            resource_version: 1,
            selector: BTreeMap::new(),
            kubelet: address.parse().ok(),
        };
        let mut config = Config { namespace: "own".into(), ..Config::new("dev") };
        let mut services = Services::default();
        services.see(view("other", "s0", "10.96.0.6"));
        services.see(view("own", "s1", "10.96.0.7"));
        assert_eq!(services.kubelet(&config), None, "it is off");
        config.kubelet = Some(KubeletConfig { port: 10_250, address: None });
        let at = |address: &str, port| Some((address.parse::<IpAddr>().unwrap(), port));
        assert_eq!(services.kubelet(&config), at("10.96.0.7", 10_250));
        config.kubelet = Some(KubeletConfig { port: 443, address: "192.0.2.9".parse().ok() });
        assert_eq!(services.kubelet(&config), at("192.0.2.9", 443));
        config.kubelet = Some(KubeletConfig { port: 10_250, address: None });
        services.see(view("own", "s1", "no longer"));
        assert_eq!(services.kubelet(&config), None);
        services.see(view("own", "s1", "10.96.0.8"));
        services.lose(&"own".into(), &"s1".into());
        assert_eq!(services.kubelet(&config), None);
    }
}
