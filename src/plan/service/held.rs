//! What has changed that needs the pod template, but starts no deployment in ECS?
//!
//! Placement constraints and strategies, the tags that pods get, what the tables of the Cluster and
//! the CapacityProviders say. While a deployment is not completed, such a change goes in at once, as
//! a deployment of its own, so that a missing row, once added, mends one that does not come up. After
//! that it waits for the next, and is listed.
//!
//! Both sides are rendered by this version from what was asked for then and now: another version of
//! the operator finds no change.

use std::collections::BTreeSet;

use serde_json::Value;

use super::observed::Observed;
use super::template::{Inputs, Rendered, template_for, template_labels};
use crate::api::{ServiceDeployment, ServiceDeploymentSpec};
use crate::ecs::members::Input;
use crate::names::label_value;
use crate::plan::capacity_provider::Chosen;
use crate::plan::finding::Findings;
use crate::plan::judge::{brief, is_empty};
use crate::plan::task_definition::resolve;

/// How many changes are listed, at most.
const MOST_CHANGES: usize = 20;

/// Members that apply at once, and need no template for that.
const AT_ONCE: [&str; 5] = [
    "autoscaling",
    "deploymentConfiguration",
    "desiredCount",
    "forceNewDeployment",
    "taskDefinition",
];

/// How the template of a record would differ, if it were rendered now: a line for each place.
pub(super) fn changes(
    observed: &Observed,
    record: &ServiceDeployment,
    rows: Option<&Value>,
    chosen: Option<&Chosen>,
) -> Vec<String> {
    let Some(revision) = observed.revision() else { return Vec::new() };
    if observed.mapping.refused.is_some() || !may_differ(observed, record, rows, chosen) {
        return Vec::new();
    }
    let task = resolve(revision, None, &mut Findings::default());
    let ServiceDeploymentSpec { features, sequence, task_definition, .. } = &record.spec;
    let spec = &observed.service.spec.0;
    let then = Inputs::of_record(record, &task);
    let now = Inputs::by(spec, &observed.mapping, chosen.cloned(), &task);
    let [then, now] = [then, now].map(|inputs| {
        let labels = template_labels(observed, task_definition, *sequence);
        inputs.template(observed, (&task, revision), *features, labels)
    });
    let mut changes = differences(&then, &now);
    changes.truncate(MOST_CHANGES);
    changes
}

/// How templates differ, those of one provider beside each other.
pub(super) fn differences(then: &Rendered, now: &Rendered) -> Vec<String> {
    let mut changes = Vec::new();
    let names = |rendered: &Rendered| {
        let names = rendered.placements.iter().map(|one| one.capacity_provider.clone());
        names.collect::<Vec<_>>()
    };
    let (before, after) = (names(then), names(now));
    let (sets_before, sets_after): (BTreeSet<_>, BTreeSet<_>) =
        (before.iter().collect(), after.iter().collect());
    if sets_before != sets_after {
        let word = |names: &[String]| match names {
            [] => "nothing".to_owned(),
            names => names.join(", "),
        };
        changes.push(format!("capacity providers: {} becomes {}", word(&before), word(&after)));
    }
    let both: Vec<&String> = before.iter().filter(|name| after.contains(name)).collect();
    if both.is_empty() {
        compare(&then.template, &now.template, "", &mut changes);
    }
    for name in both {
        let [then, now] =
            [then, now].map(|one| template_for(&one.template, &one.placements, &label_value(name)));
        compare(&then, &now, "", &mut changes);
    }
    // What all providers' tasks have is told once.
    let mut told = BTreeSet::new();
    changes.retain(|change| told.insert(change.clone()));
    changes
}

/// Whether anything of that changed at all: templates are dear.
fn may_differ(
    observed: &Observed,
    record: &ServiceDeployment,
    rows: Option<&Value>,
    chosen: Option<&Chosen>,
) -> bool {
    let chosen = chosen.map(|chosen| serde_json::json!(chosen));
    rows != record.spec.mapping.as_ref()
        || chosen != record.spec.capacity
        || held(&record.spec.requested) != held(&observed.service.spec.0)
}

/// The members of a spec that are held until the next deployment.
fn held(spec: &Value) -> Vec<(&String, &Value)> {
    let members = spec.as_object().into_iter().flatten();
    members
        .filter(|(name, value)| {
            let rolls = Input::Service.member(name).is_some_and(|member| member.rolls);
            !rolls && !is_empty(value) && !AT_ONCE.contains(&name.as_str())
        })
        .collect()
}

fn compare(then: &Value, now: &Value, path: &str, changes: &mut Vec<String>) {
    match (then, now) {
        _ if then == now => {}
        (Value::Object(one), Value::Object(other)) => {
            let mut names: Vec<&String> = one.keys().chain(other.keys()).collect();
            names.sort();
            names.dedup();
            for name in names {
                let of = |object: &serde_json::Map<String, Value>| {
                    object.get(name).cloned().unwrap_or_default()
                };
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                compare(&of(one), &of(other), &path, changes);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (at, (one, other)) in one.iter().zip(other).enumerate() {
                let name = one.get("name").and_then(Value::as_str);
                let at = name.map_or_else(|| at.to_string(), ToOwned::to_owned);
                compare(one, other, &format!("{path}[{at}]"), changes);
            }
        }
        _ => {
            let word = |value: &Value| {
                if value.is_null() { "nothing".to_owned() } else { brief(value) }
            };
            changes.push(format!("{path}: {} becomes {}", word(then), word(now)));
        }
    }
}
