//! The Pods of a VNode: their statuses, and the end of those that are deleted.

use std::{sync::Arc, time::Duration};

use arklet::{CommandKind, Failure};
use jiff::Timestamp;
use model::{
    Bilingual, BizId, BizName, BizState, ErrorCode, ErrorSource, ErrorType, Fault, ModuleSpec, bilingual,
};

use super::{Context, Liveness, News, Scope, VNode, announce::Origin};
use crate::{
    action::Action,
    contest::LONGEST,
    ordering::Claim,
    pod::{
        Container, ModulePod,
        status::{self, BaseStanding, Standing},
    },
    request::Request,
    view::RestartPolicy,
};

impl VNode {
    /// Writes the statuses that are not as they shall be, and finishes deletions.
    pub(super) fn settle_pods(&mut self, scope: &Scope, ctx: &mut Context<'_>) {
        let alive = self.life.liveness(ctx.now.mono, &ctx.config.times) == Liveness::Alive;
        let (ip, is_node_ready) = (Arc::<str>::from(self.ip()), self.is_node_ready());
        self.tell_what_is_wrong(scope, ctx);
        self.tell_what_is_ignored(scope, ctx);
        self.tell_what_is_not_run(scope, ctx);
        if alive {
            self.tell_what_no_plan_releases(scope, ctx);
        }
        self.note_activations(alive, scope, ctx);
        self.end_gaps(alive, scope, ctx);
        let uids: Vec<Arc<str>> =
            self.pods.iter().filter(|(_, pod)| scope.holds_pod(pod)).map(|(uid, _)| uid.clone()).collect();
        for uid in uids {
            let Some(pod) = self.pods.get(&uid) else { continue };
            if pod.is_deleting() {
                self.finish_deletion(&uid, alive, ctx);
                self.take_out_of_service(&uid, alive, ctx);
            } else if !pod.is_foreign && !pod.is_over() && pod.status_slot.is_free(ctx.now.mono) {
                let containers = pod.containers.iter();
                let standings: Vec<Standing> =
                    containers.map(|container| self.standing_of(pod, container, alive, ctx)).collect();
                self.note_waits(&uid, &standings, alive, ctx);
                let Some(pod) = self.pods.get_mut(&uid) else { continue };
                // No Pod becomes Ready before its Node; one that is stays so where somebody else takes the Node's readiness
                // away, which is set right in a moment.
                let base =
                    BaseStanding { ip: ip.clone(), serves: alive && (is_node_ready || pod.is_ready()) };
                let Some(status) = status::desired(pod, &standings, &base, ctx.config.language, ctx.now)
                else {
                    continue;
                };
                let (now, mark) = (ctx.now.mono, status::mark_of(&status));
                if now < pod.contest.due(mark, LONGEST, now) {
                    continue;
                }
                pod.telling(&status);
                let (is_contested, pod) = (pod.contest.sent(mark, now), pod.view.pod.clone());
                ctx.out.push(Action::Request(Request::PatchPodStatus { pod, status: Box::new(status) }));
                if is_contested {
                    self.tell_contested_status(&uid, ctx);
                }
            }
        }
    }

    /// No Pod of this VNode is Ready any more, as far as the API server knows.
    pub(super) fn is_no_pod_ready(&self) -> bool {
        !self.pods.values().any(|pod| pod.is_live() && pod.is_ready())
    }

    /// Its Node is known to be Ready: Pods may be. One that somebody deleted while its base is well is made again at once, and
    /// until then says what it said.
    fn is_node_ready(&self) -> bool {
        self.node
            .as_ref()
            .or(self.deleted_node.as_deref())
            .and_then(|node| node.condition("Ready"))
            .is_some_and(|ready| ready.status == crate::view::ConditionStatus::True)
    }

    /// Containers whose biz the base's list shows activated: they run.
    fn note_activations(&mut self, alive: bool, scope: &Scope, ctx: &Context<'_>) {
        if !alive || !self.inventory.is_known() {
            return;
        }
        let others: Vec<(Arc<str>, usize)> = self.served_by_others(scope).collect();
        for (uid, pod) in self.pods.iter_mut().filter(|(_, pod)| pod.is_live() && scope.holds_pod(pod)) {
            for (index, container) in pod.all_mut().enumerate() {
                let Ok(spec) = &container.wanted else { continue };
                if let Some(biz) = self.inventory.find(&spec.id)
                    && biz.state == BizState::Activated
                    && !others.iter().any(|(of, at)| of == uid && *at == index)
                {
                    container.run.activated(ctx.now.mono, ctx.now.wall, biz.changed_at);
                }
            }
        }
    }

    /// Containers whose name and version serve from another package: what is active is not what they ask for.
    fn served_by_others(&self, scope: &Scope) -> impl Iterator<Item = (Arc<str>, usize)> {
        let pods = self.pods.iter().filter(|(_, pod)| pod.is_live() && scope.holds_pod(pod));
        let containers = pods.flat_map(|(uid, pod)| {
            pod.all().enumerate().map(move |(index, container)| (uid, index, container))
        });
        containers.filter_map(move |(uid, index, container)| {
            let spec = container.wanted.as_ref().ok()?;
            let is_other =
                self.inventory.find(&spec.id).is_some() && self.is_of_another_package(&spec.id, &spec.url);
            is_other.then(|| (uid.clone(), index))
        })
    }

    fn standing_of(
        &self,
        pod: &ModulePod,
        container: &Container,
        alive: bool,
        ctx: &mut Context<'_>,
    ) -> Standing {
        let spec = match &container.wanted {
            Ok(spec) => spec,
            Err(fault) => return Standing::Invalid((**fault).clone()),
        };
        let run = &container.run;
        let name = &spec.id.name;
        // While the base is asked (again), what was told stays: most doubts end as they began.
        if !alive || !self.inventory.is_known() || self.inventory.is_doubtful(name) {
            return Standing::Unknown;
        }
        if let Some((_, why)) = pod.held().find(|(held, _)| held.place == container.place) {
            return Standing::Held(why.clone());
        }
        let arranged = self.arranged.get(name);
        let is_target = arranged.is_none_or(|arranged| arranged.target.is_for_same(spec));
        if is_target && self.ops.get(name).is_some_and(|op| op.key.biz.as_ref() == Some(&spec.id)) {
            return Standing::Installing;
        }
        // Another version is about to take its place: it is not told Ready (again) until that is over.
        if self.ops.get(name).is_some_and(|op| op.displacing) {
            return Standing::Unknown;
        }
        let is_stale = arranged.is_some_and(|arranged| arranged.target.stale);
        let waits = arranged.is_some_and(|arranged| arranged.target_waits);
        if is_target && arranged.is_some_and(|arranged| arranged.spoilt) {
            return Standing::Failed(spoilt(&spec.id));
        }
        let state = self.inventory.find(&spec.id).map(|biz| biz.state);
        let has_ended = ends_when_stopped(pod) && run.has_begun() && run.fault().is_none();
        let is_not_restarted = pod.view.restart_policy == RestartPolicy::Never && run.has_begun();
        // What failed and is not tried again, because another owner's version serves, waits for that.
        let is_tried = is_target || run.is_barred() || !self.gives_way(pod, name);
        match (state, run.fault().filter(|_| is_tried)) {
            (Some(BizState::Stopped), None) if has_ended => Standing::Completed,
            (Some(BizState::Broken | BizState::Stopped) | None, Some(fault)) => {
                Standing::Failed(fault.clone())
            }
            // Why it is barred was told, maybe by a controller of before: that stays.
            _ if !is_target && run.is_barred() => Standing::Unknown,
            _ if !is_target => self.standing_beside(pod, spec, run.started(), ctx),
            // Another's package is in its place, and nobody asks for that any more.
            (Some(BizState::Activated), _) if is_stale && is_not_restarted => Standing::Gone,
            (Some(BizState::Activated), _) if waits || is_stale => Standing::Installing,
            (Some(BizState::Activated), _) => Standing::Running(run.started()),
            (Some(BizState::Resolved | BizState::Unresolved | BizState::Deactivated), _) => {
                Standing::Installing
            }
            (Some(BizState::Unknown), _) => Standing::Invalid(unreadable(&spec.id)),
            (Some(BizState::Broken | BizState::Stopped) | None, None) => {
                if is_not_restarted {
                    Standing::Gone
                } else {
                    self.broken(&spec.id).map_or(Standing::Installing, Standing::Failed)
                }
            }
        }
    }

    /// How a container stands whose version is not the one that shall serve.
    fn standing_beside(
        &self,
        pod: &ModulePod,
        spec: &ModuleSpec,
        started: Option<Timestamp>,
        ctx: &mut Context<'_>,
    ) -> Standing {
        let Some(arranged) = self.arranged.get(&spec.id.name) else { return Standing::Unknown };
        let target = &arranged.target;
        let is_active = self.inventory.serves(&spec.id);
        let serves = is_active && !self.is_of_another_package(&spec.id, &spec.url);
        if serves && !arranged.others_yield {
            // It came (back) by a command that was thought to be over: the other is told not to be Ready first.
            let waits = !pod.is_ready() && self.is_another_ready(pod, spec);
            return if waits { Standing::Unknown } else { Standing::Running(started) };
        }
        if is_of_owner_of(pod, target) {
            return Standing::Deactivated;
        }
        self.standing_of_loser(pod, target, self.serves(target), ctx).unwrap_or(Standing::Deactivated)
    }

    /// Another owner's version serves, and shall.
    fn gives_way(&self, pod: &ModulePod, name: &BizName) -> bool {
        let target = self.arranged.get(name).map(|arranged| &arranged.target);
        target.is_some_and(|target| !is_of_owner_of(pod, target) && self.serves(target))
    }

    /// A Pod that asks for another version or package of this is Ready, as far as the API server knows.
    fn is_another_ready(&self, pod: &ModulePod, spec: &ModuleSpec) -> bool {
        let is_other = |other: &ModuleSpec| {
            other.id.name == spec.id.name && (&other.id, &other.url) != (&spec.id, &spec.url)
        };
        let others = self.pods.values().filter(|other| other.view.pod.uid != pod.view.pod.uid);
        let mut ready = others.filter(|other| other.is_live() && other.is_ready());
        ready.any(|other| other.specs().any(is_other))
    }

    /// What the base itself says of a biz that it holds broken.
    pub(super) fn broken(&self, id: &BizId) -> Option<Fault> {
        let biz = self.inventory.find(id).filter(|biz| biz.state == BizState::Broken)?;
        let failure = Failure::of_broken(&biz.message);
        Some(failure.to_fault(CommandKind::InstallBiz, bilingual!("starting {id}", "启动 {id}")))
    }

    /// Tells once what is wrong with a Pod before anything is sent.
    fn tell_what_is_wrong(&mut self, scope: &Scope, ctx: &mut Context<'_>) {
        let wrong: Vec<(Arc<str>, Vec<Fault>)> = self
            .pods
            .iter()
            .filter(|(_, pod)| !pod.fault_told && !pod.is_over() && scope.holds_pod(pod))
            .map(|(uid, pod)| (uid.clone(), faults(pod)))
            .collect();
        for (uid, faults) in wrong {
            for fault in faults {
                self.announce_fault(&uid, "Read", Origin::Pod, &fault, ctx);
            }
            if let Some(pod) = self.pods.get_mut(&uid) {
                pod.fault_told = true;
            }
        }
    }

    /// Tells once that nobody runs the probes of a Pod: the base says how its modules are.
    fn tell_what_is_ignored(&mut self, scope: &Scope, ctx: &mut Context<'_>) {
        let ignores = |pod: &ModulePod| pod.ignores_probes && scope.holds_pod(pod);
        let ignoring: Vec<Arc<str>> =
            self.pods.iter().filter(|(_, pod)| ignores(pod)).map(|(uid, _)| uid.clone()).collect();
        for uid in ignoring {
            let note = bilingual!(
                "probes of a module Pod are not run: its base says whether a module is ready",
                "模块 Pod 的探针不会执行：模块是否就绪由基座决定"
            );
            let news = News { warning: false, reason: "ProbesIgnored", action: "Read", note };
            self.announce_of_pod(&uid, news, ctx);
            if let Some(pod) = self.pods.get_mut(&uid) {
                pod.ignores_probes = false;
            }
        }
    }

    /// Tells once which containers of a Pod nobody runs: webhooks put them there, and who relies on them shall know.
    fn tell_what_is_not_run(&mut self, scope: &Scope, ctx: &mut Context<'_>) {
        let has_any = |pod: &ModulePod| !pod.not_run.is_empty() && scope.holds_pod(pod);
        let having: Vec<Arc<str>> =
            self.pods.iter().filter(|(_, pod)| has_any(pod)).map(|(uid, _)| uid.clone()).collect();
        for uid in having {
            let Some(pod) = self.pods.get_mut(&uid) else { continue };
            let names = std::mem::take(&mut pod.not_run).join(" ");
            // Of one without a module, or that is none, something worse is told.
            if pod.containers.is_empty() {
                continue;
            }
            let note = bilingual!(
                "containers that are no modules are not run: [{names}]; a base runs containers of which the image is a \
                 package (.jar, .wasm or .ark) or that have BIZ_VERSION, and the Pod does not wait for others",
                "不是模块的容器不会运行：[{names}]；基座只运行镜像为模块包（.jar、.wasm 或 .ark）或带有 BIZ_VERSION 的容器，Pod 不会等待其他容器"
            );
            let news = News { warning: false, reason: "NotAModule", action: "Read", note };
            self.announce_of_pod(&uid, news, ctx);
        }
    }

    /// Tells once that somebody changes a Pod's status back.
    fn tell_contested_status(&self, uid: &Arc<str>, ctx: &mut Context<'_>) {
        let note = bilingual!(
            "somebody else changes back what this controller says in the Pod's status: it is said again ever more rarely, as \
             long as that goes on at last every {longest} s only",
            "控制器写入 Pod 状态的内容被他人反复改回：重写会越来越少，若一直如此，最终每 {longest} 秒才写一次",
            longest = LONGEST.as_secs()
        );
        let news = News { warning: true, reason: "StatusContested", action: "PatchPodStatus", note };
        self.announce_of_pod(uid, news, ctx);
    }

    /// When something is to be done for a Pod, if nothing happens until then.
    pub(super) fn pod_wakes(&self, scope: &Scope) -> impl Iterator<Item = Duration> {
        self.pods.values().filter(|pod| scope.holds_pod(pod)).flat_map(|pod| {
            let tries = pod.all().map(|container| container.run.next_try());
            let lasting = pod.containers.iter().filter_map(|container| container.waiting.lasts_at());
            tries
                .chain(lasting)
                .chain(pod.status_slot.wake())
                .chain(pod.contest.wake(LONGEST))
                .chain(pod.delete_slot().and_then(|slot| slot.wake()))
                .chain([pod.drained_at()])
                .chain(pod.grace_ends())
        })
    }
}

fn is_of_owner_of(pod: &ModulePod, target: &Claim) -> bool {
    pod.view.owner.is_some() && pod.view.owner == target.owner
}

/// A module of this Pod that stops by itself is done.
pub(super) fn ends_when_stopped(pod: &ModulePod) -> bool {
    pod.view.restart_policy != RestartPolicy::Always
}

/// Why a version is not even tried here in the place of the one that serves (rule O9).
fn spoilt(id: &BizId) -> Fault {
    let code = ErrorCode::new(ErrorSource::User, ErrorType::InstallModuleFailed);
    let cause = bilingual!(
        "it failed in the place of the version that serves on another base, and is not tried in its place here \
         before that Pod is changed or goes",
        "它在另一个基座上替换正在服务的版本时失败了，那个 Pod 修改或消失之前，不会在这里尝试替换"
    );
    Fault::new(code, installing(id), cause)
}

/// What is being done while a module is installed.
pub(super) fn installing(id: &BizId) -> Bilingual {
    bilingual!("installing {id}", "安装 {id}")
}

/// The base holds it, and nobody can say whether it serves.
fn unreadable(id: &BizId) -> Fault {
    let code = ErrorCode::new(ErrorSource::Arklet, ErrorType::UnknownError);
    let cause = bilingual!(
        "the base's list has it in no state that is known here",
        "基座的模块列表中，它的状态不是这里认识的状态"
    );
    Fault::new(code, bilingual!("looking at {id}", "查看 {id}"), cause)
}

fn faults(pod: &ModulePod) -> Vec<Fault> {
    if pod.is_foreign {
        let code = ErrorCode::new(ErrorSource::OtherUpstream, ErrorType::InvalidRequest);
        let cause = bilingual!(
            "it is no module (it lacks the label module-controller.koupleless.io/component: module), and a \
             VNode runs nothing else; keep it away with a node affinity or a narrower toleration",
            "它不是模块（没有标签 module-controller.koupleless.io/component: module），而 VNode 只运行模块；\
             请用节点亲和性或范围更小的容忍让它远离 VNode"
        );
        return vec![Fault::new(code, bilingual!("taking up the Pod", "接收 Pod"), cause)];
    }
    if pod.containers.is_empty() {
        let code = ErrorCode::new(ErrorSource::OtherUpstream, ErrorType::InvalidParameter);
        let cause = bilingual!(
            "none of its containers is a module: give one a package as its image (a URL that ends in .jar, .wasm \
             or .ark) and the environment variable BIZ_VERSION",
            "没有一个容器是模块：请让其中一个的镜像是模块包（以 .jar、.wasm 或 .ark 结尾的 URL），并设置环境变量 BIZ_VERSION"
        );
        return vec![Fault::new(
            code,
            bilingual!("reading the containers of the Pod", "读取 Pod 的容器"),
            cause,
        )];
    }
    pod.containers
        .iter()
        .filter_map(|container| container.wanted.as_ref().err().map(|fault| (**fault).clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use arklet::{Answer, AnswerKey, CommandKind};
    use jiff::Timestamp;
    use model::{BaseState, BizState, TunnelKind};

    use crate::{
        Action, ClusterEvent, Event, Now, Request, TunnelEvent, testing,
        view::{Owner, PodStatus, PodView},
        vnode::testing::{Case, biz, report},
    };

    #[test]
    fn what_failed_on_another_base_is_the_user_s_to_mend() {
        let fault = super::spoilt(&crate::vnode::testing::id("biz1"));
        assert_eq!(fault.code.to_string(), "User.InstallModuleFailed");
    }

    /// A version came back by a command that was thought to be over.
    #[test]
    fn an_older_version_is_not_told_ready_before_the_newer_is_known_not_to_be() {
        let mut case = Case::start(|_| {}, &[]);
        case.until(3);
        let owner = Owner { namespace: "default".into(), kind: "Deployment".into(), name: "d".into() };
        let [older, newer] = [("old", "1", 1), ("new", "2", 2)].map(|(name, version, created)| PodView {
            owner: Some(owner.clone()),
            created: Timestamp::UNIX_EPOCH + Duration::from_secs(created),
            ..testing::pod(name, "biz1", version)
        });
        for pod in [older, newer.clone()] {
            case.pods.insert(pod.pod.uid.clone(), pod.clone());
            case.step(Event::Cluster(ClusterEvent::Pod(Box::new(pod))));
        }
        let ready = |case: &Case, name: &str| {
            case.pods.values().find(|pod| &*pod.pod.name == name).map(|pod| pod.status.is_ready())
        };
        case.until(20);
        assert_eq!((ready(&case, "old"), ready(&case, "new")), (Some(false), Some(true)));
        assert_eq!(case.held.len(), 2);
        // Nothing is carried out for now.
        let now = Now { mono: Duration::from_secs(55), wall: Timestamp::UNIX_EPOCH };
        case.engine.step(report(BaseState::Activated), now);
        case.engine.step(Event::Tick, now);
        let older = case.held.keys().filter(|id| id.version.as_str() == "1");
        let list = older.map(|id| biz(id, BizState::Activated)).collect();
        let answer = Event::Tunnel(TunnelEvent::Answer {
            tunnel: TunnelKind::Http,
            base: "b".parse().unwrap(),
            key: AnswerKey { command: CommandKind::QueryAllBiz, biz: None },
            outcome: Ok(Answer::Biz(list)),
        });
        let told: Vec<(String, bool)> = case
            .engine
            .step(answer, now)
            .into_iter()
            .filter_map(|action| match action {
                Action::Request(Request::PatchPodStatus { pod, status }) => {
                    Some((pod.name.to_string(), status.is_ready()))
                }
                _ => None,
            })
            .collect();
        assert_eq!(told, [("new".to_owned(), false)]);
        let gone = PodView { status: PodStatus::default(), resource_version: 1_000, ..newer };
        let told = case.engine.step(Event::Cluster(ClusterEvent::Pod(Box::new(gone))), now);
        let ready = told.iter().any(|action| {
            matches!(action, Action::Request(Request::PatchPodStatus { pod, status }) if &*pod.name == "old" && status.is_ready())
        });
        assert!(ready, "{told:?}");
    }
}
