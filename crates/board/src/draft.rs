//! A plan that somebody writes in the page: what it would be, which bases come with which batch, and making it.

use std::sync::Arc;

use ask::{
    Text,
    read::{Base, Failure, Object, Plan, SelectorJson, Workload},
    steer::PLANS,
};
use axum::{
    Json,
    extract::{Query, State},
    http::StatusCode,
};
use model::Language;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::{
    answer::{come_with, no_bases, not_there},
    refusal::{ErrorBody, Refusal, Why},
    routes::App,
    session::Asking,
    shell::word,
    snapshot::Snapshot,
};

/// A plan as the page has it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Draft {
    namespace: String,
    name: String,
    target: DraftTarget,
    module: DraftModule,
    batches: Vec<DraftBatch>,
    #[serde(default)]
    ready_timeout_seconds: Option<u64>,
    #[serde(default)]
    max_failed: u64,
    /// None where no base is asked for the health of the module.
    #[serde(default)]
    health_port: Option<u64>,
    /// Where the module tells it; empty for the module's name.
    #[serde(default)]
    web_context_path: String,
}

#[derive(Debug, Deserialize, ToSchema)]
struct DraftTarget {
    /// `Deployment` or `DaemonSet`.
    kind: String,
    name: String,
}

#[derive(Debug, Deserialize, ToSchema)]
struct DraftModule {
    name: String,
    version: String,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
struct DraftBatch {
    name: String,
    /// As kubectl takes it: `zone=a,tier in (x,y)`; empty for all.
    selector: String,
    /// `1`, `25%`, or empty for all that are left.
    size: String,
    /// In so many equal parts.
    count: Option<u32>,
    soak_seconds: u64,
    confirm: bool,
    max_unavailable: String,
}

/// What a draft would be.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Preview {
    yaml: String,
    /// A line of kubectl that names the plan and the version in the Pod template; empty where the workload is not seen.
    workload: String,
    batches: Vec<PreviewBatch>,
    /// What is wrong with it.
    problems: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct PreviewBatch {
    name: String,
    nodes: Vec<String>,
}

/// A plan that was made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Made {
    namespace: String,
    name: String,
    message: String,
}

/// Whether it is made, or only asked for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct How {
    #[serde(default)]
    dry_run: bool,
}

impl Draft {
    /// As an object of Kubernetes. No field in it is one that people set while it runs.
    ///
    /// # Errors
    /// What in it says nothing.
    fn object(&self) -> Result<Value, String> {
        let batches = self.batches.iter().map(DraftBatch::object).collect::<Result<Vec<_>, _>>()?;
        let mut spec = json!({
            "target": { "kind": self.target.kind, "name": self.target.name },
            "module": { "name": self.module.name, "version": self.module.version },
            "batches": batches,
        });
        if let Some(fields) = spec.as_object_mut() {
            let timeout = self.ready_timeout_seconds.map(Value::from);
            fields.extend(timeout.map(|timeout| ("readyTimeoutSeconds".to_owned(), timeout)));
            if self.max_failed > 0 {
                fields.insert("maxFailed".to_owned(), self.max_failed.into());
            }
            if let Some(port) = self.health_port {
                let path = Some(&self.web_context_path).filter(|path| !path.is_empty());
                let path = path.map(|path| ("webContextPath".to_owned(), path.as_str().into()));
                let health = [("port".to_owned(), port.into())].into_iter().chain(path);
                fields.insert("health".to_owned(), Value::Object(health.collect()));
            }
        }
        Ok(json!({
            "apiVersion": "koupleless.io/v1alpha1",
            "kind": "OperationPlan",
            "metadata": { "name": self.name, "namespace": self.namespace },
            "spec": spec,
        }))
    }
}

impl DraftBatch {
    fn object(&self) -> Result<Value, String> {
        let selector: SelectorJson =
            self.selector.parse().map_err(|why| format!("batch {}: {why}", self.name))?;
        let mut fields = Map::from_iter([("name".to_owned(), Value::from(self.name.as_str()))]);
        let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        if selector != SelectorJson::default() {
            set("selector", json!(selector));
        }
        if !self.size.trim().is_empty() {
            set("size", amount(&self.size));
        }
        if let Some(count) = self.count {
            set("count", count.into());
        }
        if self.soak_seconds > 0 {
            set("soakSeconds", self.soak_seconds.into());
        }
        if self.confirm {
            set("confirm", true.into());
        }
        if !self.max_unavailable.trim().is_empty() {
            set("maxUnavailable", amount(&self.max_unavailable));
        }
        Ok(Value::Object(fields))
    }
}

/// A number is one in YAML too.
fn amount(text: &str) -> Value {
    let text = text.trim();
    text.parse::<u32>().map_or_else(|_| Value::from(text), Value::from)
}

fn preview(snapshot: &Snapshot, draft: &Draft, language: Language) -> Preview {
    let mut preview =
        Preview { yaml: String::new(), workload: String::new(), batches: Vec::new(), problems: Vec::new() };
    let object = match draft.object() {
        Ok(object) => object,
        Err(problem) => {
            preview.problems.push(problem);
            return preview;
        }
    };
    preview.yaml = serde_saphyr::to_string(&object).unwrap_or_default();
    let target = format!("{}/{}", draft.target.kind, draft.target.name);
    let workload = snapshot.workload(&draft.namespace, &target);
    if !snapshot.sees(Base::NAME) {
        preview.problems.push(no_bases(language));
    }
    match workload {
        Some(workload) => preview.workload = patch(draft, workload),
        None => preview.problems.push(not_there(&target, &draft.namespace, language)),
    }
    let spec = Plan::read(&object.to_string()).map_err(|error| error.to_string());
    let spec = spec.and_then(|plan| plan.spec().map_err(|invalid| invalid.told().of(language).to_owned()));
    match (spec, workload) {
        (Err(problem), _) => preview.problems.push(problem),
        (Ok(spec), Some(workload)) => {
            // Which bases share a place is drawn by the plan's UID, which is not known before it is made.
            let come = come_with(snapshot, workload, &spec, &plan::Status::default(), "");
            preview.batches = come.into_iter().map(|(name, nodes)| PreviewBatch { name, nodes }).collect();
        }
        (Ok(_), None) => {}
    }
    if let Some(workload) = workload
        && workload.modules().all(|(name, _, _)| name != draft.module.name)
    {
        preview.problems.push(match language {
            Language::English => format!("{target} has no module {}", draft.module.name),
            Language::Chinese => format!("{target} 中没有模块 {}", draft.module.name),
        });
    }
    preview
}

/// The line that names the plan, the version and, as far as it can be guessed, the package in the Pod template.
fn patch(draft: &Draft, workload: &Workload) -> String {
    let DraftModule { name, version } = &draft.module;
    let mut container = json!({ "name": name, "env": [{ "name": "BIZ_VERSION", "value": version }] });
    let now = workload.modules().find(|(module, _, _)| module == name);
    if let (Some((_, before, url)), Some(fields)) = (now, container.as_object_mut())
        && !before.is_empty()
        && url.contains(before)
    {
        fields.insert("image".to_owned(), url.replace(before, version).into());
    }
    let annotations = json!({ engine::PLAN_ANNOTATION: draft.name });
    let template =
        json!({ "metadata": { "annotations": annotations }, "spec": { "containers": [container] } });
    let body = json!({ "spec": { "template": template } }).to_string();
    let (kind, target) = (draft.target.kind.to_ascii_lowercase(), &draft.target.name);
    format!("kubectl patch {} {} -n {} -p {}", word(&kind), word(target), word(&draft.namespace), word(&body))
}

/// What a draft would be.
#[utoipa::path(post, path = "/plans/preview", request_body = Draft, responses((status = 200, body = Preview)))]
pub(crate) async fn preview_plan(
    State(app): State<Arc<App>>,
    asking: Asking,
    Json(draft): Json<Draft>,
) -> Result<Json<Preview>, Refusal> {
    let snapshot = app.snapshot(&asking).await?;
    Ok(Json(preview(&snapshot, &draft, asking.language)))
}

/// Makes a plan with the viewer's token; with `dryRun` the API server is only asked whether it would.
#[utoipa::path(post, path = "/plans", request_body = Draft, params(("dryRun" = bool, Query)),
    responses((status = 201, body = Made), (status = 403, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn make_plan(
    State(app): State<Arc<App>>,
    asking: Asking,
    Query(How { dry_run }): Query<How>,
    Json(draft): Json<Draft>,
) -> Result<(StatusCode, Json<Made>), Refusal> {
    let refused = |why: Why| why.within(asking.language);
    let invalid = |what: String| refused(Why::Invalid(Text::from(what)));
    let object = draft.object().map_err(invalid)?;
    let read = Plan::read(&object.to_string()).map_err(|error| invalid(error.to_string()))?;
    read.spec().map_err(|what| invalid(what.told().of(asking.language).to_owned()))?;
    if !is_name(&draft.namespace) || !is_name(&draft.name) {
        return Err(invalid(format!("{}/{} is no name of an object", draft.namespace, draft.name)));
    }
    let how = if dry_run { "?dryRun=All" } else { "" };
    let path = format!("{PLANS}/namespaces/{}/operationplans{how}", draft.namespace);
    let made: Result<Value, Failure> = app.api.post(&asking.viewer.token, &path, &object).await;
    made.map_err(|failure| refused(Why::of(failure)))?;
    let message = match (asking.language, dry_run) {
        (Language::English, true) => "the API server would take it",
        (Language::English, false) => "it is made",
        (Language::Chinese, true) => "API server 会接受",
        (Language::Chinese, false) => "已创建",
    };
    let made = Made { namespace: draft.namespace, name: draft.name, message: message.to_owned() };
    Ok((StatusCode::CREATED, Json(made)))
}

/// What may stand in a path of the API server.
pub(crate) fn is_name(text: &str) -> bool {
    let is_of_names = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    let ends_well = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= 253
        && text.chars().all(is_of_names)
        && ends_well(text.chars().next())
        && ends_well(text.chars().last())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(batches: &Value) -> Draft {
        serde_json::from_value(json!({
            "namespace": "shop", "name": "cart-2", "target": {"kind": "Deployment", "name": "cart"},
            "module": {"name": "cart", "version": "2.0.0"}, "batches": batches, "readyTimeoutSeconds": 600,
        }))
        .unwrap()
    }

    #[test]
    fn a_draft_is_a_plan_without_anything_that_people_set_later() {
        let draft = draft(&json!([
            {"name": "beta", "selector": "ring=beta", "size": "1", "confirm": true, "soakSeconds": 60},
            {"name": "rest", "count": 3, "maxUnavailable": "10%", "size": ""},
        ]));
        let spec = &draft.object().unwrap()["spec"];
        assert_eq!(
            spec["batches"],
            json!([
                {"name": "beta", "selector": {"matchLabels": {"ring": "beta"}}, "size": 1, "confirm": true, "soakSeconds": 60},
                {"name": "rest", "count": 3, "maxUnavailable": "10%"},
            ])
        );
        assert!(["confirmed", "attempt", "paused", "stop"].iter().all(|field| spec.get(field).is_none()));
    }

    #[test]
    fn a_draft_says_where_the_health_is_asked_for() {
        let mut draft = draft(&json!([{"name": "rest"}]));
        assert_eq!(draft.object().unwrap()["spec"].get("health"), None);
        draft.health_port = Some(8080);
        assert_eq!(draft.object().unwrap()["spec"]["health"], json!({"port": 8080}));
        draft.web_context_path = "shop".to_owned();
        let both = json!({"port": 8080, "webContextPath": "shop"});
        assert_eq!(draft.object().unwrap()["spec"]["health"], both);
        let refusal = |draft: &Draft| {
            let object = draft.object().unwrap().to_string();
            Plan::read(&object).unwrap().spec().map_err(|invalid| invalid.to_string())
        };
        assert!(refusal(&draft).is_ok());
        draft.web_context_path = "../admin".to_owned();
        let told = refusal(&draft).unwrap_err();
        assert!(told.starts_with("health.webContextPath \"../admin\" is no path of a module"), "{told}");
    }

    #[test]
    fn what_is_wrong_with_a_draft_is_named() {
        let draft = draft(&json!([{"name": "beta", "selector": "a b"}]));
        assert!(
            draft.object().unwrap_err().starts_with("batch beta: \"a b\" is no part of a label selector")
        );
    }

    #[test]
    fn the_line_for_the_workload_carries_plan_version_and_package() {
        let json = r#"{"metadata": {"name": "cart", "namespace": "shop"}, "spec": {"template": {"spec": {"containers": [
            {"name": "cart", "image": "https://h/it's/cart-1.0.0.jar", "env": [{"name": "BIZ_VERSION", "value": "1.0.0"}]}]}}}}"#;
        let workload = Workload::of(Some("Deployment"), json).unwrap().unwrap();
        let line = patch(&draft(&json!([{"name": "rest"}])), &workload);
        assert!(line.starts_with("kubectl patch deployment cart -n shop -p '{\"spec\""), "{line}");
        assert!(line.contains(r#""image":"https://h/it'\''s/cart-2.0.0.jar""#), "{line}");
        assert!(line.contains(r#""module-controller.koupleless.io/operation-plan":"cart-2""#), "{line}");
    }

    #[test]
    fn names_that_are_none_come_into_no_path() {
        for name in ["", "a/b", "../x", "A", "a?b", "-a", "a.", "ü"] {
            assert!(!is_name(name), "{name}");
        }
        assert!(is_name("cart-2.0.0"));
    }
}
