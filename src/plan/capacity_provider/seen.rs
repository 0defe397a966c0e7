//! What is seen of a capacity provider's nodes?

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as corev1;

use super::nodes::Selection;
use crate::ecs::managed_scaling::Shape;
use crate::plan::placement::groups;
use crate::plan::placement::resources::{Amounts, left, offered, takes_room};

/// Taints by which autoscalers and clouds say that a node is about to end.
const ENDING: [&str; 6] = [
    "ToBeDeletedByClusterAutoscaler",
    "karpenter.sh/disrupted",
    "karpenter.sh/disruption",
    "aws-node-termination-handler/spot-itn",
    "aws-node-termination-handler/scheduled-maintenance",
    "cloud.google.com/impending-node-termination",
];
/// The label that Linkspan sets on a cordoned node from which tasks are to move away.
const DRAINING: &str = "placement.ecs.linkspan.dev/draining";

/// How a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// It takes tasks.
    Ready,
    /// It does not answer, or is not yet up.
    NotReady,
    /// It keeps its tasks and takes no new ones.
    Cordoned,
    /// It is about to end.
    Draining,
}

/// How a node does: what is worst counts.
pub fn condition(node: &corev1::Node) -> Condition {
    let spec = node.spec.as_ref();
    let mut taints = spec.into_iter().flat_map(|spec| spec.taints.iter().flatten());
    let is_marked =
        node.metadata.labels.as_ref().is_some_and(|labels| labels.contains_key(DRAINING));
    if node.metadata.deletion_timestamp.is_some()
        || is_marked
        || taints.any(|taint| ENDING.contains(&taint.key.as_str()))
    {
        return Condition::Draining;
    }
    if spec.is_some_and(|spec| spec.unschedulable == Some(true)) {
        return Condition::Cordoned;
    }
    let conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let is_ready = conditions.clone().any(|one| one.type_ == "Ready" && one.status == "True");
    if is_ready { Condition::Ready } else { Condition::NotReady }
}

/// The sums over a provider's nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Names of its nodes, in order, with how each does.
    pub nodes: BTreeMap<String, Condition>,
    /// What its nodes offer to pods.
    pub registered: Amounts,
    /// What is left of that on nodes that take tasks.
    pub remaining: Amounts,
    /// How many tasks run on its nodes, those of DAEMON services included.
    pub tasks: u32,
    /// Names of the nodes that run no task but those of DAEMON services.
    pub empty: Vec<String>,
    /// What single nodes offer, each kind once.
    pub shapes: Vec<Shape>,
}

impl Seen {
    /// How many nodes do so.
    pub fn count(&self, condition: Condition) -> usize {
        self.nodes.values().filter(|one| **one == condition).count()
    }
}

/// Sums up the nodes that are selected, with the pods on each by the node's name.
pub fn see<'a>(
    selection: &Selection,
    nodes: impl IntoIterator<Item = &'a corev1::Node>,
    pods: &BTreeMap<String, Vec<&corev1::Pod>>,
) -> Seen {
    let none = BTreeMap::new();
    let mut seen = Seen::default();
    for node in nodes {
        if !selection.selects(node.metadata.labels.as_ref().unwrap_or(&none)) {
            continue;
        }
        let name = node.metadata.name.clone().unwrap_or_default();
        let condition = condition(node);
        let on_it = pods.get(&name).map(Vec::as_slice).unwrap_or_default();
        let offered = offered(node);
        seen.registered = seen.registered.plus(offered);
        if condition == Condition::Ready {
            seen.remaining = seen.remaining.plus(left(node, on_it.iter().copied()));
        }
        let tasks = on_it.iter().filter(|pod| takes_room(pod) && groups::of(pod).is_some());
        seen.tasks += u32::try_from(tasks.clone().count()).unwrap_or(u32::MAX);
        if tasks.clone().all(|pod| is_daemon(pod)) {
            seen.empty.push(name.clone());
        }
        let shape = shape(offered);
        if shape != Shape::default() && !seen.shapes.contains(&shape) {
            seen.shapes.push(shape);
        }
        seen.nodes.insert(name, condition);
    }
    seen.empty.sort_unstable();
    seen.shapes.sort_unstable();
    seen
}

fn is_daemon(pod: &corev1::Pod) -> bool {
    let mut owners = pod.metadata.owner_references.iter().flatten();
    owners.any(|owner| owner.kind == "DaemonSet" && owner.controller == Some(true))
}

fn shape(offered: Amounts) -> Shape {
    let whole = |number: i64| u64::try_from(number).unwrap_or(0);
    Shape {
        millicores: whole(offered.millicores),
        mebibytes: whole(offered.memory >> 20),
        gpus: whole(offered.gpus),
        tasks: whole(offered.pods),
    }
}
