//! Nothing is installed that has long been serving, from the same package.

use std::time::Duration;

use arklet::Command;
use model::{BaseIdentity, BizState};

use super::Known;
use crate::base::Package;

/// How long a controller may not know of it: the period of its list, and what a slow network adds.
const LAG: Duration = Duration::from_secs(60);

pub(super) fn check(
    base: &BaseIdentity,
    command: &Command,
    known: &Known<'_>,
    now: Duration,
) -> Result<(), String> {
    let Command::InstallBiz { spec, .. } = command else { return Ok(()) };
    let held = known.bases.get(base).and_then(|base| base.biz.get(&spec.id));
    match held {
        Some(biz)
            if biz.state == BizState::Activated
                && biz.package == Package::of(spec.url.as_written())
                && now >= biz.activated + LAG =>
        {
            Err(format!("{base} is told to install {}, which serves since {:?}", spec.id, biz.activated))
        }
        _ => Ok(()),
    }
}
