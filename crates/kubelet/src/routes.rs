//! What is served at which path, and to whom.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use engine::BaseAddress;
use http::{HeaderValue, Method, Request, Response, header};
use hyper::body::Incoming;
use tokio::sync::Semaphore;

use crate::{
    Parts,
    asked::Asked,
    base_log,
    body::{Body, full},
    callers::{Callers, Subresource, User},
    held::Held,
    module::{self, Node, is_name},
    pod_log::{self, Of},
    refusal::Refusal,
    stats,
};

/// Answers under way at once; a log that is followed is one as long as it is.
const MOST: usize = 256;
/// Those of one caller: an API server asks for all who use it, and others shall find a place beside it.
const MOST_OF_ONE: usize = 192;
/// Searches for a base's Pod at once: each makes the API server look at every Pod.
const MOST_SEARCHES: usize = 4;
/// Lists and questions to bases for figures at once: each may be some MB.
const MOST_FIGURES: usize = 4;

/// What a kubelet has, and what makes no sense where a module shares a process with others.
const NO_PROCESS: [&str; 4] = ["exec", "attach", "run", "portForward"];

/// What requests are answered with.
pub(crate) struct App {
    pub(crate) parts: Parts,
    pub(crate) callers: Callers,
    pub(crate) under_way: Arc<Semaphore>,
    pub(crate) of_one: Arc<Mutex<HashMap<String, usize>>>,
    searches: Semaphore,
    pub(crate) figures: Semaphore,
}

impl App {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            callers: Callers::new(parts.api.clone()),
            parts,
            under_way: Arc::new(Semaphore::new(MOST)),
            of_one: Arc::default(),
            searches: Semaphore::new(MOST_SEARCHES),
            figures: Semaphore::new(MOST_FIGURES),
        }
    }

    /// The answer to a request over a connection whose client has a certificate that names this user, nobody, or none.
    pub(crate) async fn answer(
        &self,
        certificate: Option<Option<Arc<User>>>,
        request: Request<Incoming>,
    ) -> Response<Body> {
        let answered = self.try_answer(certificate, &request).await;
        let path = request.uri().path();
        let response = answered.unwrap_or_else(|refusal| {
            tracing::debug!(path, %refusal, "a request to the kubelet API was refused");
            refusal.response()
        });
        self.parts.counts.note(path, response.status());
        response
    }

    async fn try_answer(
        &self,
        certificate: Option<Option<Arc<User>>>,
        request: &Request<Incoming>,
    ) -> Result<Response<Body>, Refusal> {
        let caller = match (certificate, request.headers().get(header::AUTHORIZATION)) {
            (Some(Some(user)), _) => user,
            (Some(None), None) => {
                return Err(Refusal::unauthorized("Unauthorized: the client certificate names no user"));
            }
            (None, None) => {
                return Err(Refusal::unauthorized(
                    "Unauthorized: neither a token nor a client certificate of the authority in KUBELET_PROXY_CLIENT_CA_PATH",
                ));
            }
            (_, Some(authorization)) => self.callers.by_token(authorization.as_bytes()).await?,
        };
        let place = self.place(&caller)?;
        let path: Vec<&str> = request.uri().path().trim_matches('/').split('/').collect();
        let query = request.uri().query().unwrap_or_default();
        let is_get = request.method() == Method::GET;
        let (kind, body) = match path.as_slice() {
            ["containerLogs", namespace, pod, container] if is_get => {
                ("text/plain; charset=utf-8", self.log(&caller, [namespace, pod, container], query).await?)
            }
            ["stats", "summary"] if is_get => {
                ("application/json", stats::summary(self, &caller, query).await?)
            }
            ["metrics", "resource"] if is_get => {
                ("text/plain; version=0.0.4; charset=utf-8", stats::resource(self, &caller, query).await?)
            }
            ["pods"] if is_get => ("application/json", stats::pods(self, &caller, query).await?),
            ["healthz"] if is_get => {
                self.callers.admit(&caller, Subresource::Proxy, "").await?;
                ("text/plain; charset=utf-8", full("ok"))
            }
            other => return Err(self.nothing(&caller, other, is_get).await),
        };
        let mut response = Response::new(Held::new(body, place));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        Ok(response.map(http_body_util::BodyExt::boxed_unsync))
    }

    /// What is said to whoever asks for what is not there, and may ask.
    async fn nothing(&self, caller: &User, path: &[&str], is_get: bool) -> Refusal {
        let what = match path {
            ["stats", ..] => Subresource::Stats,
            ["metrics", ..] => Subresource::Metrics,
            _ => Subresource::Proxy,
        };
        if let Err(refusal) = self.callers.admit(caller, what, "").await {
            return refusal;
        }
        match path.first() {
            Some(first) if NO_PROCESS.contains(first) => Refusal::bad(format!(
                "{first} is not there: a module shares the process of its base, and has none of its own to enter"
            )),
            _ if !is_get => Refusal::method(),
            _ => Refusal::not_found(
                "there are /containerLogs/NAMESPACE/POD/CONTAINER, /pods, /stats/summary, /metrics/resource and /healthz",
            ),
        }
    }

    fn place(&self, caller: &User) -> Result<Place, Refusal> {
        let full = |whose: &str, most: usize| {
            Refusal::too_many(format!("{most} requests {whose} are under way already; try again later"))
        };
        let permit = self.under_way.clone().try_acquire_owned().map_err(|_| full("of all callers", MOST))?;
        let mut of_one = self.of_one.lock().unwrap_or_else(PoisonError::into_inner);
        let count = of_one.entry(caller.name.clone()).or_default();
        if *count >= MOST_OF_ONE {
            return Err(full("of this user", MOST_OF_ONE));
        }
        *count += 1;
        Ok(Place { caller: caller.name.clone(), of_one: self.of_one.clone(), _permit: permit })
    }

    async fn log(&self, caller: &User, path: [&str; 3], query: &str) -> Result<Body, Refusal> {
        let [namespace, name, container] = path;
        let api = &self.parts.api;
        let gone = || {
            Refusal::not_found(format!(
                "pod {name:?} in namespace {namespace:?} is on no VNode of this controller"
            ))
        };
        // Whoever may not know whether there is such a Pod hears of a right that is missing.
        let pod = match is_name(namespace) && is_name(name) {
            true => module::pod(api, namespace, name).await?,
            false => None,
        };
        let on = pod.as_ref().map_or("", |pod| &*pod.node);
        self.callers.admit(caller, Subresource::Proxy, on).await?;
        let pod = pod.filter(|pod| is_name(&pod.node)).ok_or_else(gone)?;
        let node = Node::find(api, &pod.node, &self.parts.env).await?.ok_or_else(gone)?;
        let asked = Asked::read(query)?;
        let biz = module::started(&pod, container)?;
        if asked.previous {
            return Err(Refusal::bad(format!(
                "previous terminated container {container:?} in pod {name:?} not found: a base keeps the log of what runs only"
            )));
        }
        if node.keeps_logs() {
            let base = node.arklet().ok_or_else(|| {
                Refusal::bad("the base does not tell its address, where its Arklet has the log".to_owned())
            })?;
            self.parts.addresses.check(base).map_err(|cause| {
                Refusal::forbidden(format!("the base's address is none that may be called: {cause}"))
            })?;
            return base_log::open(base, &biz, &asked).await;
        }
        let base = self.base_pod(&node.base()).await?;
        let own = base.pod.namespace == pod.pod.namespace;
        if !own && !self.parts.base_namespaces.iter().any(|there| **there == *base.pod.namespace) {
            return Err(Refusal::forbidden(format!(
                "the base runs in a pod of namespace {:?}, and its log is shown in that namespace only, unless \
                 BASE_POD_NAMESPACES of the module controller has it",
                base.pod.namespace
            )));
        }
        pod_log::open(api.clone(), Of { pod: base.pod, biz, others_hidden: !own }, asked).await
    }

    async fn base_pod(&self, address: &BaseAddress) -> Result<engine::BasePod, Refusal> {
        // It is open as long as this is.
        let _place = self.searches.acquire().await;
        let found = self.parts.cluster.base_pod(address).await;
        let found = found.map_err(|error| {
            Refusal::unavailable(format!("the API server did not say which pod the base runs in: {error}"))
        })?;
        found.ok_or_else(|| {
            Refusal::bad(
                "the log of a module of this stack is in that of its base, and the base runs in no pod that was found: read it \
                 where the base writes it",
            )
        })
    }
}

/// A place among the answers under way.
pub(crate) struct Place {
    caller: String,
    of_one: Arc<Mutex<HashMap<String, usize>>>,
    _permit: tokio::sync::OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut of_one = self.of_one.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = of_one.get_mut(&self.caller) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                of_one.remove(&self.caller);
            }
        }
    }
}
