//! Which EKS node group does a capacity provider make?
//!
//! The input of the EKS call `CreateNodegroup`, under `managedNodeGroup`.

use super::row::Shape::{Boolean, Integer, Object, Objects, String, StringMap, Strings};
use super::row::Verdict::{Approximated, Honoured, Recorded};
use super::row::{Member, row};

/// The members about a managed node group.
pub(super) const NODE_GROUP: &[Member] = &[
    row(
        "managedNodeGroup",
        Object,
        Approximated(
            "no node group is made: its nodes are those of the cluster that have its name in a label \
             of EKS, Karpenter, GKE or AKS, or that kubernetes.nodeSelector selects",
        ),
        "An EKS managed node group; members as in CreateNodegroup.",
    ),
    row("managedNodeGroup.clusterName", String, Recorded, "Name of the EKS cluster.").required(),
    row(
        "managedNodeGroup.nodegroupName",
        String,
        Honoured,
        "Node group name, unique in its cluster.",
    )
    .required(),
    row(
        "managedNodeGroup.scalingConfig",
        Object,
        Honoured,
        "How many nodes there are: the bounds of what kubernetes.scaleTargetRef is set to.",
    ),
    row("managedNodeGroup.scalingConfig.minSize", Integer, Honoured, "Fewest nodes."),
    row("managedNodeGroup.scalingConfig.maxSize", Integer, Honoured, "Most nodes."),
    row(
        "managedNodeGroup.scalingConfig.desiredSize",
        Integer,
        Approximated("the size follows the tasks, between minSize and maxSize"),
        "Nodes to have now; a cluster autoscaler changes it.",
    ),
    row(
        "managedNodeGroup.diskSize",
        Integer,
        Recorded,
        "Root disk in GiB (default 20; Windows 50); not with launchTemplate.",
    ),
    row("managedNodeGroup.subnets", Strings, Recorded, "IDs of the nodes' subnets.").required(),
    row(
        "managedNodeGroup.instanceTypes",
        Strings,
        Recorded,
        "Up to 20 instance types, e.g. m6i.large.",
    ),
    row(
        "managedNodeGroup.amiType",
        String,
        Recorded,
        "Machine image, e.g. BOTTLEROCKET_x86_64; CUSTOM comes from the launch template.",
    ),
    row(
        "managedNodeGroup.remoteAccess",
        Object,
        Recorded,
        "Who may log in to the nodes; not with launchTemplate.",
    ),
    row(
        "managedNodeGroup.remoteAccess.ec2SshKey",
        String,
        Recorded,
        "Name of the EC2 key pair that opens the nodes.",
    ),
    row(
        "managedNodeGroup.remoteAccess.sourceSecurityGroups",
        Strings,
        Recorded,
        "Groups allowed to connect; with a key and none here, everyone may.",
    ),
    row("managedNodeGroup.nodeRole", String, Recorded, "IAM role of the nodes.").required(),
    row(
        "managedNodeGroup.labels",
        StringMap,
        Recorded,
        "Kubernetes labels of the nodes, which who makes the nodes gives them.",
    ),
    row(
        "managedNodeGroup.taints",
        Objects,
        Honoured,
        "Kubernetes taints of the nodes, which its tasks tolerate.",
    ),
    row("managedNodeGroup.taints[].key", String, Honoured, "Taint key."),
    row("managedNodeGroup.taints[].value", String, Honoured, "Taint value."),
    row(
        "managedNodeGroup.taints[].effect",
        String,
        Honoured,
        "NO_SCHEDULE, NO_EXECUTE or PREFER_NO_SCHEDULE.",
    ),
    row(
        "managedNodeGroup.tags",
        StringMap,
        Recorded,
        "Tags on the node group; they do not reach the nodes.",
    ),
    row("managedNodeGroup.clientRequestToken", String, Recorded, "Marks repeats of one API call."),
    row(
        "managedNodeGroup.launchTemplate",
        Object,
        Recorded,
        "EC2 launch template of the nodes, by name or by ID.",
    ),
    row(
        "managedNodeGroup.launchTemplate.name",
        String,
        Recorded,
        "Name of the template; this or id.",
    ),
    row(
        "managedNodeGroup.launchTemplate.version",
        String,
        Recorded,
        "Version of the template (default: the template's own default).",
    ),
    row(
        "managedNodeGroup.launchTemplate.id",
        String,
        Recorded,
        "ID of the template; this or name.",
    ),
    row("managedNodeGroup.updateConfig", Object, Recorded, "How nodes are replaced in an update."),
    row(
        "managedNodeGroup.updateConfig.maxUnavailable",
        Integer,
        Recorded,
        "Most nodes out at once, up to 100; this or the percentage.",
    ),
    row(
        "managedNodeGroup.updateConfig.maxUnavailablePercentage",
        Integer,
        Recorded,
        "Most nodes out at once, in percent; at most 100 nodes.",
    ),
    row(
        "managedNodeGroup.updateConfig.updateStrategy",
        String,
        Recorded,
        "DEFAULT (new nodes first) or MINIMAL (old nodes end first).",
    ),
    row("managedNodeGroup.nodeRepairConfig", Object, Recorded, "Repair of broken nodes."),
    row(
        "managedNodeGroup.nodeRepairConfig.enabled",
        Boolean,
        Recorded,
        "Turns repair on (default false).",
    ),
    row(
        "managedNodeGroup.nodeRepairConfig.maxUnhealthyNodeThresholdCount",
        Integer,
        Recorded,
        "No repairs while more nodes than this are broken; this or the percentage.",
    ),
    row(
        "managedNodeGroup.nodeRepairConfig.maxUnhealthyNodeThresholdPercentage",
        Integer,
        Recorded,
        "No repairs while a larger share is broken, in percent; this or the count.",
    ),
    row(
        "managedNodeGroup.nodeRepairConfig.maxParallelNodesRepairedCount",
        Integer,
        Recorded,
        "Most nodes repaired at once; this or the percentage.",
    ),
    row(
        "managedNodeGroup.nodeRepairConfig.maxParallelNodesRepairedPercentage",
        Integer,
        Recorded,
        "Most nodes repaired at once, percent of the broken ones; this or the count.",
    ),
    row(
        "managedNodeGroup.nodeRepairConfig.nodeRepairConfigOverrides",
        Objects,
        Recorded,
        "Other actions for single faults; each entry gives all four members.",
    ),
    row(
        "managedNodeGroup.nodeRepairConfig.nodeRepairConfigOverrides[].nodeMonitoringCondition",
        String,
        Recorded,
        "Node condition it applies to.",
    ),
    row(
        "managedNodeGroup.nodeRepairConfig.nodeRepairConfigOverrides[].nodeUnhealthyReason",
        String,
        Recorded,
        "Reason it applies to.",
    ),
    row(
        "managedNodeGroup.nodeRepairConfig.nodeRepairConfigOverrides[].minRepairWaitTimeMins",
        Integer,
        Recorded,
        "Minutes to wait before the repair.",
    ),
    row(
        "managedNodeGroup.nodeRepairConfig.nodeRepairConfigOverrides[].repairAction",
        String,
        Recorded,
        "Replace, Reboot or NoAction.",
    ),
    row(
        "managedNodeGroup.capacityType",
        String,
        Honoured,
        "ON_DEMAND, SPOT or CAPACITY_BLOCK (default ON_DEMAND).",
    ),
    row(
        "managedNodeGroup.version",
        String,
        Recorded,
        "Kubernetes version of the nodes (default: the cluster's).",
    ),
    row(
        "managedNodeGroup.releaseVersion",
        String,
        Recorded,
        "Release of the machine image (default: the latest for the version).",
    ),
    row(
        "managedNodeGroup.warmPoolConfig",
        Object,
        Recorded,
        "Nodes kept prepared for quick scale-out.",
    ),
    row("managedNodeGroup.warmPoolConfig.enabled", Boolean, Recorded, "Turns the warm pool on."),
    row(
        "managedNodeGroup.warmPoolConfig.minSize",
        Integer,
        Recorded,
        "Fewest prepared nodes (default 0).",
    ),
    row(
        "managedNodeGroup.warmPoolConfig.maxGroupPreparedCapacity",
        Integer,
        Recorded,
        "Most nodes, prepared and running together.",
    ),
    row(
        "managedNodeGroup.warmPoolConfig.poolState",
        String,
        Recorded,
        "STOPPED, RUNNING or HIBERNATED (default STOPPED).",
    ),
    row(
        "managedNodeGroup.warmPoolConfig.reuseOnScaleIn",
        Boolean,
        Recorded,
        "Returns nodes to the pool on scale-in (default false).",
    ),
];
