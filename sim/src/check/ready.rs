//! No Pod is Ready without its biz activated on its base.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use engine::view::{ConditionStatus, PodRef, PodStatus, PodView};
use model::{BaseIdentity, BizId, BizState};

use super::biz_of;
use crate::{api::Api, base::Base, world::World};

/// How long the controller may not know of a biz that ended by itself: the period of its list,
/// and what a slow network adds.
const LAG: Duration = Duration::from_secs(60);

/// When each biz was last seen activated.
#[derive(Debug, Default)]
pub struct Ready {
    active: BTreeMap<(BaseIdentity, BizId), Duration>,
    now_active: BTreeSet<(BaseIdentity, BizId)>,
}

impl Ready {
    /// Something changed on a base.
    pub fn changed(&mut self, identity: &BaseIdentity, bases: &BTreeMap<BaseIdentity, Base>, now: Duration) {
        let before: Vec<_> = self.now_active.iter().filter(|(base, _)| base == identity).cloned().collect();
        for place in before {
            self.active.insert(place.clone(), now);
            self.now_active.remove(&place);
        }
        let Some(base) = bases.get(identity) else { return };
        for (id, _) in base.biz.iter().filter(|(_, biz)| biz.state == BizState::Activated) {
            let place = (identity.clone(), id.clone());
            self.active.insert(place.clone(), now);
            self.now_active.insert(place);
        }
    }

    /// The API server took a status. `told`: what its writer knows of Pods, where there are several who write.
    pub(crate) fn written(
        &self,
        pod: &PodRef,
        status: &PodStatus,
        api: &Api,
        bases: &BTreeMap<BaseIdentity, Base>,
        told: Option<&BTreeMap<Arc<str>, PodView>>,
        now: Duration,
    ) -> Result<(), String> {
        let (Some(view), true) = (api.pods.get(&pod.uid), is_ready(status)) else { return Ok(()) };
        let Some(base) = bases.keys().find(|base| World::node_of(base) == view.node) else { return Ok(()) };
        for container in &view.containers {
            let Some(id) = biz_of(container) else { continue };
            // What an owner of before has written, a watch that lags may not have told yet.
            let is_told = |other: &PodView| {
                told.is_none_or(|told| told.get(&other.pod.uid).is_some_and(|told| is_ready(&told.status)))
            };
            let rival = api.live_pods().find(|other| {
                other.node == view.node
                    && is_told(other)
                    && is_ready(&other.status)
                    && other.containers.iter().any(|c| {
                        c.name == container.name && (&c.env, &c.image) != (&container.env, &container.image)
                    })
            });
            if let Some(rival) = rival {
                return Err(format!(
                    "{pod} is Ready beside {}, another version of the same module",
                    rival.pod
                ));
            }
            let place = (base.clone(), id);
            let active = self.now_active.contains(&place)
                || self.active.get(&place).is_some_and(|&last| now.saturating_sub(last) < LAG);
            if !active {
                return Err(format!("{pod} is Ready, but {:?} is not activated on {base}", place.1));
            }
        }
        Ok(())
    }
}

fn is_ready(status: &PodStatus) -> bool {
    status.condition("Ready").is_some_and(|ready| ready.status == ConditionStatus::True)
}
