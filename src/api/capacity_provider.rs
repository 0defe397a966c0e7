//! CapacityProvider: ECS's CreateCapacityProvider input, and EKS's node groups and Fargate profiles as further forms of it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::CustomResource;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::schema::{self, Cel};
use crate::ecs::managed_scaling::{Activity, Shape};
use crate::ecs::members::Input;

/// CreateCapacityProvider input, as written, or `managedNodeGroup` (EKS CreateNodegroup), or
/// `fargateProfile` (EKS CreateFargateProfile).
#[derive(CustomResource, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "ecs.linkspan.dev",
    version = "v1alpha1",
    kind = "CapacityProvider",
    status = "CapacityProviderStatus",
    shortname = "ecp",
    category = "ecs",
    doc = "Capacity that ECS tasks can be placed on.",
    printcolumn = r#"{"name":"Type","type":"string","jsonPath":".status.type"}"#,
    printcolumn = r#"{"name":"Nodes","type":"integer","jsonPath":".status.nodes.total"}"#,
    printcolumn = r#"{"name":"Ready","type":"integer","jsonPath":".status.nodes.ready"}"#,
    printcolumn = r#"{"name":"Desired","type":"integer","jsonPath":".status.desired"}"#,
    printcolumn = r#"{"name":"Tasks","type":"integer","jsonPath":".status.tasks"}"#,
    printcolumn = r#"{"name":"Reservation","type":"integer","jsonPath":".status.reservation"}"#,
    printcolumn = r#"{"name":"Reason","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].reason"}"#,
    printcolumn = r#"{"name":"Message","type":"string","priority":1,"jsonPath":".status.conditions[?(@.type==\"Ready\")].message"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(transparent)]
pub struct CapacityProviderSpec(pub Value);

/// How a capacity provider does: what DescribeCapacityProviders says, and what is seen of its nodes.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CapacityProviderStatus {
    /// The generation of the spec that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Its ECS name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// ACTIVE, or INACTIVE where the spec is refused or another has the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// EC2_AUTOSCALING, MANAGED_INSTANCES, FARGATE or FARGATE_SPOT.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// How many nodes it has, and how they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<NodeCounts>,
    /// What all its nodes offer to pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered: Option<Room>,
    /// What its ready nodes have left beside the tasks of Linkspan, those of DAEMON services
    /// included. Pods that are not Linkspan's are not seen: they take more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<Room>,
    /// Tasks on its nodes, those of DAEMON services aside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<i32>,
    /// Tasks that wait for one of its nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioning_tasks: Option<i32>,
    /// CapacityProviderReservation: nodes that are needed, in percent of those that are up, rounded
    /// to a whole number. Of no nodes, 100 where none is needed and 200 where any is. Not for
    /// FARGATE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation: Option<i64>,
    /// How many nodes its group is asked for, where Linkspan sizes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired: Option<u32>,
    /// The last change of the group's size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_activity: Option<Activity>,
    /// Since when the reservation has been below targetCapacity without a break.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below_target_since: Option<Time>,
    /// Empty nodes that are to leave the group: they take no more tasks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leaving: Vec<String>,
    /// What its nodes offer, each kind once; of a group without nodes, what the last ones did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shapes: Vec<Shape>,
    /// Ready, Reconciling, Stalled, FullySupported.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// Nodes by how they do; each counts once, by what is worst.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeCounts {
    /// All of them.
    #[serde(default)]
    pub total: i32,
    /// Those that take tasks.
    #[serde(default)]
    pub ready: i32,
    /// Those that do not answer, or are not yet up.
    #[serde(default)]
    pub not_ready: i32,
    /// Those that keep their tasks and take no new ones.
    #[serde(default)]
    pub cordoned: i32,
    /// Those that are about to end.
    #[serde(default)]
    pub draining: i32,
}

/// CPU and memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Room {
    /// CPU units, 1024 for a core.
    #[serde(default)]
    pub cpu: i64,
    /// MiB.
    #[serde(default)]
    pub memory: i64,
}

/// The members of `kubernetes`.
fn kubernetes() -> Value {
    let text = |about: &str| json!({"type": "string", "nullable": true, "description": about});
    let size = |about: &str| json!({"type": "integer", "format": "int32", "nullable": true, "description": about});
    let object = |about: &str, members: &[(&str, Value)]| {
        let mut object = schema::kubernetes(members);
        if let Some(object) = object.as_object_mut() {
            object.insert("description".to_owned(), about.into());
        }
        object
    };
    let toleration = object(
        "As in a pod.",
        &[
            ("key", text("Key of the taint (default: all keys).")),
            ("operator", text("Equal or Exists (default Equal).")),
            ("value", text("Value of the taint.")),
            ("effect", text("NoSchedule, PreferNoSchedule or NoExecute (default: all).")),
            (
                "tolerationSeconds",
                json!({
                    "type": "integer", "format": "int64", "nullable": true,
                    "description": "Seconds for which NoExecute is tolerated (default: for ever).",
                }),
            ),
        ],
    );
    schema::kubernetes(&[
        (
            "nodeSelector",
            json!({
                "type": "object", "nullable": true, "additionalProperties": {"type": "string"},
                "description": "Labels of its nodes, all of them (default: the group's name in a \
                    label of EKS, Karpenter, GKE or AKS, or the provider's name in \
                    ecs.linkspan.dev/capacity-provider).",
            }),
        ),
        (
            "tolerations",
            json!({
                "type": "array", "nullable": true, "items": toleration,
                "description": "What its tasks tolerate beside the taints of the spec.",
            }),
        ),
        (
            "allowedNamespaces",
            json!({
                "type": "array", "nullable": true, "items": {"type": "string"},
                "description": "Namespaces whose services may use it (default: all).",
            }),
        ),
        (
            "scaleTargetRef",
            object(
                "An object with a scale subresource whose replicas are the group's size.",
                &[
                    ("apiVersion", text("Its group and version, as in cluster.x-k8s.io/v1beta2.")),
                    ("kind", text("Its kind, as in MachineDeployment.")),
                    ("namespace", text("Its namespace, if it is in one.")),
                    ("name", text("Its name.")),
                ],
            ),
        ),
        (
            "scaleInAnnotation",
            text(
                "Annotation of a node, as key or key=value, by which the group ends it before \
                others (Machines of Cluster API are marked without).",
            ),
        ),
        (
            "isolation",
            text(
                "What tasks of a fargateProfile share a node with: None (default: any pods), Node (no \
                other task), or the name of a RuntimeClass.",
            ),
        ),
        (
            "nodeClassRef",
            object(
                "The node class of a managedInstancesProvider's Karpenter NodePool (default: EC2NodeClass \
                default of karpenter.k8s.aws).",
                &[
                    ("group", text("Its group, as in karpenter.k8s.aws.")),
                    ("kind", text("Its kind, as in EC2NodeClass.")),
                    ("name", text("Its name.")),
                ],
            ),
        ),
        ("minSize", size("Fewest nodes of an autoScalingGroupProvider (default 0).")),
        ("maxSize", size("Most nodes of an autoScalingGroupProvider (default: no bound).")),
    ])
}

impl JsonSchema for CapacityProviderSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CapacityProviderSpec".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema::spec(
            Input::CapacityProvider,
            &kubernetes(),
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
