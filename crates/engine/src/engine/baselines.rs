//! Bases that ask what they shall install.

use std::{collections::BTreeMap, net::IpAddr};

use arklet::BaselineQuery;
use model::{BaseIdentity, BaseReport, BizName, TunnelKind};

use super::Engine;
use crate::{
    action::{Action, ToBase},
    baseline::{self, Question, Questions},
    config::MOST_STRANGERS,
    event::{Now, Watched},
    vnode::{self, Playback},
};

/// Bases that have asked.
#[derive(Debug, Default)]
pub(super) struct Baselines {
    /// Questions that wait for the workloads to be known.
    pub(super) questions: Questions,
    /// What bases that have no VNode yet were told to install.
    given: BTreeMap<BaseIdentity, GivenBaseline>,
}

/// What a base that has no VNode yet was told to install, and who had asked.
#[derive(Debug)]
struct GivenBaseline {
    tunnel: TunnelKind,
    peer: Option<IpAddr>,
    playback: Playback,
}

impl Engine {
    /// All that a baseline is made of, and that operation plans are decided on, is known.
    pub(super) fn knows_workloads(&self) -> bool {
        let workloads = [Watched::Deployments, Watched::DaemonSets];
        self.is_synced() && workloads.iter().all(|kind| self.synced.contains(kind))
    }

    /// A base asks for its baseline.
    pub(super) fn asked(
        &mut self,
        tunnel: TunnelKind,
        query: BaselineQuery,
        ask: u64,
        now: Now,
        out: &mut Vec<Action>,
    ) {
        if self.knows_workloads() {
            self.answer_baseline(tunnel, &query, ask, now, out);
        } else if !self.config.module_deployments {
            out.push(Action::Base(ToBase::AnswerBaseline {
                tunnel,
                base: query.identity,
                ask,
                modules: Vec::new(),
            }));
        } else if let Some(question) = self.baselines.questions.keep(tunnel, query, ask, now.mono) {
            out.push(nothing(question));
        }
    }

    pub(super) fn answer_baseline(
        &mut self,
        tunnel: TunnelKind,
        query: &BaselineQuery,
        ask: u64,
        now: Now,
        out: &mut Vec<Action>,
    ) {
        let base = query.identity.clone();
        let node = vnode::expected_node(tunnel, query, self.vnodes.get(&base).map(Box::as_ref), &self.config);
        let sources = baseline::Sources {
            workloads: &self.workloads,
            rollouts: &self.rollouts,
            nodes: &self.nodes(),
            env: &self.config.env,
        };
        let served_by = |name: &BizName| self.vnodes.get(&base)?.serving_namespace(name);
        let modules = baseline::modules(&node, &sources, served_by);
        let playback = Playback::new(modules.iter().map(|spec| spec.id.name.clone()), now.mono);
        match self.vnodes.get_mut(&base) {
            Some(vnode) if vnode.may_play_back(tunnel, query.peer, now, &self.config) => {
                vnode.play_back(playback);
            }
            // Somebody else who asks in its name says nothing about it.
            Some(_) => {}
            None => {
                // A base that never comes leaves nothing behind.
                self.baselines.given.retain(|_, told| told.playback.is_under_way(now.mono));
                // One more that is not remembered may be told to install what it installs already, and says so.
                if self.baselines.given.len() < MOST_STRANGERS {
                    self.baselines
                        .given
                        .insert(base.clone(), GivenBaseline { tunnel, peer: query.peer, playback });
                }
            }
        }
        out.push(Action::Base(ToBase::AnswerBaseline { tunnel, base, ask, modules }));
    }

    /// What a base that is heard for the first time was told to install: it has asked from where it is heard now.
    pub(super) fn told(&mut self, tunnel: TunnelKind, report: &BaseReport) -> Playback {
        let told = self.baselines.given.remove(&report.identity);
        let is_its = |told: &GivenBaseline| match told.tunnel {
            TunnelKind::Mqtt => true,
            TunnelKind::Http => tunnel == TunnelKind::Http && told.peer == report.peer,
        };
        told.filter(is_its).map(|told| told.playback).unwrap_or_default()
    }

    /// Answers with nothing what has waited too long.
    pub(super) fn give_up_questions(&mut self, now: Now, out: &mut Vec<Action>) {
        while let Some(question) = self.baselines.questions.next_due(now.mono) {
            out.push(nothing(question));
        }
    }
}

/// The answer where a baseline cannot be told in time.
fn nothing(question: Question) -> Action {
    let Question { tunnel, query, ask, .. } = question;
    Action::Base(ToBase::AnswerBaseline { tunnel, base: query.identity, ask, modules: Vec::new() })
}
