//! CapacityProvider: ECS's CreateCapacityProvider input, and EKS's node groups and Fargate profiles as further forms of it.

use kube::CustomResource;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::schema::{self, Cel};
use super::status::PlainStatus;
use crate::ecs::members::Input;

/// CreateCapacityProvider input, as written, or `managedNodeGroup` (EKS CreateNodegroup), or
/// `fargateProfile` (EKS CreateFargateProfile).
#[derive(CustomResource, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "ecs.linkspan.dev",
    version = "v1alpha1",
    kind = "CapacityProvider",
    status = "PlainStatus",
    shortname = "ecp",
    category = "ecs",
    doc = "Capacity that ECS tasks can be placed on.",
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Reason","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].reason"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(transparent)]
pub struct CapacityProviderSpec(pub Value);

impl JsonSchema for CapacityProviderSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CapacityProviderSpec".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema::spec(
            Input::CapacityProvider,
            &schema::kubernetes(&[]),
            &[
                Cel {
                    rule: "(has(self.name) ? self.name : '') == (has(oldSelf.name) ? oldSelf.name : '')",
                    message: "name cannot be changed; make another CapacityProvider",
                },
                Cel {
                    rule: "[has(self.managedNodeGroup), has(self.autoScalingGroupProvider), has(self.managedInstancesProvider), has(self.fargateProfile)].filter(given, given).size() == 1",
                    message: "give exactly one of managedNodeGroup, autoScalingGroupProvider, managedInstancesProvider, fargateProfile",
                },
            ],
        )
    }
}
