//! What one instance has: its memory, its arguments, its output, and the one way out.

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::{limits::Memory, module::Module, outbound::WayOut};

/// The data of a store.
pub(crate) struct State {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    way_out: WayOut,
    table: ResourceTable,
    pub(crate) memory: Memory,
}

impl State {
    pub(crate) fn new(module: &Module) -> Self {
        let Module { start, output, outbound, host, quota, .. } = module;
        let mut wasi = WasiCtx::builder();
        wasi.args(&start.args).envs(&start.envs);
        wasi.stdout(output.clone()).stderr(output.clone());
        wasi.allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false);
        Self {
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            way_out: WayOut { outbound: outbound.clone(), output: output.clone() },
            table: ResourceTable::new(),
            memory: Memory::new(host.budget.clone(), quota.memory_bytes),
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
        WasiHttpCtxView { hooks: &mut self.way_out, table: &mut self.table, ctx: &mut self.http }
    }
}
