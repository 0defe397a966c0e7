//! What is there to say about a Cluster?
//!
//! A Cluster makes nothing: its services read its tables when their deployments are rendered. What is
//! wrong with it stands in its conditions.

use serde_json::{Value, json};

use super::capacity_provider::{self, Known};
use super::conditions::{Outcome, advance, fully_supported, newly_stalled, progress};
use super::finding::{Findings, in_one_line};
use super::judge::{is_empty, judge};
use super::mapping::{Tables, name_of, owner_of_cluster};
use super::{Moment, Note, Plan, Write, size};
use crate::api::{PlainStatus, Reason};
use crate::ecs::members::Input;
use crate::ecs::reference::is_name;
use crate::world::{ObjectKey, World};

/// The strategy of services that ask for no capacity.
pub(super) const DEFAULT_STRATEGY: &str = "defaultCapacityProviderStrategy";

/// What is found in a Cluster's spec.
pub fn findings(spec: &Value, name: &str) -> Findings {
    let mut findings = Findings::default();
    if size::reduced(spec, size::MOST_OF_CLUSTER, &mut findings).is_some() {
        return findings;
    }
    judge(Input::Cluster, spec, &mut findings);
    if !is_name(name) {
        findings.refuse_value("clusterName", name, "must be 1 to 255 letters, digits, - and _");
    }
    Tables::read(spec, &mut findings);
    if let Some(strategy) = spec.get(DEFAULT_STRATEGY).filter(|strategy| !is_empty(strategy)) {
        capacity_provider::judge_strategy(strategy, DEFAULT_STRATEGY, &Known::new(), &mut findings);
    }
    findings
}

/// The plan for a Cluster: its conditions.
pub(super) fn plan(world: &World, key: &ObjectKey, moment: &Moment) -> Plan {
    let Some(object) = world.clusters.get(&key.namespace, &key.name) else {
        return Plan::default();
    };
    if object.metadata.deletion_timestamp.is_some() {
        return Plan::default();
    }
    let name = name_of(&object);
    let findings = findings(&object.spec.0, &name);
    let owner = owner_of_cluster(world, &key.namespace, &name)
        .filter(|owner| owner.metadata.name != object.metadata.name);
    let (outcome, reason, message) = if let Some(owner) = owner {
        let owner = owner.metadata.name.clone().unwrap_or_default();
        let message = format!(
            "cluster `{name}` is the older Cluster {owner}; give this one another clusterName"
        );
        (Outcome::Stalled, Reason::NameTaken, message)
    } else if findings.any_refused() {
        (Outcome::Stalled, Reason::InvalidSpec, in_one_line(findings.refusals()))
    } else {
        let message = format!("services of cluster `{name}` start deployments by its tables");
        (Outcome::Ready, Reason::InEffect, message)
    };
    let before = object.status.clone().unwrap_or_default();
    let mut assessments = progress(outcome, reason, &message);
    assessments.push(fully_supported(&findings.0));
    let generation = object.metadata.generation;
    let after = PlainStatus {
        observed_generation: generation,
        conditions: advance(&before.conditions, assessments, generation, moment.now),
    };
    if after == before {
        return Plan::default();
    }
    let mut plan = Plan::default();
    if newly_stalled(outcome, &before.conditions, before.observed_generation, generation) {
        plan.notes.push(Note { warning: true, reason, message });
    }
    plan.writes.push(Write::Status {
        key: key.clone(),
        uid: object.metadata.uid.clone().unwrap_or_default(),
        status: json!(after),
        urgent: true,
    });
    plan
}
