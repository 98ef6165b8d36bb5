//! The Module objects of a VNode (the manual's 5.5): what is about to be installed is written down
//! before it is (intent before action), so that whoever runs the controller next knows what was put
//! on the base by it, whatever became of the Pod that asked.

mod desired;
mod packages;
mod record;
mod status;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use model::{BizId, BizState, ErrorCode, ErrorSource, ErrorType, Fault, PackageUrl, bilingual};

use self::{desired::is_other, packages::Package, record::Record};
use super::{Context, Liveness, News, Scope, VNode, announce::Origin, room::give_back};
use crate::{
    action::Action,
    config::{Config, UnmanagedBiz},
    contest::LONGEST,
    pod::{Container, ModulePod},
    request::{Request, WriteError},
    view::{Common, ModuleKey, ModuleRef, ModuleState, ModuleView},
};

/// The most objects of a base with which biz that nobody asked for get one too: hardly any base has a hundred, and a list
/// that a base makes up has room for a hundred thousand.
const MOST_SHOWN: usize = 1_000;

/// Where an object is, and what is there beside it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Provenance<'a> {
    /// The controller's own namespace.
    pub(super) own: &'a str,
    /// It is in that one.
    pub(super) is_ours: bool,
    /// A Pod of its namespace asks for the biz on this base.
    pub(super) has_pod: bool,
    /// It was there when a VNode was taken up that a controller of before has left.
    pub(super) is_left: bool,
}

/// The newest Pod that asks for a biz, and which of its containers.
type Asking<'a> = (&'a ModulePod, &'a Container);

/// What is to be done about one object.
enum NextWrite {
    /// There is none, and none is wanted.
    Forget,
    /// It waits for a state to last.
    Pass(Option<(ModuleState, Duration)>),
    /// A write.
    Act(Request),
}

/// The Module objects of one VNode, and what is known of packages.
#[derive(Debug, Clone, Default)]
pub(crate) struct Modules {
    // In boxes, as in the VNode.
    records: BTreeMap<BizId, Box<Record>>,
    /// Where what this process installed came from.
    packages: BTreeMap<BizId, Package>,
    /// What was sent to be installed: until then a copy of such a command may still arrive, whatever was answered to another.
    on_the_way: BTreeMap<BizId, Duration>,
    /// What the base held when it was first seen, before anybody asked for it.
    in_place: BTreeSet<BizId>,
    /// When it was first seen; none before its first list.
    first_seen: Option<Duration>,
}

impl Modules {
    /// An object of before this VNode was taken up: somebody may have sent an install for it, or
    /// its deletion (`ends`).
    pub(super) fn inherit(
        &mut self,
        view: ModuleView,
        from: Provenance<'_>,
        ends: bool,
        may_come_until: Duration,
    ) {
        let (id, uid) = (view.key.id.clone(), view.module.uid.clone());
        self.see(view, from);
        let record = self.records.get_mut(&id);
        let is_it =
            |record: &&mut Box<Record>| record.view.as_deref().is_some_and(|view| view.module.uid == uid);
        if let Some(record) = record.filter(is_it) {
            record.ends = ends;
            record.may_come_until = may_come_until;
        }
    }

    /// A view of an object came, of the name that it would have from us.
    ///
    /// Whoever may create such objects in a namespace may make them up. What is in our own namespace we believe; elsewhere
    /// an object is one that a controller wrote where a Pod of that namespace asks for the biz here, or where it has a
    /// status, which whoever creates an object cannot give it. So is one that a controller left which was killed before it
    /// could say more: what it did not install has an object in its own namespace by then, and that counts. From any other
    /// nothing follows. And none says that what was there before anybody asked for it was not.
    pub(super) fn see(&mut self, mut view: ModuleView, from: Provenance<'_>) {
        // Each view has a name and a version of its own.
        if let Some((id, _)) = self.records.get_key_value(&view.key.id) {
            view.key.id = id.clone();
        }
        if view.in_place && from.is_ours {
            self.in_place.insert(view.key.id.clone());
        }
        let is_proven = from.is_ours || from.has_pod || from.is_left || !view.status.conditions.is_empty();
        let record = self.records.entry(view.key.id.clone()).or_default();
        if let Some(seen) = record.view.as_deref() {
            let is_another = seen.module.uid != view.module.uid;
            if !is_another && view.resource_version < seen.resource_version {
                return;
            }
            // Of a name in one namespace the earlier is gone; of two in two namespaces the one that is better founded counts.
            if is_another && seen.module.namespace != view.module.namespace {
                let was_ours = *seen.module.namespace == *from.own;
                let known = (was_ours, record.is_told(), !seen.deleting);
                if (from.is_ours, is_proven, !view.deleting) <= known {
                    return;
                }
            }
            if is_another {
                (record.is_own, record.is_proven) = (false, false);
            }
        }
        record.is_proven |= is_proven;
        record.view = Some(Box::new(view));
    }

    /// A Pod of this namespace asks for it here: an object that was there before the Pod is believed from now on.
    pub(super) fn is_asked_for(&mut self, id: &BizId, namespace: &str) {
        if let Some(record) = self.records.get_mut(id)
            && record.view.as_deref().is_some_and(|view| *view.module.namespace == *namespace)
        {
            record.is_proven = true;
        }
    }

    /// What a controller wrote down of a biz.
    fn told(&self, id: &BizId) -> Option<&ModuleView> {
        self.records.get(id)?.told()
    }

    /// An object is gone.
    pub(super) fn lose(&mut self, id: &BizId, module: &ModuleRef) {
        let Some(record) = self.records.get_mut(id) else { return };
        if record.view.as_deref().is_some_and(|view| view.module.uid == module.uid) {
            **record = Record { pace: record.pace, ..Record::default() };
        }
    }

    /// An object was created, or patched by name of this replica.
    pub(super) fn wrote(&mut self, id: &BizId) {
        if let Some(record) = self.records.get_mut(id) {
            record.is_own = true;
        }
    }

    /// An object of it is being written.
    pub(super) fn are_written(&self) -> bool {
        self.records.values().any(|record| record.slot.is_busy())
    }

    /// It was there before anybody asked for it, and is never uninstalled.
    pub(super) fn is_in_place(&self, id: &BizId) -> bool {
        self.in_place.contains(id)
    }

    /// An install is at work whose end is not known, so it may still put it there.
    pub(super) fn may_come(&mut self, id: &BizId, until: Duration) {
        if let Some(record) = self.records.get_mut(id) {
            record.may_come_until = record.may_come_until.max(until);
        }
    }

    /// An install is sent.
    pub(super) fn installs(&mut self, id: &BizId, now: Duration, until: Duration) {
        self.on_the_way.retain(|_, until| now < *until);
        self.on_the_way.insert(id.clone(), until);
    }

    /// An install of ours succeeded.
    pub(super) fn installed(&mut self, id: &BizId, url: &PackageUrl) {
        self.packages.insert(id.clone(), Package::Told(Box::new(url.clone())));
    }

    /// It came by a command of ours, under whatever name: it was not there before, though a list
    /// may have shown it while the command was at work.
    pub(super) fn came(&mut self, id: &BizId) {
        self.in_place.remove(id);
    }

    /// The base no longer holds it.
    pub(super) fn removed(&mut self, id: &BizId) {
        self.packages.remove(id);
        self.in_place.remove(id);
        if let Some(record) = self.records.get_mut(id) {
            record.may_come_until = Duration::ZERO;
        }
    }

    /// The base was started anew: its next list is its first.
    pub(super) fn restarted(&mut self) {
        self.packages.clear();
        self.first_seen = None;
        self.records.values_mut().for_each(|record| record.may_come_until = Duration::ZERO);
    }

    /// What is to be answered for because an object says so.
    pub(super) fn managed(&self) -> impl Iterator<Item = &BizId> {
        self.records.keys().filter(|id| self.is_told_managed(id))
    }

    /// An object says that it is to be answered for.
    pub(super) fn is_told_managed(&self, id: &BizId) -> bool {
        self.told(id).is_some_and(|view| view.managed)
    }

    /// An object says that it stays although its Pod was taken away.
    pub(super) fn is_told_kept(&self, id: &BizId) -> bool {
        self.told(id).is_some_and(|view| view.kept)
    }

    /// In which namespace its object is: that of the Pod that it was made for.
    pub(super) fn namespace_of(&self, id: &BizId) -> Option<&Arc<str>> {
        self.records.get(id)?.view.as_deref().map(|view| &view.module.namespace)
    }

    /// When something is to be done about an object, if nothing happens until then.
    pub(super) fn wakes(&self, scope: &Scope, passing: Duration) -> impl Iterator<Item = Duration> {
        let records = self.records.iter().filter(|(id, _)| scope.holds(&id.name));
        records.flat_map(move |(_, record)| {
            let told = record.passing.map(|(_, since)| since + passing);
            let contests = [&record.contests.0, &record.contests.1].map(|contest| contest.wake(LONGEST));
            told.into_iter()
                .chain(record.slot.wake())
                .chain(record.pace.wake())
                .chain([record.may_come_until])
                .chain(contests.into_iter().flatten())
        })
    }

    /// The objects, as they were told last.
    pub(super) fn views(&self) -> impl Iterator<Item = &ModuleView> {
        self.records.values().filter_map(|record| record.told())
    }

    /// The objects, when the VNode goes.
    pub(crate) fn into_views(self) -> impl Iterator<Item = ModuleView> {
        self.records.into_values().filter_map(|record| record.view.map(|view| *view))
    }
}

impl VNode {
    /// The deletion of an object ended. The watch tells that it is gone; where that does not come
    /// for a while, it is deleted again.
    pub(super) fn module_deleted(&mut self, id: &BizId, now: Duration, result: &Result<(), WriteError>) {
        let Some(record) = self.modules.records.get_mut(id) else { return };
        record.slot.ended(now, result);
        match result {
            Ok(()) => record.slot.was_the_last(now),
            Err(WriteError::Refused(_)) => record.ends = false,
            // It may have been carried out.
            Err(_) => {}
        }
    }

    /// A write of an object ended. Where the intent cannot be written, nothing is installed, and
    /// the Pods that wait for it say why.
    pub(super) fn module_written(
        &mut self,
        key: &ModuleKey,
        result: &Result<(), WriteError>,
        ctx: &mut Context<'_>,
    ) {
        let now = ctx.now.mono;
        let Some(record) = self.modules.records.get_mut(&key.id) else { return };
        record.slot.ended(now, result);
        record.contests.0.ended(result);
        record.contests.1.ended(result);
        let (Err(error @ WriteError::Refused(_)), None) = (result, &record.view) else { return };
        let first = record.slot.is_first_failure();
        let code = ErrorCode::new(ErrorSource::ModuleController, ErrorType::DBAccessError);
        let fault = Fault::new(
            code,
            bilingual!("writing the Module object of {id}", "写入 {id} 的 Module 对象", id = key.id),
            error.to_string(),
        );
        let waiting: Vec<(Arc<str>, usize)> = self
            .pods
            .iter()
            .filter(|(_, pod)| pod.is_live())
            .flat_map(|(uid, pod)| pod.all().map(|container| (uid.clone(), container.place)))
            .collect();
        for (uid, index) in waiting {
            let Some(container) = self.container(&uid, index) else { continue };
            if container.wanted.as_ref().is_ok_and(|spec| spec.id == key.id) {
                container.run.postpone(now, Some(fault.clone()));
                if first {
                    self.announce_fault(&uid, "Install", Origin::Unsent(&key.id), &fault, ctx);
                }
            }
        }
    }

    /// The base's list was read: what it has at first and nobody asked for was there before us. A base
    /// is heard before it has started what was merged into it, so that "at first" lasts a while.
    pub(super) fn note_in_place(&mut self, now: Duration, config: &Config) {
        let since = *self.modules.first_seen.get_or_insert(now);
        let first = now < since + config.times.start_up;
        let gone = |id: &BizId| self.inventory.find(id).is_none();
        self.modules.in_place.retain(|id| !gone(id));
        let comes = |package: &Package| matches!(package, Package::Sent(_, until) if now < *until);
        self.modules.packages.retain(|id, package| !gone(id) || comes(package));
        let starting = |state| matches!(state, BizState::Resolved | BizState::Unresolved);
        self.modules.on_the_way.retain(|_, until| now < *until);
        give_back(&mut self.modules.on_the_way);
        // It came by a command of ours that was overtaken by what was to end it.
        for id in self.modules.on_the_way.keys().filter(|id| self.inventory.find(id).is_some()) {
            self.managed.entry(id.clone()).or_default();
        }
        let unasked: Vec<BizId> = self
            .inventory
            .all()
            // What somebody installs at the moment is looked at when it is there.
            .filter(|biz| first || !starting(biz.state))
            .map(|biz| biz.id.clone())
            .filter(|id| !self.managed.contains_key(id) && !self.modules.is_told_managed(id))
            .filter(|id| !self.is_told_installed(id) && !self.playback.told(&id.name))
            .collect();
        if first {
            // What an object of before tells of came in its time.
            let untold = unasked.into_iter().filter(|id| self.modules.told(id).is_none());
            self.modules.in_place.extend(untold.collect::<Vec<_>>());
        } else if config.unmanaged == UnmanagedBiz::Uninstall {
            for id in unasked {
                if !self.modules.in_place.contains(&id) {
                    self.managed.insert(id, Box::default());
                }
            }
        }
    }

    /// Writes down that a biz is about to be installed; true once that is known to be written.
    pub(super) fn intend(&mut self, id: &BizId, ctx: &mut Context<'_>) -> bool {
        if !ctx.config.modules {
            return true;
        }
        let record = self.modules.records.entry(id.clone()).or_default();
        let known = record.told().filter(|view| !view.deleting && !record.ends);
        // Another replica may have deleted what is known of it.
        if known.is_some_and(|view| view.managed) && (ctx.holder.is_none() || record.is_own) {
            return true;
        }
        if !record.slot.is_free(ctx.now.mono) {
            return false;
        }
        let asking = self.asking(&Scope::of(id.name.clone())).remove(id);
        let desired = Box::new(self.desired_module(id, asking, &self.module_labels(), ctx));
        let record = self.modules.records.entry(id.clone()).or_default();
        // What is being deleted is waited for, where it is in the way.
        let in_the_way =
            |view: &ModuleView| view.deleting && view.module.namespace == desired.module.namespace;
        if record.ends || record.view.as_deref().is_some_and(in_the_way) {
            return false;
        }
        record.slot.sent();
        ctx.out.push(match desired.module.uid.is_empty() {
            true => Action::Request(Request::CreateModule(desired)),
            false => Action::Request(Request::PatchModule { desired, by: ctx.holder.clone() }),
        });
        false
    }

    /// Makes, changes, tells and deletes Module objects as the base has it.
    pub(super) fn settle_modules(&mut self, scope: &Scope, ctx: &mut Context<'_>) {
        let alive = self.life.liveness(ctx.now.mono, &ctx.config.times) == Liveness::Alive;
        if !ctx.config.modules || !alive || !self.inventory.is_known() {
            return;
        }
        let shown = ctx.config.unmanaged == UnmanagedBiz::Report;
        let asking = self.asking(scope);
        // The same for all of them.
        let labels = self.module_labels();
        let records = &self.modules.records;
        let held = |id: &&BizId| scope.holds(&id.name);
        let (managed, unmanaged): (Vec<_>, Vec<_>) = self
            .inventory
            .all()
            .map(|biz| &biz.id)
            .filter(held)
            .partition(|id| self.managed.contains_key(*id));
        let room = if shown { MOST_SHOWN.saturating_sub(records.len()) } else { 0 };
        let new = unmanaged.into_iter().filter(|id| !records.contains_key(*id)).take(room);
        let ids: BTreeSet<&BizId> =
            managed.into_iter().chain(new).chain(records.keys().filter(held)).collect();
        let steps: Vec<(BizId, NextWrite)> = ids
            .into_iter()
            .filter_map(|id| Some((id.clone(), self.module_step(id, asking.get(id).copied(), &labels, ctx)?)))
            .collect();
        for (id, step) in steps {
            let record = self.modules.records.entry(id.clone()).or_default();
            let request = match step {
                NextWrite::Forget => {
                    self.modules.records.remove(&id);
                    continue;
                }
                NextWrite::Pass(passing) => {
                    record.passing = passing;
                    continue;
                }
                NextWrite::Act(request) => request,
            };
            let Some(is_contested) = record.corrects(&request, ctx.now.mono) else { continue };
            record.passing = None;
            record.ends = matches!(request, Request::DeleteModule { .. });
            record.slot.sent();
            record.pace.wrote(ctx.now.mono);
            ctx.out.push(Action::Request(request));
            if is_contested {
                self.tell_contested_module(&id, ctx);
            }
        }
    }

    /// Tells once that somebody changes a Module object back.
    fn tell_contested_module(&self, id: &BizId, ctx: &mut Context<'_>) {
        let note = bilingual!(
            "somebody else changes back what this controller writes into the Module object of {id}: it is written again ever \
             more rarely, as long as that goes on at last every {longest} s only",
            "控制器写入 {id} 的 Module 对象的内容被他人反复改回：重写会越来越少，若一直如此，最终每 {longest} 秒才写一次",
            longest = LONGEST.as_secs()
        );
        self.announce(News { warning: true, reason: "ModuleContested", action: "PatchModule", note }, ctx);
    }

    /// What is to be done about one object; none where it is as it shall be.
    fn module_step(
        &self,
        id: &BizId,
        asking: Option<Asking<'_>>,
        labels: &Common<BTreeMap<String, String>>,
        ctx: &Context<'_>,
    ) -> Option<NextWrite> {
        let record = self.modules.records.get(id);
        if record.is_some_and(|record| !record.slot.is_free(ctx.now.mono))
            || self.inventory.is_doubtful(&id.name)
        {
            return None;
        }
        let ends = record.is_some_and(|record| record.ends);
        let there = self.inventory.find(id).is_some();
        let at_work = self.ops.get(&id.name).is_some_and(|op| op.key.biz.as_ref() == Some(id));
        let seen = record.and_then(|record| record.view.as_deref());
        let is_told = record.is_some_and(|record| record.is_told());
        let hurries = record.is_some_and(|record| !record.pace.allows(ctx.now.mono));
        match seen {
            Some(seen) if seen.deleting => None,
            _ if hurries && there => None,
            // Somebody else's: what is there is written down where it belongs.
            Some(_) if !is_told && there => {
                let desired = self.desired_module(id, asking, labels, ctx);
                Some(NextWrite::Act(Request::CreateModule(Box::new(desired))))
            }
            Some(_) if !is_told && (asking.is_some() || at_work) => None,
            Some(seen) if !ends && (there || asking.is_some() || at_work) => {
                let desired = self.desired_module(id, asking, labels, ctx);
                if is_other(&desired, seen) {
                    let (desired, by) = (Box::new(desired), ctx.holder.clone());
                    return Some(NextWrite::Act(Request::PatchModule { desired, by }));
                }
                self.tell_module(id, asking, seen, ctx)
            }
            Some(_) if !ends && record.is_some_and(|record| ctx.now.mono < record.may_come_until) => None,
            Some(seen) => {
                let (key, module) = (seen.key.clone(), seen.module.clone());
                Some(NextWrite::Act(Request::DeleteModule { key, module, resource_version: None }))
            }
            None if there => {
                let desired = self.desired_module(id, asking, labels, ctx);
                Some(NextWrite::Act(Request::CreateModule(Box::new(desired))))
            }
            // Its intent is written down when it is about to be installed.
            None => Some(NextWrite::Forget),
        }
    }
}

#[cfg(test)]
mod tests;
