//! An object on its way to the cluster: its key, and its whole intent as JSON.

use serde_json::Value;

use super::{ObjectKey, Shelved};

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
