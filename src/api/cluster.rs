//! Cluster: ECS's CreateCluster input.

use kube::CustomResource;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

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

fn kubernetes() -> Value {
    let text = |about: &str| json!({"type": "string", "nullable": true, "description": about});
    let texts = |about: &str| {
        json!({
            "type": "array", "nullable": true, "items": {"type": "string"}, "description": about,
        })
    };
    let table = |about: &str, members: &[(&str, Value)]| {
        let mut row = schema::kubernetes(members);
        if let Some(row) = row.as_object_mut() {
            row.remove("description");
        }
        json!({"type": "array", "nullable": true, "items": row, "description": about})
    };
    schema::kubernetes(&[
        (
            "images",
            table(
                "Where images are pulled from; of several rows that fit, the longest prefix counts.",
                &[
                    ("prefix", text("What the image begins with, up to the end of a part of it.")),
                    (
                        "replacement",
                        text("What stands in place of the prefix (default: the prefix)."),
                    ),
                    (
                        "digest",
                        text(
                            "sha256:… of one image, whose prefix is all of it, instead of its tag.",
                        ),
                    ),
                    (
                        "pullSecrets",
                        texts("Secrets of type kubernetes.io/dockerconfigjson that sign in."),
                    ),
                ],
            ),
        ),
        (
            "roles",
            table(
                "ServiceAccounts that stand for task roles.",
                &[
                    ("role", text("Name or ARN of a task role.")),
                    ("serviceAccount", text("The ServiceAccount, whose token its tasks get.")),
                ],
            ),
        ),
        (
            "secrets",
            table(
                "Secrets that hold what Secrets Manager and Parameter Store hold.",
                &[
                    (
                        "valueFrom",
                        text(
                            "Name or ARN, as in a container's secrets; without a JSON key it is for all of them.",
                        ),
                    ),
                    ("secretName", text("The Secret.")),
                    ("key", text("The key in it (default: the JSON key, else `value`).")),
                ],
            ),
        ),
        (
            "environmentFiles",
            table(
                "ConfigMaps that hold the variables of environment files.",
                &[
                    ("value", text("ARN of the S3 object, as in a container's environmentFiles.")),
                    ("configMap", text("The ConfigMap, with one key for each variable.")),
                ],
            ),
        ),
        (
            "fileSystems",
            table(
                "Claims that stand for file systems: EFS, S3 Files, FSx for Windows.",
                &[
                    ("fileSystem", text("ID or ARN of a file system.")),
                    (
                        "accessPoint",
                        text("ID or ARN of an access point; a row with one is for it alone."),
                    ),
                    ("claimName", text("The PersistentVolumeClaim.")),
                    (
                        "transitEncryption",
                        text(
                            "ENABLED where what is sent to the file system is encrypted (default DISABLED).",
                        ),
                    ),
                ],
            ),
        ),
        (
            "volumeDrivers",
            table(
                "StorageClasses that stand for volume drivers and types of block volumes.",
                &[
                    (
                        "driver",
                        text(
                            "As in dockerVolumeConfiguration.driver, or a volumeType such as gp3.",
                        ),
                    ),
                    (
                        "storageClassName",
                        text("The StorageClass (default: the cluster's default)."),
                    ),
                    (
                        "sizeInGiB",
                        json!({
                            "x-kubernetes-int-or-string": true, "nullable": true,
                            "description": "GiB of a volume that says no size (default 10).",
                        }),
                    ),
                ],
            ),
        ),
        (
            "subnets",
            table(
                "Zones that stand for subnets.",
                &[
                    ("subnet", text("ID of a subnet.")),
                    (
                        "zone",
                        text(
                            "Its nodes' label topology.kubernetes.io/zone (default: any zone will do).",
                        ),
                    ),
                ],
            ),
        ),
        (
            "logDrivers",
            table(
                "Log drivers whose part the nodes' log agent takes.",
                &[
                    ("logDriver", text("As in logConfiguration.")),
                    (
                        "annotations",
                        json!({
                            "type": "object", "nullable": true,
                            "additionalProperties": {"type": "string"},
                            "description": "Annotations of the pod that the agent reads; ${container} \
                                stands for the container's name, ${awslogs-group} for that option.",
                        }),
                    ),
                ],
            ),
        ),
    ])
}

impl JsonSchema for ClusterSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ClusterSpec".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema::spec(
            Input::Cluster,
            &kubernetes(),
            &[Cel {
                rule: "(has(self.clusterName) ? self.clusterName : '') == (has(oldSelf.clusterName) ? oldSelf.clusterName : '')",
                message: "clusterName cannot be changed; make another Cluster",
            }],
        )
    }
}
