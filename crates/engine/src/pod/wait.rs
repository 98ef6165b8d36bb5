//! What a container waits for that is not installed yet, in words that do not change while it waits.
//!
//! A wait is told when it has lasted: most are over in a moment, and a status for each would cost more than the install.

use std::time::Duration;

use arklet::CommandKind;
use jiff::Timestamp;
use model::{Bilingual, BizId, Language, bilingual};

use super::status::whole_seconds;
use crate::{backoff, event::Now, view::Owner};

/// What a container waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Nothing is heard of the base, or it says that it does not serve.
    Base,
    /// What the base holds is not known, or not any more.
    List,
    /// The command that was sent for it.
    Command(CommandKind),
    /// A command that was sent for another version of it.
    Another(CommandKind, Option<BizId>),
    /// As many Pods of this owner are being replaced as may be at a time.
    Permit(Owner),
    /// Another Pod of the module is Ready, as far as the API server knows.
    Yield,
    /// Requests to what serves have not had their time.
    Drain,
    /// It was not there a moment ago, or could not be reached.
    BackOff,
    /// So many commands are at work on the base, and no more may be.
    Workers(usize),
    /// What is about to be installed is written down first.
    Intent,
    /// The base installs it by itself.
    Baseline,
    /// The base has it, and has not started it.
    Start,
    /// It failed in the place of what serves.
    Barred,
    /// Something that is over in a moment.
    Turn,
}

const FOR_PERMIT: [&str; 2] = ["a permit to take the place of what serves", "替换正在服务的版本的许可"];

/// A status says that its container waits for its turn, whoever wrote that, in whichever language.
pub(crate) fn is_for_permit(message: &str) -> bool {
    FOR_PERMIT.iter().any(|words| message.contains(words))
}

/// The base works off so many commands at a time.
const AT_WORK: [&str; 2] = ["commands are at work on the base", "个命令正在基座上执行"];

/// A status says that its base is at work on something else first, whoever wrote that. What makes room for the container is its own
/// operation.
pub(crate) fn is_for_another_operation(message: &str) -> bool {
    let install = CommandKind::InstallBiz;
    let installs = [format!("the base to carry {install} of "), format!("基座先执行 {install} ")];
    AT_WORK.into_iter().chain(installs.iter().map(String::as_str)).any(|words| message.contains(words))
}

impl Wait {
    /// What it waits for.
    pub(crate) fn told(&self) -> Bilingual {
        match self {
            Self::Base => bilingual!(
                "the base, which does not answer or does not serve",
                "基座恢复：它没有应答，或不提供服务"
            ),
            Self::List => bilingual!("the base to say what it holds", "基座告知它有哪些模块"),
            Self::Command(command) | Self::Another(command, None) => {
                bilingual!("the base to carry {command} out", "基座执行 {command}")
            }
            Self::Another(command, Some(id)) => {
                bilingual!("the base to carry {command} of {id} out", "基座先执行 {command} {id}")
            }
            Self::Permit(Owner { namespace, kind, name }) => {
                let [english, chinese] = FOR_PERMIT;
                Bilingual::new(
                    format!(
                        "{english}: of {kind} {namespace}/{name} as many Pods are being replaced as may be at a time"
                    ),
                    format!("{chinese}：{kind} {namespace}/{name} 同时替换的 Pod 已达上限"),
                )
            }
            Self::Yield => bilingual!(
                "another Pod of this module to be known as not Ready",
                "该模块的另一个 Pod 变为 NotReady"
            ),
            Self::Drain => bilingual!(
                "the end of requests to what serves (MODULE_DRAIN_MS)",
                "正在服务的版本处理完请求（MODULE_DRAIN_MS）"
            ),
            Self::BackOff => bilingual!("the end of its back-off", "重试的间隔结束"),
            Self::Workers(most) => {
                let [english, chinese] = AT_WORK;
                Bilingual::new(
                    format!("its turn: {most} {english} (VNODE_WORKER_NUM)"),
                    format!("轮到它：已有 {most} {chinese}（VNODE_WORKER_NUM）"),
                )
            }
            Self::Intent => bilingual!("its Module object to be written", "写入它的 Module 对象"),
            Self::Baseline => {
                bilingual!("the base, which installs its baseline by itself", "基座自行安装基线")
            }
            Self::Start => bilingual!("the base to start it", "基座启动它"),
            Self::Barred => bilingual!(
                "what serves to go, or a change of this Pod: it failed in its place",
                "正在服务的版本消失，或这个 Pod 被修改：它替换时失败过"
            ),
            Self::Turn => bilingual!("its turn", "轮到它"),
        }
    }
}

/// A wait since it began.
#[derive(Debug, Clone)]
struct Since {
    wait: Wait,
    /// From when on it is counted whether it lasts.
    counted_from: Duration,
    wall: Timestamp,
}

/// What a container waits for at the moment, and how often that was told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Waiting {
    // Nearly always none.
    since: Option<Box<Since>>,
    told: u32,
}

impl Waiting {
    /// It waits for this, or for nothing.
    pub(crate) fn see(&mut self, wait: Option<Wait>, now: Now) {
        let Some(wait) = wait else {
            *self = Self::default();
            return;
        };
        if self.since.as_ref().is_none_or(|since| since.wait != wait) {
            self.since = Some(Box::new(Since { wait, counted_from: now.mono, wall: now.wall }));
        }
    }

    /// It has to last from now on to be told; it began when it began.
    pub(crate) fn put_off(&mut self, now: Now) {
        if let Some(since) = &mut self.since {
            since.counted_from = now.mono;
        }
    }

    /// What it waits for, and since when; none where it waits for nothing.
    pub(crate) fn what(&self) -> Option<(String, Timestamp)> {
        self.since.as_ref().map(|since| (since.wait.told().to_string(), since.wall))
    }

    /// It was told.
    pub(crate) fn told(&mut self) {
        self.told = self.told.saturating_add(1);
    }

    /// When it has lasted long enough to be told: each time that something else is told it has to last longer, so that
    /// what comes and goes is not written for ever.
    pub(crate) fn lasts_at(&self) -> Option<Duration> {
        let since = self.since.as_ref()?;
        Some(since.counted_from.saturating_add(backoff::restart(self.told.saturating_add(1))))
    }

    /// It has lasted long enough to be told.
    pub(crate) fn lasts(&self, now: Duration) -> bool {
        self.lasts_at().is_some_and(|at| at <= now)
    }

    /// A status tells it already, since whenever.
    pub(crate) fn is_told_by(&self, message: &str) -> bool {
        self.since.as_ref().is_some_and(|since| {
            let told = since.wait.told();
            Language::ALL.iter().any(|language| message.ends_with(&what(&told, *language)))
        })
    }

    /// What a status says of it; empty where nothing is known of a wait.
    pub(crate) fn message(&self, language: Language) -> String {
        let Some(since) = &self.since else { return String::new() };
        let (begun, what) = (whole_seconds(since.wall), what(&since.wait.told(), language));
        match language {
            Language::English => format!("since {begun}{what}"),
            Language::Chinese => format!("自 {begun} 起{what}"),
        }
    }
}

fn what(wait: &Bilingual, language: Language) -> String {
    let wait = wait.of(language);
    match language {
        Language::English => format!(" it waits for {wait}"),
        Language::Chinese => format!("等待{wait}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Now {
        let mono = Duration::from_secs(seconds);
        Now { mono, wall: Timestamp::UNIX_EPOCH + mono }
    }

    #[test]
    fn a_wait_is_told_when_it_has_lasted_with_its_beginning() {
        let mut waiting = Waiting::default();
        for second in 3..13 {
            waiting.see(Some(Wait::Workers(8)), at(second));
            assert!(!waiting.lasts(at(second).mono));
        }
        assert!(waiting.lasts(at(13).mono));
        assert_eq!(
            waiting.message(Language::English),
            "since 1970-01-01T00:00:03Z it waits for its turn: 8 commands are at work on the base (VNODE_WORKER_NUM)"
        );
        assert!(
            waiting.is_told_by(&waiting.message(Language::English).replace(":03Z", ":01Z")),
            "another controller told it"
        );
        waiting.see(Some(Wait::List), at(14));
        assert!(!waiting.is_told_by("since 1970-01-01T00:00:03Z it waits for its turn"));
    }

    #[test]
    fn what_another_operation_is_waited_for_is_read_from_a_status() {
        let told = |wait: Wait| {
            let mut waiting = Waiting::default();
            waiting.see(Some(wait), at(3));
            Language::ALL.iter().map(|language| waiting.message(*language)).collect::<Vec<_>>()
        };
        let is_for_another_operation = |told: &[String]| {
            let all: Vec<bool> = told.iter().map(|told| is_for_another_operation(told)).collect();
            assert_eq!(all[0], all[1], "{told:?}");
            all[0]
        };
        let other = BizId { name: "biz1".parse().unwrap(), version: "9".parse().unwrap() };
        for wait in [Wait::Workers(8), Wait::Another(CommandKind::InstallBiz, Some(other.clone()))] {
            assert!(is_for_another_operation(&told(wait.clone())), "{wait:?}");
        }
        let room = Wait::Another(CommandKind::UninstallBiz, Some(other));
        for wait in [room, Wait::Command(CommandKind::InstallBiz), Wait::Base, Wait::Turn] {
            assert!(!is_for_another_operation(&told(wait.clone())), "{wait:?}");
        }
    }

    #[test]
    fn what_another_controller_told_in_another_language_stays() {
        let mut waiting = Waiting::default();
        let owner = Owner { namespace: "ns".into(), kind: "Deployment".into(), name: "d".into() };
        waiting.see(Some(Wait::Permit(owner)), at(3));
        for language in Language::ALL {
            let told = waiting.message(*language);
            assert!(waiting.is_told_by(&told) && is_for_permit(&told), "{told}");
        }
        assert_eq!(
            waiting.message(Language::Chinese),
            "自 1970-01-01T00:00:03Z 起等待替换正在服务的版本的许可：Deployment ns/d 同时替换的 Pod 已达上限"
        );
    }

    #[test]
    fn one_that_is_put_off_is_told_later_with_its_beginning() {
        let mut waiting = Waiting::default();
        waiting.see(Some(Wait::Intent), at(3));
        waiting.put_off(at(9));
        waiting.see(Some(Wait::Intent), at(18));
        assert!(!waiting.lasts(at(18).mono) && waiting.lasts(at(19).mono));
        assert_eq!(
            waiting.message(Language::English),
            "since 1970-01-01T00:00:03Z it waits for its Module object to be written"
        );
    }

    #[test]
    fn what_comes_and_goes_is_told_less_and_less_often() {
        let mut waiting = Waiting::default();
        let mut told = Vec::new();
        for second in 0..3_600 {
            let wait = if second / 45 % 2 == 0 { Wait::Base } else { Wait::List };
            waiting.see(Some(wait), at(second));
            if waiting.lasts(at(second).mono) && told.last() != Some(&waiting.message(Language::English)) {
                told.push(waiting.message(Language::English));
                waiting.told();
            }
        }
        assert_eq!(told.len(), 3, "{told:?}");
        waiting.see(None, at(3_600));
        waiting.see(Some(Wait::Base), at(3_601));
        assert_eq!(waiting.lasts_at(), Some(at(3_611).mono), "it ran in between");
    }
}
