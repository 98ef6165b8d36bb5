//! Whose version lost its base to that of another owner: it does not fight back (rule 13).

use super::{Scope, VNode, plan::Claims};
use crate::{ordering::Claim, pod::ModulePod};

impl VNode {
    /// Which templates have lost to another owner's version here, and when. Their failed Pods tell it,
    /// as long as these are there (a DaemonSet's go at once); after a restart those that wait tell it.
    pub(super) fn remember_losses(&mut self, claims: &Claims, scope: &Scope) {
        let has_lost = |pod: &&ModulePod| pod.is_displaced() || (pod.has_waited && pod.is_live());
        for pod in self.pods.values().map(Box::as_ref).filter(has_lost).filter(|pod| scope.holds_pod(pod)) {
            let Some(owner) = &pod.view.owner else { continue };
            let at = pod.view.status.condition("Ready").and_then(|ready| ready.changed);
            for id in pod.biz() {
                let lost = self.lost.entry((owner.clone(), id.clone())).or_default();
                *lost = at.unwrap_or(pod.view.created).max(*lost);
            }
        }
        self.lost.retain(|(owner, id), _| {
            let mut of_name = claims.get(&id.name).into_iter().flatten();
            !scope.holds(&id.name)
                || of_name.any(|rival| rival.spec.id != *id && rival.owner.as_ref() != Some(owner))
        });
    }

    /// A template that lost to another owner's version here stays barred as long as that one is
    /// asked for and has not lost itself since: its next Pod waits, or the two would displace each
    /// other for ever (rule 13).
    pub(super) fn bar_losers(&self, claims: &mut [Claim]) {
        let lost = |claim: &Claim| self.lost.get(&(claim.owner.clone()?, claim.spec.id.clone()));
        let rivals: Vec<Claim> = claims.to_vec();
        for claim in claims {
            let Some(at) = lost(claim) else { continue };
            let is_rival = |other: &&Claim| other.spec.id != claim.spec.id && !other.is_of_same_owner(claim);
            claim.barred |= rivals.iter().filter(is_rival).any(|rival| lost(rival) <= Some(at));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::{super::Links, *};
    use crate::{
        ordering::newest::Revisions,
        testing,
        view::{Owner, Phase, PodView},
    };

    fn of(owner: &str, name: &str, version: &str, created: i64) -> PodView {
        PodView {
            owner: Some(Owner { namespace: "ns".into(), kind: owner.into(), name: "o".into() }),
            created: Timestamp::from_second(created).unwrap(),
            ..testing::pod(name, "biz1", version)
        }
    }

    #[test]
    fn rule_13_what_lost_is_barred_after_its_failed_pod_is_gone_and_as_long_as_the_winner_is_there() {
        let mut vnode = VNode::new("b".parse().unwrap(), "n".into(), Links::default(), Duration::ZERO);
        let mut lost = of("DaemonSet", "lost", "1", 1);
        lost.status.phase = Phase::Failed;
        lost.status.reason = crate::pod::status::DISPLACED.into();
        vnode.see_pod(lost);
        vnode.see_pod(of("Deployment", "winner", "2", 2));
        let barred = |vnode: &mut VNode| {
            let claims = vnode
                .claims(Duration::ZERO, &Revisions::default(), &Scope::All)
                .remove(&"biz1".parse().unwrap())
                .unwrap_or_default();
            claims.iter().map(|claim| (claim.uid.to_string(), claim.barred)).collect::<Vec<_>>()
        };
        assert_eq!(barred(&mut vnode), [("uid-winner".to_owned(), false)]);
        vnode.lose_pod("uid-lost");
        vnode.see_pod(of("DaemonSet", "next", "1", 3));
        let expected = [("uid-next".to_owned(), true), ("uid-winner".to_owned(), false)];
        assert_eq!(barred(&mut vnode), expected);
        vnode.lose_pod("uid-winner");
        assert_eq!(barred(&mut vnode), [("uid-next".to_owned(), false)]);
    }
}
