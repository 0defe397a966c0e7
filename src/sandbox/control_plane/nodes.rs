//! Which nodes does a sandbox have?
//!
//! [`NodeGroup`]s in, [`corev1::Node`]s out, spread evenly over their zones. They have no kubelet:
//! kwok renews their leases and plays their pods by the stages in `stages/`. The comments at the
//! top of `stages/node.yaml` and `stages/pod.yaml` say which annotations and images make a node
//! fail, or a pod slow, unhealthy, crash or exit. This file never decides where a pod runs.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::api::{DeleteParams, ListParams, ObjectMeta, PostParams};
use kube::{Api, Client};

use crate::world::RESTART_ALL_CONTAINERS;

/// The annotation by which kwok knows its nodes.
pub(super) const MANAGED_BY_KWOK: [&str; 2] = ["kwok.x-k8s.io/node", "fake"];

/// The label that names a node's group. Amazon EKS uses the same for its node groups.
pub const GROUP_LABEL: &str = "eks.amazonaws.com/nodegroup";

/// The region of every simulated node.
pub const REGION: &str = "sandbox-1";

/// How the machines of a group are paid for, which says what may happen to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CapacityType {
    /// They stay.
    #[default]
    OnDemand,
    /// They may be taken away.
    Spot,
    /// One for each pod.
    Fargate,
}

impl CapacityType {
    /// The label that Amazon EKS gives to such a node.
    pub const fn label(self) -> (&'static str, &'static str) {
        match self {
            Self::OnDemand => ("eks.amazonaws.com/capacityType", "ON_DEMAND"),
            Self::Spot => ("eks.amazonaws.com/capacityType", "SPOT"),
            Self::Fargate => ("eks.amazonaws.com/compute-type", "fargate"),
        }
    }
}

/// Nodes that are alike but for their zone.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeGroup {
    /// The name of the group, and what the names of its nodes begin with.
    pub name: String,
    /// How its machines are paid for.
    pub capacity_type: CapacityType,
    /// The zones, used in turn.
    pub zones: Vec<String>,
    /// How many nodes.
    pub count: u32,
    /// The kind of machine.
    pub instance_type: String,
    /// The cores of each, as a quantity.
    pub cpu: String,
    /// The memory of each, as a quantity.
    pub memory: String,
    /// How many pods each may hold.
    pub pods: u32,
    /// Further labels of each.
    pub labels: BTreeMap<String, String>,
    /// What keeps pods away from each.
    pub taints: Vec<corev1::Taint>,
}

impl Default for NodeGroup {
    /// Three small on-demand machines, one in each of three zones.
    fn default() -> Self {
        Self {
            name: "on-demand".to_owned(),
            capacity_type: CapacityType::OnDemand,
            zones: ["a", "b", "c"].map(|zone| format!("{REGION}{zone}")).to_vec(),
            count: 3,
            instance_type: "m5.xlarge".to_owned(),
            cpu: "4".to_owned(),
            memory: "16Gi".to_owned(),
            pods: 110,
            labels: BTreeMap::new(),
            taints: Vec::new(),
        }
    }
}

impl NodeGroup {
    /// The name of one of its nodes, counted from 0.
    pub fn node_name(&self, number: u32) -> String {
        format!("{}-{number}", self.name)
    }

    /// One of its nodes, counted from 0, ready from the start.
    pub fn node(&self, number: u32) -> corev1::Node {
        let name = self.node_name(number);
        let [annotation, value] = MANAGED_BY_KWOK.map(str::to_owned);
        corev1::Node {
            metadata: ObjectMeta {
                labels: Some(self.labels_of(&name, number)),
                name: Some(name),
                annotations: Some(BTreeMap::from([(annotation, value)])),
                ..ObjectMeta::default()
            },
            spec: Some(corev1::NodeSpec {
                taints: (!self.taints.is_empty()).then(|| self.taints.clone()),
                provider_id: Some(format!("linkspan-sandbox://{}/{number}", self.name)),
                ..corev1::NodeSpec::default()
            }),
            // The rest of its status is what the stage `node-ready` makes of it.
            status: Some(corev1::NodeStatus {
                capacity: Some(self.capacity()),
                allocatable: Some(self.capacity()),
                addresses: Some(vec![corev1::NodeAddress {
                    type_: "InternalIP".to_owned(),
                    address: self.address(number),
                }]),
                declared_features: Some(vec![RESTART_ALL_CONTAINERS.to_owned()]),
                ..corev1::NodeStatus::default()
            }),
        }
    }

    /// Creates its nodes and waits until pods can be placed on every one; those that are there
    /// already stay as they are.
    pub async fn create(&self, client: &Client) -> Result<(), kube::Error> {
        let nodes = Api::<corev1::Node>::all(client.clone());
        for number in 0..self.count {
            match nodes.create(&PostParams::default(), &self.node(number)).await {
                Err(kube::Error::Api(status)) if status.is_already_exists() => {}
                result => {
                    result?;
                }
            }
        }
        let ours = ListParams::default().labels(&format!("{GROUP_LABEL}={}", self.name));
        while !nodes.list(&ours).await?.iter().all(is_open) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Deletes its nodes, as when its machines are taken away.
    pub async fn delete(&self, client: &Client) -> Result<(), kube::Error> {
        let nodes = Api::<corev1::Node>::all(client.clone());
        let ours = ListParams::default().labels(&format!("{GROUP_LABEL}={}", self.name));
        nodes.delete_collection(&DeleteParams::default(), &ours).await?;
        Ok(())
    }

    fn labels_of(&self, name: &str, number: u32) -> BTreeMap<String, String> {
        let zone = usize::try_from(number)
            .ok()
            .and_then(|number| self.zones.get(number.checked_rem(self.zones.len())?));
        let (capacity_label, capacity) = self.capacity_type.label();
        let mut labels = BTreeMap::from(
            [
                ("kubernetes.io/hostname", name),
                ("kubernetes.io/os", "linux"),
                ("kubernetes.io/arch", "amd64"),
                ("node.kubernetes.io/instance-type", &self.instance_type),
                ("topology.kubernetes.io/region", REGION),
                (GROUP_LABEL, &self.name),
                (capacity_label, capacity),
            ]
            .map(|(label, value)| (label.to_owned(), value.to_owned())),
        );
        if let Some(zone) = zone {
            labels.insert("topology.kubernetes.io/zone".to_owned(), zone.clone());
        }
        labels.extend(self.labels.clone());
        labels
    }

    fn capacity(&self) -> BTreeMap<String, Quantity> {
        [
            ("cpu", self.cpu.clone()),
            ("memory", self.memory.clone()),
            ("pods", self.pods.to_string()),
            ("ephemeral-storage", "100Gi".to_owned()),
        ]
        .map(|(name, quantity)| (name.to_owned(), Quantity(quantity)))
        .into()
    }

    /// An address in 10.64.0.0/10 that nobody listens on: by the group's name, so that two groups
    /// rarely share one, which nothing would mind.
    fn address(&self, number: u32) -> String {
        let name = self
            .name
            .bytes()
            .fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
        let [_, second, third, fourth] = name.wrapping_mul(4099).wrapping_add(number).to_be_bytes();
        format!("10.{}.{third}.{fourth}", 64 + second % 64)
    }
}

/// Whether a node is ready and the node controller has seen it: until then a taint keeps pods away.
fn is_open(node: &corev1::Node) -> bool {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_deref());
    let taints = node.spec.as_ref().and_then(|spec| spec.taints.as_deref());
    conditions
        .unwrap_or_default()
        .iter()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
        && !taints
            .unwrap_or_default()
            .iter()
            .any(|taint| taint.key.starts_with("node.kubernetes.io/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_take_their_zones_in_turn() {
        let group = NodeGroup { count: 4, ..NodeGroup::default() };
        let zones: Vec<_> = (0..group.count)
            .map(|number| {
                group.node(number).metadata.labels.unwrap()["topology.kubernetes.io/zone"].clone()
            })
            .collect();
        assert_eq!(zones, ["sandbox-1a", "sandbox-1b", "sandbox-1c", "sandbox-1a"]);
    }

    #[test]
    fn a_group_without_zones_has_nodes_without_a_zone() {
        let group = NodeGroup { zones: Vec::new(), ..NodeGroup::default() };
        let labels = group.node(0).metadata.labels.unwrap();
        assert!(!labels.contains_key("topology.kubernetes.io/zone"));
        assert_eq!(labels["kubernetes.io/hostname"], "on-demand-0");
    }

    #[test]
    fn labels_of_the_group_win() {
        let arm = ("kubernetes.io/arch".to_owned(), "arm64".to_owned());
        let group = NodeGroup { labels: BTreeMap::from([arm]), ..NodeGroup::default() };
        assert_eq!(group.node(0).metadata.labels.unwrap()["kubernetes.io/arch"], "arm64");
    }
}
