//! What a Java base says, as it was recorded (`crates/arklet/testdata`). The parts that nobody reads are kept, so that
//! an answer costs what a real one costs.

use arklet::CommandKind;
use serde_json::{Value, json};

use super::base::Id;

/// How a base writes its states: the same word differs between the tunnels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// `activated`, `Started`.
    Http,
    /// `ACTIVATED`, `STARTED`.
    Mqtt,
}

impl Case {
    /// A word in this case.
    pub fn of(self, word: &str) -> &'static str {
        match (self, word) {
            (Self::Http, "activated") => "activated",
            (Self::Http, "resolved") => "resolved",
            (Self::Http, "Created") => "Created",
            (Self::Http, _) => "Started",
            (Self::Mqtt, "activated") => "ACTIVATED",
            (Self::Mqtt, "resolved") => "RESOLVED",
            (Self::Mqtt, "Created") => "CREATED",
            (Self::Mqtt, _) => "STARTED",
        }
    }
}

/// A heartbeat: `port` is 0 over MQTT.
pub fn heartbeat(identity: &str, version: &str, ip: &str, port: u16) -> Value {
    json!({
        "baseMetadata": {
            "clusterName": "default", "identity": identity, "name": model::base::UNNAMED, "version": version,
        },
        "localHostName": identity,
        "localIP": ip,
        "port": port,
        "state": "activated",
    })
}

/// `data` of the answer to `health`.
pub fn health(version: &str, case: Case) -> Value {
    let master = json!({
        "bizName": "base", "bizState": case.of("activated"), "bizVersion": version, "webContextPath": "/",
    });
    let plugin = |name: &str, group: &str, activator: &str| {
        json!({
            "artifactId": name, "groupId": group, "pluginActivator": activator, "pluginName": name,
            "pluginUrl": format!("file:/base/base.jar!/BOOT-INF/lib/{name}.jar!/"), "pluginVersion": "2.1.11",
        })
    };
    json!({"healthData": {
        "jvm": {
            "max non heap memory(M)": -9.536_743_164_062_5e-7, "java version": "17.0.15", "max memory(M)": 512.0,
            "max heap memory(M)": 512.0, "used heap memory(M)": 156.208_496_093_75,
            "used non heap memory(M)": 83.374_626_159_667_97, "loaded class count": 12_385,
            "init non heap memory(M)": 7.3125, "total memory(M)": 233.0, "free memory(M)": 75.889_572_143_554_69,
            "unload class count": 2, "total class count": 12_387, "java max metaspace": -1,
            "java committed metaspace": 62_455_808, "committed heap memory(M)": 233.0,
            "java home": "/usr/lib/jvm/java-17-openjdk-amd64", "init heap memory(M)": 378.0,
            "java used metaspace": 61_766_792, "committed non heap memory(M)": 86.75, "run time(s)": 132.616,
        },
        "cpu": {
            "count": 2, "total used (%)": 231_240.0, "type": "CPU", "user used (%)": 90.659_055_526_725_48,
            "free (%)": 0.017_298_045_320_878_74, "system used (%)": 8.683_618_751_081_127,
        },
        "masterBizInfo": master,
        "pluginListInfo": [
            plugin("web-ark-plugin", "com.alipay.sofa", "com.alipay.sofa.ark.web.embed.WebPluginActivator"),
            plugin(
                "koupleless-base-plugin",
                "com.alipay.sofa.koupleless",
                "com.alipay.sofa.koupleless.plugin.ServerlessRuntimeActivator",
            ),
        ],
        "bizListInfo": [master],
    }})
}

/// `data` of the answer to an `installBiz` that succeeded.
pub fn installed(id: &Id, state: &str, records: Value, took_ms: i64) -> Value {
    let (name, version) = id;
    let dir = format!("/tmp/sofa-ark/{name}-{version}-unpack");
    json!({
        "bizInfos": [{
            "attributes": {}, "bizName": name, "bizState": state, "bizStateRecords": records, "bizTempWorkDir": dir,
            "bizUrl": format!("file:{dir}/"), "bizVersion": version,
            "classPath": [format!("file:{dir}/"), format!("file:{dir}/lib")], "declaredMode": true,
            "denyImportClasses": [], "denyImportPackageNodes": [], "denyImportPackageStems": [],
            "denyImportPackages": [], "denyImportResources": [], "denyPrefixImportResourceStems": [],
            "denySuffixImportResourceStems": [], "identity": format!("{name}:{version}"),
            "injectExportPackages": [], "injectPluginDependencies": [], "mainClass": "lab.BizApp",
            "priority": 100, "webContextPath": name,
        }],
        "code": "SUCCESS",
        "elapsedSpace": 67_432,
        "message": format!("Install Biz: {name}:{version} success, cost: {took_ms} ms, started at: 15:14:14,520"),
    })
}

/// `data` of the answer to an `uninstallBiz` that succeeded.
pub fn uninstalled((name, version): &Id) -> Value {
    json!({"code": "SUCCESS", "message": format!("Uninstall biz: {name}:{version} success.")})
}

/// `data` where the biz is there already.
pub fn repeat((name, version): &Id) -> Value {
    json!({
        "code": "REPEAT_BIZ",
        "elapsedSpace": 7_056,
        "message": format!("Biz: {name}:{version} has been installed or registered."),
    })
}

/// `data` where the biz is not there.
pub fn not_found((name, version): &Id) -> Value {
    json!({"code": "NOT_FOUND_BIZ", "message": format!("Uninstall biz: {name}:{version} not found.")})
}

/// The whole answer where another version has the web context path.
pub fn not_unique(name: &str) -> Value {
    json!({
        "code": "CMD_PROCESS_INTERNAL_ERROR",
        "errorStackTrace": format!("java.lang.IllegalArgumentException: Child name [{name}] is not unique"),
        "message": "Internal Error: java.lang.reflect.InvocationTargetException",
    })
}

/// The message where another command for the biz runs.
pub fn conflict(kind: CommandKind, (name, version): &Id) -> String {
    format!("FAILED:{name}:{version} {kind} conflict, exist unfinished command({kind}) for this biz")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heartbeat_is_one() {
        let report =
            arklet::parse_heartbeat(heartbeat("base-1", "v1", "127.128.0.1", 1238).to_string().as_bytes())
                .unwrap();
        assert_eq!((report.identity.as_str(), report.port), ("base-1", Some(1238)));
        assert_eq!((report.name, &*report.version), (None, "v1"));
        assert_eq!(report.ip, Some("127.128.0.1".parse().unwrap()));
        let mqtt = heartbeat("base-1", "v1", "127.128.0.1", 0).to_string();
        assert_eq!(arklet::parse_heartbeat(mqtt.as_bytes()).unwrap().port, None);
    }
}
