//! When are two task definitions the same? When the canonical forms of what was written are.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::ecs::reference::family_of;

/// The canonical form of a spec: without what says nothing, and without what registers nothing.
///
/// A revision is registered when this differs from the newest revision's. It is computed from raw
/// JSON, never from a typed form, so that a release that knows more members registers none.
pub fn canonical(spec: &Value, object_name: Option<&str>) -> Value {
    let mut spec = without_nulls(spec);
    if let Some(object) = spec.as_object_mut() {
        object
            .insert("family".into(), family_of(&Value::Object(object.clone()), object_name).into());
        if let Some(kubernetes) = object.get_mut("kubernetes").and_then(Value::as_object_mut) {
            kubernetes.remove("revisionHistoryLimit");
            if kubernetes.is_empty() {
                object.remove("kubernetes");
            }
        }
    }
    spec
}

/// A copy without nulls at any depth.
pub fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(object) => Value::Object(
            object
                .iter()
                .filter(|(_, member)| !member.is_null())
                .map(|(name, member)| (name.clone(), without_nulls(member)))
                // Sorted, whatever order the map keeps.
                .collect::<BTreeMap<_, _>>()
                .into_iter()
                .collect(),
        ),
        Value::Array(list) => Value::Array(list.iter().map(without_nulls).collect()),
        scalar => scalar.clone(),
    }
}
