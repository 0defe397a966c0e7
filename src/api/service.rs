//! Service: ECS's CreateService input, and its status as DescribeServices has it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::CustomResource;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::schema::{self, Cel};
use crate::ecs::members::Input;
use crate::ecs::scaling::state::ScalingState;

/// CreateService input, as written. `serviceName` is the object's name where it is absent.
#[derive(CustomResource, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "ecs.linkspan.dev",
    version = "v1alpha1",
    kind = "Service",
    plural = "services",
    namespaced,
    status = "ServiceStatus",
    shortname = "esvc",
    category = "ecs",
    doc = "An ECS service: keeps a number of tasks of a task definition running, and rolls them.",
    scale(
        spec_replicas_path = ".spec.desiredCount",
        status_replicas_path = ".status.runningCount",
        label_selector_path = ".status.selector"
    ),
    printcolumn = r#"{"name":"Task-Definition","type":"string","jsonPath":".status.taskDefinition"}"#,
    printcolumn = r#"{"name":"Strategy","type":"string","priority":1,"jsonPath":".spec.schedulingStrategy"}"#,
    printcolumn = r#"{"name":"Cluster","type":"string","priority":1,"jsonPath":".spec.cluster"}"#,
    printcolumn = r#"{"name":"Desired","type":"integer","jsonPath":".spec.desiredCount"}"#,
    printcolumn = r#"{"name":"Running","type":"integer","jsonPath":".status.runningCount"}"#,
    printcolumn = r#"{"name":"Pending","type":"integer","jsonPath":".status.pendingCount"}"#,
    printcolumn = r#"{"name":"Rollout","type":"string","jsonPath":".status.deployments[0].rolloutState"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Reason","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].reason"}"#,
    printcolumn = r#"{"name":"Message","type":"string","priority":1,"jsonPath":".status.conditions[?(@.type==\"Ready\")].message"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(transparent)]
pub struct ServiceSpec(pub Value);

impl JsonSchema for ServiceSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ServiceSpec".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema::spec(
            Input::Service,
            &schema::kubernetes(&[("scaling", scaling())]),
            &[
                Cel {
                    rule: "(has(self.serviceName) ? self.serviceName : '') == (has(oldSelf.serviceName) ? oldSelf.serviceName : '')",
                    message: "serviceName cannot be changed; make another Service",
                },
                Cel {
                    rule: "(has(self.cluster) ? self.cluster : 'default') == (has(oldSelf.cluster) ? oldSelf.cluster : 'default')",
                    message: "cluster cannot be changed; make another Service",
                },
                Cel {
                    rule: "(has(self.schedulingStrategy) ? self.schedulingStrategy : 'REPLICA') == (has(oldSelf.schedulingStrategy) ? oldSelf.schedulingStrategy : 'REPLICA')",
                    message: "schedulingStrategy cannot be changed; make another Service",
                },
                Cel {
                    rule: "!(has(self.launchType) && self.launchType != '' && has(self.capacityProviderStrategy) && self.capacityProviderStrategy.size() > 0)",
                    message: "give launchType or capacityProviderStrategy, not both",
                },
            ],
        )
    }
}

/// What Application Auto Scaling has no word for. The members are judged where they can be explained.
fn scaling() -> Value {
    let text = |about: &str| json!({"type": "string", "nullable": true, "description": about});
    let object = |about: &str, properties: Value| {
        json!({
            "type": "object", "nullable": true, "description": about, "properties": properties,
            "x-kubernetes-preserve-unknown-fields": true,
        })
    };
    let labels = json!({
        "type": "object", "nullable": true, "description": "The metric's labels.",
        "additionalProperties": {"x-kubernetes-int-or-string": true},
    });
    let external = json!({"name": text("The metric's name."), "labels": labels});
    let source = json!({
        "external": object("A metric of external.metrics.k8s.io.", external),
        "pods": object(
            "A metric of custom.metrics.k8s.io: the mean of the service's pods.",
            json!({"name": text("The metric's name.")}),
        ),
        "prometheus": text("A query to the Prometheus that the admin has set; its result is one number."),
        "perTask": {
            "type": "boolean", "nullable": true,
            "description": "Whether the number is one for the whole service, to be divided by its tasks.",
        },
    });
    object(
        "What triggers step scaling policies, and where the cluster has metrics.",
        json!({
            "alarms": {
                "type": "array", "nullable": true,
                "description": "CloudWatch's alarms whose alarmActions name a step scaling policy.",
                "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            },
            "metrics": {
                "type": "object", "nullable": true,
                "description": "By scaling policy: where the cluster has its metric.",
                "additionalProperties": object("Exactly one place.", source),
            },
        }),
    )
}

/// The service as DescribeServices would report it, with Kubernetes' conditions.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceStatus {
    /// The generation of the spec that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The ECS service name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_name: Option<String>,
    /// ACTIVE, or DRAINING while the object is being deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// `family:revision` of the newest deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_definition: Option<String>,
    /// Tasks that should run.
    #[serde(default)]
    pub desired_count: i32,
    /// Tasks that run.
    #[serde(default)]
    pub running_count: i32,
    /// Tasks that are on their way to run.
    #[serde(default)]
    pub pending_count: i32,
    /// The label selector of the tasks that production traffic reaches, for the scale subresource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// The deployments, newest first: at most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deployments: Vec<Deployment>,
    /// What of the tasks' pods has changed and waits for the next deployment, a line for each place: at
    /// most 20. Another value of the annotation `ecs.linkspan.dev/force-new-deployment` starts one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending_template_changes: Vec<String>,
    /// What happened, in ECS's words, newest first: at most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<ServiceEvent>,
    /// Up to which task's start events have told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Told>,
    /// Up to which task's stop events have told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Told>,
    /// What scaling remembers: the bounds that hold now, what was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<ScalingState>,
    /// Ready, Reconciling, Stalled, FullySupported.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// A moment up to which events have told of tasks.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// The time of the last of them, in whole seconds.
    pub at: Time,
    /// The UIDs of those at that very second.
    #[serde(default)]
    pub tasks: Vec<String>,
}

/// One entry of `deployments`, as DescribeServices has it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    /// `ecs-svc/` and nineteen digits.
    pub id: String,
    /// PRIMARY for the newest, ACTIVE for an older one that has tasks, else INACTIVE.
    pub status: String,
    /// `family:revision`.
    pub task_definition: String,
    /// Tasks that it should run.
    #[serde(default)]
    pub desired_count: i32,
    /// Its tasks that run.
    #[serde(default)]
    pub running_count: i32,
    /// Its tasks that are on their way to run.
    #[serde(default)]
    pub pending_count: i32,
    /// Its tasks that cannot start, or have ended, and have not become healthy since.
    #[serde(default)]
    pub failed_tasks: i32,
    /// IN_PROGRESS, COMPLETED or FAILED.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout_state: Option<String>,
    /// Why, in ECS's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout_state_reason: Option<String>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Time>,
}

/// One entry of `events`, as DescribeServices has it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceEvent {
    /// Distinguishes events of one service.
    pub id: String,
    /// When it was seen.
    pub created_at: Time,
    /// ECS's wording.
    pub message: String,
}
