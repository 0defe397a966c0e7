//! Task: ECS's RunTask input.

use kube::CustomResource;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::schema::{self, Cel};
use super::status::PlainStatus;
use crate::ecs::members::Input;

/// RunTask input, as written: one run of a task definition.
#[derive(CustomResource, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "ecs.linkspan.dev",
    version = "v1alpha1",
    kind = "Task",
    namespaced,
    status = "PlainStatus",
    shortname = "etask",
    category = "ecs",
    doc = "One run of an ECS task definition, and the record of it.",
    printcolumn = r#"{"name":"Task-Definition","type":"string","jsonPath":".spec.taskDefinition"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Reason","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].reason"}"#,
    printcolumn = r#"{"name":"Message","type":"string","priority":1,"jsonPath":".status.conditions[?(@.type==\"Ready\")].message"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(transparent)]
pub struct TaskSpec(pub Value);

impl JsonSchema for TaskSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TaskSpec".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema::spec(
            Input::Task,
            &schema::kubernetes(&[]),
            &[Cel {
                rule: "self == oldSelf",
                message: "a Task is one run and cannot be changed; make another Task",
            }],
        )
    }
}
