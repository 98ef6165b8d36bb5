//! Permits of one replica, and of several over one API server.

use jiff::Timestamp;
use model::{BizId, InstallStrategy};

use super::*;
use crate::{
    action::Action,
    config::ClusterConfig,
    replicas::tests::deployment,
    request::{Request, WriteError},
    testing,
    view::{Condition, ConditionStatus, CountOrPercent, PermitsView},
};

const BARRED: &str = "module-controller.koupleless.io/Barred";

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn whose() -> Owner {
    Owner { namespace: "default".into(), kind: "Deployment".into(), name: "biz1".into() }
}

fn base(name: &str) -> BaseIdentity {
    name.parse().unwrap()
}

/// A Pod of the Deployment on the base of the same number: `n1` is the new one on `b1`, `o1` the one of before.
fn pod(name: &str, version: u64, ready: bool) -> PodView {
    let mut pod = testing::pod(name, "biz1", if name.starts_with('o') { "1" } else { "2" });
    (pod.pod.uid, pod.node, pod.resource_version) =
        (name.into(), name.replace(['n', 'o'], "b").into(), version);
    pod.owner = Some(whose());
    pod.status.conditions = vec![condition("Ready", ready, "")];
    pod
}

fn condition(kind: &str, is: bool, message: &str) -> Condition {
    Condition {
        kind: kind.into(),
        status: ConditionStatus::from(is),
        reason: "".into(),
        message: message.into(),
        changed: Some(Timestamp::UNIX_EPOCH),
    }
}

/// It failed in the place of another.
fn barred(name: &str, version: u64) -> PodView {
    let mut pod = pod(name, version, false);
    let spec = translate::specs(&pod).pop().unwrap();
    pod.status.conditions.push(condition(BARRED, true, &format!("{} {}", spec.id, spec.url)));
    pod
}

fn bar(version: &str) -> Bar {
    let id = BizId { name: "biz1".parse().unwrap(), version: version.parse().unwrap() };
    let url = "file:///p.jar".parse().unwrap();
    (whose(), ModuleSpec { id, url, strategy: InstallStrategy::Auto, args: [].into(), envs: [].into() })
}

/// The Deployment allows so many of so many to be unavailable, and all are available.
fn allows(most: u32, replicas: i32) -> WorkloadView {
    let mut view = deployment(replicas);
    view.max_unavailable = CountOrPercent::Count(most);
    (view.rollout.desired, view.rollout.available) = (replicas, replicas);
    view
}

/// One replica, and what it acts for.
struct Replica {
    permits: Permits,
    place: u32,
    owns: Vec<&'static str>,
    now: Duration,
    written: u32,
}

impl Replica {
    fn alone(module_deployments: bool) -> Self {
        let mut config = Config::new("dev");
        config.module_deployments = module_deployments;
        Self { permits: Permits::new(&config), place: 0, owns: Vec::new(), now: s(100), written: 0 }
    }

    /// One of several, that acts for these bases, and knows the Leases.
    fn shared(owns: &[&'static str]) -> Self {
        let mut config = Config::new("dev");
        config.cluster = Some(ClusterConfig {
            client_id: "me".into(),
            incarnation: "me".into(),
            pod_uid: "".into(),
            levels: 3,
        });
        let mut permits = Permits::new(&config);
        permits.synced();
        Self { permits, place: 0, owns: owns.to_vec(), now: s(100), written: 0 }
    }

    /// A Pod wants to take the place of another; true where it may.
    fn take(&mut self, name: &str, version: u64) -> bool {
        let (whose, pod, node) = (whose(), Arc::from(name), Arc::from(name.replace('n', "b")));
        let base = base(&node);
        let who = Claimant { whose: &whose, pod: &pod, version, node: &node, base: &base };
        self.permits.take(who, self.now)
    }

    fn holds(&self, name: &str) -> bool {
        self.permits.holds(&whose(), &name.into())
    }

    fn give_back(&mut self, name: &str) {
        self.permits.give_back(&whose(), &name.into());
    }

    fn freed(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.permits.next_freed()).map(|base| base.to_string()).collect()
    }

    fn see(&mut self, pod: PodView) {
        self.permits.see_pod(&pod);
    }

    /// What it writes.
    fn writes(&mut self) -> Option<PermitsView> {
        let (owns, mut out) = (self.owns.clone(), Vec::new());
        let owns = |node: &Arc<str>| owns.contains(&&**node);
        self.permits.advance(Turn { now: self.now, place: self.place, owns: &owns, out: &mut out });
        match out.pop()? {
            Action::Request(Request::WritePermits(view)) => Some(*view),
            other => panic!("{other:?}"),
        }
    }

    /// A write ended; who is to be told that it waits in vain.
    fn ended(&mut self, view: &PermitsView, result: Result<(), WriteError>) -> Vec<String> {
        let told = self.permits.written(&view.name, self.now, &result);
        told.into_iter().map(|(base, pod)| format!("{pod} on {base}")).collect()
    }
}

/// The one Lease.
#[derive(Default)]
struct Api {
    lease: Option<PermitsView>,
    version: u64,
}

impl Api {
    fn put(&mut self, desired: &PermitsView) -> Result<(), WriteError> {
        let now = self.lease.as_ref().map(|lease| (lease.uid.clone(), lease.resource_version));
        let named = (!desired.uid.is_empty()).then(|| (desired.uid.clone(), desired.resource_version));
        if now != named {
            return Err(WriteError::Conflict("another".into()));
        }
        self.version += 1;
        let uid = "lease".into();
        self.lease = Some(PermitsView { uid, resource_version: self.version, ..desired.clone() });
        Ok(())
    }

    /// Carries out what a replica wants to write, tells it what there is then, and how it ended.
    fn carry_out(&mut self, replica: &mut Replica) -> bool {
        let Some(desired) = replica.writes() else { return false };
        replica.written += 1;
        let result = self.put(&desired);
        let is_ok = result.is_ok();
        self.tell(replica);
        replica.ended(&desired, result);
        is_ok
    }

    fn tell(&self, replica: &mut Replica) {
        if let Some(lease) = self.lease.clone() {
            replica.permits.see_lease(lease, replica.now);
        }
    }

    fn holders(&self) -> Vec<String> {
        self.lease.iter().flat_map(|lease| lease.holders.keys()).map(ToString::to_string).collect()
    }
}

/// Two replicas with one base each, which know all Pods.
fn two() -> (Api, Replica, Replica) {
    let (mut a, mut b) = (Replica::shared(&["b1"]), Replica::shared(&["b2"]));
    for replica in [&mut a, &mut b] {
        for name in ["n1", "n2"] {
            replica.see(pod(name, 5, false));
        }
    }
    (Api::default(), a, b)
}

#[test]
fn one_at_a_time_and_the_next_is_told() {
    let mut alone = Replica::alone(false);
    assert!(alone.take("n1", 1) && alone.take("n1", 1));
    assert!(!alone.take("n2", 1));
    alone.give_back("n2");
    assert!(alone.freed().is_empty(), "only the holder gives it back");
    assert!(!alone.take("n2", 1));
    alone.give_back("n1");
    assert_eq!(alone.freed(), ["b2"]);
    assert!(alone.holds("n2"));
    assert_eq!(alone.writes(), None, "a single replica writes nothing");
    alone.give_back("n2");
    assert!(alone.freed().is_empty() && alone.permits.owners.is_empty(), "and keeps nothing");
}

#[test]
fn a_bare_pod_waits_for_nobody() {
    let mut permits = Permits::default();
    for name in ["p", "q"] {
        let whose = Owner { namespace: "ns".into(), kind: "".into(), name: name.into() };
        let (pod, base) = (Arc::from(name), base("b1"));
        let who = Claimant { whose: &whose, pod: &pod, version: 1, node: &pod, base: &base };
        assert!(permits.take(who, s(0)) && permits.holds(&whose, &pod));
    }
    assert!(permits.owners.is_empty());
}

#[test]
fn as_many_as_the_deployment_allows_once_it_is_known() {
    let mut alone = Replica::alone(true);
    for n in 1..=9 {
        alone.see(pod(&format!("o{n}"), 1, true));
        alone.see(pod(&format!("n{n}"), 1, false));
    }
    let taken = (1..=9).filter(|n| alone.take(&format!("n{n}"), 1)).count();
    assert_eq!(taken, 1, "nothing is known of it");
    alone.permits.see_workload(&allows(3, 9));
    assert_eq!(alone.freed().len(), 2);
    // The first has yielded and then serves.
    alone.see(pod("o1", 2, false));
    assert!(alone.freed().is_empty());
    alone.see(pod("n1", 2, true));
    alone.give_back("n1");
    assert_eq!(alone.freed().len(), 1);
    alone.permits.lose_workload(&deployment(9).workload);
    for n in 2..=3 {
        alone.give_back(&format!("n{n}"));
    }
    assert!(alone.freed().is_empty(), "one at a time again, and one is under way");
}

/// A workload that a plan releases says that none may be.
#[test]
fn as_many_as_the_batch_of_a_plan_allows() {
    let mut alone = Replica::alone(true);
    for n in 1..=5 {
        alone.see(pod(&format!("o{n}"), 1, true));
        alone.see(pod(&format!("n{n}"), 1, false));
    }
    alone.permits.see_workload(&allows(0, 5));
    let taken = (1..=5).filter(|n| alone.take(&format!("n{n}"), 1)).count();
    assert_eq!(taken, 1, "one always may");
    alone.permits.see_batch(&whose(), Some(3));
    assert_eq!(alone.freed().len(), 2);
    alone.permits.see_batch(&whose(), None);
    alone.give_back("n1");
    assert!(alone.freed().is_empty(), "two are under way, and the batch is over");
}

#[test]
fn who_takes_nothing_away_that_serves_comes_first() {
    let mut shared = Replica::shared(&["b1", "b2", "b3", "b4", "b5"]);
    shared.permits.see_workload(&allows(2, 5));
    for n in 1..=5 {
        // Kubernetes has deleted the Pods of before on the last two, and may have no more: two are unavailable.
        shared.see(pod(&format!("o{n}"), 1, n < 4));
        shared.see(pod(&format!("n{n}"), 1, false));
        assert!(!shared.take(&format!("n{n}"), 1), "nobody before the Lease says so");
    }
    let holders = shared.writes().unwrap().holders;
    assert_eq!(holders.keys().map(|uid| &**uid).collect::<Vec<_>>(), ["n4", "n5"]);
}

#[test]
fn what_failed_for_one_pod_is_spoilt_for_others_until_the_bar_falls() {
    let mut permits = Permits::default();
    let (failed, other) = (base("b1"), base("b2"));
    let (first, second): (Arc<str>, Arc<str>) = ("1".into(), "2".into());
    permits.bars(&failed, vec![(bar("2"), first.clone())]);
    assert!(permits.is_spoilt(&bar("2"), &second, &other));
    assert!(!permits.is_spoilt(&bar("2"), &first, &failed), "its own bar is its own matter");
    assert!(!permits.is_spoilt(&bar("3"), &second, &other), "another version may be better");
    permits.bars(&failed, vec![(bar("2"), first)]);
    assert_eq!(permits.next_freed(), None, "nothing has changed");
    permits.bars(&failed, Vec::new());
    assert_eq!(permits.next_freed(), Some(other.clone()));
    assert!(!permits.is_spoilt(&bar("2"), &second, &other));
}

#[test]
fn what_failed_on_a_base_of_another_replica_is_spoilt_here_too() {
    let (_, mut a, _) = two();
    let (version, second) = (bar_of(&pod("n2", 5, false)), Arc::from("n2"));
    assert!(!a.permits.is_spoilt(&version, &second, &base("b2")));
    a.see(barred("n1", 6));
    assert!(a.permits.is_spoilt(&version, &second, &base("b2")));
    // That it may be tried once more there says nothing of it yet.
    a.see(pod("n1", 7, false));
    assert!(a.permits.is_spoilt(&version, &second, &base("b2")) && a.freed().is_empty());
    a.see(pod("n1", 8, true));
    assert_eq!(a.freed(), ["b2"]);
    assert!(!a.permits.is_spoilt(&version, &second, &base("b2")));
    a.see(barred("n1", 9));
    assert!(a.permits.is_spoilt(&version, &second, &base("b2")));
    a.permits.lose_pod(&"n1".into());
    assert_eq!(a.freed(), ["b2"]);
}

#[test]
fn who_waits_thinks_again_when_the_same_has_failed_elsewhere() {
    let (mut api, mut a, mut b) = two();
    a.take("n1", 5);
    api.carry_out(&mut a);
    api.tell(&mut b);
    b.take("n2", 5);
    b.see(barred("n1", 6));
    assert_eq!(b.freed(), ["b2"], "before its replica writes anything");
    let mut alone = Replica::alone(false);
    alone.take("n1", 1);
    alone.take("n2", 1);
    alone.permits.bars(&base("b1"), vec![(bar("2"), "n1".into())]);
    alone.give_back("n1");
    let first = alone.permits.next_freed().unwrap();
    assert!(first == base("b2") && !alone.holds("n2"), "before it gets the permit");
}

fn bar_of(pod: &PodView) -> Bar {
    (whose(), translate::specs(pod).pop().unwrap())
}

#[test]
fn one_write_takes_a_permit_and_none_gives_it_back() {
    let (mut api, mut a, mut b) = two();
    assert!(!a.take("n1", 5) && !a.holds("n1"), "it is not known to have it yet");
    assert!(api.carry_out(&mut a));
    assert_eq!((a.freed(), a.holds("n1")), (vec!["b1".to_owned()], true));
    api.tell(&mut b);
    assert!(!b.take("n2", 5) && b.writes().is_none(), "there is no room");
    // The first serves: its replica says nothing, and the other one sees it.
    a.see(pod("n1", 6, true));
    a.give_back("n1");
    a.now += s(60);
    assert_eq!(a.writes(), None);
    b.see(pod("n1", 6, true));
    assert!(api.carry_out(&mut b) && b.holds("n2"));
    assert_eq!(api.holders(), ["n2"]);
    assert_eq!((a.written, b.written), (1, 1));
}

#[test]
fn of_two_that_take_it_at_once_one_gets_it() {
    let (mut api, mut a, mut b) = two();
    a.take("n1", 5);
    b.take("n2", 5);
    let (first, second) = (a.writes().unwrap(), b.writes().unwrap());
    let result = api.put(&first);
    api.tell(&mut a);
    a.ended(&first, result);
    let result = api.put(&second);
    assert!(matches!(result, Err(WriteError::Conflict(_))));
    api.tell(&mut b);
    b.ended(&second, result);
    assert!(a.holds("n1") && !b.holds("n2"));
    b.now += s(10);
    assert_eq!(b.writes(), None, "it has looked again");
}

#[test]
fn replicas_that_see_room_at_once_do_not_all_write() {
    let (mut api, mut a, mut b) = two();
    b.place = 1;
    a.take("n1", 5);
    b.take("n2", 5);
    assert!(api.carry_out(&mut a) && b.writes().is_none());
    let wake = b.permits.next_wake().unwrap();
    assert!(wake > b.now && wake < b.now + s(1), "{wake:?}");
    api.tell(&mut b);
    b.now = wake;
    assert_eq!(b.writes(), None, "by then it knows better");
}

#[test]
fn where_the_answer_is_lost_it_is_found_out_whether_it_was_written() {
    for was_written in [true, false] {
        let (mut api, mut a, _) = two();
        a.take("n1", 5);
        let desired = a.writes().unwrap();
        if was_written {
            api.put(&desired).unwrap();
        }
        a.ended(&desired, Err(WriteError::Unavailable { reason: "lost".into(), retry_after: None }));
        assert!(!a.holds("n1") && a.writes().is_none(), "nobody knows");
        a.now = a.permits.next_wake().unwrap();
        api.carry_out(&mut a);
        assert!(a.holds("n1"), "was_written: {was_written}");
        assert_eq!((api.holders(), a.freed()), (vec!["n1".to_owned()], vec!["b1".to_owned()]));
    }
}

#[test]
fn a_holder_that_is_gone_blocks_nobody() {
    let (mut api, mut a, mut b) = two();
    a.take("n1", 5);
    api.carry_out(&mut a);
    api.tell(&mut b);
    b.take("n2", 5);
    assert_eq!(b.writes(), None);
    b.permits.lose_pod(&"n1".into());
    assert!(api.carry_out(&mut b) && b.holds("n2"));
}

#[test]
fn while_there_is_no_room_who_is_gone_is_nothing_to_wake_for() {
    let mut shared = Replica::shared(&["b1", "b2", "b3"]);
    shared.permits.see_workload(&allows(2, 3));
    for n in 1..=3 {
        shared.see(pod(&format!("o{n}"), 1, true));
        shared.see(pod(&format!("n{n}"), 1, false));
        shared.take(&format!("n{n}"), 1);
    }
    let mut api = Api::default();
    assert!(api.carry_out(&mut shared));
    // The first two have yielded, and one of those that took their places was deleted.
    ["o1", "o2"].into_iter().for_each(|name| shared.see(pod(name, 2, false)));
    shared.give_back("n1");
    shared.permits.lose_pod(&"n1".into());
    assert_eq!(shared.writes(), None, "two are unavailable");
    assert!(shared.permits.next_wake().is_none_or(|at| at > shared.now), "{:?}", shared.permits.next_wake());
}

#[test]
fn a_holder_that_was_never_seen_is_taken_for_gone_only_after_a_while() {
    let (mut api, mut a, _) = two();
    a.take("n1", 5);
    api.carry_out(&mut a);
    // The watch of its Pods may lag behind that of the Leases.
    let mut late = Replica::shared(&["b2"]);
    late.see(pod("n2", 5, false));
    api.tell(&mut late);
    late.take("n2", 5);
    assert_eq!(late.writes(), None);
    assert_eq!(late.permits.next_wake(), Some(late.now + s(60)));
    late.now += s(60);
    assert!(api.carry_out(&mut late) && late.holds("n2"));
}

#[test]
fn who_takes_a_base_over_goes_on_with_the_permit_that_its_pod_has() {
    let (mut api, mut a, mut b) = two();
    a.take("n1", 5);
    api.carry_out(&mut a);
    // The first is dead, and the other acts for its base now.
    api.tell(&mut b);
    b.owns.push("b1");
    assert!(b.take("n1", 5), "without a write");
    assert!(!b.take("n2", 5) && b.writes().is_none(), "and no second one beside it");
}

#[test]
fn a_permit_that_nobody_wants_after_a_base_was_taken_over_is_given_back() {
    let (mut api, mut a, mut b) = two();
    a.take("n1", 5);
    api.carry_out(&mut a);
    a.permits.let_go("b1");
    a.now += s(120);
    assert_eq!(a.writes(), None, "it is the other's now");
    api.tell(&mut b);
    b.owns.push("b1");
    assert_eq!(b.writes(), None);
    let wake = b.permits.next_wake().unwrap();
    assert_eq!(wake, b.now + s(30));
    b.now = wake;
    assert!(api.carry_out(&mut b) && api.holders().is_empty());
}

#[test]
fn what_nobody_else_would_see_is_given_back_by_a_write() {
    let (mut api, mut a, mut b) = two();
    a.take("n1", 5);
    api.carry_out(&mut a);
    a.give_back("n1");
    assert_eq!(a.writes(), None, "it may come to be seen yet");
    a.now = a.permits.next_wake().unwrap();
    assert!(api.carry_out(&mut a) && api.holders().is_empty());
    api.tell(&mut b);
    b.take("n2", 5);
    assert!(api.carry_out(&mut b) && b.holds("n2"));
}

#[test]
fn one_that_served_and_serves_no_more_is_struck_off_for_those_who_came_later() {
    let (mut api, mut a, _) = two();
    a.take("n1", 5);
    api.carry_out(&mut a);
    a.see(pod("n1", 6, true));
    a.give_back("n1");
    assert_eq!((a.writes(), a.permits.next_wake()), (None, None), "all see that it serves");
    // Its base went, and comes back with another version; the Pod is left.
    a.permits.let_go("b1");
    a.see(pod("n1", 7, false));
    a.permits.take_up(&pod("n1", 7, false));
    assert_eq!(a.writes(), None);

    let mut late = Replica::shared(&["b2"]);
    late.see(pod("n1", 7, false));
    late.see(pod("n2", 5, false));
    api.tell(&mut late);
    late.take("n2", 5);
    assert_eq!(late.writes(), None, "for all it knows the first is at work");
    a.now = a.permits.next_wake().unwrap();
    assert!(api.carry_out(&mut a) && api.holders().is_empty());
    api.tell(&mut late);
    assert!(api.carry_out(&mut late) && late.holds("n2"));
}

#[test]
fn who_wants_it_again_before_that_is_written_has_it_still() {
    let (mut api, mut a, _) = two();
    a.take("n1", 5);
    api.carry_out(&mut a);
    a.give_back("n1");
    assert!(a.take("n1", 6) && a.writes().is_none());
    a.give_back("n1");
    assert_eq!(a.writes(), None);
    a.now = a.permits.next_wake().unwrap();
    let without = a.writes().unwrap();
    assert!(!a.take("n1", 7), "the Lease is being written without it");
    let result = api.put(&without);
    api.tell(&mut a);
    a.ended(&without, result);
    assert!(!a.holds("n1") && api.carry_out(&mut a) && a.holds("n1"));
}

#[test]
fn where_the_lease_may_not_be_written_who_waits_is_told_once() {
    let (_, mut a, _) = two();
    a.take("n1", 5);
    for told in [vec!["n1 on b1".to_owned()], vec![]] {
        let desired = a.writes().unwrap();
        assert_eq!(a.ended(&desired, Err(WriteError::Refused("no right".into()))), told);
        a.now += s(100);
    }
}

#[test]
fn what_is_not_asked_for_any_more_is_not_written() {
    let (_, mut a, _) = two();
    a.take("n1", 5);
    a.give_back("n1");
    assert_eq!(a.writes(), None);
    assert!(a.permits.owners.values().all(|of| of.mine.is_empty()));
}

#[test]
fn a_pod_that_served_meanwhile_asks_anew() {
    let (mut api, mut a, mut b) = two();
    a.take("n1", 5);
    api.carry_out(&mut a);
    api.tell(&mut b);
    for replica in [&mut a, &mut b] {
        replica.see(pod("n1", 6, true));
    }
    a.give_back("n1");
    // Its module is gone, and the base serves another version again.
    a.see(pod("n1", 7, false));
    assert!(!a.take("n1", 7), "others may have struck it off");
    b.take("n2", 5);
    assert!(api.carry_out(&mut b), "as this one does");
    assert!(!api.carry_out(&mut a) && !a.holds("n1"));
    // One whose watch lags still sees it served before it asked.
    b.see(pod("n2", 8, true));
    a.see(pod("n2", 8, true));
    a.now += s(1);
    assert!(api.carry_out(&mut a) && a.holds("n1"));
    api.tell(&mut b);
    b.give_back("n2");
    b.take("n3", 9);
    assert_eq!(b.writes(), None, "it asked after that");
}

#[test]
fn nothing_is_taken_before_the_leases_are_known() {
    let mut config = Config::new("dev");
    config.cluster = Some(ClusterConfig {
        client_id: "me".into(),
        incarnation: "me".into(),
        pod_uid: "".into(),
        levels: 3,
    });
    let permits = Permits::new(&config);
    let mut early = Replica { permits, place: 0, owns: Vec::new(), now: s(1), written: 0 };
    assert!(!early.take("n1", 1) && early.writes().is_none() && early.permits.next_wake().is_none());
    early.permits.synced();
    assert!(early.writes().is_some());
}

#[test]
fn one_write_takes_as_many_as_there_is_room_for() {
    let mut a = Replica::shared(&[]);
    for n in 1..=9 {
        a.see(pod(&format!("o{n}"), 1, true));
        a.see(pod(&format!("n{n}"), 1, false));
    }
    a.permits.see_workload(&allows(3, 9));
    assert!((1..=9).all(|n| !a.take(&format!("n{n}"), 1)));
    let mut api = Api::default();
    assert!(api.carry_out(&mut a));
    assert_eq!((api.holders().len(), a.freed().len(), a.written), (3, 3, 1));
}

#[test]
fn the_lease_goes_with_the_last_pod_of_its_owner() {
    let (mut api, mut a, mut b) = two();
    a.take("n1", 5);
    api.carry_out(&mut a);
    api.tell(&mut b);
    let sweep = |replica: &mut Replica| {
        let mut out = Vec::new();
        replica.permits.sweep(replica.now, &mut out);
        out
    };
    assert!(sweep(&mut b).is_empty());
    b.permits.lose_pod(&"n1".into());
    assert!(sweep(&mut b).is_empty(), "it has another");
    b.permits.lose_pod(&"n2".into());
    let lease = api.lease.clone().unwrap();
    let (name, uid, resource_version) = (lease.name.clone(), lease.uid.clone(), lease.resource_version);
    assert_eq!(sweep(&mut b), [Action::Request(Request::DeletePermits { name, uid, resource_version })]);
    b.ended(&lease, Ok(()));
    b.permits.lose_lease(&lease.name, &lease.uid);
    assert_eq!(b.writes(), None);
    assert!(b.permits.owners.is_empty());
}

#[test]
fn a_lease_that_is_not_what_its_name_says_counts_for_nothing() {
    let (mut api, mut a, mut b) = two();
    a.take("n1", 5);
    api.carry_out(&mut a);
    if let Some(lease) = &mut api.lease {
        lease.name = "permits-of-somebody".into();
    }
    api.tell(&mut b);
    b.take("n2", 5);
    assert!(b.writes().is_some());
}
