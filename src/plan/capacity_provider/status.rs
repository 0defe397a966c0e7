//! What is there to say about a capacity provider?
//!
//! Its nodes and how they do, the room that they have, its tasks, its reservation; and, where it has no
//! capacity, why: no node has its labels, all are cordoned, none is up. How its group is sized is
//! decided beside, and goes into the same plan.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;

use super::node_pool::{self, Pooling};
use super::nodes::Selection;
use super::scaling::{self, Around, Sizing};
use super::seen::{self, Condition, Seen};
use super::shared::shared;
use super::{CapacityProvider, Form, findings, name_of, see};
use crate::api::{self, CapacityProviderStatus, NodeCounts, Reason, Room};
use crate::ecs::managed_scaling::{self, Group, Settings, grouped};
use crate::names::label_value;
use crate::plan::conditions::{Outcome, advance, fully_supported, newly_stalled, progress};
use crate::plan::finding::{Findings, in_one_line};
use crate::plan::placement::resources::Amounts;
use crate::plan::{Moment, Note, Plan, Write, age};
use crate::world::{Index, ObjectKey, World};

/// So many labels of nodes are told.
const LABELS_SHOWN: usize = 10;

/// The plan for a capacity provider: the size of its group, and its status.
pub(in crate::plan) fn plan(world: &World, key: &ObjectKey, moment: &Moment) -> Plan {
    let Some(object) = world.capacity_providers.get(&key.namespace, &key.name) else {
        return Plan::default();
    };
    let meta = &object.metadata;
    if meta.deletion_timestamp.is_some() {
        return Plan::default();
    }
    let (provider, findings) = findings(&object.spec.0, meta.name.as_deref());
    let before = object.status.clone().unwrap_or_default();
    let mut after = CapacityProviderStatus {
        observed_generation: meta.generation,
        name: Some(name_of(&object.spec.0, meta.name.as_deref())),
        ..CapacityProviderStatus::default()
    };
    let sight = provider.as_ref().map(|provider| Sight::of(world, provider));
    if let Some(sight) = &sight {
        sight.tell(&mut after);
    }
    let in_the_way = standing_in_the_way(world, &object, &findings).or_else(|| {
        let sight = sight.as_ref()?;
        shared(world, key, sight.provider, &sight.seen)
    });
    let mut sizing = Sizing::default();
    if let Some(Sight { provider, seen, waiting }) = &sight {
        let around = Around { world, key, provider, seen, waiting, before: &before, moment };
        sizing = match &in_the_way {
            None => scaling::size(&around, &mut after),
            Some(_) => scaling::pause(&around, &mut after),
        };
    }
    let mut pooling = Pooling::default();
    if let (None, Some(provider)) = (&in_the_way, &provider) {
        pooling = node_pool::pool(world, key, &object, provider, moment);
    }
    let has_nodes = sight.as_ref().is_some_and(|sight| !sight.seen.nodes.is_empty());
    if has_nodes && let Some((_, _, why)) = pooling.in_the_way.take() {
        // Somebody has labelled them.
        sizing.remark = Some(why);
    }
    let (outcome, reason, mut message) = in_the_way
        .or_else(|| sizing.in_the_way.take())
        .or_else(|| pooling.in_the_way.take())
        .or_else(|| sight.as_ref().map(|sight| sight.capacity(world)))
        .unwrap_or((Outcome::Stalled, Reason::InvalidSpec, String::new()));
    if let (Outcome::Ready, Some(remark)) = (outcome, &sizing.remark) {
        message = format!("{message}; {remark}");
    }
    let refused = matches!(reason, Reason::InvalidSpec | Reason::NameTaken);
    after.status = Some(if refused { "INACTIVE" } else { "ACTIVE" }.to_owned());
    let mut assessments = progress(outcome, reason, &message);
    assessments.push(fully_supported(&findings.0));
    after.conditions = advance(&before.conditions, assessments, meta.generation, moment.now);
    let acts = sizing.note.is_some() || after.leaving != before.leaving;
    let mut plan = Plan {
        writes: sizing.writes.into_iter().chain(pooling.writes).collect(),
        notes: sizing.note.into_iter().collect(),
        wake_at: sizing.wake_at.into_iter().chain(pooling.wake_at).min(),
        waiting: sizing.waiting,
        looks_at: sizing.looks_at,
        looks_at_pool: pooling.looks_at,
        looks_at_nodes: sizing.looks_at_nodes,
        ..Plan::default()
    };
    if after == before {
        return plan;
    }
    let generation = meta.generation;
    if newly_stalled(outcome, &before.conditions, before.observed_generation, generation) {
        plan.notes.push(Note { warning: true, reason, message });
    }
    plan.writes.push(Write::Status {
        key: key.clone(),
        uid: meta.uid.clone().unwrap_or_default(),
        status: json!(after),
        // Somebody waits for the answer to a new spec, and the nodes for the names of those that are
        // to leave; nobody for each task that comes and goes.
        urgent: acts || before.conditions.is_empty() || before.observed_generation != generation,
    });
    plan
}

/// Why an object is no provider at all.
fn standing_in_the_way(
    world: &World,
    object: &api::CapacityProvider,
    findings: &Findings,
) -> Option<(Outcome, Reason, String)> {
    let name = name_of(&object.spec.0, object.metadata.name.as_deref());
    let owner = owner_of(world, &name).filter(|owner| owner.metadata.name != object.metadata.name);
    if let Some(owner) = owner {
        let owner = owner.metadata.name.clone().unwrap_or_default();
        let message = format!(
            "capacity provider `{name}` is the older CapacityProvider {owner}; give this one another \
             name"
        );
        return Some((Outcome::Stalled, Reason::NameTaken, message));
    }
    findings
        .any_refused()
        .then(|| (Outcome::Stalled, Reason::InvalidSpec, in_one_line(findings.refusals())))
}

/// The object that has an ECS name: of several that claim it the oldest.
pub fn owner_of(world: &World, name: &str) -> Option<Arc<api::CapacityProvider>> {
    let claimants = world.capacity_providers.find(&Index::provider_name(name));
    let claimants = claimants
        .into_iter()
        .filter(|one| name_of(&one.spec.0, one.metadata.name.as_deref()) == name);
    claimants.min_by_key(|one| age(&one.metadata))
}

/// A provider, and what is seen of its nodes and tasks.
struct Sight<'a> {
    provider: &'a CapacityProvider,
    seen: Seen,
    /// The tasks that wait for one of its nodes.
    waiting: Vec<managed_scaling::Needs>,
}

impl<'a> Sight<'a> {
    fn of(world: &World, provider: &'a CapacityProvider) -> Self {
        let seen = see(&provider.nodes, world.nodes.iter(), |node| world.tasks_on(node));
        let waiting = world.tasks_waiting_for(&label_value(&provider.name));
        let waiting = waiting.into_iter().filter(|task| !task.is_daemon).map(seen::needs);
        Self { provider, seen, waiting: waiting.collect() }
    }

    fn is_fargate(&self) -> bool {
        matches!(self.provider.form, Form::FargateProfile(_))
    }

    /// Puts the figures into a status.
    fn tell(&self, status: &mut CapacityProviderStatus) {
        let of = |condition| count(self.seen.count(condition));
        status.kind = Some(self.kind().to_owned());
        status.nodes = Some(NodeCounts {
            total: count(self.seen.nodes.len()),
            ready: of(Condition::Ready),
            not_ready: of(Condition::NotReady),
            cordoned: of(Condition::Cordoned),
            draining: of(Condition::Draining),
        });
        status.registered = Some(room(self.seen.registered));
        status.remaining = Some(room(self.seen.remaining));
        status.tasks = Some(i32::try_from(self.seen.tasks).unwrap_or(i32::MAX));
        status.provisioning_tasks = Some(count(self.waiting.len()));
        if !self.is_fargate() {
            let settings = self.provider.scaling.unwrap_or_default();
            status.reservation = Some(self.reservation(&settings).whole_percent());
        }
    }

    /// `type`, as DescribeCapacityProviders has it.
    fn kind(&self) -> &'static str {
        match &self.provider.form {
            Form::ManagedNodeGroup | Form::AutoScalingGroup => "EC2_AUTOSCALING",
            Form::ManagedInstances => "MANAGED_INSTANCES",
            Form::FargateProfile(_) if self.provider.is_spot => "FARGATE_SPOT",
            Form::FargateProfile(_) => "FARGATE",
        }
    }

    fn reservation(&self, settings: &Settings) -> managed_scaling::Reservation {
        let group = Group {
            instances: self.seen.up(),
            empty: u32::try_from(self.seen.empty.len()).unwrap_or(u32::MAX),
            shapes: self.seen.shapes.clone(),
            provisioning: grouped(self.waiting.iter().copied()),
            ..Group::default()
        };
        managed_scaling::reservation(settings, &group)
    }

    /// Whether it has capacity, and if not why.
    fn capacity(&self, world: &World) -> (Outcome, Reason, String) {
        let wait = match self.waiting.len() {
            0 => String::new(),
            1 => "a task waits for one of its nodes, and ".to_owned(),
            waiting => format!("{waiting} tasks wait for one of its nodes, and "),
        };
        if self.seen.nodes.is_empty() {
            let why = no_node(world, &self.provider.nodes);
            if wait.is_empty() && self.is_fargate() {
                let message = format!("it has no nodes of its own: {why}");
                return (Outcome::Ready, Reason::InEffect, message);
            }
            if wait.is_empty() && self.may_be_empty() {
                let message = "it has no nodes, and no task waits for one".to_owned();
                return (Outcome::Ready, Reason::ScaledToZero, message);
            }
            // A group may get its first nodes by whoever sizes it; a wrong label stays wrong.
            let will_come = world.nodes.is_empty() || self.may_be_empty();
            let outcome = if will_come { Outcome::Reconciling } else { Outcome::Stalled };
            return (outcome, Reason::NoCapacity, format!("{wait}{why}"));
        }
        if self.seen.count(Condition::Ready) == 0 {
            let comes_up = self.seen.count(Condition::NotReady) > 0;
            let outcome = if comes_up { Outcome::Reconciling } else { Outcome::Stalled };
            return (outcome, Reason::NoCapacity, format!("{wait}{}", self.none_ready()));
        }
        (Outcome::Ready, Reason::InEffect, "its nodes take tasks".to_owned())
    }

    /// Whether having no nodes is as its spec has it, or up to something that makes nodes.
    fn may_be_empty(&self) -> bool {
        let size = self.provider.size;
        let sized = size.desired.is_some() || size.most.is_some();
        self.provider.scale_target.is_some()
            || self.provider.form == Form::ManagedInstances
            || (sized && size.desired.unwrap_or(size.least) == 0)
    }

    fn none_ready(&self) -> String {
        let parts = [
            (Condition::NotReady, "not ready"),
            (Condition::Cordoned, "cordoned"),
            (Condition::Draining, "draining"),
        ]
        .map(|(condition, word)| (self.seen.count(condition), word));
        let parts = parts.into_iter().filter(|(nodes, _)| *nodes > 0);
        let parts: Vec<String> = parts.map(|(nodes, word)| format!("{nodes} {word}")).collect();
        format!("none of its nodes takes tasks: {}", parts.join(", "))
    }
}

/// Why no node is selected.
fn no_node(world: &World, selection: &Selection) -> String {
    if world.nodes.is_empty() {
        return "the cluster has no nodes".to_owned();
    }
    let wanted: Vec<String> =
        selection.labels().map(|(key, value)| format!("{key}={value}")).collect();
    let joined = |word: &str| match wanted.split_last() {
        Some((last, [])) => format!("label {last}"),
        Some((last, others)) => format!("label {} {word} {last}", others.join(", ")),
        None => "no label".to_owned(),
    };
    let wanted_in_words = match selection {
        Selection::All(_) => joined("and"),
        Selection::Any(_) => joined("or"),
    };
    let keys: BTreeSet<&str> = selection.labels().map(|(key, _)| key).collect();
    let mut there: BTreeSet<String> = BTreeSet::new();
    for node in world.nodes.iter() {
        let labels = node.metadata.labels.iter().flatten();
        let labels = labels.filter(|(key, _)| keys.contains(key.as_str()));
        there.extend(labels.map(|(key, value)| format!("{key}={value}")));
    }
    let more = there.len().saturating_sub(LABELS_SHOWN);
    let shown: Vec<String> = there.into_iter().take(LABELS_SHOWN).collect();
    let there = match (shown.is_empty(), more) {
        (true, _) => "no node has a label of such a key".to_owned(),
        (_, 0) => format!("the labels of nodes are {}", shown.join(", ")),
        (_, more) => format!("the labels of nodes are {} and {more} more", shown.join(", ")),
    };
    format!("no node has {wanted_in_words}; {there}")
}

fn room(amounts: Amounts) -> Room {
    Room {
        cpu: amounts.millicores.saturating_mul(1024).div_euclid(1000),
        memory: amounts.memory >> 20,
    }
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
