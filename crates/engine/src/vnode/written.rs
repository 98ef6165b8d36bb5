//! Requests to the API server that have ended.

use super::{Context, VNode, announce::News};
use crate::request::{Write, WriteError};
use model::bilingual;

impl VNode {
    /// A write for it ended.
    pub(crate) fn written(&mut self, write: &Write, result: &Result<(), WriteError>, ctx: &mut Context<'_>) {
        let now = ctx.now.mono;
        let slot = match write {
            Write::CreateNode(_) | Write::PatchNode(_) | Write::PatchNodeStatus(_) => {
                self.node_contests.ended(write, result);
                &mut self.node_slot
            }
            Write::DeleteNode(_) => {
                self.leaving.deleted(now, result);
                return;
            }
            Write::RenewLease(_) => {
                if result.is_ok() {
                    if self.leaving.is_there() {
                        // All that was left undone meanwhile.
                        self.defer();
                    }
                    self.lease.renewed(now, &self.name, ctx.fleet.total, &ctx.config.times);
                }
                self.concerns([]);
                &mut self.lease.slot
            }
            Write::CreateModule(key) | Write::PatchModule(key) | Write::PatchModuleStatus(key) => {
                self.concerns_biz(&key.id);
                if result.is_ok() && !matches!(write, Write::PatchModuleStatus(_)) {
                    self.modules.wrote(&key.id);
                }
                self.module_written(key, result, ctx);
                return;
            }
            Write::DeleteModule(key) => {
                self.concerns_biz(&key.id);
                self.module_deleted(&key.id, now, result);
                return;
            }
            Write::PatchPodStatus(pod) => {
                self.concerns_pod(&pod.uid);
                let Some(known) = self.pods.get_mut(&pod.uid) else { return };
                known.told(now, result);
                let first = known.status_slot.is_first_failure();
                return self.tell_refusal(write, result, first, ctx);
            }
            Write::DeletePod(pod) => {
                self.concerns_pod(&pod.uid);
                let Some(known) = self.pods.get_mut(&pod.uid) else { return };
                known.deletion_ended(now, result);
                let first = known.delete_slot().is_some_and(|slot| slot.is_first_failure());
                return self.tell_refusal(write, result, first, ctx);
            }
            Write::ScaleDeployment(_)
            | Write::RecordRollout(_)
            | Write::PatchPlanStatus(_)
            | Write::PatchBaselineStatus(_)
            | Write::WriteMember(_)
            | Write::ReadMember(_)
            | Write::DeleteMember(_)
            | Write::TakeLease { .. }
            | Write::ReleaseLease { .. }
            | Write::WritePermits(_)
            | Write::DeletePermits(_) => return,
        };
        slot.ended(now, result);
        let first = slot.is_first_failure();
        self.tell_refusal(write, result, first, ctx);
    }

    /// Tells people that a write was refused, the first time in a row.
    pub(super) fn tell_refusal(
        &self,
        write: &Write,
        result: &Result<(), WriteError>,
        first: bool,
        ctx: &mut Context<'_>,
    ) {
        if let (Err(error @ WriteError::Refused(_)), true) = (result, first) {
            let note =
                bilingual!("writing {write:?} was refused: {error}", "写入 {write:?} 时被拒绝：{error}");
            self.announce(News { warning: true, reason: "WriteRefused", action: "Write", note }, ctx);
        }
    }
}
