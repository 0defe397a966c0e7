//! When are two namespaces in the same state, although no two objects of them are the same?
//!
//! Left out is what differs between any two: UIDs (each becomes the name of its object, so that who
//! owns what stays), resource versions, generations, times, cluster IPs, the letters at the end of
//! names that Kubernetes makes up, and the list of ECS events with what is kept for the next of them,
//! which name tasks by their UID.

use std::collections::BTreeMap;

use linkspan::names::{self, annotation, label};
use linkspan::world::Kind;
use serde_json::{Value, json};

use crate::witness::Seen;

/// What is in a namespace, comparable: each object by its kind and name; pods and ReplicaSets as
/// how many there are of each look.
pub(crate) fn state(seen: &Seen) -> BTreeMap<String, Value> {
    let stable = Stable::of(seen);
    let mut state: BTreeMap<String, Value> = BTreeMap::new();
    let has_service = seen.objects.keys().any(|(kind, _)| *kind == Kind::Service);
    // What is on nodes matters as long as there are tasks for them.
    let matter = |kind: Kind| kind != Kind::Node || has_service;
    for ((kind, name), object) in seen.objects.iter().filter(|((kind, _), _)| matter(*kind)) {
        let name = format!("{kind:?} {}", stable.name(*kind, object, name));
        let look = stable.text(&look(*kind, object));
        if matches!(kind, Kind::Pod | Kind::ReplicaSet) {
            let entry = state.entry(format!("{name}: {look}")).or_insert_with(|| json!(0));
            *entry = json!(entry.as_i64().unwrap_or_default() + 1);
        } else {
            spread(&name, look, &mut state);
        }
    }
    state
}

/// Each value of an object under a name of its own, so that a difference is a line.
fn spread(name: &str, value: Value, state: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (member, value) in members {
                spread(&format!("{name}.{member}"), value, state);
            }
        }
        Value::Array(elements) if !elements.is_empty() => {
            for (number, value) in elements.into_iter().enumerate() {
                spread(&format!("{name}[{number}]"), value, state);
            }
        }
        value => {
            state.insert(name.to_owned(), value);
        }
    }
}

/// How often each object was made and removed, nodes aside, which the test makes; those with made-up
/// names, by what made them.
pub(crate) fn counts(seen: &Seen) -> BTreeMap<String, (u32, u32)> {
    let stable = Stable::of(seen);
    let mut counts: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    for (kind, object, gone) in seen.ever.values().filter(|(kind, ..)| *kind != Kind::Node) {
        let name = text(object, "/metadata/name").unwrap_or_default();
        let name = format!("{kind:?} {}", stable.name(*kind, object, &name));
        let count = counts.entry(name).or_default();
        count.0 += 1;
        count.1 += u32::from(*gone);
    }
    counts
}

/// What differs, a line each.
pub(crate) fn difference<V: PartialEq + std::fmt::Debug>(
    expected: &BTreeMap<String, V>,
    found: &BTreeMap<String, V>,
) -> Vec<String> {
    let keys: std::collections::BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
    keys.into_iter()
        .filter(|key| expected.get(*key) != found.get(*key))
        .map(|key| match (expected.get(key), found.get(key)) {
            (Some(expected), None) => format!("missing: {key} {expected:?}"),
            (None, Some(found)) => format!("surplus: {key} {found:?}"),
            (expected, found) => format!("{key}: expected {expected:?}, found {found:?}"),
        })
        .collect()
}

pub(crate) fn text(object: &Value, pointer: &str) -> Option<String> {
    object.pointer(pointer)?.as_str().map(ToOwned::to_owned)
}

fn label_of(object: &Value, name: &str) -> String {
    let labels = object.pointer("/metadata/labels");
    let value = labels.and_then(|labels| labels.get(name)).and_then(Value::as_str);
    value.unwrap_or_default().to_owned()
}

/// The ECS events in a status, and up to which task they have told: a task that starts or stops
/// while there is no operator is told of later, with others, or not at all.
const OF_THE_EVENTS: [&str; 3] = ["events", "started", "stopped"];

/// What tells which changes of the count were the operator's: a count outside new bounds may be moved
/// by Kubernetes' autoscaler first.
const OF_THE_SCALER: [&str; 1] = ["activities"];

/// The part of an object that is compared.
fn look(kind: Kind, object: &Value) -> Value {
    match kind {
        Kind::Pod => json!({
            "image": object.pointer("/spec/containers/0/image"),
            "phase": object.pointer("/status/phase"),
            "dying": object.pointer("/metadata/deletionTimestamp").is_some(),
        }),
        Kind::ReplicaSet => json!({
            "replicas": object.pointer("/spec/replicas"),
            "ready": object.pointer("/status/readyReplicas"),
        }),
        Kind::Node => json!({
            "labels": of_ours(object.pointer("/metadata/labels")),
            "ownedFields": owned_fields(object),
        }),
        _ => {
            let mut object = object.clone();
            let mut owned = owned_fields(&object);
            for left_out in OF_THE_EVENTS.iter().chain(&OF_THE_SCALER) {
                without(&mut owned, &format!("f:{left_out}"));
            }
            if kind == Kind::HorizontalPodAutoscaler {
                // Kubernetes' own, which it looks after each 15 seconds.
                object["status"].take();
            }
            if let Some(meta) = object["metadata"].as_object_mut() {
                for of_this_one in
                    ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"]
                {
                    meta.remove(of_this_one);
                }
                if let Some(notes) = meta.get_mut("annotations").and_then(Value::as_object_mut) {
                    // A hash over a UID among others.
                    notes.entry(annotation::INTENT).and_modify(|hash| *hash = json!("a hash"));
                }
            }
            if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
                spec.remove("clusterIP");
                spec.remove("clusterIPs");
            }
            if let Some(status) = object.get_mut("status").and_then(Value::as_object_mut) {
                // It says of which generation it is, and the generation is left out.
                status.remove("observedGeneration");
                for of_the_events in OF_THE_EVENTS {
                    status.remove(of_the_events);
                }
                if let Some(scaling) = status.get_mut("scaling").and_then(Value::as_object_mut) {
                    for of_the_scaler in OF_THE_SCALER {
                        scaling.remove(of_the_scaler);
                    }
                }
                if matches!(kind, Kind::Deployment | Kind::DisruptionBudget) {
                    // Kubernetes' own: times and its history.
                    status.remove("conditions");
                }
                if let Some(conditions) = status.get_mut("conditions").and_then(Value::as_array_mut)
                {
                    for condition in conditions {
                        let told = ["type", "status", "reason"].map(|name| condition[name].clone());
                        *condition = json!(told);
                    }
                }
            }
            object["ownedFields"] = owned;
            without_times(&mut object);
            object
        }
    }
}

/// The fields that the operator owns, by the subresource that it wrote them through.
fn owned_fields(object: &Value) -> Value {
    let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    let ours = entries.into_iter().flatten().filter(|entry| {
        // The count may be moved by Kubernetes' autoscaler first.
        entry["manager"] == "linkspan" && entry["subresource"] != "scale"
    });
    let mut ours: Vec<Value> =
        ours.map(|e| json!([e["operation"], e["subresource"], e["fieldsV1"]])).collect();
    ours.sort_by_key(ToString::to_string);
    json!(ours)
}

/// The labels that are written on nodes.
fn of_ours(labels: Option<&Value>) -> Value {
    let labels = labels.and_then(Value::as_object).into_iter().flatten();
    let ours = labels.filter(|(name, _)| name.starts_with("placement.ecs.linkspan.dev/"));
    ours.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Takes a member out wherever it is.
fn without(value: &mut Value, name: &str) {
    match value {
        Value::Object(members) => {
            members.remove(name);
            members.values_mut().for_each(|value| without(value, name));
        }
        Value::Array(elements) => elements.iter_mut().for_each(|value| without(value, name)),
        _ => {}
    }
}

fn without_times(value: &mut Value) {
    match value {
        Value::Object(members) => members.values_mut().for_each(without_times),
        Value::Array(elements) => elements.iter_mut().for_each(without_times),
        Value::String(text) if text.parse::<jiff::Timestamp>().is_ok() => {
            "a time".clone_into(text);
        }
        _ => {}
    }
}

/// Names that stay the same where UIDs do not.
struct Stable(Vec<(String, String)>);

impl Stable {
    fn of(seen: &Seen) -> Self {
        let mut replaced = Vec::new();
        let namespace = seen.ever.values().find_map(|(_, o, _)| text(o, "/metadata/namespace"));
        let namespace = namespace.unwrap_or_default();
        for (uid, (kind, object, _)) in &seen.ever {
            let name = text(object, "/metadata/name").unwrap_or_default();
            if *kind == Kind::Service {
                let slot = names::FIRST_SLOT;
                for (provider, of) in [("", ""), ("-a", " of a"), ("-b", " of b")] {
                    let label = if provider.is_empty() { "" } else { &namespace };
                    let workload = names::workload(&name, uid, &format!("{label}{provider}"), slot);
                    replaced.push((workload, format!("{name}-<workload{of}>")));
                }
                let budget = names::disruption_budget(&name, uid, slot);
                replaced.push((budget, format!("{name}-<budget>")));
                replaced.push((names::autoscaler(&name, uid), format!("{name}-<autoscaler>")));
                for sequence in 1..10 {
                    let record = names::record(&name, uid, sequence);
                    replaced.push((record, format!("{name}-<record>-{sequence}")));
                    let id = names::deployment_id(uid, sequence);
                    replaced.push((id, format!("ecs-svc/<{sequence}>")));
                }
            }
            if !matches!(kind, Kind::Pod | Kind::ReplicaSet) {
                replaced.push((uid.clone(), format!("<{kind:?} {name}>")));
            }
        }
        if !namespace.is_empty() {
            replaced.push((namespace, "<namespace>".to_owned()));
        }
        Self(replaced)
    }

    fn replace(&self, text: &str) -> String {
        let all = self.0.iter();
        all.fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    }

    fn text(&self, value: &Value) -> Value {
        serde_json::from_str(&self.replace(&value.to_string())).unwrap()
    }

    fn name(&self, kind: Kind, object: &Value, name: &str) -> String {
        match kind {
            Kind::Pod | Kind::ReplicaSet => {
                format!("of deployment {}", label_of(object, label::DEPLOYMENT))
            }
            _ => self.replace(name),
        }
    }
}
