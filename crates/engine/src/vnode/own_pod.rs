//! The name of the Pod that a base runs in. People know a base by it, and it is not always the name of its host: `spec.hostname`,
//! the machine's network, a name over 63 characters.
//!
//! A search makes the API server look at every Pod of a namespace, so it is made once for each base and address, and only where
//! it was said in which namespaces bases are. What a search for something else finds is taken too.

use std::sync::Arc;

use super::{Context, Liveness, VNode};
use crate::request::{BaseAddress, BasePod, WriteError};

/// What is known of it.
#[derive(Debug, Clone, Default)]
pub(super) struct OwnPod {
    /// By what it was looked for.
    asked: Option<BaseAddress>,
    name: Option<Arc<str>>,
}

impl OwnPod {
    /// It was found, or there is none, or nobody knows.
    pub(super) fn found(&mut self, found: &Result<Option<BasePod>, WriteError>) {
        match found {
            Ok(Some(pod)) => self.name = Some(pod.pod.name.clone()),
            // A base that is gone has had one.
            Ok(None) => {}
            Err(_) => self.asked = None,
        }
    }

    /// Its name, where it was found.
    pub(super) fn name(&self) -> Option<&Arc<str>> {
        self.name.as_ref()
    }
}

impl VNode {
    /// Looks for the base's own Pod where that was not done yet, or the base is elsewhere by now.
    pub(super) fn look_for_own_pod(&mut self, ctx: &mut Context<'_>) {
        let alive = self.life.liveness(ctx.now.mono, &ctx.config.times) == Liveness::Alive;
        if !ctx.config.base_pods || !alive || self.node.is_none() {
            return;
        }
        let address = self.address();
        if self.own_pod.asked.as_ref() != Some(&address) {
            self.own_pod = OwnPod { asked: Some(address), name: None };
            ctx.out.push(self.find_base_pod(false));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        Event,
        request::BasePod,
        view::PodRef,
        vnode::testing::{Case, id},
    };

    fn found(name: &str) -> Event {
        let pod = PodRef { namespace: "bases".into(), name: name.into(), uid: "u".into() };
        let found = BasePod { pod, node: "machine".into(), zone: None };
        Event::BasePod { base: "b".parse().unwrap(), found: Ok(Some(found)) }
    }

    /// The manual's lines find a base by the name of its Pod.
    #[test]
    fn objects_bear_the_name_of_the_bases_pod_where_its_host_is_called_otherwise() {
        for (looked_for, instance) in [(true, "web-7d9f-x2x"), (false, "host-b")] {
            let mut case = Case::start(|config| config.base_pods = looked_for, &[]);
            case.create("p", "biz1");
            case.until(5);
            assert_eq!(case.modules[&id("biz1")].labels["koupleless.io/base-instance-name"], "host-b");
            let searches = case.sent.iter().filter(|sent| *sent == "search").count();
            assert_eq!(searches, usize::from(looked_for));
            if looked_for {
                case.step(found("web-7d9f-x2x"));
            }
            case.until(300);
            let labels = &case.modules[&id("biz1")].labels;
            for family in ["koupleless.alipay.com", "koupleless.io"] {
                assert_eq!(labels[&format!("{family}/base-instance-name")], instance);
            }
            let searches = case.sent.iter().filter(|sent| *sent == "search").count();
            assert_eq!(searches, usize::from(looked_for), "once");
        }
    }
}
