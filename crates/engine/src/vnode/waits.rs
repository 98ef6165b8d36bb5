//! What the containers of Pods wait for, so that no wait is without its reason.

use std::sync::Arc;

use model::{BizName, BizState};

use super::{Context, VNode};
use crate::{
    ordering::{Arrangement, Claim, Situation},
    pod::{Container, status::Standing, wait::Wait},
    view::Owner,
};

impl VNode {
    /// Notes what the containers of a Pod wait for, and since when.
    pub(super) fn note_waits(
        &mut self,
        uid: &Arc<str>,
        standings: &[Standing],
        alive: bool,
        ctx: &Context<'_>,
    ) {
        let Some(pod) = self.pods.get(uid) else { return };
        let waits: Vec<Option<Wait>> = pod
            .containers
            .iter()
            .zip(standings)
            .map(|(container, standing)| standing.is_wait().then(|| self.wait_of(container, alive, ctx)))
            .collect();
        let Some(pod) = self.pods.get_mut(uid) else { return };
        for (container, wait) in pod.containers.iter_mut().zip(waits) {
            container.waiting.see(wait, ctx.now);
            // It would be one write more for each module, just when there are too many.
            if ctx.is_backlogged {
                container.waiting.put_off(ctx.now);
            }
        }
    }

    fn wait_of(&self, container: &Container, alive: bool, ctx: &Context<'_>) -> Wait {
        let Ok(spec) = &container.wanted else { return Wait::Turn };
        let name = &spec.id.name;
        if !alive {
            return Wait::Base;
        }
        if !self.inventory.is_known() || self.inventory.is_doubtful(name) {
            return Wait::List;
        }
        if let Some(op) = self.ops.get(name) {
            return match op.key.biz.as_ref() == Some(&spec.id) {
                true => Wait::Command(op.key.command),
                false => Wait::Another(op.key.command, op.key.biz.clone()),
            };
        }
        if self.playback.holds(name, ctx.now.mono) {
            return Wait::Baseline;
        }
        let arranged = self.arranged.get(name).filter(|arranged| arranged.target.is_for_same(spec));
        if arranged.is_none() && container.run.is_barred() {
            return Wait::Barred;
        }
        if let Some(wait) = arranged.and_then(|arranged| arranged.wait.as_deref()) {
            return wait.clone();
        }
        if self.queued.contains(name) {
            return Wait::Workers(ctx.config.workers);
        }
        match self.inventory.find(&spec.id).map(|biz| biz.state) {
            Some(BizState::Activated) => Wait::Yield,
            Some(BizState::Resolved | BizState::Unresolved | BizState::Deactivated) => Wait::Start,
            _ if !container.run.is_due(ctx.now.mono) => Wait::BackOff,
            _ => Wait::Turn,
        }
    }

    /// What is about to be installed could not be sent: it is being written down.
    pub(super) fn note_intent(&mut self, name: &BizName) {
        if self.ops.contains_key(name) {
            return;
        }
        if let Some(arranged) = self.arranged.get_mut(name) {
            arranged.wait = Some(Box::new(Wait::Intent));
        }
    }
}

/// What keeps the next step towards this claim from being taken; none where there is one, or nothing keeps it.
pub(super) fn held_up(
    situation: &Situation<'_>,
    arrangement: &Arrangement,
    target: &Claim,
    whose: Option<&Owner>,
) -> Option<Wait> {
    if situation.at_work.is_some() || arrangement.step.is_some() || !target.due {
        return None;
    }
    let mut others = situation.claims.iter().filter(|other| !other.is_for_same(&target.spec));
    match whose {
        Some(whose) if arrangement.wants_permit && !situation.permit => Some(Wait::Permit(whose.clone())),
        _ if !arrangement.others_yield => None,
        _ if others.any(|other| other.ready) || (target.stale && target.ready) => Some(Wait::Yield),
        _ => Some(Wait::Drain),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use model::BizState;

    use super::{
        super::{Links, Scope},
        *,
    };
    use crate::{
        ordering::{Step, arrange, newest::Revisions},
        testing,
        view::{ContainerState, PodView},
        vnode::testing::Case,
    };

    fn told(case: &Case, pod: &str) -> Option<(String, String)> {
        let pod = case.pods.values().find(|view| &*view.pod.name == pod)?;
        match &pod.status.containers.first()?.state {
            ContainerState::Waiting { reason, message } => Some((reason.to_string(), message.to_string())),
            state => Some((format!("{state:?}"), String::new())),
        }
    }

    #[test]
    fn what_takes_long_says_since_when_and_for_what_it_waits_and_is_written_once() {
        let mut case = Case::start(|config| config.workers = 1, &[]);
        case.until(3);
        case.slow = Some(Vec::new());
        for name in ["biz1", "biz2"] {
            case.create(name, name);
        }
        case.until(12);
        assert_eq!((told(&case, "biz1"), told(&case, "biz2")), (None, None), "it may be over in a moment");
        case.sent.clear();
        case.until(100);
        let (reason, message) = told(&case, "biz1").unwrap();
        assert_eq!(reason, "Installing");
        assert!(message.ends_with(" it waits for the base to carry installBiz out"), "{message}");
        let (_, message) = told(&case, "biz2").unwrap();
        assert!(
            message
                .ends_with(" it waits for its turn: 1 commands are at work on the base (VNODE_WORKER_NUM)"),
            "{message}"
        );
        assert_eq!(case.sent.iter().filter(|word| *word == "pod status").count(), 2, "{:?}", case.sent);
        for view in case.pods.values() {
            assert!(view.status.pod_ip.is_empty(), "an address would mask who serves: {:?}", view.status);
        }
        case.answer_at_last();
        case.until(110);
        let ready = case.pods.values().filter(|view| view.status.is_ready()).count();
        assert_eq!(ready, 2, "{:?}", case.pods);
    }

    /// The older Pod serves, and the base refuses to hold both.
    #[test]
    fn a_replacement_says_what_keeps_it() {
        let owner = || Some(Owner { namespace: "ns".into(), kind: "Deployment".into(), name: "d".into() });
        let mut vnode = VNode::new("b".parse().unwrap(), "n".into(), Links::default(), Duration::ZERO);
        for (name, version, created) in [("old", "1", 1), ("new", "2", 2)] {
            let created = jiff::Timestamp::from_second(created).unwrap();
            vnode.see_pod(PodView { owner: owner(), created, ..testing::pod(name, "biz1", version) });
        }
        let mut claims = vnode.claims(Duration::ZERO, &Revisions::default(), &Scope::All);
        let mut claims = claims.remove(&"biz1".parse().unwrap()).unwrap();
        claims[0].replaces = true;
        claims[1].ready = true;
        let held = [(claims[1].spec.id.clone(), BizState::Activated)];
        let look = |claims: &[Claim], permit: bool| {
            let situation = Situation {
                claims,
                held: &held,
                removable: &[],
                strays: &[],
                leaving: &[],
                draining: &[],
                at_work: None,
                can_switch: true,
                can_replace: true,
                permit,
            };
            let arrangement = arrange(&situation);
            (held_up(&situation, &arrangement, &claims[0], owner().as_ref()), arrangement.step)
        };
        assert_eq!(look(&claims, false), (Some(Wait::Permit(owner().unwrap())), None));
        assert_eq!(look(&claims, true), (Some(Wait::Yield), None));
        (claims[1].ready, claims[1].draining) = (false, true);
        assert_eq!(look(&claims, true), (Some(Wait::Drain), None));
        claims[1].draining = false;
        let (wait, step) = look(&claims, true);
        assert!(wait.is_none() && matches!(step, Some(Step::Install(0, _))), "{step:?}");
    }
}
