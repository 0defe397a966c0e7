//! What do a service's Deployments get now, and how do they stand as a whole?
//!
//! One for each capacity provider of the newest record, and those that earlier ones left. The rules
//! are the [`rollout`]'s; here it is gathered what they are asked of, and what comes of it for all.
//! A DAEMON service has a DaemonSet instead, which is one of a kind: the rules are those of [`daemon`].

use std::collections::BTreeMap;

use super::observed::{Observed, Workload};
use super::resolve::Settings;
use super::rollout::{self, Held, Member, Seen, Step, Steps};
use super::{daemon, spread};
use crate::api::ServiceDeployment;
use crate::names::label_value;

/// One Deployment on its way.
pub(super) struct Leg {
    /// The label of its capacity provider.
    pub(super) provider: String,
    /// How it stands.
    pub(super) seen: Seen,
    /// What it gets.
    pub(super) step: Step,
    /// How many tasks it should have.
    wanted: i32,
    /// Whether its provider is not in the strategy any more.
    pub(super) is_surplus: bool,
}

/// All of a service's Deployments.
pub(super) struct Course {
    pub(super) legs: Vec<Leg>,
    /// How its DaemonSet stands, where it has one, and whether that cannot go on.
    daemon: Option<(daemon::Seen, bool)>,
    /// How many tasks each provider should have, where there are several.
    pub(super) desired_counts: BTreeMap<String, i32>,
    desired: i32,
    /// The record in which their template originated.
    target: i64,
    /// Whether something waits for tasks that may never become healthy.
    pub(super) waits: bool,
    /// How many tasks are wanted beside, since as many have to leave their nodes.
    extra: i32,
    /// Whether all tasks are of the newest template.
    rests: bool,
}

impl Course {
    pub(super) fn of(
        observed: &Observed,
        settings: &Settings,
        newest: &ServiceDeployment,
        patient: bool,
    ) -> Self {
        let desired = settings.desired;
        if let Some(daemon) = &observed.daemon {
            let seen = daemon.seen();
            let blocked = seen.is_blocked(settings.percents);
            return Self {
                legs: Vec::new(),
                daemon: Some((seen, blocked)),
                desired_counts: BTreeMap::new(),
                desired,
                target: newest.spec.origin(),
                waits: false,
                extra: 0,
                rests: false,
            };
        }
        let running = |provider: &str| observed.seen(provider).replicas;
        let desired_counts =
            spread::desired_counts(newest, &observed.service.spec.0, desired, running);
        let counts: BTreeMap<String, i32> =
            desired_counts.iter().map(|(name, count)| (label_value(name), *count)).collect();
        let providers = spread::providers(newest);
        let is_left = |(provider, workload): &(&String, &Workload)| {
            workload.deployment().is_some() && !providers.contains(provider)
        };
        let left: Vec<String> = observed
            .workloads
            .iter()
            .filter(is_left)
            .map(|(provider, _)| provider.clone())
            .collect();
        let all = providers.iter().map(|provider| (provider, false));
        let all: Vec<_> = all.chain(left.iter().map(|provider| (provider, true))).collect();
        let target = newest.spec.origin();
        let wanted = |provider: &String, is_surplus: bool| match (is_surplus, counts.is_empty()) {
            (true, _) => 0,
            (false, true) => desired,
            (false, false) => counts.get(provider).copied().unwrap_or_default(),
        };
        let members: Vec<Member> = all
            .iter()
            .map(|(provider, is_surplus)| Member {
                seen: observed.seen(provider),
                wanted: wanted(provider, *is_surplus),
                is_surplus: *is_surplus,
            })
            .collect();
        let rests = members.iter().all(|member| {
            let seen = &member.seen;
            seen.exists && !member.is_surplus && seen.sequence == Some(target) && !seen.is_rolling()
        });
        // Whoever is replaced anyway gets another node.
        let room = if rests { settings.percents.cap(desired).saturating_sub(desired) } else { 0 };
        let extra = observed.drains.total().min(room).max(0);
        let Steps { steps, waits } = match members.as_slice() {
            [only] => {
                let step = rollout::surging(desired, extra, settings.percents, &only.seen, target);
                Steps { steps: vec![step], waits: false }
            }
            several => {
                let mut more = several.to_vec();
                let mut left = extra;
                for (member, (provider, _)) in more.iter_mut().zip(&all) {
                    let own = observed.drains.of_provider(provider).min(left);
                    member.wanted = member.wanted.saturating_add(own);
                    left -= own;
                }
                rollout::steps(&more, desired, settings.percents, target, patient)
            }
        };
        let legs =
            all.into_iter().zip(members).zip(steps).map(|(((provider, _), member), step)| {
                let Member { seen, wanted, is_surplus } = member;
                Leg { provider: provider.clone(), seen, step, wanted, is_surplus }
            });
        Self {
            legs: legs.collect(),
            daemon: None,
            desired_counts,
            desired,
            target,
            waits,
            extra,
            rests,
        }
    }

    /// Stands for what its controllers go by, and for how many tasks are healthy.
    pub(super) fn looks(&self) -> String {
        let look = |leg: &Leg| format!("{} {}; ", leg.seen.sizes(), leg.seen.available);
        self.legs.iter().map(look).collect()
    }

    /// Whether all tasks are those of the newest record, healthy, and as many as desired.
    pub(super) fn is_steady(&self) -> bool {
        if let Some((seen, _)) = &self.daemon {
            return seen.is_steady(self.target);
        }
        let is_steady = |leg: &Leg| {
            let Leg { seen, step, wanted, .. } = leg;
            seen.exists
                && seen.settled
                && step.held.is_none()
                && seen.sequence == Some(self.target)
                && [seen.replicas, seen.total, seen.updated, seen.available]
                    .iter()
                    .all(|n| n == wanted)
        };
        self.legs.iter().all(|leg| !leg.is_surplus && is_steady(leg))
    }

    /// Whether all tasks are of the newest template, so that those which have to leave their nodes are
    /// all that is to be replaced.
    pub(super) fn rests(&self) -> bool {
        self.rests
    }

    /// Whether tasks are wanted beside, in place of those that have to leave.
    pub(super) fn surges(&self) -> bool {
        self.extra > 0
    }

    /// Whether tasks that are wanted beside have no node, or fail to start.
    pub(super) fn surge_is_stuck(&self) -> bool {
        self.surges() && self.legs.iter().any(|leg| leg.seen.hopeless > 0)
    }

    /// Whether tasks that are wanted beside are there, or on their way.
    pub(super) fn surge_goes_on(&self) -> bool {
        let written = self.written().unwrap_or_default();
        self.surges()
            && !self.surge_is_stuck()
            && written >= self.desired.saturating_add(self.extra)
    }

    /// How many tasks its Deployments have been told to run, if there are any.
    pub(super) fn written(&self) -> Option<i32> {
        let exists = self.legs.iter().any(|leg| leg.seen.exists);
        exists.then(|| self.legs.iter().map(|leg| leg.seen.replicas).sum())
    }

    /// Why it falls short of what is wanted.
    pub(super) fn held(&self) -> Option<Held> {
        if let Some((_, blocked)) = &self.daemon {
            return blocked.then_some(Held::NoRoom);
        }
        let all = || self.legs.iter().filter_map(|leg| leg.step.held);
        all().find(|held| *held == Held::NoRoom).or_else(|| all().next())
    }

    /// How many tasks are healthy, but no more than desired.
    pub(super) fn healthy(&self) -> i32 {
        let of_nodes = self.daemon.as_ref().map_or(0, |(seen, _)| seen.available);
        let available = self.legs.iter().map(|leg| leg.seen.available).sum::<i32>();
        available.saturating_add(of_nodes).min(self.desired)
    }

    /// Whether there is a task with the newest template of its Deployment.
    pub(super) fn has_updated(&self) -> bool {
        self.daemon.as_ref().is_some_and(|(seen, _)| seen.updated > 0)
            || self.legs.iter().any(|leg| leg.seen.updated > 0)
    }
}
