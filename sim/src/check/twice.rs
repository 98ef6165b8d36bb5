//! Nothing is installed that has long been serving, from the same package. A base does not tell from which one it has it:
//! that is known by what it was told, and by what was written down.

use std::{collections::BTreeMap, time::Duration};

use arklet::Command;
use engine::view::ModuleKey;
use model::{BaseIdentity, BizId, BizState};

use super::Known;
use crate::{base::Package, world::World};

/// How long a controller may not know of it: the period of its list, and what a slow network adds.
const LAG: Duration = Duration::from_secs(60);

/// The last package of each biz that was sent to each base, and when one was sent that was another than the one before.
#[derive(Debug, Default)]
pub struct Twice {
    sent: BTreeMap<(BaseIdentity, BizId), (Package, Option<Duration>)>,
}

impl Twice {
    /// Since this base has activated it, another package was sent for it: whether that came was not answered; or it was, and
    /// the one after it was not, and was not written down. Or another was written down, and the replica that was to send it
    /// ended before.
    pub(super) fn is_uncertain(&self, base: &BaseIdentity, id: &BizId, known: &Known<'_>) -> bool {
        let Some(biz) = known.bases.get(base).and_then(|base| base.biz.get(id)) else { return false };
        let sent = self.sent.get(&(base.clone(), id.clone())).and_then(|(_, another)| *another);
        let key = ModuleKey { vnode: World::node_of(base), id: id.clone() };
        let recorded = known.api.modules.get(&key).map(|module| Package::of(&module.url));
        sent.is_some_and(|sent| sent >= biz.activated)
            || recorded.is_some_and(|recorded| recorded != biz.package)
    }

    pub(super) fn check(
        &mut self,
        base: &BaseIdentity,
        command: &Command,
        known: &Known<'_>,
        now: Duration,
    ) -> Result<(), String> {
        let Command::InstallBiz { spec, .. } = command else { return Ok(()) };
        let package = Package::of(spec.url.as_written());
        let is_uncertain = self.is_uncertain(base, &spec.id, known);
        let sent = self.sent.entry((base.clone(), spec.id.clone())).or_insert((package, None));
        if sent.0 != package {
            *sent = (package, Some(now));
        }
        let Some(biz) = known.bases.get(base).and_then(|base| base.biz.get(&spec.id)) else { return Ok(()) };
        let is_long_there =
            biz.state == BizState::Activated && biz.package == package && now >= biz.activated + LAG;
        match is_long_there && !is_uncertain {
            true => {
                Err(format!("{base} is told to install {}, which serves since {:?}", spec.id, biz.activated))
            }
            false => Ok(()),
        }
    }
}
