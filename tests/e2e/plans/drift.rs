//! ModuleBaseline objects: what somebody changes by hand on a base is told, and nothing is mended because of that.

use std::{thread, time::Instant};

use super::*;

const KIND: &str = "modulebaseline";

/// A ModuleBaseline of a scene's own: it belongs to no namespace.
struct Baseline<'a> {
    scene: &'a Scene,
    name: String,
}

impl<'a> Baseline<'a> {
    fn of(scene: &'a Scene) -> Result<Self> {
        let name = format!("baseline-{}", scene.env);
        let object = json!({
            "apiVersion": "koupleless.io/v1alpha1",
            "kind": "ModuleBaseline",
            "metadata": {"name": name},
            "spec": {
                "environment": scene.env,
                "selector": {"matchLabels": {"module-controller.koupleless.io/env": scene.env}},
            },
        });
        scene.cluster.apply(&object.to_string())?;
        Ok(Self { scene, name })
    }

    fn status(&self) -> Result<Value> {
        Ok(self.scene.cluster.kubectl_json(&["get", KIND, &self.name])?["status"].clone())
    }

    fn wait(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Result<Value> {
        wait_for(what, SILENCE, || {
            let status = self.status()?;
            ensure!(is_so(&status), "{status}");
            Ok(Some(status))
        })
    }

    /// So many bases are as they are wanted, and no other was looked at.
    fn wait_consistent(&self, bases: usize) -> Result<Value> {
        self.wait(&format!("{bases} bases are as they are wanted"), |status| {
            let is_true = condition(status, "Consistent")["status"] == "True";
            is_true && status["bases"] == bases && status["notReady"] == 0 && status["code"].is_null()
        })
    }
}

impl Drop for Baseline<'_> {
    fn drop(&mut self) {
        // Whoever fails has said why already.
        let _ = self.scene.cluster.kubectl(&["delete", KIND, &self.name, "--wait=false"]);
    }
}

/// A base is silent after 25 s, and is asked what it has every few; this allows for a busy machine.
const SILENCE: Duration = Duration::from_secs(90);

/// So long after a base was first seen what nobody asked for may be what was merged into it.
const START_UP: Duration = Duration::from_secs(121);

fn condition<'a>(status: &'a Value, kind: &str) -> &'a Value {
    let all = status["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().find(|condition| condition["type"] == kind).unwrap_or(&Value::Null)
}

fn sample(status: &Value) -> (&str, &str, &str, &str) {
    let of = |key: &str| text(status, &format!("/samples/0/{key}"));
    (of("difference"), of("module"), of("wanted"), of("found"))
}

#[test]
#[ignore = "waits at real deadlines: `cargo xtask test --long` runs it"]
fn what_somebody_installs_on_a_real_base_is_told_until_it_is_gone() -> Result<()> {
    let scene = Scene::start(Way::Http, &[ON])?;
    let bases = scene.bases(2)?;
    release(&scene, "1.0.0", None)?;
    scene.wait_pods_ready(2)?;
    let seen = Instant::now();
    let baseline = Baseline::of(&scene)?;
    let well = baseline.wait_consistent(2)?;
    ensure!(well["environment"] == scene.env.as_str() && well["observedGeneration"] == 1, "{well}");

    // What a Pod asks for is installed again by the controller, as ever.
    bases[1].uninstall("biz1", "1.0.0")?;
    wait_for("both serve", SILENCE, || {
        ensure!(versions(&bases)? == ["1.0.0", "1.0.0"], "{:?}", versions(&bases)?);
        Ok(Some(()))
    })?;
    baseline.wait_consistent(2)?;
    // What comes before counts as merged into the base.
    thread::sleep(START_UP.saturating_sub(seen.elapsed()));
    bases[0].install("biz2", "1.0.0")?;
    let told = baseline.wait("what nobody wants is told", |status| status["extra"] == 1)?;
    ensure!(sample(&told) == ("Extra", "biz2", "", "1.0.0"), "{told}");
    ensure!(text(&told, "/samples/0/base") == e2e::scene::node_name(&bases[0]), "{told}");
    ensure!(told["code"] == "KouplelessBoard.BaselineInconsistency", "{told}");
    ensure!(condition(&told, "Consistent")["status"] == "False", "{told}");
    // The command says the same.
    let shell = Shell::new(&scene.cluster, &scene.namespace)?;
    let shown = shell.outcome(&format!("kubectl koupleless baseline --env {} -o json", scene.env))?;
    let shown: Value = serde_json::from_slice(&shown.stdout)?;
    ensure!(shown["counts"] == json!({"Extra": 1}), "{shown}");
    // Nobody mends it but who put it there.
    let has = || Ok(bases[0].query_all_biz()?.iter().any(|biz| biz.name == "biz2"));
    stays("what was installed by hand", WATCHED, &true, has)?;
    bases[0].uninstall("biz2", "1.0.0")?;
    baseline.wait_consistent(2).map(drop)
}

#[test]
fn what_is_missing_or_of_another_version_is_told_until_it_is_mended() -> Result<()> {
    let (scene, bases) = serving(3)?;
    let baseline = Baseline::of(&scene)?;
    baseline.wait_consistent(3)?;
    bases[0].fail_at_start("biz1:1.0.0");
    bases[0].start_anew();
    let told = baseline.wait("what is missing is told", |status| status["missing"] == 1)?;
    ensure!(sample(&told) == ("Missing", "biz1", "1.0.0", ""), "{told}");
    ensure!(text(&told, "/samples/0/base") == bases[0].node() && told["bases"] == 3, "{told}");
    bases[0].mend("biz1:1.0.0");
    baseline.wait_consistent(3)?;
    // A base of which nobody knows what it has is left out.
    bases[1].fall_silent();
    baseline.wait("the silent base is left out", |status| status["notReady"] == 1 && status["bases"] == 2)?;
    bases[1].speak_again();
    baseline.wait_consistent(3).map(drop)
}

#[test]
fn the_module_of_a_plan_is_left_out_where_the_plan_is_at_work() -> Result<()> {
    let (scene, bases) = serving(2)?;
    let baseline = Baseline::of(&scene)?;
    baseline.wait_consistent(2)?;
    scene.cluster.apply(&plan(&scene, "p", "2.0.0").to_string())?;
    release(&scene, "2.0.0", Some("p"))?;
    wait_phase(&scene, "p", "AwaitingConfirm")?;
    baseline.wait("the base that is held is counted", |status| status["underPlan"] == 1)?;
    // Its base loses what serves, and cannot get it back.
    let held = bases.iter().find(|base| !base.biz().contains_key("biz1:2.0.0")).context("none is held")?;
    held.fail_at_start("biz1:1.0.0");
    held.start_anew();
    wait_for("the older version has failed", SILENCE, || {
        let pods = scene.pods(&["-l", "version=1.0.0"])?;
        let told: Vec<String> = pods.iter().map(summary).collect();
        ensure!(pods.iter().any(|pod| !is_ready(pod)), "{told:?}");
        Ok(Some(()))
    })?;
    let seen = || {
        let status = baseline.status()?;
        Ok((status["missing"].clone(), status["underPlan"].clone(), status["bases"].clone()))
    };
    stays("it is the plan's matter", WATCHED, &(json!(0), json!(1), json!(2)), seen)?;
    // Without the plan it is a difference as any other.
    scene.kubectl(&["rollout", "undo", "deployment/biz1"])?;
    wait_phase(&scene, "p", "RolledBack")?;
    baseline.wait("what is missing is told", |status| status["missing"] == 1 && status["underPlan"] == 0)?;
    held.mend("biz1:1.0.0");
    baseline.wait_consistent(2).map(drop)
}
