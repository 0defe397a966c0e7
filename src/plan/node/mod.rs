//! What does Linkspan write on a node?
//!
//! Labels under `placement.ecs.linkspan.dev/`: that tasks are to keep away from it and why
//! (`draining`), and which placement expressions choose it where no pod template can say so
//! (`expressions`). And of a node that a capacity provider has named to leave its group: the cordon
//! and the annotation by which the group ends it first. Nothing else, and nothing at all where the
//! right to write nodes was not granted.
//!
//! All of it is one intent, applied with these fields only: what is no longer in it goes, and what
//! others have set stays. Which nodes leave, their capacity provider decides.

mod draining;
mod expressions;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as corev1;
use serde_json::{Map, Value, json};

pub use draining::{DRAINING, Draining, ENDING};
pub(crate) use expressions::{in_use, needed_in, needed_labels, said_by_label, tasks_matter};

use super::placement::node_labels::is_label;
use super::{Plan, Write, capacity_provider};
use crate::plan::finding::Findings;
use crate::world::{Index, Kind, Object, ObjectKey, World};

/// What is wanted of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Wanted {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    cordoned: bool,
}

/// The plan for a node: its labels and marks.
pub(super) fn plan(world: &World, key: &ObjectKey) -> Plan {
    let Some(node) = world.nodes.get("", &key.name) else { return Plan::default() };
    if !world.writes_nodes || node.metadata.deletion_timestamp.is_some() {
        return Plan::default();
    }
    let wanted = wanted(world, &node);
    if is_so(&wanted, &node) {
        return Plan::default();
    }
    let body = intent(&wanted, &key.name, node.metadata.uid.as_deref().unwrap_or_default());
    let object = Object { key: ObjectKey::new(Kind::Node, "", &key.name), body };
    Plan { writes: vec![Write::Apply(object)], ..Plan::default() }
}

fn wanted(world: &World, node: &corev1::Node) -> Wanted {
    let name = node.metadata.name.as_deref().unwrap_or_default();
    let mut wanted = Wanted::default();
    let providers = world.capacity_providers.find(&Index::Leaving(name.to_owned()));
    let leaves = !providers.is_empty();
    for provider in providers {
        let read = capacity_provider::read(
            &provider.spec.0,
            provider.metadata.name.as_deref(),
            &mut Findings::default(),
        );
        wanted.annotations.extend(read.and_then(|provider| provider.scale_in_annotation));
    }
    wanted.cordoned = leaves;
    if let Some(why) = Draining::of(node, leaves) {
        wanted.labels.insert(DRAINING.to_owned(), why.as_str().to_owned());
    }
    let labels = expressions::labels(world, node);
    wanted.labels.extend(labels.into_iter().map(|label| (label, "true".to_owned())));
    wanted
}

/// Whether a label of a node is one of those that are written here.
fn is_ours(key: &str) -> bool {
    key == DRAINING || is_label(key)
}

fn is_so(wanted: &Wanted, node: &corev1::Node) -> bool {
    let ours = node.metadata.labels.iter().flatten().filter(|(key, _)| is_ours(key));
    let annotations = node.metadata.annotations.as_ref();
    let annotated = wanted.annotations.iter().all(|(key, value)| {
        annotations.is_some_and(|annotations| annotations.get(key) == Some(value))
    });
    let is_cordoned = node.spec.as_ref().is_some_and(|spec| spec.unschedulable == Some(true));
    ours.eq(wanted.labels.iter()) && annotated && (is_cordoned || !wanted.cordoned)
}

fn intent(wanted: &Wanted, name: &str, uid: &str) -> Value {
    // With its UID, a node that is gone is not made anew.
    let mut body =
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "uid": uid}});
    for (member, values) in [("labels", &wanted.labels), ("annotations", &wanted.annotations)] {
        if !values.is_empty() {
            crate::world::set(&mut body, &["metadata", member], json!(values));
        }
    }
    if wanted.cordoned {
        crate::world::set(&mut body, &["spec", "unschedulable"], true);
    }
    body
}

/// Lays an intent on a node, as server-side apply does: what is ours and not in it goes. Whose an
/// annotation is cannot be told here; those stay.
pub(crate) fn lay(intent: &Value, node: &mut Value) {
    let members = |member: &str| -> Map<String, Value> {
        let found = intent.pointer(&format!("/metadata/{member}"));
        found.and_then(Value::as_object).cloned().unwrap_or_default()
    };
    let was_ours = node
        .pointer("/metadata/labels")
        .and_then(|labels| labels.get(DRAINING))
        .is_some_and(|why| why == Draining::ScaleIn.as_str());
    let cordoned = intent.pointer("/spec/unschedulable").is_some();
    if cordoned {
        crate::world::set(node, &["spec", "unschedulable"], true);
    } else if was_ours && let Some(spec) = node.get_mut("spec").and_then(Value::as_object_mut) {
        spec.remove("unschedulable");
    }
    if let Some(labels) = node.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.retain(|key, _| !is_ours(key));
    }
    for member in ["labels", "annotations"] {
        for (key, value) in members(member) {
            crate::world::set(node, &["metadata", member, &key], value);
        }
    }
}
