//! The Module objects of a VNode (the manual's 5.5): what is about to be installed is written down
//! before it is (intent before action), so that whoever runs the controller next knows what was put
//! on the base by it, whatever became of the Pod that asked.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use arklet::CommandKind;
use jiff::{Timestamp, Unit};
use model::{BizId, BizState, ErrorCode, ErrorSource, ErrorType, Fault, PackageUrl, name};

use super::{Context, Liveness, News, Scope, VNode, announce::Origin};
use crate::{
    action::Action,
    config::{Config, UnmanagedBiz},
    contest::{Contest, LONGEST, mark},
    event::WriteError,
    pod::{Container, ModulePod, displaced::gave_way, told},
    view::{Common, Condition, ConditionStatus, ModuleKey, ModuleRef, ModuleState, ModuleStatus, ModuleView},
    write_slot::WriteSlot,
};

/// Where the base is, in both families: its address and its name.
const IP_LABELS: [&str; 2] = ["koupleless.alipay.com/base-instance-ip", "koupleless.io/base-instance-ip"];
const NAME_LABELS: [&str; 2] =
    ["koupleless.alipay.com/base-instance-name", "koupleless.io/base-instance-name"];
/// The most objects of a base with which biz that nobody asked for get one too: hardly any base has a hundred, and a list
/// that a base makes up has room for a hundred thousand.
const MOST_SHOWN: usize = 1_000;
/// The condition that tells the story of a state.
const READY: &str = "Ready";

/// One Module object.
#[derive(Debug, Clone, Default)]
struct Record {
    /// The newest view of it; none where it is being made.
    view: Option<Box<ModuleView>>,
    slot: WriteSlot,
    /// What others change back of what it says of the module, and of its status.
    contests: (Contest, Contest),
    /// Its deletion was sent: it is as good as gone, until the watch says that it is, or its write failed.
    ends: bool,
    /// It was written by this process, since it acts for the VNode.
    is_own: bool,
    /// It is one that a controller wrote, by all that can be seen: see [`Modules::see`].
    is_proven: bool,
    /// How often it was written lately.
    pace: Pace,
    /// Until then an install that was sent before this VNode was taken up may still put it there.
    may_come_until: Duration,
    /// A state that has not been told yet, and since when.
    passing: Option<(ModuleState, Duration)>,
}

/// Where an object is, and what is there beside it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// The controller's own namespace.
    pub(super) own: &'a str,
    /// It is in that one.
    pub(super) is_ours: bool,
    /// A Pod of its namespace asks for the biz on this base.
    pub(super) has_pod: bool,
    /// It was there when a VNode was taken up that a controller of before has left.
    pub(super) is_left: bool,
}

impl Record {
    /// A controller wrote it.
    fn is_told(&self) -> bool {
        self.is_proven || self.is_own
    }

    fn told(&self) -> Option<&ModuleView> {
        self.view.as_deref().filter(|_| self.is_told())
    }
}

/// How often one object is written: who writes what we take back, again and again, is answered this often and no more.
/// A whole life of a module has two writes, and a change of its package two more.
#[derive(Debug, Clone, Copy, Default)]
struct Pace {
    since: Duration,
    writes: u32,
}

impl Pace {
    const MOST: u32 = 8;
    const WHILE: Duration = Duration::from_secs(60);

    fn wrote(&mut self, now: Duration) {
        if now >= self.since + Self::WHILE {
            *self = Self { since: now, writes: 0 };
        }
        self.writes += 1;
    }

    fn allows(&self, now: Duration) -> bool {
        self.writes < Self::MOST || now >= self.since + Self::WHILE
    }

    fn wake(&self) -> Option<Duration> {
        (self.writes >= Self::MOST).then_some(self.since + Self::WHILE)
    }
}

impl Record {
    /// A patch is about to be sent: none where it waits because somebody changes it back, else whether to tell so.
    fn corrects(&mut self, action: &Action, now: Duration) -> Option<bool> {
        let (contest, mark) = match action {
            Action::PatchModule { desired, .. } => {
                let flags = (desired.managed, desired.in_place, desired.kept);
                (&mut self.contests.0, mark((&*desired.labels, &desired.url, &desired.pod, flags)))
            }
            Action::PatchModuleStatus { status, .. } => {
                let ready = ready_of(status).map(|ready| (ready.status as u8, &ready.reason, &ready.message));
                let state = status.state.map(ModuleState::as_str);
                (&mut self.contests.1, mark((state, &status.error_code, &status.suggestion, ready)))
            }
            _ => return Some(false),
        };
        (now >= contest.due(mark, LONGEST, now)).then(|| contest.sent(mark, now))
    }
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
    Act(Action),
}

/// What is known of where a biz came from.
#[derive(Debug, Clone)]
enum Package {
    /// The base said so of this one.
    Told(Box<PackageUrl>),
    /// Nobody knows what became of its install: if it is there, it is from this one. Until then it may still come.
    Sent(Box<PackageUrl>, Duration),
    /// It is of one package or of another that was to take its place.
    Uncertain,
}

impl Package {
    fn url(&self) -> Option<&PackageUrl> {
        match self {
            Self::Told(url) | Self::Sent(url, _) => Some(url),
            Self::Uncertain => None,
        }
    }
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
        from: Place<'_>,
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
    pub(super) fn see(&mut self, view: ModuleView, from: Place<'_>) {
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
        let fault = Fault::new(code, format!("writing the Module object of {}", key.id), error.to_string());
        let waiting: Vec<(Arc<str>, usize)> = self
            .pods
            .iter()
            .filter(|(_, pod)| pod.is_live())
            .flat_map(|(uid, pod)| pod.containers.iter().map(|container| (uid.clone(), container.place)))
            .collect();
        for (uid, index) in waiting {
            let Some(container) = self.container(&uid, index) else { continue };
            if container.wanted.as_ref().is_ok_and(|spec| spec.id == key.id) {
                container.run.put_off(now, Some(fault.clone()));
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
        // It came by a command of ours that was overtaken by what was to end it.
        let came = |(id, until): &(&BizId, &Duration)| now < **until && self.inventory.find(id).is_some();
        for (id, _) in self.modules.on_the_way.iter().filter(came) {
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

    /// A Pod's status says that it was installed for it, maybe by a controller of before.
    fn is_told_installed(&self, id: &BizId) -> bool {
        self.pods.values().any(|pod| {
            pod.containers.iter().any(|container| {
                let told = told(&pod.view, container);
                container.wanted.as_ref().is_ok_and(|spec| spec.id == *id)
                    && (container.run.has_begun() || told.is_some_and(|told| !told.image_id.is_empty()))
            })
        })
    }

    /// Whether an install of ours was carried out is not known, and may not be before `until`.
    pub(super) fn may_have_installed(&mut self, id: &BizId, url: &PackageUrl, until: Duration) {
        let is_of_another = self.inventory.find(id).is_some() && self.is_of_another_package(id, url);
        let package = match is_of_another {
            true => Package::Uncertain,
            false => Package::Sent(Box::new(url.clone()), until),
        };
        self.modules.packages.insert(id.clone(), package);
    }

    /// The base holds it from another package than this one.
    pub(super) fn is_of_another_package(&self, id: &BizId, url: &PackageUrl) -> bool {
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
    pub(super) fn is_of_uncertain_package(&self, id: &BizId) -> bool {
        matches!(self.modules.packages.get(id), Some(Package::Uncertain))
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
            true => Action::CreateModule(desired),
            false => Action::PatchModule { desired, by: ctx.holder.clone() },
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
            let action = match step {
                NextWrite::Forget => {
                    self.modules.records.remove(&id);
                    continue;
                }
                NextWrite::Pass(passing) => {
                    record.passing = passing;
                    continue;
                }
                NextWrite::Act(action) => action,
            };
            let Some(is_contested) = record.corrects(&action, ctx.now.mono) else { continue };
            record.passing = None;
            record.ends = matches!(action, Action::DeleteModule { .. });
            record.slot.sent();
            record.pace.wrote(ctx.now.mono);
            ctx.out.push(action);
            if is_contested {
                self.tell_contested_module(&id, ctx);
            }
        }
    }

    /// Tells once that somebody changes a Module object back.
    fn tell_contested_module(&self, id: &BizId, ctx: &mut Context<'_>) {
        let note = format!(
            "somebody else changes back what this controller writes into the Module object of {id}: it is written again ever \
             more rarely, as long as that goes on at last every {} s only",
            LONGEST.as_secs()
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
                Some(NextWrite::Act(Action::CreateModule(Box::new(desired))))
            }
            Some(_) if !is_told && (asking.is_some() || at_work) => None,
            Some(seen) if !ends && (there || asking.is_some() || at_work) => {
                let desired = self.desired_module(id, asking, labels, ctx);
                if is_other(&desired, seen) {
                    let (desired, by) = (Box::new(desired), ctx.holder.clone());
                    return Some(NextWrite::Act(Action::PatchModule { desired, by }));
                }
                self.tell_module(id, asking, seen, ctx)
            }
            Some(_) if !ends && record.is_some_and(|record| ctx.now.mono < record.may_come_until) => None,
            Some(seen) => {
                let (key, module) = (seen.key.clone(), seen.module.clone());
                Some(NextWrite::Act(Action::DeleteModule { key, module, resource_version: None }))
            }
            None if there => {
                let desired = self.desired_module(id, asking, labels, ctx);
                Some(NextWrite::Act(Action::CreateModule(Box::new(desired))))
            }
            // Its intent is written down when it is about to be installed.
            None => Some(NextWrite::Forget),
        }
    }

    /// Writes the status where it says something else: at once where it is what things came to,
    /// after a moment where it may pass by.
    fn tell_module(
        &self,
        id: &BizId,
        asking: Option<Asking<'_>>,
        seen: &ModuleView,
        ctx: &Context<'_>,
    ) -> Option<NextWrite> {
        let now = ctx.now;
        let (state, fault) = self.module_state(id, asking, now.mono);
        let status = status(state, fault.as_ref(), &seen.status, now.wall);
        let passing = self.modules.records.get(id).and_then(|record| record.passing);
        if is_same(&status, &seen.status) {
            return passing.map(|_| NextWrite::Pass(None));
        }
        let settled =
            matches!(state, ModuleState::Available | ModuleState::Failed | ModuleState::Deactivated);
        let since = passing.filter(|(passing, _)| *passing == state).map_or(now.mono, |(_, since)| since);
        if !settled && now.mono < since + ctx.config.times.passing {
            let passes = Some((state, since));
            return (passing != passes).then_some(NextWrite::Pass(passes));
        }
        let (key, module) = (seen.key.clone(), seen.module.clone());
        Some(NextWrite::Act(Action::PatchModuleStatus { key, module, status: Box::new(status) }))
    }

    /// What live Pods ask for, and of each the newest Pod. One that asks for the version that shall serve from another
    /// package is not meant.
    fn asking(&self, scope: &Scope) -> BTreeMap<&BizId, Asking<'_>> {
        let mut asking: BTreeMap<&BizId, Asking<'_>> = BTreeMap::new();
        for pod in self.pods.values().filter(|pod| pod.is_live() && scope.holds_pod(pod)) {
            for container in &pod.containers {
                let Ok(spec) = &container.wanted else { continue };
                let target = self.arranged.get(&spec.id.name).map(|arranged| &arranged.target);
                if target.is_some_and(|target| target.spec.id == spec.id && !target.is_for_same(spec)) {
                    continue;
                }
                let newest = asking.entry(&spec.id).or_insert((pod, container));
                if pod.age() > newest.0.age() {
                    *newest = (pod, container);
                }
            }
        }
        asking
    }

    /// What the object shall be, but for its status.
    fn desired_module(
        &self,
        id: &BizId,
        asking: Option<Asking<'_>>,
        labels: &Common<BTreeMap<String, String>>,
        ctx: &Context<'_>,
    ) -> ModuleView {
        let seen = self.modules.told(id).filter(|view| !view.deleting);
        let in_place = self.modules.in_place.contains(id);
        let named = asking.map(|(pod, _)| &pod.view.pod);
        let wanted = asking.and_then(|(_, container)| container.wanted.as_ref().ok());
        let package = wanted.map(|spec| spec.url.as_shown().clone());
        let known = || seen.map(|view| view.url.clone()).filter(|url| !url.is_empty());
        let installed =
            self.modules.packages.get(id).and_then(Package::url).map(|url| url.as_shown().clone());
        let url = match self.inventory.find(id) {
            Some(_) => installed.or_else(known).or(package),
            None => package.or_else(known),
        };
        let key = ModuleKey { vnode: self.name.clone(), id: id.clone() };
        // That it was in place is believed from our own namespace only.
        let home = named.filter(|_| !in_place).map(|pod| pod.namespace.clone());
        let place = || ModuleRef {
            namespace: home.unwrap_or_else(|| ctx.config.namespace.clone()),
            name: name::module_name(&self.name, id).into(),
            uid: "".into(),
        };
        // The Pod that asked stays told while what it asked for is being uninstalled.
        let pod = named.map(|pod| pod.name.clone()).or_else(|| seen.map(|view| view.pod.clone()));
        ModuleView {
            module: seen.map_or_else(place, |view| view.module.clone()),
            key,
            resource_version: seen.map(|view| view.resource_version).unwrap_or_default(),
            labels: labels.clone(),
            url: url.unwrap_or_default(),
            pod: pod.unwrap_or_default(),
            managed: self.managed.contains_key(id),
            in_place,
            kept: self.evicted.keeps(id, ctx.now.mono),
            status: ModuleStatus::default(),
            deleting: false,
        }
    }

    /// Where the base is.
    fn module_labels(&self) -> Common<BTreeMap<String, String>> {
        let ip = self.ip().parse().map(name::address_label).unwrap_or_default();
        let host_name = self.host_name();
        let host_name = if host_name.is_empty() { self.identity.as_str().into() } else { host_name };
        let instance = name::label_value(self.own_pod.name().unwrap_or(&host_name));
        let ips = IP_LABELS.map(|label| (label.to_owned(), ip.clone()));
        let names = NAME_LABELS.map(|label| (label.to_owned(), instance.clone()));
        ips.into_iter().chain(names).collect()
    }

    /// How it stands, and what is wrong with it.
    fn module_state(
        &self,
        id: &BizId,
        asking: Option<Asking<'_>>,
        now: Duration,
    ) -> (ModuleState, Option<Fault>) {
        let op = self.ops.get(&id.name).filter(|op| op.key.biz.as_ref() == Some(id));
        let stays = self.modules.in_place.contains(id) || self.evicted.keeps(id, now);
        let goes = asking.is_none() && self.managed.contains_key(id) && !stays;
        let target = self.arranged.get(&id.name).filter(|arranged| arranged.target.spec.id == *id);
        let state = match (op.map(|op| op.key.command), self.inventory.find(id).map(|biz| biz.state)) {
            (Some(CommandKind::InstallBiz), _) => ModuleState::Upgrading,
            (Some(CommandKind::UninstallBiz), _) => ModuleState::Terminating,
            (Some(_), _) => ModuleState::Completing,
            (None, Some(_)) if goes => ModuleState::Terminating,
            (None, Some(BizState::Activated)) => match target {
                Some(target) if target.target_waits => ModuleState::Completing,
                _ => ModuleState::Available,
            },
            (None, Some(BizState::Deactivated)) if target.is_some() => ModuleState::Prepare,
            (None, Some(BizState::Deactivated)) => ModuleState::Deactivated,
            (None, Some(BizState::Resolved | BizState::Unresolved | BizState::Unknown)) => {
                ModuleState::Upgrading
            }
            (None, Some(BizState::Broken | BizState::Stopped)) => ModuleState::Failed,
            (None, None) => ModuleState::Pending,
        };
        let of_pod = || asking.and_then(|(_, container)| container.run.fault().cloned());
        match state {
            ModuleState::Terminating => {
                (state, self.managed.get(id).and_then(|managed| managed.fault.as_deref().cloned()))
            }
            ModuleState::Pending | ModuleState::Failed => match of_pod().or_else(|| self.broken(id)) {
                Some(fault) => (ModuleState::Failed, Some(fault)),
                None => (state, None),
            },
            _ => (state, None),
        }
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

fn is_other(desired: &ModuleView, seen: &ModuleView) -> bool {
    (!desired.labels.is_same(&seen.labels)
        && desired.labels.iter().any(|(key, value)| seen.labels.get(key) != Some(value)))
        || (&desired.url, &desired.pod, desired.managed, desired.in_place, desired.kept)
            != (&seen.url, &seen.pod, seen.managed, seen.in_place, seen.kept)
}

/// The status of a state. What was told before keeps its times where it has not changed.
fn status(state: ModuleState, fault: Option<&Fault>, seen: &ModuleStatus, wall: Timestamp) -> ModuleStatus {
    let wall =
        wall.round(jiff::TimestampRound::new().smallest(Unit::Second).mode(jiff::RoundMode::Trunc)).ok();
    let ready = ConditionStatus::from(state == ModuleState::Available);
    let since = ready_of(seen).filter(|told| told.status == ready).and_then(|told| told.changed);
    let condition = Condition {
        kind: READY.into(),
        status: ready,
        reason: fault.map_or_else(|| state.as_str().into(), |fault| fault.code.to_string().into()),
        message: fault.map(|fault| fault.message().into()).unwrap_or_default(),
        changed: since.or(wall),
    };
    ModuleStatus {
        state: Some(state),
        error_code: fault.map(|fault| fault.code.to_string().into()).unwrap_or_default(),
        suggestion: fault.map(|fault| fault.code.suggestion().into()).unwrap_or_default(),
        // The list is written whole: those of others stay in it.
        conditions: [condition]
            .into_iter()
            .chain(seen.conditions.iter().filter(|c| *c.kind != *READY).cloned())
            .collect(),
        changed: (seen.state == Some(state)).then_some(seen.changed).flatten().or(wall),
    }
}

/// The condition that is ours.
fn ready_of(status: &ModuleStatus) -> Option<&Condition> {
    status.conditions.iter().find(|condition| *condition.kind == *READY)
}

/// They say the same, as far as it is ours. What nothing has been told of is being installed.
fn is_same(wanted: &ModuleStatus, seen: &ModuleStatus) -> bool {
    let told =
        |status| ready_of(status).map(|ready| (ready.status, ready.reason.clone(), ready.message.clone()));
    match seen.state {
        None => wanted.state == Some(ModuleState::Upgrading),
        Some(_) => {
            wanted.state == seen.state && wanted.error_code == seen.error_code && told(wanted) == told(seen)
        }
    }
}

#[cfg(test)]
mod tests;
