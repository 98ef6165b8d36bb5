//! A base installs its baseline by itself: meanwhile nobody else installs the same.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use arklet::{Answer, CallError, CommandKind, Outcome};
use model::{BizName, Fault, PackageUrl, bilingual};

use super::{Context, VNode, announce::Origin, inventory::Inventory};
use crate::pod::ModulePod;

/// Fetching and starting takes seconds; a base that did nothing with its baseline is not waited for
/// any longer. One that is only slow refuses the second install as a conflict.
const PATIENCE: Duration = Duration::from_secs(60);

/// The most modules of a baseline whose failure is told one by one: more than a baseline has. A base may make up any number.
const MOST_TOLD: usize = 32;

/// What a base was told to install when it started, and has not shown yet.
#[derive(Debug, Clone, Default)]
pub(crate) struct Playback {
    names: BTreeSet<BizName>,
    /// All that it was told, whatever became of it.
    told: BTreeSet<BizName>,
    until: Duration,
}

impl Playback {
    /// The base was told these.
    pub(crate) fn new(names: impl Iterator<Item = BizName>, now: Duration) -> Self {
        let names: BTreeSet<BizName> = names.collect();
        Self { told: names.clone(), names, until: now + PATIENCE }
    }

    /// The base was told to install it, so that it is not there by itself.
    pub(super) fn told(&self, name: &BizName) -> bool {
        self.told.contains(name)
    }

    /// The base may be installing it.
    pub(super) fn holds(&self, name: &BizName, now: Duration) -> bool {
        now < self.until && self.names.contains(name)
    }

    /// The base is at it.
    pub(crate) fn is_under_way(&self, now: Duration) -> bool {
        now < self.until && !self.names.is_empty()
    }

    /// What the base shows is no longer waited for.
    pub(super) fn shown(&mut self, inventory: &Inventory) {
        self.names.retain(|name| inventory.of(name).next().is_none());
    }

    /// The base told the end of one.
    pub(super) fn ended(&mut self, name: &BizName) {
        self.names.remove(name);
    }

    pub(super) fn wake(&self) -> Option<Duration> {
        (!self.names.is_empty()).then_some(self.until)
    }
}

impl VNode {
    /// The namespace whose Pods have this name here: of several, the one for which it was installed, and then the first.
    pub(crate) fn serving_namespace(&self, name: &BizName) -> Option<Arc<str>> {
        let asking = self.pods.values().filter(|pod| pod.is_live() && pod.biz().any(|id| id.name == *name));
        let was_installed =
            |pod: &ModulePod| pod.view.status.containers.iter().any(|told| !told.image_id.is_empty());
        let first = asking.min_by_key(|pod| (!was_installed(pod), pod.age()));
        first.map(|pod| pod.view.pod.namespace.clone())
    }

    /// The base was told to install its baseline.
    pub(crate) fn play_back(&mut self, playback: Playback) {
        self.playback = playback;
    }

    /// The base has installed its baseline, or could not.
    pub(super) fn played_back(&mut self, outcome: Outcome, ctx: &mut Context<'_>) {
        // What came of it is asked before anything else is installed.
        for name in std::mem::take(&mut self.playback.names) {
            self.inventory.doubt(&name, ctx.now.mono);
        }
        self.inventory_query.want(ctx.now.mono);
        let command = CommandKind::BatchInstallBiz;
        let faults: Vec<Fault> = match outcome {
            Ok(Answer::Batch(results)) => results
                .into_iter()
                .filter_map(|(url, result)| {
                    // Shown without credentials.
                    let url = url.parse::<PackageUrl>().map_or_else(|_| String::new(), |url| url.to_string());
                    Some(result.err()?.to_fault(
                        command,
                        bilingual!("installing {url} of the baseline", "安装基线中的 {url}"),
                    ))
                })
                .collect(),
            Err(CallError::Refused(failure)) => {
                vec![failure.to_fault(command, bilingual!("installing the baseline", "安装基线"))]
            }
            _ => Vec::new(),
        };
        for fault in faults.into_iter().take(MOST_TOLD) {
            self.announce_fault_of_base("Baseline", Origin::Baseline, &fault, ctx);
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{BizState, BizStatus};

    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn name(text: &str) -> BizName {
        text.parse().unwrap()
    }

    #[test]
    fn what_a_base_installs_by_itself_is_left_to_it_until_it_shows_ends_or_takes_too_long() {
        let told = || Playback::new([name("biz1"), name("biz2")].into_iter(), s(10));
        let mut playback = told();
        assert!(playback.holds(&name("biz1"), s(11)) && !playback.holds(&name("biz3"), s(11)));
        let mut inventory = Inventory::default();
        inventory.put(BizStatus {
            id: model::BizId { name: name("biz1"), version: "1".parse().unwrap() },
            state: BizState::Resolved,
            changed_at: None,
            message: "".into(),
            web_context_path: None,
        });
        playback.shown(&inventory);
        assert!(!playback.holds(&name("biz1"), s(11)) && playback.holds(&name("biz2"), s(11)));
        playback.ended(&name("biz2"));
        assert!(!playback.is_under_way(s(11)) && playback.wake().is_none());
        assert!(told().is_under_way(s(69)) && !told().is_under_way(s(70)));
        assert_eq!(told().wake(), Some(s(70)));
        assert!(playback.told(&name("biz2")) && !playback.told(&name("biz3")));
    }
}
