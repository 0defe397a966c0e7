//! Is an object already as it should be?
//!
//! An intent is met when the object shows every value of it, and carries the hash of this very
//! intent. The values tell that nobody changed one of our fields; the hash tells that we took none
//! away since. Fields that others own, and those that the API server fills in, are not looked at.

use serde_json::{Map, Value};

use crate::names::{annotation, sha256_hex};

/// The keys by which server-side apply tells the elements of Kubernetes' lists apart.
const LIST_KEYS: &[&[&str]] = &[
    // Before the name: a container may mount one volume at several paths.
    &["mountPath"],
    &["name"],
    &["type"],
    &["uid"],
    &["containerPort", "protocol"],
    &["port", "protocol"],
    &["ip"],
    &["topologyKey", "whenUnsatisfiable"],
];

/// Maps and lists that server-side apply takes whole: a key that somebody adds changes what is
/// selected, a metric or a policy how an autoscaler scales, a rule who reaches a task.
const ATOMIC: &[&str] = &[
    "selector",
    "nodeSelector",
    "podSelector",
    "metrics",
    "policies",
    "ingress",
    "egress",
    "rules",
    "tls",
];
/// Flags and numbers whose absence is not the same as false or 0: the API server keeps these.
const TELLING: &[&str] = &[
    "allowPrivilegeEscalation",
    "automountServiceAccountToken",
    "blockOwnerDeletion",
    "controller",
    "enableServiceLinks",
    "fsGroup",
    "hostUsers",
    "optional",
    "privileged",
    "readOnlyRootFilesystem",
    "runAsGroup",
    "runAsNonRoot",
    "runAsUser",
    "setHostnameAsFQDN",
    "shareProcessNamespace",
];
/// Maps in which the API server keeps empty texts too.
const MAPS: &[&str] = &["annotations", "labels"];

/// Writes into an intent the annotation that holds its hash.
pub fn seal(body: &mut Value) {
    let hash = intent_hash(body);
    if let Some(meta) = body.get_mut("metadata").and_then(Value::as_object_mut) {
        let annotations = meta.entry("annotations").or_insert_with(|| Value::Object(Map::new()));
        if let Some(annotations) = annotations.as_object_mut() {
            annotations.insert(annotation::INTENT.to_owned(), hash.into());
        }
    }
}

fn intent_hash(body: &Value) -> String {
    let mut hex = sha256_hex(&[&body.to_string()]);
    hex.truncate(16);
    hex
}

/// Whether an object already shows everything that a sealed intent asks for.
pub fn is_met(intent: &Value, observed: &Value) -> bool {
    match (intent, observed) {
        (Value::Object(intent), Value::Object(observed)) => {
            intent.iter().all(|(name, wanted)| match (observed.get(name), wanted) {
                (Some(found), wanted) if ATOMIC.contains(&name.as_str()) => wanted == found,
                (Some(Value::Object(found)), Value::Object(wanted))
                    if MAPS.contains(&name.as_str()) =>
                {
                    wanted.iter().all(|(key, value)| found.get(key) == Some(value))
                }
                (Some(found), wanted) => is_met(wanted, found),
                (None, wanted) => is_zero(wanted) && !TELLING.contains(&name.as_str()),
            })
        }
        (Value::Array(intent), Value::Array(observed)) => match key_of(intent) {
            Some(key) => intent.iter().enumerate().all(|(at, wanted)| {
                let is_it =
                    |found: &&Value| key.iter().all(|name| wanted.get(name) == found.get(name));
                // Where others add nothing, it stands at its own place.
                let here = observed.get(at).filter(is_it);
                here.or_else(|| observed.iter().find(is_it))
                    .is_some_and(|found| is_met(wanted, found))
            }),
            None => {
                intent.len() == observed.len()
                    && intent.iter().zip(observed).all(|(wanted, found)| is_met(wanted, found))
            }
        },
        (wanted, found) => wanted == found,
    }
}

/// Whether the API server may keep a value as no value: it leaves out empty maps, lists and texts,
/// zeros and falses, where its own default is the same.
fn is_zero(value: &Value) -> bool {
    match value {
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        other => super::judge::is_empty(other),
    }
}

fn key_of(list: &[Value]) -> Option<&'static [&'static str]> {
    if list.is_empty() {
        return None;
    }
    LIST_KEYS
        .iter()
        .find(|key| list.iter().all(|element| key.iter().all(|name| element.get(name).is_some())))
        .copied()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_no_that_was_taken_away_is_missed() {
        let intent = json!({"spec": {"automountServiceAccountToken": false, "hostNetwork": false}});
        assert!(is_met(&intent, &json!({"spec": {"automountServiceAccountToken": false}})));
        assert!(!is_met(&intent, &json!({"spec": {"hostNetwork": false}})));
    }

    #[test]
    fn an_empty_label_that_was_taken_away_is_missed() {
        let intent = json!({"metadata": {"labels": {"a": "", "b": "1"}}});
        assert!(is_met(&intent, &json!({"metadata": {"labels": {"a": "", "b": "1", "c": ""}}})));
        assert!(!is_met(&intent, &json!({"metadata": {"labels": {"b": "1"}}})));
        assert!(!is_met(&intent, &json!({"metadata": {}})));
    }

    #[test]
    fn what_others_add_and_what_the_server_fills_in_or_leaves_out_is_no_difference() {
        let intent = json!({"spec": {
            "replicas": 0, "minReadySeconds": 0, "paused": false, "labels": {}, "text": "",
            "containers": [{"name": "a", "image": "x", "ports": [{"containerPort": 80, "protocol": "TCP"}]}],
        }});
        let observed = json!({"spec": {
            "replicas": 0, "strategy": {"type": "RollingUpdate"},
            "containers": [
                {"name": "added", "image": "y"},
                {"name": "a", "image": "x", "imagePullPolicy": "Always", "ports": [
                    {"containerPort": 81, "protocol": "TCP"}, {"containerPort": 80, "protocol": "TCP"}]},
            ],
        }});
        assert!(is_met(&intent, &observed));
    }

    #[test]
    fn a_changed_or_missing_value_is_a_difference() {
        for (intent, observed) in [
            (json!({"replicas": 2}), json!({"replicas": 3})),
            (json!({"replicas": 2}), json!({})),
            (json!({"args": ["a"]}), json!({"args": ["a", "b"]})),
            (json!({"env": [{"name": "A", "value": "1"}]}), json!({"env": [{"name": "A"}]})),
            (json!({"env": [{"name": "A", "value": "1"}]}), json!({"env": []})),
            (json!({"privileged": true}), json!({})),
        ] {
            assert!(!is_met(&intent, &observed), "{intent} {observed}");
        }
    }

    #[test]
    fn one_volume_at_two_paths_is_two_mounts() {
        let mounts = json!({"volumeMounts": [
            {"name": "a", "mountPath": "/a"}, {"name": "a", "mountPath": "/b", "readOnly": true},
        ]});
        assert!(is_met(&mounts, &mounts));
        let writable = json!({"volumeMounts": [
            {"name": "a", "mountPath": "/a"}, {"name": "a", "mountPath": "/b"},
        ]});
        assert!(!is_met(&mounts, &writable));
    }

    #[test]
    fn a_field_that_we_took_away_shows_in_the_hash() {
        let (mut more, mut less) = (json!({"metadata": {}, "a": 1}), json!({"metadata": {}}));
        seal(&mut more);
        seal(&mut less);
        assert!(!is_met(&less, &more));
    }
}
