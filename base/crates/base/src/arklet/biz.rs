//! A biz as Arklet's answers have it.

use lifecycle::Biz;
use serde_json::{Map, Value, json};

/// An entry of `queryAllBiz`.
pub(super) fn listed(biz: &Biz) -> Value {
    Value::Object(common(biz))
}

/// An entry of `bizInfos`: with what belongs to class loaders, of which there are none.
pub(super) fn installed(biz: &Biz) -> Value {
    let mut map = common(biz);
    let empty = [
        "denyImportClasses",
        "denyImportPackageNodes",
        "denyImportPackageStems",
        "denyImportPackages",
        "denyImportResources",
        "denyPrefixImportResourceStems",
        "denySuffixImportResourceStems",
        "injectExportPackages",
        "injectPluginDependencies",
        "classPath",
    ];
    map.extend(empty.map(|key| (key.to_owned(), json!([]))));
    map.insert("attributes".to_owned(), json!({}));
    map.insert("declaredMode".to_owned(), true.into());
    map.insert("identity".to_owned(), biz.id.to_string().into());
    map.insert("priority".to_owned(), 100.into());
    Value::Object(map)
}

/// `{bizName, bizVersion, bizState, webContextPath}`: what `health` tells of one.
pub(super) fn brief(biz: &Biz) -> Value {
    json!({
        "bizName": biz.id.name.as_str(),
        "bizState": biz.state.as_str(),
        "bizVersion": biz.id.version.as_str(),
        "webContextPath": biz.web_context_path,
    })
}

/// An entry of the list over MQTT: `{name, version, state, latestStateRecord}`.
pub(super) fn simple(biz: &Biz) -> Value {
    let latest = biz.records.last().map(|record| {
        json!({
            "changeTime": record.at_ms,
            "message": record.message,
            "reason": record.reason.to_uppercase(),
            "state": record.state.as_str().to_uppercase(),
        })
    });
    json!({
        "name": biz.id.name.as_str(),
        "version": biz.id.version.as_str(),
        "state": biz.state.as_str(),
        "latestStateRecord": latest,
    })
}

fn common(biz: &Biz) -> Map<String, Value> {
    let records: Vec<Value> = biz
        .records
        .iter()
        .map(|record| {
            json!({
                "changeTime": record.at_ms,
                "message": record.message,
                "reason": record.reason,
                "state": record.state.as_str(),
            })
        })
        .collect();
    let mut map = Map::new();
    if let Value::Object(brief) = brief(biz) {
        map.extend(brief);
    }
    map.insert("bizStateRecords".to_owned(), records.into());
    map.insert("mainClass".to_owned(), "wasi:http/incoming-handler".into());
    map
}
