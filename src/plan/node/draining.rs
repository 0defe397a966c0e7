//! Should tasks keep away from a node, and why?
//!
//! A cordon keeps new pods of a Deployment away, but not those of a DaemonSet, which tolerate it. The
//! label [`DRAINING`] says it in a way that a DaemonSet's affinity can go by, and says why. Whether
//! tasks that run there are moved away, the plans of their services decide.

use k8s_openapi::api::core::v1 as corev1;

/// The label on a node that takes no new tasks; its value is the reason.
pub const DRAINING: &str = "placement.ecs.linkspan.dev/draining";

/// Taints by which others say that a node is about to end, and who sets them.
pub const ENDING: [(&str, &str); 11] = [
    ("ToBeDeletedByClusterAutoscaler", "cluster-autoscaler, before it removes a node"),
    ("karpenter.sh/disrupted", "Karpenter 1.0 and newer, before it ends a node"),
    ("karpenter.sh/disruption", "Karpenter before 1.0"),
    (
        "aws-node-termination-handler/spot-itn",
        "AWS Node Termination Handler: the two minutes of spot",
    ),
    ("aws-node-termination-handler/rebalance-recommendation", "the same: spot is likely to end"),
    ("aws-node-termination-handler/scheduled-maintenance", "the same: maintenance by AWS"),
    ("aws-node-termination-handler/asg-lifecycle-termination", "the same: its group ends it"),
    ("cloud.google.com/impending-node-termination", "GKE, before a spot or preemptible node ends"),
    ("remediator.kubernetes.azure.com/unschedulable", "AKS, before a node is drained"),
    ("node.cloudprovider.kubernetes.io/shutdown", "a cloud's controller: the machine is shut down"),
    ("node.kubernetes.io/out-of-service", "an administrator: the machine is gone"),
];

/// Why tasks should keep away from a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draining {
    /// A capacity provider has named it to leave its group.
    ScaleIn,
    /// Somebody says that it is about to end.
    Ending,
    /// It is cordoned; what runs there may stay.
    Cordoned,
}

impl Draining {
    /// The value of the label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ScaleIn => "scale-in",
            Self::Ending => "ending",
            Self::Cordoned => "cordoned",
        }
    }

    /// Why tasks should keep away from a node; `leaves`: whether it has been named to leave its group.
    pub fn of(node: &corev1::Node, leaves: bool) -> Option<Self> {
        if leaves {
            return Some(Self::ScaleIn);
        }
        if Self::is_ending(node) {
            return Some(Self::Ending);
        }
        let is_cordoned = node.spec.as_ref().is_some_and(|spec| spec.unschedulable == Some(true));
        // The cordon of a node that was to leave is ours, and goes with the label.
        let was_to_leave = node
            .metadata
            .labels
            .as_ref()
            .and_then(|labels| labels.get(DRAINING))
            .is_some_and(|why| why == Self::ScaleIn.as_str());
        (is_cordoned && !was_to_leave).then_some(Self::Cordoned)
    }

    /// Whether a node is being deleted, or somebody says that it is about to end.
    pub fn is_ending(node: &corev1::Node) -> bool {
        let taints = node.spec.iter().flat_map(|spec| spec.taints.iter().flatten());
        let keys: Vec<&str> = taints.map(|taint| taint.key.as_str()).collect();
        node.metadata.deletion_timestamp.is_some()
            || ENDING.iter().any(|(key, _)| keys.contains(key))
    }
}
