//! Events: read for each viewer anew, by the viewer's own right to list them.

use std::sync::Arc;

use ask::{
    Text,
    read::{Failure, escaped},
};
use axum::{
    Json,
    extract::{Query, State},
};
use serde::Deserialize;

use crate::{
    answer::{About, Answer, Events, Happening},
    draft::is_name,
    refusal::{ErrorBody, Refusal, Why},
    rights::Allowed,
    routes::App,
    session::Asking,
};

/// More Events nobody reads at once.
const MOST_EVENTS: usize = 500;
/// Namespaces of which a viewer is shown the newest Events together.
const MOST_NAMESPACES: usize = 20;

/// Those of the controller.
const OURS: &str = "?limit=500&fieldSelector=reportingComponent%3Dkoupleless.io%2Fmodule-controller";
/// Pages of a list that are read: more Events than that the API server keeps in an hour of none but a storm.
const MOST_PAGES: usize = 20;

/// Which Events the page asks for.
#[derive(Deserialize)]
pub(crate) struct WhichEvents {
    about: Option<String>,
    trace: Option<String>,
}

/// A list of the API server's.
#[derive(Deserialize)]
struct List {
    #[serde(default)]
    metadata: ListMeta,
    items: Vec<Happening>,
}

#[derive(Default, Deserialize)]
struct ListMeta {
    r#continue: Option<String>,
}

/// Which Events are wanted.
pub(crate) enum Wanted {
    /// Of one object.
    About(About),
    /// Of one thing that the controller did.
    Trace(String),
    /// The newest of the controller's.
    Newest,
}

/// What happened, by the viewer's own right to list Events.
#[utoipa::path(get, path = "/events", params(
        ("about" = Option<String>, Query, description = "`Kind/namespace/name`; the namespace of a Node is empty"),
        ("trace" = Option<String>, Query, description = "The id of what the controller did")),
    responses((status = 200, body = inline(Answer<Events>)), (status = 403, body = ErrorBody)))]
pub(crate) async fn events(
    State(app): State<Arc<App>>,
    asking: Asking,
    Query(which): Query<WhichEvents>,
) -> Result<Json<Answer<Events>>, Refusal> {
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let wanted = match (given(which.about), given(which.trace)) {
        (Some(about), _) => {
            let mut parts = about.splitn(3, '/').map(Text::from);
            let mut next = || parts.next().unwrap_or_default();
            Wanted::About(About { kind: next(), namespace: next(), name: next() })
        }
        (None, Some(trace)) => Wanted::Trace(trace),
        (None, None) => Wanted::Newest,
    };
    let snapshot = app.snapshot(&asking).await?;
    let items = happened(&app, &asking, &wanted).await;
    let items = items.map_err(|failure| Why::of(failure).within(asking.language))?;
    Ok(Json(Answer::of(&snapshot, asking.language, Events { items })))
}

/// The newest first.
pub(crate) async fn happened(app: &App, asking: &Asking, wanted: &Wanted) -> Result<Vec<Happening>, Failure> {
    let mut items = match wanted {
        Wanted::About(about) => match of_object(about) {
            Some(path) => list(app, asking, &path).await?,
            None => Vec::new(),
        },
        // The controller marks its own, and there are more Events than anybody reads.
        Wanted::Trace(_) | Wanted::Newest => anywhere(app, asking).await?,
    };
    items.retain(|one| match wanted {
        Wanted::About(_) => true,
        Wanted::Trace(trace) => *one.trace == **trace,
        Wanted::Newest => true,
    });
    items.sort_by_key(|one| std::cmp::Reverse(one.at));
    items.truncate(MOST_EVENTS);
    Ok(items)
}

/// Where the Events of an object are; none where there is no such object.
fn of_object(About { kind, namespace, name }: &About) -> Option<String> {
    let is_kind = kind.chars().all(|c| c.is_ascii_alphanumeric());
    if !is_kind || !is_name(name) || !(namespace.is_empty() || is_name(namespace)) {
        return None;
    }
    let within = if namespace.is_empty() { String::new() } else { format!("/namespaces/{namespace}") };
    let of = format!("involvedObject.kind%3D{kind}%2CinvolvedObject.name%3D{name}");
    Some(format!("/api/v1{within}/events?limit={MOST_EVENTS}&fieldSelector={of}"))
}

/// Of all namespaces, or where that is forbidden of those in which the viewer sees Pods.
async fn anywhere(app: &App, asking: &Asking) -> Result<Vec<Happening>, Failure> {
    let why = match list(app, asking, &format!("/api/v1/events{OURS}")).await {
        Err(Failure::Forbidden(why)) => why,
        all => return all,
    };
    let (_, sight) = app.viewers.sight(&asking.viewer, &app.api, &app.store).await?;
    let Allowed::Within(namespaces) = sight.pods else {
        return Err(Failure::Forbidden(why));
    };
    let mut items = Vec::new();
    for namespace in namespaces.iter().take(MOST_NAMESPACES) {
        match list(app, asking, &format!("/api/v1/namespaces/{namespace}/events{OURS}")).await {
            Ok(more) => items.extend(more),
            Err(Failure::Forbidden(_)) => {}
            Err(failure) => return Err(failure),
        }
    }
    if namespaces.is_empty() { Err(Failure::Forbidden(why)) } else { Ok(items) }
}

async fn list(app: &App, asking: &Asking, path: &str) -> Result<Vec<Happening>, Failure> {
    let (mut items, mut next) = (Vec::new(), String::new());
    for _ in 0..MOST_PAGES {
        let text = app.api.text(&asking.viewer.token, &format!("{path}{next}")).await?;
        let list: List =
            serde_json::from_str(&text).map_err(|error| Failure::Refused(error.to_string().into()))?;
        items.extend(list.items);
        match list.metadata.r#continue.filter(|token| !token.is_empty()) {
            Some(token) => next = format!("&continue={}", escaped(&token)),
            None => break,
        }
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_name_comes_into_no_path() {
        let of = |kind: &str, namespace: &str, name: &str| {
            of_object(&About { kind: kind.into(), namespace: namespace.into(), name: name.into() })
        };
        let path = of("Pod", "shop", "cart-1").unwrap();
        assert!(path.starts_with("/api/v1/namespaces/shop/events?"), "{path}");
        assert!(of("Node", "", "node-a").unwrap().starts_with("/api/v1/events?"));
        for (kind, namespace, name) in
            [("Pod&x", "shop", "a"), ("Pod", "../x", "a"), ("Pod", "shop", "a,b"), ("Pod", "", "")]
        {
            assert_eq!(of(kind, namespace, name), None, "{kind}/{namespace}/{name}");
        }
    }
}
