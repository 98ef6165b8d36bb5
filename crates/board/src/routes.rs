//! What is served: the API of the page, its description, and the page itself.

use std::sync::{Arc, atomic::AtomicUsize};

use ask::Text;
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Path, State},
    http::HeaderName,
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::sync::watch;
use tower_http::compression::{
    CompressionLayer, CompressionLevel,
    predicate::{NotForContentType, Predicate, SizeAbove},
};
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    answer::{self, About, Answer},
    api::Api,
    draft,
    guard::{self, guard},
    happened::{self, Wanted},
    page,
    refusal::{ErrorBody, Refusal, Why},
    session::{self, Asking},
    snapshot::{Snapshot, Snapshots},
    steering,
    store::Store,
    stream,
    viewer::Viewers,
};

/// A draft of a plan with a hundred batches is some thousand bytes.
const MOST_BODY: usize = 64 * 1024;

/// What all requests share.
pub(crate) struct App {
    pub(crate) store: Arc<Store>,
    pub(crate) api: Api,
    pub(crate) viewers: Viewers,
    pub(crate) snapshots: Snapshots,
    /// The URL of the API server.
    pub(crate) cluster: Text,
    pub(crate) token_header: Option<HeaderName>,
    /// Streams that are open.
    pub(crate) streams: AtomicUsize,
    /// Tells this process from the one before.
    pub(crate) born: i64,
    pub(crate) stop: watch::Receiver<bool>,
}

impl App {
    /// What this viewer sees now.
    pub(crate) async fn snapshot(&self, asking: &Asking) -> Result<Arc<Snapshot>, Refusal> {
        let refused = |why: Why| why.within(asking.language);
        if !self.store.latest().complete {
            return Err(refused(Why::Starting));
        }
        let sight = self.viewers.sight(&asking.viewer, &self.api, &self.store).await;
        let (_, sight) = sight.map_err(|failure| refused(Why::of(failure)))?;
        self.snapshots.of(&self.store, sight).await.ok_or_else(|| refused(Why::Busy))
    }
}

#[derive(OpenApi)]
#[openapi(info(
    title = "KouplelessBoard",
    description = "What the page of the board asks. All but GET needs the header `x-koupleless-board: 1`."
))]
struct Description;

/// All of it.
pub(crate) fn router(app: Arc<App>) -> Router {
    let (api, description) = OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(session::session, session::log_in, session::log_out))
        .routes(routes!(overview))
        .routes(routes!(plans, draft::make_plan))
        .routes(routes!(draft::preview_plan))
        .routes(routes!(steering::plan))
        .routes(routes!(steering::steer))
        .routes(routes!(targets))
        .routes(routes!(modules))
        .routes(routes!(module))
        .routes(routes!(bases))
        .routes(routes!(base))
        .routes(routes!(matrix))
        .routes(routes!(baseline))
        .routes(routes!(happened::events))
        .routes(routes!(codes))
        .routes(routes!(stream::stream))
        .split_for_parts();
    let api = api.route("/openapi.json", get(move || async move { Json(description) }));
    let worth_it = SizeAbove::new(1_024).and(NotForContentType::SSE);
    Router::new()
        .nest("/api/v1", api)
        .fallback(page::page)
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(worth_it))
        .layer(DefaultBodyLimit::max(MOST_BODY))
        .layer(middleware::from_fn(guard))
        .with_state(app)
}

/// What of the cluster a viewer sees, as it is when this is asked.
macro_rules! views {
    ($($(#[$doc:meta])+ $name:ident, $path:literal, $body:ty, |$app:ident, $asking:ident, $snapshot:ident| $answer:expr;)+) => {$(
        $(#[$doc])+
        #[utoipa::path(get, path = $path, responses((status = 200, body = inline(Answer<$body>)), (status = 401, body = ErrorBody)))]
        async fn $name(State($app): State<Arc<App>>, $asking: Asking) -> Result<Json<Answer<$body>>, Refusal> {
            let $snapshot = $app.snapshot(&$asking).await?;
            Ok(Json(Answer::of(&$snapshot, $asking.language, $answer)))
        }
    )+};
}

views! {
    /// What needs a person first.
    overview, "/overview", answer::Overview, |app, asking, snapshot| answer::overview(&snapshot, asking.language);
    /// All operation plans.
    plans, "/plans", answer::Plans, |app, asking, snapshot| answer::plans(&snapshot);
    /// What plans can be for.
    targets, "/targets", answer::Targets, |app, asking, snapshot| answer::targets(&snapshot);
    /// All modules.
    modules, "/modules", answer::Modules, |app, asking, snapshot| answer::modules(&snapshot);
    /// All bases.
    bases, "/bases", answer::Bases, |app, asking, snapshot| answer::bases(&snapshot, &app.store);
    /// Modules and versions on bases.
    matrix, "/matrix", answer::Matrix, |app, asking, snapshot| answer::matrix(&snapshot);
    /// In what bases differ from what their workloads want.
    baseline, "/baseline", answer::Baseline, |app, asking, snapshot| answer::baseline(&snapshot);
}

/// One module.
#[utoipa::path(get, path = "/modules/{name}", responses((status = 200, body = inline(Answer<answer::ModuleDetail<'static>>)), (status = 404, body = ErrorBody)))]
async fn module(
    State(app): State<Arc<App>>,
    asking: Asking,
    Path(name): Path<String>,
) -> Result<Response, Refusal> {
    let snapshot = app.snapshot(&asking).await?;
    let detail = answer::module(&snapshot, &name).ok_or_else(|| Why::NotFound.within(asking.language))?;
    Ok(Json(Answer::of(&snapshot, asking.language, detail)).into_response())
}

/// One base, by its Node, identity, host name or address.
#[utoipa::path(get, path = "/bases/{node}", responses((status = 200, body = inline(Answer<answer::BaseDetail<'static>>)), (status = 404, body = ErrorBody)))]
async fn base(
    State(app): State<Arc<App>>,
    asking: Asking,
    Path(node): Path<String>,
) -> Result<Response, Refusal> {
    let snapshot = app.snapshot(&asking).await?;
    let base = snapshot.picture.base(&node).ok_or_else(|| Why::NotFound.within(asking.language))?;
    // Whoever may not list Events sees the base without them.
    let about = About { kind: "Node".into(), name: base.node.clone(), ..About::default() };
    let events = happened::happened(&app, &asking, &Wanted::About(about)).await.unwrap_or_default();
    let detail = answer::base(&snapshot, &app.store, base, events);
    Ok(Json(Answer::of(&snapshot, asking.language, detail)).into_response())
}

/// All standard error codes. They are no secret: nobody has to log in for them.
#[utoipa::path(get, path = "/codes", responses((status = 200, body = answer::Codes)))]
async fn codes(axum::extract::RawQuery(query): axum::extract::RawQuery) -> Json<answer::Codes> {
    Json(answer::codes(guard::language(query.as_deref())))
}
