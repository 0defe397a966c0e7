//! TaskDefinition: ECS's RegisterTaskDefinition input, and the revisions that come of it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::schema::{self, Cel};
use crate::ecs::members::Input;

/// RegisterTaskDefinition input, as written. `family` is the object's name where it is absent.
#[derive(CustomResource, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "ecs.linkspan.dev",
    version = "v1alpha1",
    kind = "TaskDefinition",
    namespaced,
    status = "TaskDefinitionStatus",
    shortname = "etd",
    category = "ecs",
    doc = "An ECS task definition family: every change of its spec registers a new, immutable revision.",
    printcolumn = r#"{"name":"Revision","type":"integer","jsonPath":".status.latestRevision"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Reason","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].reason"}"#,
    printcolumn = r#"{"name":"Message","type":"string","priority":1,"jsonPath":".status.conditions[?(@.type==\"Ready\")].message"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(transparent)]
pub struct TaskDefinitionSpec(pub Value);

fn kubernetes() -> Value {
    schema::kubernetes(&[
        (
            "revisionHistoryLimit",
            json!({
                "type": "integer", "format": "int32", "minimum": 0, "nullable": true,
                "description": "How many unused revisions are kept (default 10).",
            }),
        ),
        (
            "imagePullPolicy",
            json!({
                "type": "string", "nullable": true,
                "description": "Always, IfNotPresent or Never (default: Always for tags, \
                    IfNotPresent for digests, as ECS does).",
            }),
        ),
        (
            "allowUnsafeSysctls",
            json!({
                "type": "boolean", "nullable": true,
                "description": "Whether systemControls are set that each kubelet must allow by name \
                    (default false).",
            }),
        ),
        (
            "devices",
            json!({
                "type": "object", "nullable": true, "additionalProperties": {"type": "string"},
                "description": "The device plugin's resource for a device of linuxParameters, by \
                    the device's path on the node.",
            }),
        ),
    ])
}

impl JsonSchema for TaskDefinitionSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TaskDefinitionSpec".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema::spec(
            Input::TaskDefinition,
            &kubernetes(),
            &[Cel {
                rule: "(has(self.family) ? self.family : '') == (has(oldSelf.family) ? oldSelf.family : '')",
                message: "family cannot be changed; make another TaskDefinition",
            }],
        )
    }
}

/// What became of a task definition.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskDefinitionStatus {
    /// The generation of the spec that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The ECS family name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// The newest revision's number; never lower than any that was handed out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_revision: Option<i64>,
    /// ACTIVE, as DescribeTaskDefinition reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Ready, Reconciling, Stalled, FullySupported.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// One registered revision, frozen.
#[derive(CustomResource, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "ecs.linkspan.dev",
    version = "v1alpha1",
    kind = "TaskDefinitionRevision",
    namespaced,
    status = "TaskDefinitionRevisionStatus",
    shortname = "etdr",
    category = "ecs",
    doc = "One immutable revision of an ECS task definition family, made by Linkspan.",
    printcolumn = r#"{"name":"Family","type":"string","jsonPath":".spec.family"}"#,
    printcolumn = r#"{"name":"Status","type":"string","jsonPath":".status.status"}"#,
    printcolumn = r#"{"name":"Image","type":"string","jsonPath":".spec.containerDefinitions[*].image"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(transparent)]
pub struct TaskDefinitionRevisionSpec(pub Value);

impl JsonSchema for TaskDefinitionRevisionSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TaskDefinitionRevisionSpec".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema::spec(
            Input::TaskDefinition,
            &kubernetes(),
            &[Cel {
                rule: "self == oldSelf",
                message: "a revision cannot be changed; change the TaskDefinition",
            }],
        )
    }
}

/// Whether a revision may be deployed.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskDefinitionRevisionStatus {
    /// ACTIVE while the family's TaskDefinition exists, else INACTIVE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}
