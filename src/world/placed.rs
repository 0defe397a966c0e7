//! What does a task take, and of which node? The little of a pod that capacity providers look at.
//!
//! It is kept as the pod's index, so that the sum over ten thousand tasks decodes no pod, and so that
//! a pod which merely becomes ready changes nothing here. It decides nothing.

use std::sync::Arc;

use k8s_openapi::api::core::v1 as corev1;

use super::{Index, World};
use crate::names::label;
use crate::plan::placement::groups;
use crate::plan::placement::resources::{Amounts, host_ports, taken, takes_room};

/// A task on a node, or one that waits for a node. The order is that in which they are found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Placed {
    /// Name of its node; empty while no node will do.
    pub node: String,
    /// Label of the capacity provider that it was placed by; empty where its service names none.
    pub provider: String,
    /// Whether a DAEMON service runs it.
    pub is_daemon: bool,
    /// Whether it takes ports of its node.
    pub host_ports: bool,
    /// What it takes.
    pub amounts: Amounts,
}

impl Placed {
    /// What a pod takes; none where it is no task, has ended, or has merely not been looked at by a
    /// scheduler.
    pub fn of(pod: &corev1::Pod) -> Option<Self> {
        groups::of(pod).filter(|_| takes_room(pod))?;
        let spec = pod.spec.as_ref()?;
        let node = spec.node_name.clone().unwrap_or_default();
        if node.is_empty() && !is_unschedulable(pod) {
            return None;
        }
        let provider =
            pod.metadata.labels.as_ref().and_then(|labels| labels.get(label::CAPACITY_PROVIDER));
        let mut owners = pod.metadata.owner_references.iter().flatten();
        Some(Self {
            node,
            provider: provider.cloned().unwrap_or_default(),
            is_daemon: owners.any(|o| o.kind == "DaemonSet" && o.controller == Some(true)),
            host_ports: !host_ports(spec).is_empty(),
            amounts: taken(spec),
        })
    }

    /// What comes before all others with this node and provider.
    fn first(node: &str, provider: &str) -> Index {
        Index::Placed(Box::new(Self {
            node: node.to_owned(),
            provider: provider.to_owned(),
            is_daemon: false,
            host_ports: false,
            amounts: Amounts { millicores: i64::MIN, ..Amounts::default() },
        }))
    }
}

fn is_unschedulable(pod: &corev1::Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let mut scheduled = conditions.filter(|condition| condition.type_ == "PodScheduled");
    pod.metadata.deletion_timestamp.is_none()
        && scheduled
            .any(|one| one.status == "False" && one.reason.as_deref() == Some("Unschedulable"))
}

impl World {
    /// The tasks on a node.
    pub fn tasks_on(&self, node: &str) -> Vec<&Placed> {
        self.placed(&Placed::first(node, ""), |placed| placed.node == node)
    }

    /// The tasks that no node will do for, of a capacity provider by its label.
    pub fn tasks_waiting_for(&self, provider: &str) -> Vec<&Placed> {
        self.placed(&Placed::first("", provider), |placed| {
            placed.node.is_empty() && placed.provider == provider
        })
    }

    /// The pods of the tasks on a node.
    pub fn pods_on(&self, node: &str) -> Vec<Arc<corev1::Pod>> {
        let mut kinds: Vec<&Placed> = self.tasks_on(node);
        kinds.dedup();
        let of = |placed: &Placed| self.pods.find(&Index::Placed(Box::new(placed.clone())));
        kinds.into_iter().flat_map(of).collect()
    }

    fn placed(&self, first: &Index, is_one: impl Fn(&Placed) -> bool) -> Vec<&Placed> {
        let all = self.pods.indexed_from(first).map_while(|index| match index {
            Index::Placed(placed) => Some(&**placed),
            _ => None,
        });
        all.take_while(|placed| is_one(placed)).collect()
    }
}
