//! A Service sends requests to the modules that are Ready, by their bases' addresses.

use std::{net::Ipv4Addr, time::Duration};

use anyhow::{Context, Result, ensure};
use e2e::{Scene, Simulated, Way, manifest, seen::text};
use serde_json::{Value, json};
use testkit::wait::wait_for;

/// EndpointSlices refuse loopback addresses, so that the base claims one of those that are for documentation; over MQTT nobody
/// has to reach it there.
#[test]
fn a_service_has_the_modules_address_as_long_as_it_is_ready() -> Result<()> {
    let scene = Scene::start(Way::Mosquitto, &[("MODULE_DRAIN_MS", "8000")])?;
    let port = scene.broker_port().context("a broker")?;
    let address = Ipv4Addr::new(192, 0, 2, 44);
    let base = Simulated::over_mqtt_from(port, &scene.env, &scene.base_version, address);
    let service = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "biz1", "namespace": scene.namespace},
        "spec": {"selector": {"app": "served"}, "ports": [{"port": 80, "targetPort": 8080}]},
    });
    let biz = manifest::container_of("biz1", "1.0.0", "file:///biz1.jar");
    let pod = manifest::pod(&scene, "served", None, &[biz]);
    scene.cluster.apply(&format!("{service}\n{pod}"))?;
    let ready = json!({"ready": true, "serving": true, "terminating": false});
    wait_for("the Service has the module's address", Duration::from_secs(60), || {
        let endpoints = endpoints(&scene)?;
        ensure!(endpoints.len() == 1, "{endpoints:?}");
        let endpoint = &endpoints[0];
        ensure!(endpoint["addresses"] == json!([address.to_string()]), "{endpoint}");
        ensure!(
            endpoint["conditions"] == ready && endpoint["nodeName"] == base.node().as_str(),
            "{endpoint}"
        );
        Ok(Some(()))
    })?;

    // The Service knows before the module goes.
    scene.kubectl(&["delete", "pod", "served", "--wait=false"])?;
    wait_for("the Service sends nothing there, and the module serves", Duration::from_secs(20), || {
        let endpoints = endpoints(&scene)?;
        let is_ready = endpoints.iter().any(|endpoint| endpoint["conditions"]["ready"] == true);
        ensure!(!is_ready && base.biz().contains_key("biz1:1.0.0"), "{endpoints:?} {:?}", base.biz());
        Ok(Some(()))
    })?;
    wait_for("both are gone", Duration::from_secs(20), || {
        let (endpoints, biz) = (endpoints(&scene)?, base.biz());
        ensure!(endpoints.is_empty() && biz.is_empty(), "{endpoints:?} {biz:?}");
        Ok(Some(()))
    })
}

/// Of all slices of the Service.
fn endpoints(scene: &Scene) -> Result<Vec<Value>> {
    let of_service = "kubernetes.io/service-name=biz1";
    let args = ["-n", &scene.namespace, "get", "endpointslices", "-l", of_service];
    let slices = scene.cluster.kubectl_json(&args)?;
    let all = slices["items"].as_array().cloned().unwrap_or_default();
    let of = |slice: &Value| {
        ensure!(text(slice, "/addressType") == "IPv4", "{slice}");
        Ok(slice["endpoints"].as_array().cloned().unwrap_or_default())
    };
    let each = all.iter().map(of).collect::<Result<Vec<_>>>()?;
    Ok(each.into_iter().flatten().collect())
}
