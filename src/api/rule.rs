//! Rule: EventBridge's PutRule input and its ECS targets.

use kube::CustomResource;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::schema::{self, Cel};
use super::status::PlainStatus;
use crate::ecs::members::Input;

/// PutRule input with `targets`, in camelCase, as written.
#[derive(CustomResource, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "ecs.linkspan.dev",
    version = "v1alpha1",
    kind = "Rule",
    namespaced,
    status = "PlainStatus",
    shortname = "erule",
    category = "ecs",
    doc = "Runs ECS tasks on a schedule or on an event.",
    printcolumn = r#"{"name":"Schedule","type":"string","jsonPath":".spec.scheduleExpression"}"#,
    printcolumn = r#"{"name":"State","type":"string","jsonPath":".spec.state"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Reason","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].reason"}"#,
    printcolumn = r#"{"name":"Message","type":"string","priority":1,"jsonPath":".status.conditions[?(@.type==\"Ready\")].message"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(transparent)]
pub struct RuleSpec(pub Value);

impl JsonSchema for RuleSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RuleSpec".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema::spec(
            Input::Rule,
            &schema::kubernetes(&[]),
            &[Cel {
                rule: "(has(self.name) ? self.name : '') == (has(oldSelf.name) ? oldSelf.name : '')",
                message: "name cannot be changed; make another Rule",
            }],
        )
    }
}
