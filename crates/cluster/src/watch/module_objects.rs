//! The watch of Module objects of our environment.

use std::sync::Arc;

use engine::{Event, view::ModuleView};
use kube::runtime::watcher;
use tokio::sync::mpsc;

use super::Observer;
use crate::{
    delivery::{Closed, DeliveryFilter, Source},
    modules::{ENV, MANAGED_BY},
};

pub(super) struct Modules {
    pub(super) env: Arc<str>,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) delivery: Arc<DeliveryFilter>,
}

impl Observer for Modules {
    type Body = ModuleView;

    fn narrow(&self, config: watcher::Config) -> watcher::Config {
        config.labels(&format!("{}={},{ENV}={}", MANAGED_BY.0, MANAGED_BY.1, self.env))
    }

    fn begin(&self) {
        self.delivery.modules_begin();
    }

    async fn listed(&self, module: ModuleView) -> Result<(), Closed> {
        self.delivery.module(&self.events, Source::List, module).await
    }

    async fn done(&self) -> Result<(), Closed> {
        self.delivery.modules_done(&self.events).await
    }

    async fn applied(&self, module: ModuleView) -> Result<(), Closed> {
        self.delivery.module(&self.events, Source::Watch, module).await
    }

    async fn gone(&self, uid: &Arc<str>) -> Result<(), Closed> {
        self.delivery.module_gone(&self.events, uid).await
    }

    fn unreadable(&self, uid: &str) {
        self.delivery.module_seen(uid);
    }
}
