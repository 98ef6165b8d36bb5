//! May a base install the version of a plan?

use std::sync::Arc;

use model::{Bilingual, BizId, bilingual};

use crate::{
    batches::{Base, batch_of, next_batch_of},
    spec::Spec,
    status::{Phase, Status},
};

/// May it?
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Release {
    /// It may.
    Released,
    /// It may not yet.
    Held(Held),
}

/// What a held module waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// There is no such plan, or it is not known yet.
    NoPlan,
    /// The plan cannot be carried out.
    Refused(String),
    /// The plan is for another module or version.
    OtherModule(BizId),
    /// The plan has not begun.
    NotBegun,
    /// Its batch has not begun.
    Batch(Arc<str>),
    /// The plan has begun, and what came since in its spec is not carried out.
    Changed,
    /// The plan was over before this base was released.
    Over(Phase),
}

impl Held {
    /// What its Pod says.
    pub fn told(&self) -> Bilingual {
        match self {
            Self::NoPlan => bilingual!("there is no such plan yet", "还没有这个工单"),
            Self::Refused(why) => bilingual!("the plan is refused: {why}", "工单被拒绝：{why}"),
            Self::OtherModule(id) => bilingual!(
                "the plan is for {id}: name a plan for this version",
                "这个工单是 {id} 的：请写上这个版本的工单"
            ),
            Self::NotBegun => bilingual!("the plan has not begun", "工单还没有开始"),
            Self::Batch(name) => bilingual!("it comes with batch {name}", "它随批次 {name} 放行"),
            Self::Changed => {
                bilingual!("the plan was changed after it had begun", "工单在开始之后被修改了")
            }
            Self::Over(phase) => {
                bilingual!("the plan is over ({phase})", "工单已结束（{phase}）", phase = phase.as_str())
            }
        }
    }
}

/// The plan has brought this module everywhere, which is never held again. Another version that names the same plan is: whoever
/// wrote it forgot to make a plan for it.
pub fn has_succeeded(spec: Option<&Spec>, status: &Status, digest: &str, module: &BizId) -> bool {
    let is_it = |spec: &Spec| spec.module == *module && *status.digest == *digest;
    status.phase == Phase::Succeeded && spec.is_none_or(is_it)
}

/// Whether this base may install `module`, whose Pod names this plan. `spec` is none where the plan makes no sense, and
/// `digest` names what may not change of it (rules P1 and P2).
pub fn hold(spec: Option<&Spec>, status: &Status, digest: &str, module: &BizId, base: &Base) -> Release {
    if has_succeeded(spec, status, digest, module) {
        return Release::Released;
    }
    let Some(spec) = spec else { return Release::Held(Held::Refused(status.message.clone())) };
    if spec.module != *module {
        return Release::Held(Held::OtherModule(spec.module.clone()));
    }
    if !status.is_begun() {
        return Release::Held(match status.phase {
            Phase::Refused => Held::Refused(status.message.clone()),
            _ => Held::NotBegun,
        });
    }
    if *status.digest != *digest {
        return Release::Held(Held::Changed);
    }
    if batch_of(spec, status, base).is_some() {
        return Release::Released;
    }
    if status.phase.is_over() {
        return Release::Held(Held::Over(status.phase));
    }
    // A base that has nothing to lose gets what has proved itself elsewhere.
    if !base.serves && status.any_done() {
        return Release::Released;
    }
    let next = next_batch_of(spec, status, base).and_then(|place| spec.batches.get(place));
    Release::Held(next.map_or(Held::NotBegun, |batch| Held::Batch(batch.name.clone())))
}
