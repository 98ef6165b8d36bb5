//! What a Service sends requests to is taken away only after it was known not to be Ready for a while.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use arklet::{Command, WireStrategy};
use engine::view::{ConditionStatus, PodRef, PodStatus, PodView};
use model::{BaseIdentity, BizId, BizState};

use super::{Known, biz_of};
use crate::world::World;

/// The engine's default, by a clock that goes a tenth too fast.
const DRAIN: Duration = Duration::from_millis(1_800);

/// When Pods were last written as not Ready after having been Ready, by UID.
#[derive(Debug, Default)]
pub struct Drain {
    ready: BTreeMap<Arc<str>, bool>,
    since: BTreeMap<Arc<str>, Duration>,
}

impl Drain {
    /// The API server took a status.
    pub fn written(&mut self, pod: &PodRef, status: &PodStatus, now: Duration) {
        let ready = status.condition("Ready").is_some_and(|ready| ready.status == ConditionStatus::True);
        if self.ready.insert(pod.uid.clone(), ready) == Some(true) && !ready {
            self.since.insert(pod.uid.clone(), now);
        }
    }

    pub(super) fn check(
        &self,
        base: &BaseIdentity,
        command: &Command,
        known: &Known<'_>,
        now: Duration,
    ) -> Result<(), String> {
        let Some(id) = command.biz() else { return Ok(()) };
        let serves = |id: &BizId| {
            let base = known.bases.get(base);
            base.and_then(|base| base.biz.get(id)).is_some_and(|biz| biz.state == BizState::Activated)
        };
        let ends = |other: &BizId| match command {
            Command::UninstallBiz(_) => other == id,
            Command::SwitchBiz(_) => other.name == id.name && other != id,
            Command::InstallBiz { strategy: WireStrategy::UninstallThenInstall, .. } => {
                other.name == id.name && other != id
            }
            _ => false,
        };
        let node = World::node_of(base);
        let names = |pod: &PodView| {
            let mut named = pod.containers.iter().filter_map(biz_of);
            named.any(|named| ends(&named) && serves(&named))
        };
        // As far as the controller was told: a Pod that it was told is gone has nothing left to lose.
        let is_served =
            |pod: &PodView| known.api.services.iter().any(|service| service.namespace == pod.pod.namespace);
        let told = known.told.values().filter(|pod| pod.node == node && names(pod) && is_served(pod));
        let in_time = |pod: &&PodView| pod.deletion.is_none() || known.api.has_time(pod, now);
        for pod in told.filter(in_time) {
            let since = self.since.get(&pod.pod.uid).copied();
            if self.ready.get(&pod.pod.uid) == Some(&true) || since.is_some_and(|since| now < since + DRAIN) {
                return Err(format!(
                    "{base} gets {} {id}, and requests to {} may be under way (not Ready since {since:?})",
                    command.kind(),
                    pod.pod
                ));
            }
        }
        Ok(())
    }
}
