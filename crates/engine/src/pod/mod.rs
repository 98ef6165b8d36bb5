//! A module Pod on a VNode: what it asks for, what became of it, what its status shall say.

pub(crate) mod barred;
pub(crate) mod displaced;
pub(crate) mod ending;
pub(crate) mod run;
mod sidecar;
pub(crate) mod status;
pub(crate) mod translate;
pub(crate) mod wait;

use std::{mem, sync::Arc, time::Duration};

use jiff::Timestamp;
use model::{BizId, Fault, ModuleSpec};

use crate::{
    contest::Contest,
    event::Now,
    request::WriteError,
    services::Services,
    view::{ConditionStatus, ContainerStatus, Phase, PodStatus, PodView},
    write_slot::WriteSlot,
};
use ending::Deletion;
use run::Run;
use wait::Waiting;

/// A change of this annotation lifts the bar of a version that failed as a replacement (rule O9).
const RETRY: &str = "module-controller.koupleless.io/retry";

/// One container that stands for a biz.
#[derive(Debug, Clone)]
pub(crate) struct Container {
    /// Its place in the Pod's spec.
    pub(crate) place: usize,
    /// What it asks for, or what is wrong with that. What is arranged for its bizName has the same.
    pub(crate) wanted: Result<Arc<ModuleSpec>, Box<Fault>>,
    /// What became of it.
    pub(crate) run: Run,
    /// What it waits for.
    pub(crate) waiting: Waiting,
}

/// What serves in the place of containers that do not serve yet.
#[derive(Debug, Clone, Default)]
struct StandIns(Vec<Container>);

/// A Pod that is bound to a VNode.
#[derive(Debug, Clone)]
pub(crate) struct ModulePod {
    /// The newest view of it.
    pub(crate) view: PodView,
    /// Those of its containers that stand for a biz, in the spec's order; none where the Pod is no module. No list that can
    /// grow: one that is filtered has room for four from the first on, which was a third of all that is kept of a Pod.
    pub(crate) containers: Box<[Container]>,
    /// Writes of its status.
    pub(crate) status_slot: WriteSlot,
    /// What others change back of it.
    pub(crate) contest: Contest,
    /// A write that said Ready was sent, and nobody knows what became of it.
    may_be_ready: bool,
    /// It was Ready when it was last looked at; none before the first look.
    was_ready: Option<bool>,
    /// Since when it is not Ready; none while it is, and before the first look.
    not_ready_since: Option<Duration>,
    /// Requests may come to it through a Service.
    is_served: bool,
    /// Until then requests that began while it was Ready may not have ended.
    drained_at: Duration,
    // In a box: of all Pods few are being deleted.
    deletion: Option<Box<Deletion>>,
    /// It is no module: a Pod that tolerates everything, as DaemonSets of the cluster do.
    pub(crate) is_foreign: bool,
    /// What is wrong with it has been told.
    pub(crate) fault_told: bool,
    /// That its probes are ignored is still to be told.
    pub(crate) ignores_probes: bool,
    /// That these containers are not run is still to be told.
    pub(crate) not_run: Box<[String]>,
    /// Why an operation plan holds its containers, in their order; empty where none names one.
    pub(crate) holds: Box<[Option<Arc<str>>]>,
    /// What is to serve in the place of those that wait for a plan, or have not come up since (rule P13). Their places follow
    /// those of the Pod's spec. In a box of its own: of all Pods few have any.
    stand_ins: Option<Box<StandIns>>,
    /// That no plan will ever release it has been told.
    pub(crate) hold_told: bool,
}

impl ModulePod {
    /// Those of its containers that an operation plan holds, each with why.
    pub(crate) fn held(&self) -> impl Iterator<Item = (&Container, &Arc<str>)> {
        self.containers
            .iter()
            .zip(&self.holds)
            .filter_map(|(container, hold)| Some((container, hold.as_ref()?)))
    }

    /// What stands in for those of its containers that do not serve yet.
    pub(crate) fn stand_ins(&self) -> impl Iterator<Item = &Container> {
        self.stand_ins.iter().flat_map(|all| &all.0)
    }

    /// The biz that stand in for those of its containers that do not serve yet.
    pub(crate) fn stood_in_by(&self) -> impl Iterator<Item = &BizId> {
        self.stand_ins().filter_map(|container| Some(&container.wanted.as_ref().ok()?.id))
    }

    /// The biz that it names, and those that stand in for them.
    pub(crate) fn named(&self) -> impl Iterator<Item = &BizId> {
        self.biz().chain(self.stood_in_by())
    }

    /// Its containers, and what stands in for them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Container> {
        self.containers.iter().chain(self.stand_ins())
    }

    /// The same, to be changed.
    pub(crate) fn all_mut(&mut self) -> impl Iterator<Item = &mut Container> {
        self.containers.iter_mut().chain(self.stand_ins.iter_mut().flat_map(|all| &mut all.0))
    }

    /// What is to serve in the place of its containers, by their places. What stands in already goes on
    /// with what became of it.
    pub(crate) fn stand_in(&mut self, wanted: Vec<(usize, Arc<ModuleSpec>)>) {
        if wanted.is_empty() {
            self.stand_ins = None;
            return;
        }
        let mut before = self.stand_ins.take().unwrap_or_default().0;
        let stands_in = wanted.into_iter().map(|(place, spec)| {
            let place = self.view.containers.len() + place;
            let same = |one: &Container| {
                one.place == place && one.wanted.as_ref().is_ok_and(|known| Arc::ptr_eq(known, &spec))
            };
            match before.iter().position(same) {
                Some(index) => before.swap_remove(index),
                None => {
                    Container { place, wanted: Ok(spec), run: Run::default(), waiting: Waiting::default() }
                }
            }
        });
        self.stand_ins = Some(Box::new(StandIns(stands_in.collect())));
    }

    /// Takes a Pod up.
    pub(crate) fn new(view: PodView) -> Self {
        let is_foreign = !translate::is_module(&view);
        let containers = if is_foreign { Box::default() } else { read(&view) };
        // With a status it was taken up before, and told then.
        let is_new = !is_foreign && view.status.containers.is_empty();
        let has_probes = |one: &Container| view.containers.get(one.place).is_some_and(|one| one.has_probes);
        let ignores_probes = is_new && containers.iter().any(has_probes);
        let not_run = if is_new { sidecar::names(&view, &containers) } else { Box::default() };
        let mut pod = Self {
            view,
            containers,
            status_slot: WriteSlot::default(),
            contest: Contest::default(),
            may_be_ready: false,
            was_ready: None,
            not_ready_since: None,
            is_served: false,
            drained_at: Duration::ZERO,
            deletion: None,
            is_foreign,
            fault_told: false,
            ignores_probes,
            not_run,
            holds: Box::default(),
            stand_ins: None,
            hold_told: false,
        };
        for container in &mut pod.containers {
            container.run = Run::resume(told(&pod.view, container));
        }
        barred::read(&mut pod);
        pod
    }

    /// Takes a newer view; an older one, which a watch may tell after a write, is left.
    pub(crate) fn update(&mut self, view: PodView) {
        if view.resource_version != 0 && view.resource_version < self.view.resource_version {
            return;
        }
        let asks_anew = view.containers != self.view.containers
            || view.annotations != self.view.annotations
            || view.labels != self.view.labels;
        let retry = view.annotations.get(RETRY) != self.view.annotations.get(RETRY);
        let new = view.aside.iter().filter(|name| !self.view.aside.contains(name));
        let not_run = mem::take(&mut self.not_run).into_iter().chain(new.cloned());
        self.not_run = not_run.collect();
        self.view = view;
        if retry {
            self.containers.iter_mut().for_each(|container| container.run.lift_bar());
        }
        if asks_anew && !self.is_foreign {
            self.fault_told = false;
            let mut before = mem::take(&mut self.containers);
            self.containers = read(&self.view);
            for container in &mut self.containers {
                let same =
                    |old: &mut Container| old.place == container.place && old.wanted == container.wanted;
                if let Some(old) = before.iter_mut().find_map(|old| same(old).then_some(old)) {
                    container.run = mem::take(&mut old.run);
                    container.waiting = mem::take(&mut old.waiting);
                }
            }
        }
    }

    /// Orders Pods by age: the later one was made later.
    pub(crate) fn age(&self) -> (Timestamp, &Arc<str>) {
        (self.view.created, &self.view.pod.uid)
    }

    /// It is being deleted.
    pub(crate) fn is_deleting(&self) -> bool {
        self.view.deletion.is_some()
    }

    /// Notices that it is being deleted: its grace period begins for us.
    pub(crate) fn track_deletion(&mut self, now: Duration) {
        if self.is_deleting() {
            self.deletion_mut().since.get_or_insert(now);
        }
    }

    /// When the grace period of one that is being deleted is over.
    pub(crate) fn grace_ends(&self) -> Option<Duration> {
        Some(self.deletion.as_ref()?.since?.saturating_add(self.view.deletion?))
    }

    /// It ended for good: nothing is installed for it and its status is never written again.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.view.status.phase, Phase::Failed | Phase::Succeeded)
    }

    /// It asks for its biz to be there.
    pub(crate) fn is_live(&self) -> bool {
        !self.is_foreign && !self.is_deleting() && !self.is_over()
    }

    /// The biz that it names.
    pub(crate) fn biz(&self) -> impl Iterator<Item = &BizId> {
        self.specs().map(|spec| &spec.id)
    }

    /// What it asks for, as far as it can be.
    pub(crate) fn specs(&self) -> impl Iterator<Item = &ModuleSpec> {
        self.containers.iter().filter_map(|container| container.wanted.as_deref().ok())
    }

    /// A status is being written.
    pub(crate) fn telling(&mut self, status: &PodStatus) {
        self.status_slot.sent();
        let seen = &self.view.status;
        for container in &mut self.containers {
            if status::tells_wait(status, seen, container.place) {
                container.waiting.told();
            }
        }
        self.may_be_ready |= status.is_ready();
    }

    /// The write of the status ended. After an error it may have been carried out: the next one
    /// tells.
    pub(crate) fn told(&mut self, now: Duration, result: &Result<(), WriteError>) {
        self.status_slot.ended(now, result);
        self.contest.ended(result);
        self.may_be_ready &= matches!(result, Err(WriteError::Unavailable { .. }));
    }

    /// Notices that it is no longer Ready: requests that are under way are given time to end. What
    /// was so before this process looked is known by the condition's time; whatever the clocks say,
    /// no more than the whole time is waited. Services may become known after the Pod: whether one
    /// sends to it is asked when it matters.
    pub(crate) fn track_readiness(&mut self, now: Now, drain: Duration, alone: bool, services: &Services) {
        self.is_served = services.may_send_to(&self.view);
        let is_ready = self.is_ready();
        let since = self.not_ready_since.unwrap_or(now.mono);
        self.not_ready_since = (!is_ready).then_some(since);
        let ended = match self.was_ready.replace(is_ready) {
            Some(was_ready) => was_ready && !is_ready,
            None if alone => self.stopped_to_be_ready_within(drain, now.wall),
            // When it was is told by a wall clock that may be hours off, so all the time is given once more.
            None => self.stopped_to_be_ready(),
        };
        if ended {
            self.drained_at = now.mono + drain;
        }
    }

    fn stopped_to_be_ready(&self) -> bool {
        self.view.status.condition("Ready").is_some_and(|ready| ready.status == ConditionStatus::False)
    }

    fn stopped_to_be_ready_within(&self, drain: Duration, wall: Timestamp) -> bool {
        let ready = self.view.status.condition("Ready");
        let since =
            ready.filter(|ready| ready.status == ConditionStatus::False).and_then(|ready| ready.changed);
        // The API keeps whole seconds.
        let within = drain + Duration::from_secs(1);
        since.is_some_and(|since| wall.duration_since(since).unsigned_abs() < within)
    }

    /// Since when it is not Ready, as far as this process saw; none while it is.
    pub(crate) fn not_ready_since(&self) -> Option<Duration> {
        self.not_ready_since
    }

    /// A Service sends requests to it.
    pub(crate) fn is_served(&self) -> bool {
        self.is_served
    }

    /// Requests may still be under way to it.
    pub(crate) fn is_draining(&self, now: Duration) -> bool {
        self.is_served && now < self.drained_at
    }

    /// When the last of them has had its time.
    pub(crate) fn drained_at(&self) -> Duration {
        self.drained_at
    }

    /// It may be told as Ready although the last view of it says that it is not.
    pub(crate) fn is_unsure(&self) -> bool {
        self.may_be_ready && !self.status_slot.is_busy() && !self.view.status.is_ready()
    }

    /// Its condition Ready is true, as far as the API server knows, or may be by a write that is
    /// under way.
    pub(crate) fn is_ready(&self) -> bool {
        self.may_be_ready || self.view.status.is_ready()
    }
}

/// The containers that stand for a biz, as the spec has them.
fn read(view: &PodView) -> Box<[Container]> {
    let biz = view.containers.iter().enumerate().filter(|(_, container)| translate::is_biz(view, container));
    biz.map(|(place, container)| Container {
        place,
        wanted: translate::module(view, container).map(Arc::new).map_err(Box::new),
        run: Run::default(),
        waiting: Waiting::default(),
    })
    .collect()
}

/// What the status says of a container.
pub(crate) fn told<'a>(view: &'a PodView, container: &Container) -> Option<&'a ContainerStatus> {
    view.status.container(container.place, &view.containers.get(container.place)?.name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        testing,
        view::{Condition, ServiceView},
    };

    const DRAIN: Duration = Duration::from_secs(2);

    /// There are ten thousand of each. The allocator has rooms of 112, 128, 160, …, 448, 512 and 640 bytes: what is a
    /// byte larger takes the next one.
    #[test]
    fn what_is_kept_of_each_pod_fits_its_room() {
        let (pod, container) = (size_of::<ModulePod>(), size_of::<Container>());
        assert!(pod <= 512 && container <= 128, "{pod} and {container} bytes: put what is rare in a box");
    }

    /// As a controller that was just started sees a Pod that has not been Ready since `ago`.
    fn not_ready_since(ago: Duration) -> (ModulePod, Now) {
        let wall: Timestamp = "2026-01-01T00:01:00Z".parse().unwrap();
        let mut view = testing::pod("p", "biz1", "1");
        view.status.conditions.push(Condition {
            kind: "Ready".into(),
            status: ConditionStatus::False,
            reason: "".into(),
            message: "".into(),
            changed: Some(wall - ago),
        });
        (ModulePod::new(view), Now { mono: Duration::from_millis(200), wall })
    }

    fn a_service() -> Services {
        let mut services = Services::default();
        services.see(ServiceView {
            namespace: "default".into(),
            uid: "s".into(),
            resource_version: 1,
            selector: BTreeMap::from([("module-controller.koupleless.io/component".into(), "module".into())]),
            kubelet: None,
        });
        services
    }

    #[test]
    fn the_drain_of_the_controller_before_is_kept_up_although_the_service_is_seen_after_the_pod() {
        let (mut pod, now) = not_ready_since(Duration::from_secs(1));
        pod.track_readiness(now, DRAIN, true, &Services::default());
        assert!(!pod.is_draining(now.mono), "no Service sends to it, as far as is known");
        pod.track_readiness(now, DRAIN, true, &a_service());
        assert!(pod.is_draining(now.mono));
        assert!(!pod.is_draining(now.mono + DRAIN));
    }

    #[test]
    fn a_drain_that_was_over_before_the_start_is_not_begun_again() {
        let (mut pod, now) = not_ready_since(Duration::from_secs(4));
        pod.track_readiness(now, DRAIN, true, &a_service());
        assert!(!pod.is_draining(now.mono));
    }

    /// What the API server's clock says of its end is not asked.
    #[test]
    fn the_grace_period_begins_when_the_deletion_is_seen() {
        let mut pod = ModulePod::new(testing::pod("p", "biz1", "1"));
        pod.track_deletion(Duration::from_secs(5));
        assert_eq!(pod.grace_ends(), None);
        let deleted = |grace| PodView { deletion: Some(grace), ..testing::pod("p", "biz1", "1") };
        pod.update(deleted(Duration::from_secs(30)));
        for now in [10, 20] {
            pod.track_deletion(Duration::from_secs(now));
            assert_eq!(pod.grace_ends(), Some(Duration::from_secs(40)));
        }
        pod.update(deleted(Duration::from_secs(1)));
        assert_eq!(pod.grace_ends(), Some(Duration::from_secs(11)), "somebody is in a hurry");
    }

    #[test]
    fn among_several_replicas_no_wall_clock_says_that_a_drain_is_over() {
        let (mut pod, now) = not_ready_since(Duration::from_secs(7_200));
        pod.track_readiness(now, DRAIN, false, &a_service());
        assert!(pod.is_draining(now.mono) && !pod.is_draining(now.mono + DRAIN));
    }
}
