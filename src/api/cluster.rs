//! Cluster: ECS's CreateCluster input.

use kube::CustomResource;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::schema::{self, Cel};
use super::status::PlainStatus;
use crate::ecs::members::Input;

/// CreateCluster input, as written. A namespace has an implied Cluster `default`.
#[derive(CustomResource, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "ecs.linkspan.dev",
    version = "v1alpha1",
    kind = "Cluster",
    namespaced,
    status = "PlainStatus",
    shortname = "ecl",
    category = "ecs",
    doc = "Defaults for the ECS services of a namespace, and the table that maps AWS names to Kubernetes ones.",
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Reason","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].reason"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(transparent)]
pub struct ClusterSpec(pub Value);

impl JsonSchema for ClusterSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ClusterSpec".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema::spec(
            Input::Cluster,
            &schema::kubernetes(&[]),
            &[Cel {
                rule: "(has(self.clusterName) ? self.clusterName : '') == (has(oldSelf.clusterName) ? oldSelf.clusterName : '')",
                message: "clusterName cannot be changed; make another Cluster",
            }],
        )
    }
}
