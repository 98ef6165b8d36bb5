//! From which packages what is on a base came, as far as is known.

use std::time::Duration;

use model::{BizId, PackageUrl};

use super::super::VNode;
use crate::pod::{ModulePod, displaced::gave_way, told};

/// What is known of where a biz came from.
#[derive(Debug, Clone)]
pub(super) enum Package {
    /// The base said so of this one.
    Told(Box<PackageUrl>),
    /// Nobody knows what became of its install: if it is there, it is from this one. Until then it may still come.
    Sent(Box<PackageUrl>, Duration),
    /// It is of one package or of another that was to take its place.
    Uncertain,
}

impl Package {
    pub(super) fn url(&self) -> Option<&PackageUrl> {
        match self {
            Self::Told(url) | Self::Sent(url, _) => Some(url),
            Self::Uncertain => None,
        }
    }
}

impl VNode {
    /// A Pod's status says that it was installed for it, maybe by a controller of before.
    pub(super) fn is_told_installed(&self, id: &BizId) -> bool {
        self.pods.values().any(|pod| {
            pod.containers.iter().any(|container| {
                let told = told(&pod.view, container);
                container.wanted.as_ref().is_ok_and(|spec| spec.id == *id)
                    && (container.run.has_begun() || told.is_some_and(|told| !told.image_id.is_empty()))
            })
        })
    }

    /// Whether an install of ours was carried out is not known, and may not be before `until`.
    pub(in crate::vnode) fn may_have_installed(&mut self, id: &BizId, url: &PackageUrl, until: Duration) {
        let is_of_another = self.inventory.find(id).is_some() && self.is_of_another_package(id, url);
        let package = match is_of_another {
            true => Package::Uncertain,
            false => Package::Sent(Box::new(url.clone()), until),
        };
        self.modules.packages.insert(id.clone(), package);
    }

    /// The base holds it from another package than this one.
    pub(in crate::vnode) fn is_of_another_package(&self, id: &BizId, url: &PackageUrl) -> bool {
        if let Some(known) = self.modules.packages.get(id) {
            return known.url() != Some(url);
        }
        if let Some(told) = self.modules.told(id).map(|view| &view.url).filter(|told| !told.is_empty()) {
            return told != url.as_shown();
        }
        // Told by the Pods' own statuses: none of them says that it is this package. One that gave way tells what was.
        let pods = self.pods.values().filter(|pod| !gave_way(&pod.view));
        let mut known = pods.flat_map(|pod| told_packages(pod)).filter(|(told, _)| *told == id).peekable();
        known.peek().is_some() && known.all(|(_, package)| !url.is_told_by(package))
    }

    /// Nobody knows which of two packages of it the base holds.
    pub(in crate::vnode) fn is_of_uncertain_package(&self, id: &BizId) -> bool {
        matches!(self.modules.packages.get(id), Some(Package::Uncertain))
    }
}

/// What a Pod's status says of packages: biz and URL.
fn told_packages(pod: &ModulePod) -> impl Iterator<Item = (&BizId, &str)> {
    pod.containers.iter().filter_map(|container| {
        let told = told(&pod.view, container).map(|told| &*told.image_id)?;
        let spec = container.wanted.as_ref().ok()?;
        (!told.is_empty()).then_some((&spec.id, told))
    })
}
