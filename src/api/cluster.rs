//! Cluster: ECS's CreateCluster input.

use kube::CustomResource;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::schema::{self, Cel};
use super::status::PlainStatus;
use crate::ecs::members::Input;
use crate::world::set;

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
    printcolumn = r#"{"name":"Message","type":"string","priority":1,"jsonPath":".status.conditions[?(@.type==\"Ready\")].message"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(transparent)]
pub struct ClusterSpec(pub Value);

fn text(about: &str) -> Value {
    json!({"type": "string", "nullable": true, "description": about})
}

fn texts(about: &str) -> Value {
    list(&json!({"type": "string"}), about)
}

fn number(about: &str) -> Value {
    json!({"x-kubernetes-int-or-string": true, "nullable": true, "description": about})
}

fn list(of: &Value, about: &str) -> Value {
    json!({"type": "array", "nullable": true, "items": of, "description": about})
}

/// An object, of which a row has one or more.
fn part(about: &str, members: &[(&str, Value)]) -> Value {
    let mut part = schema::kubernetes(members);
    set(&mut part, &["description"], about);
    part
}

fn row(members: &[(&str, Value)]) -> Value {
    let mut row = schema::kubernetes(members);
    if let Some(row) = row.as_object_mut() {
        row.remove("description");
    }
    row
}

fn table(about: &str, members: &[(&str, Value)]) -> Value {
    list(&row(members), about)
}

fn annotations(about: &str) -> Value {
    json!({
        "type": "object", "nullable": true, "additionalProperties": {"type": "string"},
        "description": about,
    })
}

/// Who reaches tasks, and whom they reach.
fn security_groups() -> Value {
    let rules = |end: &str, about: &str, peers: &str| {
        let peer = row(&[
            ("cidr", text("Addresses, as in 10.0.0.0/8.")),
            ("securityGroup", text("The tasks of the namespace that have this security group.")),
            ("service", text("The tasks of this service of the cluster.")),
            ("namespace", text("The pods of a namespace.")),
        ]);
        let port = json!({"x-kubernetes-int-or-string": true});
        let ports = "As in 443, 8000-8100 or 53/udp (default: all ports).";
        let rule = row(&[(end, list(&peer, peers)), ("ports", list(&port, ports))]);
        list(&rule, about)
    };
    let from = "Each exactly one of the members (default: from anywhere).";
    let to = "Each exactly one of the members (default: to anywhere).";
    table(
        "What security groups let through; a NetworkPolicy is made of the rows of a service's groups, if \
         each has one, and holds where the cluster's network plugin enforces such.",
        &[
            ("securityGroup", text("ID of a security group.")),
            ("ingress", rules("from", "What comes in to the tasks (default: nothing).", from)),
            (
                "egress",
                rules(
                    "to",
                    "What goes out of them, and always questions to the cluster's DNS (default: anything).",
                    to,
                ),
            ),
        ],
    )
}

/// How services are reached from outside.
fn target_groups() -> Value {
    let ingress = part(
        "An Ingress that leads to the container's port.",
        &[
            ("className", text("The IngressClass (default: the cluster's default).")),
            ("host", text("As in shop.example.com or *.example.com (default: any).")),
            ("path", text("Begins with / (default /).")),
            ("pathType", text("Prefix (default), Exact or ImplementationSpecific.")),
            ("tlsSecretName", text("The Secret with the certificate (default: plain HTTP).")),
            ("annotations", annotations("What the Ingress controller reads.")),
        ],
    );
    let service = part(
        "A corev1 Service of its own that leads to the container's port.",
        &[
            ("type", text("LoadBalancer or NodePort.")),
            ("port", number("On which it listens (default: the container's port).")),
            ("nodePort", number("The nodes' port (default: one that the cluster chooses).")),
            (
                "loadBalancerClass",
                text("Whose load balancer it is (default: the cluster's default)."),
            ),
            ("annotations", annotations("What the load balancer's controller reads.")),
        ],
    );
    table(
        "How target groups lead to tasks: by `ingress`, by `service`, or with neither inside the cluster \
         only. A row is about one of the first three members; one for a listener rule goes first.",
        &[
            ("targetGroup", text("Name or ARN of a target group.")),
            ("loadBalancerName", text("Name of a Classic Load Balancer.")),
            ("listenerRule", text("ARN of a production listener rule, or of a listener.")),
            ("ingress", ingress),
            ("service", service),
        ],
    )
}

/// Alarms that several services share.
fn alarms() -> Value {
    list(
        &json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}),
        "CloudWatch's alarms, as under `kubernetes.scaling.alarms` of a Service: they trigger the step \
         scaling policies among their alarmActions, and those of Services that name them.",
    )
}

fn kubernetes() -> Value {
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
                    ("sizeInGiB", number("GiB of a volume that says no size (default 10).")),
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
        ("securityGroups", security_groups()),
        ("targetGroups", target_groups()),
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
        ("alarms", alarms()),
        (
            "hookTargets",
            table(
                "Task definitions that stand for the targets of lifecycle hooks; this version calls none.",
                &[
                    ("hookTargetArn", text("As in lifecycleHooks.")),
                    (
                        "taskDefinition",
                        text("What runs in its place: a family, or family:revision."),
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
