//! What is seen of a capacity provider's nodes?

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::api::core::v1 as corev1;

use super::nodes::Selection;
use crate::ecs::managed_scaling::{Needs, Shape};
use crate::plan::node::{DRAINING, Draining};
use crate::plan::placement::resources::{Amounts, offered};
use crate::world::Placed;

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
    let marked = node.metadata.labels.as_ref().and_then(|labels| labels.get(DRAINING));
    // That a node is cordoned is all that one of the marks says.
    let is_marked = marked.is_some_and(|why| why != Draining::Cordoned.as_str());
    if is_marked || Draining::is_ending(node) {
        return Condition::Draining;
    }
    let spec = node.spec.as_ref();
    if spec.is_some_and(|spec| spec.unschedulable == Some(true)) {
        return Condition::Cordoned;
    }
    if is_ready(node) { Condition::Ready } else { Condition::NotReady }
}

fn is_ready(node: &corev1::Node) -> bool {
    let mut conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.any(|one| one.type_ == "Ready" && one.status == "True")
}

/// Whether a node is up but for Linkspan's own mark that it is to leave its group: until it has, it
/// is one of the instances whose number is decided about.
fn is_leaving(node: &corev1::Node) -> bool {
    let marked = node.metadata.labels.as_ref().and_then(|labels| labels.get(DRAINING));
    marked.is_some_and(|why| why == Draining::ScaleIn.as_str())
        && !Draining::is_ending(node)
        && is_ready(node)
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
    /// Names of the nodes that are up, and marked to leave their group.
    pub leaving: BTreeSet<String>,
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
        u32::try_from(count + self.leaving.len()).unwrap_or(u32::MAX)
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
        let is_leaving = is_leaving(node);
        if is_leaving {
            seen.leaving.insert(name.clone());
        }
        if is_up(condition) || is_leaving {
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
