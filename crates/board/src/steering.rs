//! One plan, and what people do with it, each with the own token.

use std::sync::Arc;

use ask::{
    Text,
    read::{Failure, Object, Plan},
    steer::{Change, NotNow, PLANS, Steer, request},
};
use axum::{
    Json,
    extract::{Path, State},
};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    answer::{self, Answer, PlanDetail},
    draft::is_name,
    refusal::{ErrorBody, Refusal, Why, already, done},
    rights::{self, Asker},
    routes::App,
    session::Asking,
};

/// What is wanted of a plan.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub(crate) struct Wish {
    /// Of a confirmation: the number that was seen.
    number: Option<u64>,
    /// Which plan of this name was seen.
    uid: Option<String>,
}

/// What came of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Done {
    message: String,
}

/// One plan, as the API server has it now.
#[utoipa::path(get, path = "/plans/{namespace}/{name}", responses((status = 200, body = inline(Answer<PlanDetail>)), (status = 404, body = ErrorBody)))]
pub(crate) async fn plan(
    State(app): State<Arc<App>>,
    asking: Asking,
    Path((namespace, name)): Path<(String, String)>,
) -> Result<Json<Answer<PlanDetail>>, Refusal> {
    let refused = |why: Why| why.within(asking.language);
    let snapshot = app.snapshot(&asking).await?;
    let read = read(&app, &asking, &namespace, &name).await;
    let (plan, yaml) = match read {
        Ok(read) => read,
        // What was seen last is better than nothing, and the page says how old it is.
        Err(Why::Away(why)) => {
            let known = snapshot.plans.iter().find(|one| *one.namespace == *namespace && *one.name == *name);
            (known.map(|known| (**known).clone()).ok_or_else(|| refused(Why::Away(why)))?, String::new())
        }
        Err(why) => return Err(refused(why)),
    };
    let asker = Asker { api: &app.api, token: &asking.viewer.token };
    let may = match asker.may("patch", rights::PLANS, Some(&namespace)).await {
        Ok(may) => may,
        Err(Failure::Away(why)) => rights::Verdict { allowed: false, reason: why },
        Err(failure) => return Err(refused(Why::of(failure))),
    };
    let detail = answer::plan(&snapshot, &plan, yaml, &may, asking.language);
    Ok(Json(Answer::of(&snapshot, asking.language, detail)))
}

/// Confirms, pauses, resumes, retries or aborts a plan.
#[utoipa::path(post, path = "/plans/{namespace}/{name}/{action}", request_body = Wish, responses((status = 200, body = Done),
    (status = 403, body = ErrorBody), (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn steer(
    State(app): State<Arc<App>>,
    asking: Asking,
    Path((namespace, name, action)): Path<(String, String, String)>,
    Json(wish): Json<Wish>,
) -> Result<Json<Done>, Refusal> {
    let refused = |why: Why| why.within(asking.language);
    let steer = match (action.as_str(), wish.number) {
        ("confirm", Some(number)) => Steer::Confirm(Some(number)),
        // Whoever confirms says what was seen: another batch may wait by now.
        ("confirm", None) => return Err(refused(Why::Invalid("a confirmation names its number".into()))),
        ("pause", _) => Steer::Pause,
        ("resume", _) => Steer::Resume,
        ("retry", _) => Steer::Retry,
        ("abort", _) => Steer::Abort,
        _ => return Err(refused(Why::NotFound)),
    };
    let (plan, _) = read(&app, &asking, &namespace, &name).await.map_err(refused)?;
    if wish.uid.is_some_and(|seen| *seen != *plan.uid) {
        return Err(refused(Why::Changed("it is another plan of this name by now".into())));
    }
    let spec = match steer.decide(&plan) {
        Change::Write(spec) => spec,
        Change::Already => return Ok(Json(Done { message: already(steer, asking.language).to_owned() })),
        Change::Not(NotNow::Stale { offered, given }) => {
            return Err(refused(Why::Stale { offered, given }));
        }
        Change::Not(why) => return Err(refused(Why::NotNow(why))),
    };
    // What stops a plan must not be refused because it moves.
    let unchanged = matches!(steer, Steer::Confirm(_) | Steer::Retry);
    let request = request(&plan, &spec, unchanged).map_err(|failure| refused(Why::of(failure)))?;
    match app.api.send::<IgnoredAny>(&asking.viewer.token, request).await {
        Ok(_) => Ok(Json(Done { message: done(steer, &plan, asking.language) })),
        Err(failure) => Err(refused(Why::of(failure))),
    }
}

/// The plan and its YAML, by the viewer's own right.
async fn read(app: &App, asking: &Asking, namespace: &str, name: &str) -> Result<(Plan, String), Why> {
    if !is_name(namespace) || !is_name(name) {
        return Err(Why::NotFound);
    }
    let path = format!("{PLANS}/namespaces/{namespace}/operationplans/{name}");
    let text = app.api.text(&asking.viewer.token, &path).await.map_err(Why::of)?;
    let unreadable = |error: serde_json::Error| Why::Invalid(Text::from(error.to_string()));
    let plan = Plan::read(&text).map_err(unreadable)?;
    let mut object: Value = serde_json::from_str(&text).map_err(unreadable)?;
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    Ok((plan, serde_saphyr::to_string(&object).unwrap_or_default()))
}
