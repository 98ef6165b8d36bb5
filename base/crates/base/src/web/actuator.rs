//! The actuator of the base and of its modules, as Spring Boot has it.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use http::{HeaderValue, Method, Response, StatusCode, header};
use model::BizName;
use serde_json::{Map, Value, json};

use super::refusal::Refusal;
use crate::{
    health::{
        Health, Seen, Status,
        own::{Asked, Own},
    },
    modules::{Modules, Probe},
    server::{Body, full},
};

/// What Spring Boot says that its answers are.
const CONTENT_TYPE: &str = "application/vnd.spring-boot.actuator.v3+json";

/// The least free space that the base needs where its data is: Spring Boot's own threshold.
const MIN_FREE_BYTES: u64 = 10 * 1024 * 1024;

/// How long a module may take to say what it is.
const INFO: Duration = Duration::from_millis(500);

/// What is shown, by the properties `management.*`.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) health: bool,
    pub(crate) info: bool,
    pub(crate) components: bool,
    pub(crate) details: bool,
    pub(crate) with_all_biz: bool,
}

/// How far the base's own start is, and which modules belong to it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Started {
    pub(crate) status: Option<Status>,
    pub(crate) modules: BTreeSet<BizName>,
}

/// The actuator.
#[derive(Debug)]
pub(crate) struct Actuator {
    pub(crate) modules: Arc<Modules>,
    /// The base's own name and version.
    pub(crate) base: (String, String),
    pub(crate) data: PathBuf,
    pub(crate) shown: Shown,
    pub(crate) started: Arc<RwLock<Started>>,
    pub(crate) asked: Arc<Asked>,
}

impl Actuator {
    /// The answer to `/actuator` and what follows.
    pub(super) async fn of_base(&self, method: &Method, rest: &str) -> Result<Response<Body>, Refusal> {
        is_read(method)?;
        match rest {
            "/health" if self.shown.health => Ok(self.whole(&self.health().await)),
            // That it answers is all there is to say.
            "/health/liveness" if self.shown.health => Ok(json_of(StatusCode::OK, &json!({"status": "UP"}))),
            "/health/readiness" if self.shown.health => Ok(readiness(self.health().await.start)),
            "/info" if self.shown.info => Ok(json_of(StatusCode::OK, &self.info())),
            _ => Err(Refusal::not_found()),
        }
    }

    /// The answer to `/{first}/actuator` and what follows.
    pub(super) async fn of_module(
        &self,
        method: &Method,
        first: &str,
        rest: &str,
    ) -> Result<Response<Body>, Refusal> {
        is_read(method)?;
        let is_asked = match rest {
            "/health" => self.shown.health,
            "/info" => self.shown.info,
            _ => false,
        };
        let module = self.modules.routes().find(first).filter(|_| is_asked).ok_or_else(Refusal::not_found)?;
        let is_it = |(biz, code): &(lifecycle::Biz, Option<Arc<host::Module>>)| {
            code.as_ref().filter(|code| Arc::ptr_eq(code, &module)).map(|_| biz.clone())
        };
        let biz = self.modules.with_code().iter().find_map(is_it).ok_or_else(Refusal::not_found)?;
        if rest == "/health" {
            let own = self.asked.of(biz.instance, &module).await;
            return Ok(self.of_own(&own));
        }
        match Probe::ask(&module, "/actuator/info", INFO).await {
            Ok(answer) if answer.status.is_success() => Ok(json_of(StatusCode::OK, &answer.body)),
            // One that knows no such question is known by its package.
            _ => {
                let app = json!({"name": biz.id.name.as_str(), "version": biz.id.version.as_str()});
                Ok(json_of(StatusCode::OK, &json!({"app": app})))
            }
        }
    }

    async fn health(&self) -> Health {
        let started = self.started.read().unwrap_or_else(PoisonError::into_inner).clone();
        let seen = Seen {
            base: format!("{}:{}", self.base.0, self.base.1),
            base_start: started.status.unwrap_or(Status::Unknown),
            base_indicators: vec![
                ("diskSpace", self.disk().0, self.disk().1),
                ("ping", Status::Up, json!({})),
            ],
            modules: self.asked.of_all(&self.modules).await,
            failed: self.modules.failed(),
            of_start: started.modules,
            with_all_biz: self.shown.with_all_biz,
        };
        seen.health()
    }

    fn disk(&self) -> (Status, Value) {
        let Ok(disk) = rustix::fs::statvfs(&self.data) else {
            return (Status::Down, json!({"path": self.data.display().to_string(), "exists": false}));
        };
        let (total, free) = (disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize);
        let status = if free < MIN_FREE_BYTES { Status::Down } else { Status::Up };
        let details = json!({
            "total": total,
            "free": free,
            "threshold": MIN_FREE_BYTES,
            "path": self.data.display().to_string(),
            "exists": true,
        });
        (status, details)
    }

    fn whole(&self, health: &Health) -> Response<Body> {
        let mut body = Map::new();
        body.insert("status".to_owned(), health.status.as_str().into());
        body.insert("groups".to_owned(), json!(["liveness", "readiness"]));
        if self.shown.components {
            let components = health.components.iter().map(|one| {
                let mut map = Map::new();
                map.insert("status".to_owned(), one.status.as_str().into());
                let is_empty = one.details.as_object().is_none_or(Map::is_empty);
                if self.shown.details && !is_empty {
                    map.insert("details".to_owned(), one.details.clone());
                }
                (one.name.to_owned(), Value::Object(map))
            });
            body.insert("components".to_owned(), Value::Object(components.collect()));
        }
        json_of(code(health.status), &Value::Object(body))
    }

    fn of_own(&self, own: &Own) -> Response<Body> {
        let mut body = Map::new();
        body.insert("status".to_owned(), own.status.as_str().into());
        let components = own.details.as_object().filter(|all| self.shown.components && !all.is_empty());
        if let Some(components) = components {
            let shown = components.iter().map(|(name, one)| {
                let mut one = one.clone();
                if let Some(map) = one.as_object_mut().filter(|_| !self.shown.details) {
                    map.retain(|key, _| key == "status");
                }
                (name.clone(), one)
            });
            body.insert("components".to_owned(), Value::Object(shown.collect()));
        }
        json_of(code(own.status), &Value::Object(body))
    }

    /// `arkBizInfo`, the base included, and `arkPluginInfo`, of which there are none.
    fn info(&self) -> Value {
        let mut all: Vec<Value> = self
            .modules
            .biz()
            .iter()
            .map(|biz| {
                json!({
                    "bizName": biz.id.name.as_str(),
                    "bizVersion": biz.id.version.as_str(),
                    "bizState": biz.state.as_str().to_uppercase(),
                    "webContextPath": biz.web_context_path,
                })
            })
            .collect();
        let (name, version) = &self.base;
        all.push(json!({
            "bizName": name, "bizVersion": version, "bizState": "ACTIVATED", "webContextPath": "/",
        }));
        json!({"arkBizInfo": all, "arkPluginInfo": []})
    }
}

fn is_read(method: &Method) -> Result<(), Refusal> {
    if matches!(*method, Method::GET | Method::HEAD) { Ok(()) } else { Err(Refusal::method()) }
}

fn code(status: Status) -> StatusCode {
    if status == Status::Down { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
}

/// What is not up takes no traffic.
fn readiness(start: Status) -> Response<Body> {
    match start {
        Status::Up => json_of(StatusCode::OK, &json!({"status": "UP"})),
        Status::Unknown | Status::Down => {
            json_of(StatusCode::SERVICE_UNAVAILABLE, &json!({"status": "OUT_OF_SERVICE"}))
        }
    }
}

fn json_of(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(full(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    response
}
