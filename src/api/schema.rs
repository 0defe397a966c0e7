//! Which schema does a spec get? Built from the member table, typed but open.
//!
//! Open means: unknown members are kept at every level, null stands for absent, an enum is a plain
//! string, and digits may be written as string or number. Only identity, immutability and mutual
//! exclusion are rules of the schema; everything else is judged where it can be explained.

use std::collections::BTreeMap;

use schemars::Schema;
use serde_json::{Map, Value, json};

use crate::ecs::members::{Input, Member, Shape};

/// A CEL rule of a spec, with the message for who breaks it.
pub(super) struct Cel {
    /// The expression over `self` and, for immutability, `oldSelf`.
    pub(super) rule: &'static str,
    /// What the API server answers.
    pub(super) message: &'static str,
}

/// The schema of a spec that holds `input`'s members, with `kubernetes` and the CEL rules.
pub(super) fn spec(input: Input, kubernetes: &Value, rules: &[Cel]) -> Schema {
    let mut root = Branch::default();
    for member in input.members() {
        root.insert(member);
    }
    let mut schema = root.object();
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert("kubernetes".into(), kubernetes.clone());
    }
    if let Some(count) =
        schema.pointer_mut("/properties/desiredCount").and_then(Value::as_object_mut)
    {
        // The only default: without it, reading `/scale` of a manifest that never sets the count
        // is an error and no autoscaler works. With a default, null must not be nullable.
        *count = Map::from_iter([
            ("type".into(), "integer".into()),
            ("format".into(), "int32".into()),
            ("default".into(), 1.into()),
            ("description".into(), count.get("description").cloned().unwrap_or_default()),
        ]);
    }
    if let Some(object) = schema.as_object_mut()
        && !rules.is_empty()
    {
        let rules: Vec<Value> =
            rules.iter().map(|r| json!({"rule": r.rule, "message": r.message})).collect();
        object.insert("x-kubernetes-validations".into(), rules.into());
        object.remove("nullable");
    }
    as_schema(schema)
}

/// The schema of `kubernetes:`, where ECS has no word for a thing.
pub(super) fn kubernetes(members: &[(&str, Value)]) -> Value {
    let properties: Map<String, Value> =
        members.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({
        "type": "object",
        "nullable": true,
        "description": "What ECS has no word for.",
        "properties": properties,
        "x-kubernetes-preserve-unknown-fields": true,
    })
}

/// An object whose inside is not looked at.
pub(super) fn opaque(_: &mut schemars::SchemaGenerator) -> Schema {
    as_schema(json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}))
}

fn as_schema(value: Value) -> Schema {
    Schema::try_from(value).unwrap_or_default()
}

/// The members below one point of the tree.
#[derive(Default)]
struct Branch {
    member: Option<&'static Member>,
    children: BTreeMap<String, Branch>,
}

impl Branch {
    fn insert(&mut self, member: &'static Member) {
        let mut branch = self;
        for name in member.path.split('.') {
            branch = branch.children.entry(name.trim_end_matches("[]").to_owned()).or_default();
        }
        branch.member = Some(member);
    }

    fn object(&self) -> Value {
        let properties: Map<String, Value> =
            self.children.iter().map(|(name, child)| (name.clone(), child.schema())).collect();
        json!({
            "type": "object",
            "nullable": true,
            "properties": properties,
            "x-kubernetes-preserve-unknown-fields": true,
        })
    }

    fn schema(&self) -> Value {
        let Some(member) = self.member else { return self.object() };
        let int_or_string = || json!({"x-kubernetes-int-or-string": true, "nullable": true});
        let mut schema = match member.shape {
            // People write 1.4 for "1.4.0", and that is neither an integer nor a string.
            Shape::String if member.path.ends_with("platformVersion") => {
                json!({"nullable": true, "x-kubernetes-preserve-unknown-fields": true})
            }
            Shape::String | Shape::Integer => int_or_string(),
            // A number, a string of digits, and epoch seconds or a date: no one type holds them.
            Shape::Number | Shape::Timestamp => {
                json!({"nullable": true, "x-kubernetes-preserve-unknown-fields": true})
            }
            Shape::Boolean => json!({"type": "boolean", "nullable": true}),
            Shape::Object => self.object(),
            Shape::Objects => {
                json!({"type": "array", "nullable": true, "items": self.object()})
            }
            Shape::Strings | Shape::Integers => {
                json!({"type": "array", "nullable": true, "items": int_or_string()})
            }
            Shape::StringMap => {
                json!({"type": "object", "nullable": true, "additionalProperties": int_or_string()})
            }
            Shape::Document => {
                json!({"type": "object", "nullable": true,
                       "x-kubernetes-preserve-unknown-fields": true})
            }
        };
        if let Some(object) = schema.as_object_mut() {
            object.insert("description".into(), member.about.into());
        }
        schema
    }
}
