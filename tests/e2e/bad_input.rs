//! What cannot work says so: in the container's state, in an Event, with code, meaning and suggestion,
//! and never with a stack trace.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{
    Scene, Way, manifest,
    scene::node_name,
    seen::{is_ready, summary, text},
    snapshot::{commands, starts},
};
use serde_json::{Value, json};
use testkit::{
    java_base::JavaBase,
    package_server::{Behaviour, PackageServer},
    wait::{stays, wait_for},
};

/// A Pod with one container, and what it shall say.
struct Case {
    pod: &'static str,
    container: Value,
    annotations: &'static [(&'static str, &'static str)],
    code: &'static str,
    /// In the message, beside meaning and suggestion.
    cause: &'static str,
}

impl Case {
    fn new(pod: &'static str, container: Value, code: &'static str, cause: &'static str) -> Self {
        Self { pod, container, annotations: &[], code, cause }
    }

    fn manifest(&self, scene: &Scene, node: &str) -> Value {
        let pod = manifest::pod(scene, self.pod, Some(node), std::slice::from_ref(&self.container));
        manifest::annotated(pod, self.annotations)
    }

    fn check(&self, scene: &Scene) -> Result<()> {
        let (meaning, suggestion) = match self.code {
            "OtherUpstream.InvalidParameter" => ("Parameter validation failed", "Check the parameters"),
            "OtherUpstream.DecodeURLFailed" => ("The URL cannot be parsed", "Check that the URL is legal"),
            "Arklet.PullBizError" => ("Pulling the package failed", "Retry"),
            "Arklet.InstallationRequirementNotMet" => (
                "The conditions for installing the module are not met",
                "Check the parameters that an installation needs",
            ),
            "Arklet.InstallBizFailed" => {
                ("While installing the module, the new module's installation failed", "Investigate")
            }
            "User.InstallBizUserError" => {
                ("Installing the module failed with a business exception", "Check the business code")
            }
            other => anyhow::bail!("nobody knows the code {other}"),
        };
        let message = scene.wait_waiting(self.pod, self.code)?;
        let event = scene.wait_event(self.pod, self.code)?;
        for told in [message.as_str(), text(&event, "/note")] {
            for said in [self.cause, meaning, suggestion] {
                ensure!(told.contains(said), "{}: {said:?} is not in {told:?}", self.pod);
            }
            for unsaid in ["\n", "\tat ", "secret"] {
                ensure!(!told.contains(unsaid), "{}: {unsaid:?} is in {told:?}", self.pod);
            }
        }
        ensure!(event["type"] == "Warning" && event["regarding"]["kind"] == "Pod", "{event}");
        let pod = scene.pod(self.pod)?;
        ensure!(!is_ready(&pod), "{}", summary(&pod));
        Ok(())
    }
}

fn check_all(scene: &Scene, base: &JavaBase, cases: &[Case]) -> Result<()> {
    let node = node_name(base);
    let manifests: Vec<String> = cases.iter().map(|case| case.manifest(scene, &node).to_string()).collect();
    scene.cluster.apply(&manifests.join("\n"))?;
    let failed: Vec<String> =
        cases.iter().filter_map(|case| case.check(scene).err()).map(|error| format!("{error:#}")).collect();
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}

over_every_way!(
    what_cannot_be_is_told_and_nothing_is_sent,
    what_the_base_refuses_is_told_in_a_line_and_tried_again,
    a_module_that_is_there_is_taken_over_and_stays_until_its_last_pod_goes,
    a_second_version_on_a_web_context_path_that_is_taken_fails_and_the_first_serves,
);

fn what_cannot_be_is_told_and_nothing_is_sent(way: Way) -> Result<()> {
    let scene = Scene::start(way, &[])?;
    let base = &scene.bases(1)?[0];
    let upstream = "OtherUpstream.InvalidParameter";
    let url = "OtherUpstream.DecodeURLFailed";
    let good = || manifest::container("biz1", "1.0.0");
    let with_image = |image: &str| manifest::container_of("biz1", "1.0.0", image);
    let annotated = |pod, annotations, cause| -> Result<Case> {
        Ok(Case { annotations, ..Case::new(pod, good()?, upstream, cause) })
    };
    let nameless = json!({"name": "biz1", "image": "file:///biz1.jar"});
    check_all(
        &scene,
        base,
        &[
            Case::new("no-version", nameless, upstream, "BIZ_VERSION"),
            Case::new(
                "empty-version",
                manifest::container_of("biz1", "", "file:///biz1.jar"),
                upstream,
                "BIZ_VERSION",
            ),
            Case::new("no-url", with_image("biz1.jar"), url, "cannot be parsed"),
            Case::new("half-a-url", with_image("http://[::1"), url, "cannot be parsed"),
            Case::new("strange-scheme", with_image("sftp://host/biz1.jar"), url, "\"sftp\""),
            annotated(
                "args-no-array",
                &[("args", "--biz.fail=true")],
                "module-controller.koupleless.io/args",
            )?,
            annotated("no-strategy", &[("install-strategy", "now")], "\"now\" is no install strategy")?,
        ],
    )?;
    blank_image(&scene, base)?;
    foreign_pod(&scene, base)?;
    ensure!(commands(base).is_empty(), "the base was told to {:?}", commands(base));
    ensure!(base.query_all_biz()?.is_empty(), "{:?}", base.query_all_biz()?);
    Ok(())
}

/// Newer API servers refuse a Pod with a blank image themselves; one that came through an older one is
/// told as any other.
fn blank_image(scene: &Scene, base: &JavaBase) -> Result<()> {
    let container = manifest::container_of("biz1", "1.0.0", " ");
    let case = Case::new("blank", container, "OtherUpstream.InvalidParameter", "is blank");
    let manifest = case.manifest(scene, &node_name(base)).to_string();
    match scene.cluster.apply(&manifest) {
        Ok(()) => case.check(scene),
        Err(refusal) => {
            let refusal = format!("{refusal:#}");
            ensure!(refusal.contains("image") && refusal.contains("whitespace"), "{refusal}");
            Ok(())
        }
    }
}

/// A Pod that is no module but tolerates everything, as DaemonSets of the cluster do: nothing would run
/// it, and nothing would finish its deletion.
fn foreign_pod(scene: &Scene, base: &JavaBase) -> Result<()> {
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "foreign", "namespace": scene.namespace, "labels": {"app": "log-collector"}},
        "spec": {
            "nodeName": node_name(base),
            "containers": [{"name": "collector", "image": "collector:1"}],
            "tolerations": [{"operator": "Exists"}],
        },
    });
    scene.cluster.apply(&pod.to_string())?;
    let event = scene.wait_event("foreign", "OtherUpstream.InvalidRequest")?;
    let note = text(&event, "/note");
    ensure!(note.contains("module-controller.koupleless.io/component: module"), "{note}");
    scene.kubectl(&["delete", "pod", "foreign", "--wait=false"])?;
    wait_for("the foreign Pod is gone, long before its 30 s of grace", Duration::from_secs(10), || {
        let left = scene.pods(&["-l", "app=log-collector"])?;
        ensure!(left.is_empty(), "{:?}", left.iter().map(summary).collect::<Vec<_>>());
        Ok(Some(()))
    })
}

fn what_the_base_refuses_is_told_in_a_line_and_tried_again(way: Way) -> Result<()> {
    let scene = Scene::start(way, &[("LOG_LEVEL", "debug")])?;
    let base = &scene.bases(1)?[0];
    let packages = PackageServer::start()?;
    packages.set("slow", "1.0.0", Behaviour::NotFound);
    packages.set("garbage", "1.0.0", Behaviour::Garbage);
    let by_http = |name: &str, query: &str| {
        manifest::container_of(name, "1.0.0", &format!("{}{query}", packages.url(name, "1.0.0")))
    };
    let other_name = manifest::container_of("other", "1.0.0", &manifest::file_url("biz1", "1.0.0")?);
    let other_version = manifest::container_of("biz2", "9.9.9", &manifest::file_url("biz2", "1.0.0")?);
    let absent = manifest::container_of("absent", "1.0.0", "file:///nowhere/absent.jar");
    let (pull, wrong) = ("Arklet.PullBizError", "OtherUpstream.InvalidParameter");
    let user = "User.InstallBizUserError";
    let (no_manifest, requirement) = ("garbage", "Arklet.InstallationRequirementNotMet");
    check_all(
        &scene,
        base,
        &[
            Case::new("no-file", absent, pull, "/nowhere/absent.jar"),
            Case {
                annotations: &[("args", r#"["--biz.delay.ms=0"]"#)],
                ..Case::new("not-found", by_http("slow", "?token=secret"), pull, "slow-1.0.0-ark-biz.jar")
            },
            Case::new("no-package", by_http("garbage", ""), requirement, no_manifest),
            Case::new(
                "fails",
                manifest::container("failing", "1.0.0")?,
                user,
                "failing told to fail at start-up",
            ),
            Case::new("other-name", other_name, wrong, "the package's manifest says biz1:1.0.0"),
            Case::new("other-version", other_version, wrong, "the package's manifest says biz2:1.0.0"),
        ],
    )?;
    ensure!(scene.controller.log().contains("at modulecontroller.biz.BizApp"), "the log has no stack trace");
    scene.kubectl(&[
        "delete",
        "pod",
        "no-file",
        "no-package",
        "fails",
        "other-name",
        "other-version",
        "--wait=false",
    ])?;
    packages.set("slow", "1.0.0", Behaviour::Serve);
    scene.wait_pods_ready(1)?;
    let tried_again = scene.pod("not-found")?;
    ensure!(tried_again["status"]["containerStatuses"][0]["restartCount"] != 0, "{}", summary(&tried_again));
    wait_for("nothing is left behind on the base", Duration::from_secs(20), || {
        let biz = base.query_all_biz()?;
        ensure!(biz.len() == 1 && biz[0].name == "slow", "{biz:?}");
        Ok(Some(()))
    })
}

fn a_module_that_is_there_is_taken_over_and_stays_until_its_last_pod_goes(way: Way) -> Result<()> {
    let scene = Scene::start(way, &[])?;
    let base = &scene.bases(1)?[0];
    // The controller has read the base's list before: it finds out when the base refuses a repeat.
    base.install("biz2", "1.0.0")?;
    for pod in ["first", "second"] {
        let node = node_name(base);
        let pod = manifest::pod(&scene, pod, Some(&node), &[manifest::container("biz2", "1.0.0")?]);
        scene.cluster.apply(&pod.to_string())?;
    }
    for pod in scene.wait_pods_ready(2)? {
        ensure!(pod["status"]["containerStatuses"][0]["restartCount"] == 0, "{}", pod["status"]);
    }
    ensure!(starts(base) == 1, "it came up {} times", starts(base));

    let delete = |pod: &str| scene.kubectl(&["delete", "pod", pod, "--wait=false"]);
    delete("first")?;
    scene.wait_pods_ready(1)?;
    let serves = Some("1.0.0".to_owned());
    stays("the module after its first Pod", Duration::from_secs(3), &serves, || base.serving("biz2"))?;
    ensure!(starts(base) == 1, "it came up {} times", starts(base));
    delete("second")?;
    wait_for("the second Pod and the module are gone", Duration::from_secs(20), || {
        let (pods, biz) = (scene.pods(&[])?, base.query_all_biz()?);
        ensure!(pods.is_empty() && biz.is_empty(), "{} Pods, {biz:?}", pods.len());
        Ok(Some(()))
    })
}

fn a_second_version_on_a_web_context_path_that_is_taken_fails_and_the_first_serves(way: Way) -> Result<()> {
    let scene = Scene::start(way, &[])?;
    let base = &scene.bases(1)?[0];
    let node = node_name(base);
    let only = &[("install-strategy", "installOnly")];
    let first = manifest::pod(&scene, "first", Some(&node), &[manifest::container("biz1", "1.0.0")?]);
    scene.cluster.apply(&manifest::annotated(first, only).to_string())?;
    scene.wait_pods_ready(1)?;
    let path = "the web context path \"biz1\" is taken";
    let second = manifest::container("biz1", "2.0.0")?;
    let second = Case { annotations: only, ..Case::new("second", second, "Arklet.InstallBizFailed", path) };
    check_all(&scene, base, &[second])?;
    let first = scene.pod("first")?;
    ensure!(is_ready(&first), "{}", summary(&first));
    ensure!(base.serving("biz1")?.as_deref() == Some("1.0.0"), "{:?}", base.serving("biz1")?);
    Ok(())
}
