//! What every VNode waits for, and why: `/debug/vnodes.json`. It names modules and Pods of all tenants, so it is shown to who asks from
//! the same machine or Pod alone, as `kubectl port-forward` does with the rights of whoever runs it.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use axum::{
    Extension,
    extract::{RawQuery, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;
use tokio::{sync::oneshot, time::timeout};

use super::{Admin, serve::Peer};
use crate::dispatch::Question;

/// The loop comes round in less than a tenth of a second; this is for a machine that is very busy.
const PATIENCE: Duration = Duration::from_secs(5);

/// All VNodes; with `?node=NAME` that of this name. A Node's name has no character that a URL would write in another way.
pub(super) async fn vnodes(
    State(admin): State<Admin>,
    Extension(Peer(peer)): Extension<Peer>,
    RawQuery(query): RawQuery,
) -> Response {
    if !is_local(peer) {
        let why =
            "this page is for who is on the same machine or in the same Pod: use kubectl port-forward\n";
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    let node = query.as_deref().and_then(|query| query.strip_prefix("node=")).map(str::to_owned);
    let (answer, answered) = oneshot::channel();
    let asking = async {
        admin.questions.send(Question { node, answer }).await.ok()?;
        answered.await.ok()
    };
    match timeout(PATIENCE, asking).await {
        Ok(Some(vnodes)) => {
            let kind = [("content-type", "application/json")];
            (kind, json!({ "vnodes": vnodes }).to_string()).into_response()
        }
        _ => (StatusCode::SERVICE_UNAVAILABLE, "the loop does not answer; see /healthz\n").into_response(),
    }
}

/// An IPv4 address may be written as an IPv6 one where the port is open for both. Of 127.0.0.0/8 it is the first address alone: from
/// others service meshes pass on what came from outside (Istio from 127.0.0.6 and ::6).
fn is_local(peer: IpAddr) -> bool {
    [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)].contains(&peer.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_is_here_is_local() {
        for (address, local) in [
            ("127.0.0.1", true),
            ("127.0.0.6", false),
            ("::6", false),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("10.0.0.1", false),
            ("::ffff:10.0.0.1", false),
            ("0.0.0.0", false),
            ("fe80::1", false),
        ] {
            assert_eq!(is_local(address.parse().unwrap()), local, "{address}");
        }
    }
}
