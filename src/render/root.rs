//! What is an object of a file, and where does it stand there?
//!
//! Also the objects that no file has and another object implies, and the UID of what no cluster has
//! made. It reads no text and judges nothing.

use serde_json::{Value, json};

use super::source::join;
use crate::names::sha256_hex;
use crate::world::{Kind, ObjectKey, set};

/// An object that stands in a file, or that a file implies.
#[derive(Clone, Debug)]
pub(super) struct Root {
    /// Which.
    pub(super) key: ObjectKey,
    /// Its manifest, without a status.
    pub(super) body: Value,
    /// Whether no file has it, and another object implies it.
    pub(super) implied: bool,
    /// Whether something is said of it already that keeps it from being rendered.
    pub(super) refused: bool,
    /// Where it stands.
    pub(super) origin: Origin,
}

/// Where an object stands.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    /// The number of the file.
    pub(super) source: usize,
    /// The number of the document in it.
    pub(super) document: usize,
    /// The path of the object in the document.
    pub(super) object: String,
    /// The path of its spec in the document.
    pub(super) spec: String,
    /// Whether what stands there is only the spec's list of containers.
    pub(super) containers_only: bool,
    /// Whether it stands there in CloudFormation's words.
    pub(super) converted: bool,
}

impl Origin {
    /// The path in the document of a path in the spec.
    pub(super) fn path(&self, in_spec: &str) -> String {
        let in_spec = match in_spec.strip_prefix("containerDefinitions") {
            Some(below) if self.containers_only => below,
            _ => in_spec,
        };
        if in_spec.starts_with('[') || in_spec.is_empty() {
            format!("{}{in_spec}", self.spec)
        } else {
            join(&self.spec, in_spec)
        }
    }

    /// The path in the document of a path in the whole object.
    pub(super) fn object_path(&self, in_object: &str) -> String {
        join(&self.object, in_object)
    }
}

impl Root {
    /// The spec as it was written.
    pub(super) fn spec(&self) -> &Value {
        self.body.get("spec").unwrap_or(&Value::Null)
    }

    /// The UID that the file gives, or one derived from what the object is called.
    pub(super) fn uid(&self) -> String {
        self.given_uid().map_or_else(|| derived_uid(&self.key), ToOwned::to_owned)
    }

    /// The UID that the file gives.
    pub(super) fn given_uid(&self) -> Option<&str> {
        self.body.pointer("/metadata/uid")?.as_str().filter(|uid| !uid.is_empty())
    }
}

/// A UID for what no cluster has made: the same for the same kind, namespace and name.
fn derived_uid(key: &ObjectKey) -> String {
    let hex = sha256_hex(&["render", &key.to_string()]);
    let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default();
    // In the form of RFC 9562's version 8, which is what names of one's own devising are for.
    let (low, middle, high) = (part(0..8), part(8..12), part(13..16));
    format!("{low}-{middle}-8{high}-8{}-{}", part(17..20), part(20..32))
}

/// A manifest of one of Linkspan's kinds.
pub(super) fn manifest(kind: Kind, namespace: &str, name: &str, spec: &Value) -> Value {
    let (api_version, kind) = kind.type_meta();
    json!({
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    })
}

/// The Service of one task that a task definition implies which no service names.
pub(super) fn implied_service(task_definition: &Root, family: &str) -> Root {
    let key = ObjectKey { kind: Kind::Service, ..task_definition.key.clone() };
    let mut spec = json!({"serviceName": family, "taskDefinition": family, "desiredCount": 1});
    let compatible = task_definition.spec().get("requiresCompatibilities");
    if compatible.and_then(Value::as_array).is_some_and(|list| list.contains(&"FARGATE".into())) {
        set(&mut spec, &["launchType"], "FARGATE");
    }
    Root {
        body: manifest(Kind::Service, &key.namespace, &key.name, &spec),
        key,
        implied: true,
        refused: false,
        origin: task_definition.origin.clone(),
    }
}
