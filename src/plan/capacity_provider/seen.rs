//! What is seen of a capacity provider's nodes?

use std::borrow::Borrow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1 as corev1;

use super::nodes::Selection;
use crate::ecs::managed_scaling::{Needs, Shape};
use crate::plan::placement::resources::{Amounts, offered};
use crate::world::Placed;

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

/// What capacity providers look at of a node: two that stand alike are alike to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// By which it is told whose it is.
    pub labels: BTreeMap<String, String>,
    /// How it does.
    pub condition: Condition,
    /// What it offers to pods.
    pub offered: Amounts,
}

impl Standing {
    /// How a node stands.
    pub fn of(node: &corev1::Node) -> Self {
        let labels = node.metadata.labels.clone().unwrap_or_default();
        Self { labels, condition: condition(node), offered: offered(node) }
    }
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
    /// How many tasks run on its nodes, those of DAEMON services aside.
    pub tasks: u32,
    /// Names of the nodes that are up and run no task but those of DAEMON services.
    pub empty: Vec<String>,
    /// When the youngest node that is up was made.
    pub youngest: Option<Timestamp>,
    /// What single nodes offer, each kind once.
    pub shapes: Vec<Shape>,
}

impl Seen {
    /// How many nodes do so.
    pub fn count(&self, condition: Condition) -> usize {
        self.nodes.values().filter(|one| **one == condition).count()
    }

    /// How many nodes are up: the N of ECS's reservation. One that is about to end, or has not come
    /// up, is none to count on.
    pub fn up(&self) -> u32 {
        let count = self.nodes.values().filter(|condition| is_up(**condition)).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}

fn is_up(condition: Condition) -> bool {
    matches!(condition, Condition::Ready | Condition::Cordoned)
}

/// Sums up the nodes that are selected, with the tasks on each.
pub fn see<'a, N: Borrow<corev1::Node>>(
    selection: &Selection,
    nodes: impl IntoIterator<Item = N>,
    tasks_on: impl Fn(&str) -> Vec<&'a Placed>,
) -> Seen {
    let unlabelled = BTreeMap::new();
    let mut seen = Seen::default();
    for node in nodes {
        let node = node.borrow();
        if !selection.selects(node.metadata.labels.as_ref().unwrap_or(&unlabelled)) {
            continue;
        }
        let name = node.metadata.name.clone().unwrap_or_default();
        let condition = condition(node);
        let on_it = tasks_on(&name);
        let offered = offered(node);
        seen.registered = seen.registered.plus(offered);
        if condition == Condition::Ready {
            let left = on_it.iter().fold(offered, |left, task| left.less(task.amounts));
            seen.remaining = seen.remaining.plus(left);
        }
        let tasks = on_it.iter().filter(|task| !task.is_daemon).count();
        seen.tasks = seen.tasks.saturating_add(u32::try_from(tasks).unwrap_or(u32::MAX));
        if is_up(condition) {
            let made = node.metadata.creation_timestamp.as_ref().map(|time| time.0);
            seen.youngest = seen.youngest.max(made);
            if tasks == 0 {
                seen.empty.push(name.clone());
            }
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

fn shape(offered: Amounts) -> Shape {
    let whole = |number: i64| u64::try_from(number).unwrap_or(0);
    Shape {
        millicores: whole(offered.millicores),
        mebibytes: whole(offered.memory >> 20),
        gpus: whole(offered.gpus),
        tasks: whole(offered.pods),
    }
}

/// What a waiting task needs of an instance: MiB rounded up.
pub(super) fn needs(task: &Placed) -> Needs {
    let whole = |number: i64| u64::try_from(number).unwrap_or(0);
    Needs {
        millicores: whole(task.amounts.millicores),
        mebibytes: whole(task.amounts.memory).div_ceil(1 << 20),
        gpus: whole(task.amounts.gpus),
        host_ports: task.host_ports,
    }
}
