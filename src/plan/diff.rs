//! Is an object already as it should be?
//!
//! An intent is met when the object shows every value of it, and carries the hash of this very
//! intent. The values tell that nobody changed one of our fields; the hash tells that we took none
//! away since. Fields that others own, and those that the API server fills in, are not looked at.

use serde_json::{Map, Value};

use crate::names::{annotation, sha256_hex};

/// The keys by which server-side apply tells the elements of Kubernetes' lists apart.
const LIST_KEYS: &[&[&str]] = &[
    &["name"],
    &["type"],
    &["uid"],
    &["containerPort", "protocol"],
    &["port", "protocol"],
    &["mountPath"],
    &["ip"],
    &["topologyKey", "whenUnsatisfiable"],
];

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
        (Value::Object(intent), Value::Object(observed)) => intent.iter().all(|(name, wanted)| {
            match observed.get(name) {
                Some(found) => is_met(wanted, found),
                // The API server keeps no empty maps and lists.
                None => super::judge::is_empty(wanted),
            }
        }),
        (Value::Array(intent), Value::Array(observed)) => match key_of(intent) {
            Some(key) => intent.iter().all(|wanted| {
                observed
                    .iter()
                    .find(|found| key.iter().all(|name| wanted.get(name) == found.get(name)))
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

fn key_of(list: &[Value]) -> Option<&'static [&'static str]> {
    if list.is_empty() {
        return None;
    }
    LIST_KEYS
        .iter()
        .find(|key| list.iter().all(|element| key.iter().all(|name| element.get(name).is_some())))
        .copied()
}
