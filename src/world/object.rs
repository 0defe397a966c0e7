//! An object on its way to the cluster: its key, and its whole intent as JSON.

use serde_json::Value;

use super::{ObjectKey, Shelved};

/// Sets a member of an object at a path, making the objects on the way; what is no object on the
/// way stays as it is.
pub(crate) fn set(body: &mut Value, path: &[&str], value: impl Into<Value>) {
    let Some((last, parents)) = path.split_last() else { return };
    let mut at = body;
    for name in parents {
        let Some(object) = at.as_object_mut() else { return };
        at = object.entry(*name).or_insert_with(|| Value::Object(serde_json::Map::new()));
    }
    if let Some(object) = at.as_object_mut() {
        object.insert((*last).to_owned(), value.into());
    }
}

/// A complete intent: every field that Linkspan owns, and none that it does not.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// Which object.
    pub key: ObjectKey,
    /// Its JSON, with `apiVersion`, `kind` and `metadata`.
    pub body: Value,
}

impl Object {
    /// The intent that a typed object states.
    pub fn of<K: Shelved>(object: &K) -> Self {
        let meta = object.meta();
        let key = ObjectKey::new(
            K::KIND,
            meta.namespace.as_deref().unwrap_or_default(),
            meta.name.as_deref().unwrap_or_default(),
        );
        // A Kubernetes type always has a JSON form.
        let body = serde_json::to_value(object).unwrap_or_default();
        Self { key, body }
    }
}
