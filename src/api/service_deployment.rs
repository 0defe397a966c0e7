//! ServiceDeployment: the record of one deployment, frozen when it is made.
//!
//! What a deployment was asked for and what it renders to stands in the spec and never changes;
//! what became of it stands in the status, written before any child changes. A record is made by
//! Linkspan and makes nothing itself.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::schema;

/// One ECS deployment: requested inputs, the template they rendered to, and why it started.
#[derive(CustomResource, Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[kube(
    group = "ecs.linkspan.dev",
    version = "v1alpha1",
    kind = "ServiceDeployment",
    namespaced,
    status = "ServiceDeploymentStatus",
    shortname = "esd",
    category = "ecs",
    doc = "The record of one deployment of an ECS service, made by Linkspan.",
    printcolumn = r#"{"name":"Service","type":"string","jsonPath":".spec.service.name"}"#,
    printcolumn = r#"{"name":"Sequence","type":"integer","jsonPath":".spec.sequence"}"#,
    printcolumn = r#"{"name":"Task-Definition","type":"string","jsonPath":".spec.taskDefinition"}"#,
    printcolumn = r#"{"name":"Cause","type":"string","jsonPath":".spec.cause"}"#,
    printcolumn = r#"{"name":"Rollout","type":"string","jsonPath":".status.rolloutState"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "self == oldSelf",
    "message": "a deployment record cannot be changed; change the Service",
}]))]
#[serde(rename_all = "camelCase")]
pub struct ServiceDeploymentSpec {
    /// The Service that it is a deployment of.
    pub service: ServiceReference,
    /// 1 for the service's first deployment, one more for each that follows.
    pub sequence: i64,
    /// Why it started.
    pub cause: Cause,
    /// The Service's spec as it was.
    #[schemars(schema_with = "schema::opaque")]
    pub requested: Value,
    /// The value of the annotation that forces a new deployment, as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// `family:revision`, as resolved then.
    pub task_definition: String,
    /// The rows of the Cluster's tables that gave names to the task definition's AWS identifiers, as
    /// they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::opaque")]
    pub mapping: Option<Value>,
    /// The capacity that was chosen for its tasks: the strategy, and the specs of its
    /// CapacityProviders as they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::opaque")]
    pub capacity: Option<Value>,
    /// What the cluster could do then.
    pub features: Features,
    /// Seconds that a task must be ready before it counts as healthy (40 without any health check).
    #[serde(default)]
    pub min_ready_seconds: i32,
    /// The pod template, applied as it stands here.
    #[schemars(schema_with = "schema::opaque")]
    pub template: Value,
    /// The capacity providers of its strategy, in order, each with what its tasks have otherwise than
    /// the template: one Deployment each. Without any, all tasks are in one Deployment, by the
    /// template as it stands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub placements: Vec<Placement>,
    /// The deployment in which the template originated, where that was an earlier one: a change of
    /// capacity providers alone moves tasks, and leaves as they are those that stay where they run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_from: Option<i64>,
}

impl ServiceDeploymentSpec {
    /// The deployment in which its template originated: what pods say of themselves.
    pub fn origin(&self) -> i64 {
        self.template_from.unwrap_or(self.sequence)
    }
}

/// The tasks of one capacity provider.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// The ECS name of the provider.
    pub capacity_provider: String,
    /// Members of the pod spec in place of the template's. What only other providers' tasks have here,
    /// its tasks do not have at all.
    #[schemars(schema_with = "schema::opaque")]
    pub pod_spec: Value,
}

/// Names one Service object for good.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceReference {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
}

/// Why a deployment started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Cause {
    /// The service is new.
    ServiceCreated,
    /// The task definition's family has a newer revision, or the Service names another.
    TaskDefinitionChanged,
    /// Another field that starts a deployment changed.
    ServiceUpdated,
    /// `forceNewDeployment`, or its annotation.
    ForceNewDeployment,
    /// Something changed that waits for the next deployment (the Cluster's tables, placement, a
    /// CapacityProvider), and the deployment before was not completed.
    HeldInputsChanged,
    /// The record was lost and was rebuilt from its workload.
    Restored,
}

/// What the cluster could do when a template was rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Features {
    /// The minor version of Kubernetes that API server and every kubelet have at least.
    pub kubernetes_minor: u32,
    /// Whether every node can restart all containers of a pod at one's exit (1.36). The scheduler
    /// places a pod that asks for it on no other node.
    #[serde(default)]
    pub restart_all_containers: bool,
    /// Whether nodes could be labelled for placement expressions that a pod template cannot say.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub labels_nodes: bool,
    /// Whether there was a second scheduler, which fills a node before it begins another.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub packs: bool,
}

impl Features {
    /// Since 1.34 a pod as a whole has requests and limits.
    pub fn pod_level_resources(self) -> bool {
        self.kubernetes_minor >= 34
    }

    /// Since 1.35 a container has a restart policy of its own.
    pub fn container_restart_policy(self) -> bool {
        self.kubernetes_minor >= 35
    }
}

/// The verdict on a deployment.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceDeploymentStatus {
    /// IN_PROGRESS, COMPLETED or FAILED.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout_state: Option<RolloutState>,
    /// Why, in ECS's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout_state_reason: Option<String>,
    /// When all tasks were those of this deployment, and healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Time>,
    /// The images of its first task that ran, as they were then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub container_images: Vec<ContainerImage>,
    /// Whether `forceNewDeployment` was false again since, so that true starts another deployment.
    #[serde(default, skip_serializing_if = "is_false")]
    pub force_released: bool,
    /// How many tasks each capacity provider should have, where there are several.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub desired_counts: BTreeMap<String, i32>,
    /// The cordoned nodes with tasks of it, from which tasks have been evicted since.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub draining: BTreeSet<String>,
}

/// One entry of `containerImages`, as DescribeServiceRevisions has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContainerImage {
    /// The container, by its ECS name.
    pub container_name: String,
    /// The image as the pod template names it.
    pub image: String,
    /// What that meant: `sha256:` and 64 hexadecimal digits.
    pub image_digest: String,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// How far a deployment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RolloutState {
    /// Tasks are being replaced.
    InProgress,
    /// All tasks are its own, and healthy.
    Completed,
    /// It was given up.
    Failed,
}

impl RolloutState {
    /// The word as DescribeServices has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "IN_PROGRESS",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
        }
    }
}
