//! What one instance has: its memory, its arguments, its output, and no way out.

use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

use crate::{
    limits::{Budget, Memory},
    module::Start,
    output::Output,
};

/// The data of a store.
pub(crate) struct State {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: NoWayOut,
    table: ResourceTable,
    pub(crate) memory: Memory,
}

impl State {
    pub(crate) fn new(start: &Start, output: &Output, budget: Arc<Budget>, memory_bytes: usize) -> Self {
        let mut wasi = WasiCtx::builder();
        wasi.args(&start.args).envs(&start.envs);
        wasi.stdout(output.clone()).stderr(output.clone());
        wasi.allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false);
        Self {
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            hooks: NoWayOut,
            table: ResourceTable::new(),
            memory: Memory::new(budget, memory_bytes),
        }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.hooks, table: &mut self.table, ctx: &mut self.http }
    }
}

type Refusal = Box<
    dyn Future<
            Output = Result<
                (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>),
                Error,
            >,
        > + Send,
>;

/// Refuses every request that a module sends.
#[derive(Debug, Clone, Copy)]
struct NoWayOut;

impl WasiHttpHooks for NoWayOut {
    fn send_request(
        &mut self,
        _request: http::Request<WasiBody>,
        _options: Option<RequestOptions>,
        _ended: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Refusal {
        Box::new(async { Err(Error::HttpRequestDenied) })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::{BodyExt as _, Empty};

    use super::*;

    #[tokio::test]
    async fn a_module_calls_nobody() {
        for url in ["http://127.0.0.1/", "http://169.254.169.254/latest/meta-data", "https://example.com/"] {
            let body = Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync();
            let request = http::Request::get(url).body(body).unwrap();
            let sent = Box::into_pin(NoWayOut.send_request(request, None, Box::new(async { Ok(()) }))).await;
            assert!(matches!(sent, Err(Error::HttpRequestDenied)), "{url}");
        }
    }
}
