//! Which members does a capacity provider have?
//!
//! The input of `CreateCapacityProvider`; `managedInstancesProvider` is in `managed_instances`, and
//! the nodes of EKS are in `node_group` and `fargate_profile`.

use super::row::Shape::{Integer, Object, Objects, String};
use super::row::Verdict::{Approximated, Honoured, Recorded};
use super::row::{Member, row};

/// What every group of nodes differs in.
const OF_NODES: &str = "no group is looked up at AWS: its nodes are those of the cluster that have its \
    name in a label of EKS, Karpenter, GKE or AKS, or that kubernetes.nodeSelector selects";

/// The members of a capacity provider that stand in no other file.
pub(super) const CAPACITY_PROVIDER: &[Member] = &[
    row(
        "name",
        String,
        Honoured,
        "Provider name: up to 255 characters; must not start with aws, ecs or fargate.",
    )
    .required(),
    row(
        "cluster",
        String,
        Approximated(
            "a provider is there for the whole Kubernetes cluster; kubernetes.allowedNamespaces says \
             for which namespaces",
        ),
        "Cluster the provider belongs to; needed for managedInstancesProvider.",
    ),
    row(
        "autoScalingGroupProvider",
        Object,
        Approximated(OF_NODES),
        "Nodes of an existing Auto Scaling group; this or managedInstancesProvider.",
    ),
    row(
        "autoScalingGroupProvider.autoScalingGroupArn",
        String,
        Honoured,
        "ARN or name of the Auto Scaling group; cannot be changed.",
    )
    .required(),
    row(
        "autoScalingGroupProvider.managedScaling",
        Object,
        Honoured,
        "Grows and shrinks the group to fit the tasks.",
    ),
    row("autoScalingGroupProvider.managedScaling.status", String, Honoured, "ENABLED or DISABLED."),
    row(
        "autoScalingGroupProvider.managedScaling.targetCapacity",
        Integer,
        Honoured,
        "Percent of the group that should be in use, 1 to 100 (default 100).",
    ),
    row(
        "autoScalingGroupProvider.managedScaling.minimumScalingStepSize",
        Integer,
        Honoured,
        "Fewest nodes added at once, 1 to 10000 (default 1).",
    ),
    row(
        "autoScalingGroupProvider.managedScaling.maximumScalingStepSize",
        Integer,
        Honoured,
        "Most nodes added at once, 1 to 10000 (default 10000).",
    ),
    row(
        "autoScalingGroupProvider.managedScaling.instanceWarmupPeriod",
        Integer,
        Honoured,
        "Seconds until a new node counts, 0 to 10000 (default 300).",
    ),
    row(
        "autoScalingGroupProvider.managedTerminationProtection",
        String,
        Approximated(
            "Linkspan itself ends empty nodes only, protected or not; tasks tell cluster-autoscaler and \
             Karpenter to leave their nodes alone",
        ),
        "Keeps nodes that run tasks: ENABLED or DISABLED (default DISABLED).",
    )
    .harmless(&["DISABLED"]),
    row(
        "autoScalingGroupProvider.managedDraining",
        String,
        Approximated(
            "only empty nodes are taken away here; who ends others drains them by evictions, which \
             each service's disruption budget bounds",
        ),
        "Moves tasks away before a node ends: ENABLED or DISABLED (default ENABLED).",
    )
    .harmless(&["ENABLED"]),
    row("tags", Objects, Recorded, "Up to 50 tags, each key once."),
    row("tags[].key", String, Recorded, "Tag key: 1 to 128 characters, not starting with `aws:`."),
    row("tags[].value", String, Recorded, "Tag value: up to 256 characters."),
];
