//! The rules of the ordering, each with its test.

use super::*;
use crate::view::Owner;

fn id(version: &str) -> BizId {
    BizId { name: "biz1".parse().unwrap(), version: version.parse().unwrap() }
}

/// A claim of the Deployment `d` for a version.
fn claim(version: &str) -> Claim {
    Claim {
        uid: format!("uid-{version}").into(),
        index: 0,
        spec: Arc::new(ModuleSpec {
            id: id(version),
            url: "file:///p.jar".parse().unwrap(),
            strategy: InstallStrategy::Auto,
            args: [].into(),
            envs: [].into(),
        }),
        owner: Some(Owner { namespace: "ns".into(), kind: "Deployment".into(), name: "d".into() }),
        ready: false,
        draining: false,
        due: true,
        failed: false,
        barred: false,
        held: false,
        replaces: false,
        stale: false,
    }
}

fn ready(version: &str) -> Claim {
    Claim { ready: true, ..claim(version) }
}

/// A base that can switch, all of whose biz are ours, with nothing at work.
fn decide(
    claims: &[Claim],
    held: &[(&str, BizState)],
    change: impl FnOnce(&mut Situation<'_>),
) -> Arrangement {
    let held: Vec<_> = held.iter().map(|(version, state)| (id(version), *state)).collect();
    let removable: Vec<_> = held.iter().map(|(id, _)| id.clone()).collect();
    let mut situation = Situation {
        claims,
        held: &held,
        removable: &removable,
        strays: &[],
        leaving: &[],
        draining: &[],
        at_work: None,
        can_switch: true,
        can_replace: true,
        permit: false,
    };
    change(&mut situation);
    arrange(&situation)
}

use BizState::{Activated, Broken, Deactivated};

#[test]
fn nothing_there_is_installed() {
    let got = decide(&[claim("1")], &[], |_| {});
    assert_eq!(got.step, Some(Step::Install(0, WireStrategy::InstallOnly)));
    assert!(!got.others_yield && !got.wants_permit);
}

#[test]
fn o5_a_newer_version_is_installed_beside_and_then_switched_to() {
    let claims = [claim("2"), ready("1")];
    let beside = decide(&claims, &[("1", Activated)], |_| {});
    assert_eq!(beside.step, Some(Step::Install(0, WireStrategy::InstallOnly)));
    assert!(!beside.others_yield, "the older one serves on");
    // The base holds both: the older Pod yields first, and only then is it switched.
    let held = [("1", Activated), ("2", Deactivated)];
    let yields = decide(&claims, &held, |_| {});
    assert_eq!((yields.step.clone(), yields.others_yield), (None, true), "{yields:?}");
    let switched = decide(&[claim("2"), claim("1")], &held, |_| {});
    assert_eq!(switched.step, Some(Step::Switch(0)));
}

#[test]
fn o4_the_newer_is_not_ready_before_the_older_is_known_not_to_be() {
    let held = [("1", Deactivated), ("2", Activated)];
    let waits = decide(&[claim("2"), ready("1")], &held, |_| {});
    assert!(waits.others_yield && waits.target_waits);
    let may = decide(&[claim("2"), claim("1")], &held, |_| {});
    assert!(may.others_yield && !may.target_waits);
    assert_eq!(may.step, None, "the older version stays until its Pod goes");
}

#[test]
fn o6_a_base_that_refuses_two_versions_replaces_after_permit_and_yielding() {
    let replacing = |ready: bool| [Claim { replaces: true, ..claim("2") }, Claim { ready, ..claim("1") }];
    let held = [("1", Activated)];
    let asks = decide(&replacing(true), &held, |_| {});
    assert!(asks.wants_permit && !asks.others_yield && asks.step.is_none(), "{asks:?}");
    let yields = decide(&replacing(true), &held, |s| s.permit = true);
    assert!(yields.others_yield && yields.step.is_none(), "{yields:?}");
    let replaces = decide(&replacing(false), &held, |s| s.permit = true);
    assert_eq!(replaces.step, Some(Step::Install(0, WireStrategy::UninstallThenInstall)));
}

#[test]
fn a_base_that_cannot_switch_replaces_what_it_holds_deactivated() {
    let held = [("1", Activated), ("2", Deactivated)];
    let got = decide(&[claim("2"), claim("1")], &held, |s| {
        s.can_switch = false;
        s.permit = true;
    });
    assert_eq!(got.step, Some(Step::Install(0, WireStrategy::UninstallThenInstall)));
}

/// As those before koupleless 1.3.
#[test]
fn a_base_that_knows_no_strategy_is_made_room_on_under_the_same_permit_and_drain() {
    let on_old = |claims: &[Claim], held: &[(&str, BizState)], permit: bool, can_switch: bool| {
        decide(claims, held, |s| {
            (s.can_replace, s.permit, s.can_switch) = (false, permit, can_switch);
        })
    };
    let claims = |ready: bool| [Claim { replaces: true, ..claim("2") }, Claim { ready, ..claim("1") }];
    let held = [("1", Activated)];
    let asks = on_old(&claims(true), &held, false, true);
    assert!(asks.wants_permit && !asks.others_yield && asks.step.is_none(), "{asks:?}");
    let yields = on_old(&claims(true), &held, true, true);
    assert!(yields.others_yield && yields.step.is_none(), "{yields:?}");
    assert_eq!(on_old(&claims(false), &held, true, true).step, Some(Step::MakeRoom(id("1"), 0)));
    assert_eq!(
        on_old(&claims(false), &[], true, true).step,
        Some(Step::Install(0, WireStrategy::InstallOnly))
    );
    // The first try is beside what serves, whatever the Pod says.
    let told = |claim: Claim| Claim {
        spec: Arc::new(ModuleSpec {
            strategy: InstallStrategy::UninstallThenInstall,
            ..(*claim.spec).clone()
        }),
        ..claim
    };
    let empty = on_old(&[told(claim("2"))], &[], false, true);
    assert_eq!(empty.step, Some(Step::Install(0, WireStrategy::InstallOnly)));
    // Another package of the same version.
    let stale = [Claim { stale: true, ..claim("1") }];
    assert!(on_old(&stale, &held, false, true).wants_permit);
    assert_eq!(on_old(&stale, &held, true, true).step, Some(Step::MakeRoom(id("1"), 0)));
    // One that cannot switch either: what is deactivated would be refused as a repeat.
    let both = [("1", Activated), ("2", Deactivated)];
    assert_eq!(on_old(&claims(false), &both, true, false).step, Some(Step::MakeRoom(id("2"), 0)));
    assert_eq!(on_old(&claims(false), &both, true, true).step, Some(Step::Switch(0)));
}

#[test]
fn o3_a_barred_version_does_not_displace_and_intermediate_ones_are_skipped() {
    let claims = [Claim { barred: true, ..claim("3") }, claim("2"), claim("1")];
    let got = decide(&claims, &[("1", Activated)], |_| {});
    assert_eq!(got.target, Some(1));
    let skips = decide(&[claim("3"), claim("2"), claim("1")], &[("1", Activated)], |_| {});
    assert_eq!(skips.step, Some(Step::Install(0, WireStrategy::InstallOnly)));
}

#[test]
fn o9_a_bar_means_nothing_where_there_is_no_other() {
    let got = decide(&[Claim { barred: true, ..claim("2") }], &[], |_| {});
    assert_eq!(got.step, Some(Step::Install(0, WireStrategy::InstallOnly)));
    // The older one is installed again after the newer one failed in its place.
    let back = decide(&[Claim { barred: true, ..claim("2") }, claim("1")], &[], |_| {});
    assert_eq!(back.step, Some(Step::Install(1, WireStrategy::InstallOnly)));
}

#[test]
fn while_nothing_serves_one_that_fails_gives_way_to_an_older_one() {
    let failing = Claim { failed: true, ..claim("2") };
    let empty = decide(&[failing.clone(), claim("1")], &[], |_| {});
    assert_eq!(empty.step, Some(Step::Install(1, WireStrategy::InstallOnly)));
    // Where all have failed, whichever is due is tried.
    let waits = Claim { due: false, ..failing.clone() };
    let old = Claim { failed: true, ..claim("1") };
    assert_eq!(decide(&[waits, old], &[], |_| {}).step, Some(Step::Install(1, WireStrategy::InstallOnly)));
    // Once the older one serves, the newer one is tried again beside it.
    let serves = decide(&[failing, claim("1")], &[("1", Activated)], |_| {});
    assert_eq!(serves.step, Some(Step::Install(0, WireStrategy::InstallOnly)));
}

#[test]
fn o8_what_a_deleted_pod_serves_stays_until_the_newer_one_does() {
    let leaving: &[BizId] = vec![id("1")].leak();
    let held = [("1", Activated)];
    let not_due = Claim { due: false, ..claim("2") };
    let stays = decide(std::slice::from_ref(&not_due), &held, |s| s.leaving = leaving);
    assert_eq!(stays.step, None);
    let over = decide(&[not_due], &held, |_| {});
    assert_eq!(over.step, Some(Step::Uninstall(id("1"), None)), "its time is over");
    let after = decide(&[claim("2")], &[("1", Deactivated), ("2", Activated)], |s| s.leaving = leaving);
    assert_eq!(after.step, Some(Step::Uninstall(id("1"), None)));
}

#[test]
fn what_nobody_wants_goes_and_what_is_not_ours_stays() {
    assert_eq!(decide(&[], &[("1", Activated)], |_| {}).step, Some(Step::Uninstall(id("1"), None)));
    assert_eq!(decide(&[], &[("1", Activated)], |s| s.removable = &[]).step, None);
}

#[test]
fn what_came_by_mistake_goes_before_anything_else() {
    let strays: &[BizId] = vec![id("9")].leak();
    let got = decide(&[claim("1")], &[("9", Activated)], |s| s.strays = strays);
    assert_eq!(got.step, Some(Step::Uninstall(id("9"), None)));
}

#[test]
fn of_several_claims_for_one_version_each_is_tried() {
    let first = Claim { due: false, ..claim("1") };
    let got = decide(&[first, claim("1")], &[], |_| {});
    assert_eq!(got.step, Some(Step::Install(1, WireStrategy::InstallOnly)));
}

#[test]
fn what_is_left_of_a_failed_start_makes_room_first() {
    let got = decide(&[claim("1")], &[("1", Broken)], |_| {});
    assert_eq!(got.step, Some(Step::Uninstall(id("1"), Some(0))));
}

#[test]
fn o1_nothing_is_sent_while_a_command_is_at_work() {
    let claims = [claim("2"), claim("1")];
    for at_work in [AtWork::Harmless, AtWork::Displacing] {
        let got = decide(&claims, &[("1", Activated)], |s| s.at_work = Some(at_work));
        assert_eq!((got.step, got.others_yield), (None, at_work == AtWork::Displacing));
    }
}

#[test]
fn o13_deployments_of_one_name_in_two_namespaces_are_two_owners() {
    let owner = |namespace: &str| {
        Some(Owner { namespace: namespace.into(), kind: "Deployment".into(), name: "d".into() })
    };
    let (ours, theirs) =
        (Claim { owner: owner("a"), ..claim("1") }, Claim { owner: owner("b"), ..claim("2") });
    assert!(!ours.is_of_same_owner(&theirs));
    assert!(ours.is_of_same_owner(&Claim { owner: owner("a"), ..claim("2") }));
}

/// It would be uninstalled for one that may not be installed then.
#[test]
fn who_may_not_displace_what_serves_does_not_act_for_one_that_may_and_waits() {
    let waits = Claim { replaces: true, due: false, failed: true, ..claim("2") };
    let barred = Claim { barred: true, uid: "other".into(), failed: false, ..claim("2") };
    let claims = [waits, barred, claim("1")];
    let arranged = decide(&claims, &[("1", Activated)], |s| (s.can_replace, s.permit) = (false, true));
    assert_eq!((arranged.target, arranged.step), (Some(0), None));
}

/// It may wait for ever: the same has failed on another base.
#[test]
fn what_nobody_asks_for_goes_while_a_newer_one_waits_for_its_permit() {
    let claims = [Claim { replaces: true, ..claim("3") }, ready("1")];
    let held = [("1", Activated), ("2", Deactivated)];
    assert_eq!(decide(&claims, &held, |_| {}).step, Some(Step::Uninstall(id("2"), None)));
    let served = decide(&claims[..1], &[("1", Activated)], |_| {});
    assert!(served.wants_permit && served.step.is_none(), "what serves stays until then: {served:?}");
}
