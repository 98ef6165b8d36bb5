//! The base's web port: its modules by the first segment of the path, and the actuator.

mod actuator;
mod refusal;

use std::sync::Arc;

use host::CallError;
use http::{HeaderValue, Request, Response, StatusCode, Uri, header::HOST};
use hyper::body::Incoming;

pub(crate) use self::actuator::{Actuator, Shown, Started};
use self::refusal::Refusal;
use crate::{
    modules::{Modules, NoEntry},
    server::{Body, boxed},
};

/// What a module is told of the path that was left out of its own.
const PREFIX: &str = "x-forwarded-prefix";

/// The web port's answers.
#[derive(Debug)]
pub(crate) struct Web {
    modules: Arc<Modules>,
    actuator: Actuator,
}

impl Web {
    pub(crate) fn new(modules: Arc<Modules>, actuator: Actuator) -> Arc<Self> {
        Arc::new(Self { modules, actuator })
    }

    /// Answers a request to the base or to a module.
    pub(crate) async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        let (first, rest) = split(&path);
        let answered = if first == "actuator" {
            self.actuator.of_base(request.method(), rest).await
        } else if let Some(rest) = rest.strip_prefix("/actuator").filter(|rest| rest.starts_with('/')) {
            self.actuator.of_module(request.method(), first, rest).await
        } else {
            self.of_module(first, rest, request).await
        };
        answered.unwrap_or_else(|refusal| refusal.response(&path))
    }

    async fn of_module(
        &self,
        first: &str,
        rest: &str,
        mut request: Request<Incoming>,
    ) -> Result<Response<Body>, Refusal> {
        let entry = self.modules.routes().enter(first).map_err(|no| match no {
            NoEntry::Busy => Refusal::busy(first),
            NoEntry::Nobody => self.nobody(first),
        })?;
        as_seen_inside(&mut request, first, rest)?;
        match entry.call(request).await {
            Ok(response) => Ok(response.map(boxed)),
            Err(error) => Err(of_call(first, &error)),
        }
    }

    /// There is a module for that path, and none of its versions serves; or there is none.
    fn nobody(&self, first: &str) -> Refusal {
        let is_known = self.modules.biz().iter().any(|biz| biz.web_context_path == first);
        if is_known { Refusal::no_version(first) } else { Refusal::not_found() }
    }
}

/// `/biz1/who` is `biz1` and `/who`.
fn split(path: &str) -> (&str, &str) {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.find('/').map_or((path, "/"), |at| path.split_at(at))
}

/// A module sees its own paths, as on any other host, and is told what is before them.
fn as_seen_inside(request: &mut Request<Incoming>, first: &str, rest: &str) -> Result<(), Refusal> {
    let query = request.uri().query();
    let inside = query.map_or_else(|| rest.to_owned(), |query| format!("{rest}?{query}"));
    *request.uri_mut() = inside.parse::<Uri>().map_err(|_| Refusal::bad_request())?;
    let prefix = HeaderValue::from_str(&format!("/{first}")).map_err(|_| Refusal::bad_request())?;
    request.headers_mut().insert(PREFIX, prefix);
    // HTTP/1.0 needs none, and WASI does.
    request.headers_mut().entry(HOST).or_insert(HeaderValue::from_static("localhost"));
    Ok(())
}

fn of_call(first: &str, error: &CallError) -> Refusal {
    match error {
        CallError::Trap(_) | CallError::NoAnswer(_) => Refusal::of(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("the module at /{first} ended without an answer; its base's log says why"),
        ),
        CallError::Deadline(limit) => Refusal::of(
            StatusCode::GATEWAY_TIMEOUT,
            format!("the module at /{first} did not answer within {limit:?}"),
        ),
        CallError::NoRoom(_) => Refusal::of(
            StatusCode::SERVICE_UNAVAILABLE,
            "the base has as many requests at work as it may have; try again later".to_owned(),
        ),
        CallError::Ended => Refusal::of(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("the module at /{first} was uninstalled before it answered"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_segment_is_the_modules() {
        assert_eq!(split("/biz1/who/x"), ("biz1", "/who/x"));
        assert_eq!(split("/biz1/"), ("biz1", "/"));
        assert_eq!(split("/biz1"), ("biz1", "/"));
        assert_eq!(split("/"), ("", "/"));
        assert_eq!(split("*"), ("*", "/"));
    }
}
