//! Logging in and out, and who asks: the token is in a cookie of the browser's, or in a header that a proxy sets.

use std::{net::IpAddr, sync::Arc};

use ask::read::Failure;
use axum::{
    Json,
    extract::{FromRequestParts, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use futures::future::join_all;
use model::Language;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    api::Token,
    guard,
    refusal::{ErrorBody, Refusal, Why},
    rights::{Asker, NAMESPACED, NODES, PLANS, Resource},
    routes::App,
    viewer::{Viewer, identity},
};

/// The cookie with the token.
const COOKIE: &str = "koupleless-board";

/// Somebody who asks, and in which language.
pub(crate) struct Asking {
    pub(crate) viewer: Arc<Viewer>,
    pub(crate) language: Language,
    /// The token comes from a proxy.
    proxied: bool,
}

impl FromRequestParts<Arc<App>> for Asking {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let language = guard::language(parts.uri.query());
        let of_proxy = app.token_header.as_ref().and_then(|name| of_header(&parts.headers, name));
        let (token, proxied) = match of_proxy {
            Some(token) => (Some(token), true),
            None => (of_cookie(&parts.headers), false),
        };
        let token = token.ok_or_else(|| Why::Unauthorized.within(language))?;
        Ok(Self { viewer: app.viewers.of(token), language, proxied })
    }
}

/// The token that a proxy gives, with `Bearer` before it or without.
fn of_header(headers: &HeaderMap, name: &HeaderName) -> Option<Token> {
    let text = headers.get(name)?.to_str().ok()?;
    Token::new(text.strip_prefix("Bearer ").unwrap_or(text).trim())
}

fn of_cookie(headers: &HeaderMap) -> Option<Token> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|all| all.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).and_then(|(_, value)| Token::new(value))
}

/// A cookie that no script reads, that no other site's page sends, and that goes over TLS only, but to this machine itself.
fn cookie(headers: &HeaderMap, value: &str, more: &str) -> Option<HeaderValue> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name).trim_matches(['[', ']']);
    let is_own_machine = name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let secure = if is_own_machine { "" } else { "; Secure" };
    HeaderValue::try_from(format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{more}")).ok()
}

/// What somebody logs in with.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Login {
    /// A bearer token that the API server accepts: of a service account, or an ID token.
    token: String,
}

/// Who is logged in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Session {
    user: String,
    groups: Vec<String>,
    /// The URL of the API server.
    cluster: String,
    /// The version of the board.
    version: &'static str,
    /// The token comes from a proxy, and there is no logging out here.
    proxied: bool,
    rights: Vec<Right>,
}

/// What somebody may do.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Right {
    /// As people say it: `list pods in shop`.
    what: String,
    /// None: in all namespaces.
    namespace: Option<String>,
    verb: &'static str,
    resource: &'static str,
    allowed: bool,
    /// What the API server says of it.
    reason: String,
}

/// Logs in.
#[utoipa::path(post, path = "/session", request_body = Login,
    responses((status = 204, description = "A cookie with the token is set"), (status = 401, body = ErrorBody)))]
pub(crate) async fn log_in(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    axum::extract::RawQuery(query): axum::extract::RawQuery,
    Json(login): Json<Login>,
) -> Result<Response, Refusal> {
    let language = guard::language(query.as_deref());
    let refused = |why: Why| why.within(language);
    let text = login.token.trim();
    let token = Token::new(text).ok_or_else(|| refused(Why::Unauthorized))?;
    identity(&app.api, &token).await.map_err(|failure| refused(Why::of(failure)))?;
    let cookie = cookie(&headers, text, "").ok_or_else(|| refused(Why::Unauthorized))?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

/// Logs out.
#[utoipa::path(delete, path = "/session", responses((status = 204, description = "The cookie is gone")))]
pub(crate) async fn log_out(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    if let Some(token) = of_cookie(&headers) {
        app.viewers.forget(&token).await;
    }
    match cookie(&headers, "", "; Max-Age=0") {
        Some(cookie) => (StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

/// What may be done with plans, and what is asked for of it.
const STEERING: [&str; 2] = ["patch", "create"];

/// Who is logged in, and what that person may do.
#[utoipa::path(get, path = "/session", params(("namespace" = Option<String>, Query, description = "Rights in this namespace")),
    responses((status = 200, body = Session), (status = 401, body = ErrorBody)))]
pub(crate) async fn session(
    State(app): State<Arc<App>>,
    asking: Asking,
    axum::extract::Query(place): axum::extract::Query<Place>,
) -> Result<Json<Session>, Refusal> {
    let refused = |failure| Why::of(failure).within(asking.language);
    let identity = asking.viewer.identity(&app.api).await.map_err(refused)?;
    let asker = Asker { api: &app.api, token: &asking.viewer.token };
    let namespace = place.namespace.as_deref().filter(|namespace| !namespace.is_empty());
    let lists = [NODES].into_iter().chain(NAMESPACED).map(|resource| ("list", resource));
    let ask = |(verb, resource): (&'static str, Resource)| {
        let namespace = namespace.filter(|_| resource != NODES);
        let asker = &asker;
        async move {
            let verdict = asker.may(verb, resource, namespace).await?;
            let place = namespace.map(|namespace| format!(" in {namespace}")).unwrap_or_default();
            Ok(Right {
                what: format!("{verb} {}{place}", resource.plural),
                namespace: namespace.map(str::to_owned),
                verb,
                resource: resource.plural,
                allowed: verdict.allowed,
                reason: verdict.reason.to_string(),
            })
        }
    };
    let asked = join_all(lists.chain(STEERING.map(|verb| (verb, PLANS))).map(ask)).await;
    let rights = asked.into_iter().collect::<Result<Vec<Right>, Failure>>().map_err(refused)?;
    Ok(Json(Session {
        user: identity.username,
        groups: identity.groups,
        cluster: app.cluster.to_string(),
        version: env!("CARGO_PKG_VERSION"),
        proxied: asking.proxied,
        rights,
    }))
}

/// Where rights are asked for.
#[derive(Deserialize)]
pub(crate) struct Place {
    namespace: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(all: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        all.iter().map(pair).collect()
    }

    #[test]
    fn the_token_is_found_in_the_cookie_and_in_the_header_of_the_proxy() {
        let token = |text: &str| Token::new(text);
        assert_eq!(of_cookie(&headers(&[("cookie", "a=b; koupleless-board=t.o.k")])), token("t.o.k"));
        assert_eq!(of_cookie(&headers(&[("cookie", "x-koupleless-board=t")])), None);
        let name = HeaderName::from_static("x-id-token");
        assert_eq!(of_header(&headers(&[("x-id-token", "Bearer t")]), &name), token("t"));
        assert_eq!(of_header(&headers(&[("x-id-token", "t")]), &name), token("t"));
        assert_eq!(of_header(&headers(&[("authorization", "Bearer t")]), &name), None);
    }

    #[test]
    fn the_cookie_goes_over_tls_only_but_to_this_machine() {
        let of = |host: &'static str| {
            cookie(&headers(&[("host", host)]), "t", "").unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(of("127.0.0.1:7070"), "koupleless-board=t; Path=/; HttpOnly; SameSite=Strict");
        assert!(!of("localhost:7070").contains("Secure"));
        assert!(!of("[::1]:7070").contains("Secure"));
        for host in ["board.example.com", "10.0.0.1:7070", "localhost.evil.com", "127.evil.com", ""] {
            assert!(of(host).ends_with("; Secure"), "{host}");
        }
    }
}
