//! What a Module object shall be, but for its status.

use std::collections::BTreeMap;

use model::{BizId, name};

use super::{
    super::{Context, Scope, VNode},
    Asking,
    packages::Package,
};
use crate::view::{Common, ModuleKey, ModuleRef, ModuleStatus, ModuleView};

/// Where the base is, in both families: its address and its name.
const IP_LABELS: [&str; 2] = ["koupleless.alipay.com/base-instance-ip", "koupleless.io/base-instance-ip"];
const NAME_LABELS: [&str; 2] =
    ["koupleless.alipay.com/base-instance-name", "koupleless.io/base-instance-name"];

impl VNode {
    /// What live Pods ask for, and of each the newest Pod. One that asks for the version that shall serve from another
    /// package is not meant.
    pub(super) fn asking(&self, scope: &Scope) -> BTreeMap<&BizId, Asking<'_>> {
        let mut asking: BTreeMap<&BizId, Asking<'_>> = BTreeMap::new();
        for pod in self.pods.values().filter(|pod| pod.is_live() && scope.holds_pod(pod)) {
            for container in pod.all() {
                let Ok(spec) = &container.wanted else { continue };
                let target = self.arranged.get(&spec.id.name).map(|arranged| &arranged.target);
                if target.is_some_and(|target| target.spec.id == spec.id && !target.is_for_same(spec)) {
                    continue;
                }
                let newest = asking.entry(&spec.id).or_insert((pod, container));
                if pod.age() > newest.0.age() {
                    *newest = (pod, container);
                }
            }
        }
        asking
    }

    /// What the object shall be, but for its status.
    pub(super) fn desired_module(
        &self,
        id: &BizId,
        asking: Option<Asking<'_>>,
        labels: &Common<BTreeMap<String, String>>,
        ctx: &Context<'_>,
    ) -> ModuleView {
        let seen = self.modules.told(id).filter(|view| !view.deleting);
        let in_place = self.modules.in_place.contains(id);
        let named = asking.map(|(pod, _)| &pod.view.pod);
        let wanted = asking.and_then(|(_, container)| container.wanted.as_ref().ok());
        let package = wanted.map(|spec| spec.url.as_shown().clone());
        let known = || seen.map(|view| view.url.clone()).filter(|url| !url.is_empty());
        let installed =
            self.modules.packages.get(id).and_then(Package::url).map(|url| url.as_shown().clone());
        let url = match self.inventory.find(id) {
            Some(_) => installed.or_else(known).or(package),
            None => package.or_else(known),
        };
        let key = ModuleKey { vnode: self.name.clone(), id: id.clone() };
        // That it was in place is believed from our own namespace only.
        let home = named.filter(|_| !in_place).map(|pod| pod.namespace.clone());
        let place = || ModuleRef {
            namespace: home.unwrap_or_else(|| ctx.config.namespace.clone()),
            name: name::module_name(&self.name, id).into(),
            uid: "".into(),
        };
        // The Pod that asked stays told while what it asked for is being uninstalled.
        let pod = named.map(|pod| pod.name.clone()).or_else(|| seen.map(|view| view.pod.clone()));
        ModuleView {
            module: seen.map_or_else(place, |view| view.module.clone()),
            key,
            resource_version: seen.map(|view| view.resource_version).unwrap_or_default(),
            labels: labels.clone(),
            url: url.unwrap_or_default(),
            pod: pod.unwrap_or_default(),
            managed: self.managed.contains_key(id),
            in_place,
            kept: self.evicted.keeps(id, ctx.now.mono),
            status: ModuleStatus::default(),
            deleting: false,
        }
    }

    /// Where the base is.
    pub(super) fn module_labels(&self) -> Common<BTreeMap<String, String>> {
        let ip = self.ip().parse().map(name::address_label).unwrap_or_default();
        let host_name = self.host_name();
        let host_name = if host_name.is_empty() { self.identity.as_str().into() } else { host_name };
        let instance = name::label_value(self.own_pod.name().unwrap_or(&host_name));
        let ips = IP_LABELS.map(|label| (label.to_owned(), ip.clone()));
        let names = NAME_LABELS.map(|label| (label.to_owned(), instance.clone()));
        ips.into_iter().chain(names).collect()
    }
}

pub(super) fn is_other(desired: &ModuleView, seen: &ModuleView) -> bool {
    (!desired.labels.is_same(&seen.labels)
        && desired.labels.iter().any(|(key, value)| seen.labels.get(key) != Some(value)))
        || (&desired.url, &desired.pod, desired.managed, desired.in_place, desired.kept)
            != (&seen.url, &seen.pod, seen.managed, seen.in_place, seen.kept)
}
