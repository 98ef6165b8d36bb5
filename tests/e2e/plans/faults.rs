//! Plans while bases fail, fall silent, come and go, and while another plan is under way.

use testkit::controller::{Controller, REPLICA};

use super::*;

/// A base is silent after 25 s; this allows for a busy machine.
const SILENCE: Duration = Duration::from_secs(90);

fn has(base: &Simulated, id: &str) -> bool {
    base.biz().contains_key(id)
}

#[test]
fn what_fails_in_the_second_batch_goes_back_everywhere() -> Result<()> {
    let (scene, bases) = serving(3)?;
    scene.cluster.apply(&plan(&scene, "p", "2.0.0").to_string())?;
    release(&scene, "2.0.0", Some("p"))?;
    let waiting = wait_phase(&scene, "p", "AwaitingConfirm")?;
    for base in bases.iter().filter(|base| !has(base, "biz1:2.0.0")) {
        base.fail_at_start("biz1:2.0.0");
    }
    steer(&scene, "p", &json!({"confirmed": waiting["status"]["confirmable"]}))?;
    let failed = wait_phase_within(&scene, "p", "Failed", SILENCE)?;
    ensure!(failed["status"]["batch"] == "rest (2/2)", "{}", failed["status"]);
    ensure!(
        bases.iter().all(|base| has(base, "biz1:1.0.0") || has(base, "biz1:2.0.0")),
        "a base serves nothing"
    );
    scene.kubectl(&["rollout", "undo", "deployment/biz1"])?;
    wait_phase(&scene, "p", "RolledBack")?;
    wait_stand(&scene, "1.0.0", 3, 0)?;
    wait_for("the bad version is nowhere", SOON, || {
        let seen: Vec<_> = bases.iter().map(Simulated::biz).collect();
        ensure!(bases.iter().all(|base| !has(base, "biz1:2.0.0")), "{seen:?}");
        Ok(Some(()))
    })
}

#[test]
fn while_over_half_of_the_bases_are_silent_nothing_is_released_and_with_half_of_them_it_goes_on() -> Result<()>
{
    let (scene, bases) = serving(4)?;
    scene.cluster.apply(&plan(&scene, "p", "2.0.0").to_string())?;
    release(&scene, "2.0.0", Some("p"))?;
    let waiting = wait_phase(&scene, "p", "AwaitingConfirm")?;
    let (_, others): (Vec<_>, Vec<_>) = bases.iter().partition(|base| has(base, "biz1:2.0.0"));
    others.iter().for_each(|base| base.fall_silent());
    wait_for("three of four bases are unavailable", SILENCE, || {
        let plan = scene.cluster.kubectl_json(&["-n", &scene.namespace, "get", "plan", "p"])?;
        ensure!(plan["status"]["unavailable"] == 3, "{}", plan["status"]);
        Ok(Some(()))
    })?;
    steer(&scene, "p", &json!({"confirmed": waiting["status"]["confirmable"]}))?;
    wait_for("the guard says so", SOON, || {
        let plan = scene.cluster.kubectl_json(&["-n", &scene.namespace, "get", "plan", "p"])?;
        let code = text(&plan, "/status/code");
        ensure!(code == "ModuleController.OverFiftyPercentBaseInstancesUnavaliable", "{}", plan["status"]);
        Ok(Some(()))
    })?;
    ensure!(others.iter().all(|base| !has(base, "biz1:2.0.0")), "a base was released");
    others[0].speak_again();
    wait_for("it goes on when half of them are there", SILENCE, || {
        ensure!(has(others[0], "biz1:2.0.0"), "{:?}", others[0].biz());
        Ok(Some(()))
    })?;
    others.iter().for_each(|base| base.speak_again());
    wait_phase_within(&scene, "p", "Succeeded", SILENCE)?;
    wait_stand(&scene, "2.0.0", 4, 0)
}

#[test]
fn bases_come_go_and_start_anew_while_a_batch_waits_and_each_serves() -> Result<()> {
    let (scene, mut bases) = serving(4)?;
    scene.cluster.apply(&plan(&scene, "p", "2.0.0").to_string())?;
    release(&scene, "2.0.0", Some("p"))?;
    wait_phase(&scene, "p", "AwaitingConfirm")?;
    let first = bases.iter().position(|base| has(base, "biz1:2.0.0")).context("none was released")?;
    bases.swap(0, first);
    let gone = bases.pop().context("four bases")?;
    gone.say_goodbye()?;
    bases[1].start_anew();
    bases[2].fall_silent();
    bases.push(Simulated::start(&scene.controller.http_tunnel(), &scene.base_version)?);
    wait_for("the base that started anew has what served", SILENCE, || {
        ensure!(has(&bases[1], "biz1:1.0.0"), "{:?}", bases[1].biz());
        Ok(Some(()))
    })?;
    // One that has just come may rank among those of the first batch, and serves nothing that it could lose.
    let never = || Ok(bases[1..3].iter().any(|base| has(base, "biz1:2.0.0")));
    stays("nothing that waits was released", WATCHED, &false, never)?;
    bases[2].speak_again();
    // A batch that took another base soaks again, and then offers another number.
    wait_for("the plan has succeeded", SILENCE, || {
        let plan = scene.cluster.kubectl_json(&["-n", &scene.namespace, "get", "plan", "p"])?;
        let offered = &plan["status"]["confirmable"];
        if !offered.is_null() && plan["spec"]["confirmed"] != *offered {
            steer(&scene, "p", &json!({ "confirmed": offered }))?;
        }
        ensure!(text(&plan, "/status/phase") == "Succeeded", "{}", plan["status"]);
        Ok(Some(()))
    })?;
    wait_stand(&scene, "2.0.0", 4, 0)?;
    ensure!(bases.iter().all(|base| has(base, "biz1:2.0.0")), "{:?}", bases[3].biz());
    Ok(())
}

/// The same module by two workloads, on two replicas: the one that leads now is killed in the middle.
#[test]
fn the_later_of_two_plans_waits_for_the_earlier_whichever_replica_leads() -> Result<()> {
    let mut scene = Scene::start(Way::Http, &[&[ON][..], &REPLICA].concat())?;
    let other = Controller::start(scene.controller.options().clone())?;
    // The replica that hears the bases is the one that stays.
    let tunnel = other.http_tunnel();
    let bases: Vec<Simulated> =
        (0..2).map(|_| Simulated::start(&tunnel, &scene.base_version)).collect::<Result<_>>()?;
    release(&scene, "1.0.0", None)?;
    scene.wait_pods_ready(2)?;
    scene.cluster.apply(&plan(&scene, "p", "2.0.0").to_string())?;
    release(&scene, "2.0.0", Some("p"))?;
    let waiting = wait_phase(&scene, "p", "AwaitingConfirm")?;

    let mut later = plan(&scene, "q", "3.0.0");
    later["spec"]["target"]["name"] = json!("rival");
    scene.cluster.apply(&later.to_string())?;
    let mut rival = workload(&scene, &manifest::container("biz1", "3.0.0")?, Some("q"));
    rival["metadata"]["name"] = json!("rival");
    rival["spec"]["selector"]["matchLabels"] = json!({"app": "rival"});
    rival["spec"]["template"]["metadata"]["labels"]["app"] = json!("rival");
    scene.cluster.apply(&rival.to_string())?;
    let said = |plan: &Value| {
        let code = text(plan, "/status/code") == "KouplelessBoard.OperationPlanMutualExclusion";
        code && text(plan, "/status/message").contains("plan p")
    };
    let excluded = wait_phase(&scene, "q", "Pending")?;
    let excluded = if said(&excluded) {
        excluded
    } else {
        wait_for("the later plan names the earlier", SOON, || {
            let plan = scene.cluster.kubectl_json(&["-n", &scene.namespace, "get", "plan", "q"])?;
            ensure!(said(&plan), "{}", plan["status"]);
            Ok(Some(plan))
        })?
    };
    ensure!(excluded["status"]["digest"] == Value::Null, "it has begun: {}", excluded["status"]);
    scene.controller.kill()?;
    stays("the earlier waits for a person", WATCHED, &(1, 1), || stand(&scene, "2.0.0"))?;
    steer(&scene, "p", &json!({"confirmed": waiting["status"]["confirmable"]}))?;
    wait_phase_within(&scene, "p", "Succeeded", SILENCE)?;
    wait_phase_within(&scene, "q", "AwaitingConfirm", SILENCE)?;
    let newest = bases.iter().filter(|base| has(base, "biz1:3.0.0")).count();
    ensure!(newest == 1, "{newest} bases have the later version");
    drop(other);
    Ok(())
}
