//! Which kinds of capacity does this cluster have, how much of it is free, and when is which the one
//! to use?
//!
//! A row for each capacity provider: those that have an object, those that nodes' labels imply, and
//! FARGATE and FARGATE_SPOT, which are always there. All pods count in what is free. It decides
//! nothing.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1 as corev1;

use super::explain::Candidate;
use super::resources::Amounts;
use super::shortage::{candidates, selected};
use crate::names::label;
use crate::plan::capacity_provider::{
    CapacityProvider, Condition, Form, POOL_LABELS, Selection, condition, name_of, owner_of, read,
};
use crate::plan::finding::Findings;
use crate::world::World;

/// What capacity is, in the words of ECS and EKS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// A managed node group of EKS, or a pool of nodes like it.
    ManagedNodeGroup,
    /// Nodes that somebody makes, behind an Auto Scaling group or a label.
    SelfManaged,
    /// ECS Managed Instances.
    ManagedInstances,
    /// A size for each task.
    Fargate,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::ManagedNodeGroup, Self::SelfManaged, Self::ManagedInstances, Self::Fargate];

    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ManagedNodeGroup => "managed node group",
            Self::SelfManaged => "self-managed",
            Self::ManagedInstances => "managed instances",
            Self::Fargate => "Fargate",
        }
    }

    /// What it is the one to use for.
    pub fn good_for(self) -> &'static str {
        match self {
            Self::ManagedNodeGroup => {
                "most services; GPUs, host ports, placement constraints and strategies"
            }
            Self::SelfManaged => "nodes that you make yourself: special machines, on premises",
            Self::ManagedInstances => "instances chosen by what tasks need, where Karpenter runs",
            Self::Fargate => "a size for each task and no nodes to think of; uneven load",
        }
    }

    /// What it is not for.
    pub fn not_for(self) -> &'static str {
        match self {
            Self::ManagedNodeGroup => "tasks that must share no node with others",
            Self::SelfManaged => "nodes that nobody wants to look after",
            Self::ManagedInstances => "clusters without Karpenter",
            Self::Fargate => "host ports, privilege, GPUs, daemons, placement constraints",
        }
    }
}

/// One capacity provider.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its ECS name.
    pub name: String,
    /// What it is.
    pub class: Class,
    /// Whether its nodes may be taken away.
    pub is_spot: bool,
    /// Whether a CapacityProvider says so, rather than labels of nodes.
    pub has_object: bool,
    /// How many nodes it has.
    pub nodes: usize,
    /// How many of them take tasks.
    pub ready: usize,
    /// What is free on those together.
    pub free: Amounts,
    /// What is free on the one that has the most.
    pub largest: Amounts,
    /// Tasks of Linkspan on its nodes.
    pub tasks: usize,
    /// What makes its size.
    pub size: String,
}

/// All capacity of the cluster, in the order of classes and names, and how many nodes are of none of
/// the providers but FARGATE.
pub fn inventory(world: &World) -> (Vec<Row>, usize) {
    let nodes = candidates(world);
    let conditions: BTreeMap<String, Condition> = world
        .nodes
        .iter()
        .map(|node| (node.metadata.name.clone().unwrap_or_default(), condition(&node)))
        .collect();
    let sight = Sight { world, nodes: &nodes, conditions: &conditions };
    let mut rows = Vec::new();
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let mut known: BTreeSet<String> = BTreeSet::new();
    for object in world.capacity_providers.iter() {
        let name = name_of(&object.spec.0, object.metadata.name.as_deref());
        let is_owner =
            owner_of(world, &name).is_some_and(|owner| owner.metadata.name == object.metadata.name);
        let provider = read(&object.spec.0, Some(&name), &mut Findings::default());
        let (true, Some(provider)) = (is_owner, provider) else { continue };
        let own = selected(world, &provider.nodes);
        rows.push(sight.row(
            &provider.name,
            class(&provider),
            provider.is_spot,
            true,
            &own,
            size(&provider),
        ));
        taken.extend(own);
        known.insert(name);
    }
    for (name, key) in pools(world) {
        let own = selected(world, &Selection::of_pool(&name, &name));
        if known.contains(&name) || own.iter().all(|node| taken.contains(node)) {
            continue;
        }
        let class = match key.as_str() {
            label::CAPACITY_PROVIDER => Class::SelfManaged,
            _ => Class::ManagedNodeGroup,
        };
        let is_spot = world.nodes.iter().filter(|node| is_of(node, &own)).all(|node| spot(&node));
        rows.push(sight.row(&name, class, is_spot, false, &own, "its own group".to_owned()));
        taken.extend(own);
        known.insert(name);
    }
    let all: BTreeSet<String> = nodes.iter().map(|node| node.name.clone()).collect();
    let outside = all.difference(&taken).count();
    for (name, is_spot) in [("FARGATE", false), ("FARGATE_SPOT", true)] {
        if !known.contains(name) {
            let size = "any node".to_owned();
            rows.push(sight.row(name, Class::Fargate, is_spot, false, &all, size));
        }
    }
    rows.sort_by(|one, other| (one.class, &one.name).cmp(&(other.class, &other.name)));
    (rows, outside)
}

/// What is seen of all nodes.
struct Sight<'a> {
    world: &'a World,
    nodes: &'a [Candidate],
    conditions: &'a BTreeMap<String, Condition>,
}

impl Sight<'_> {
    fn row(
        &self,
        name: &str,
        class: Class,
        is_spot: bool,
        has_object: bool,
        own: &BTreeSet<String>,
        size: String,
    ) -> Row {
        let is_ready = |node: &&Candidate| {
            own.contains(&node.name) && self.conditions.get(&node.name) == Some(&Condition::Ready)
        };
        let ready: Vec<&Candidate> = self.nodes.iter().filter(is_ready).collect();
        let free = ready.iter().fold(Amounts::default(), |sum, node| sum.plus(node.left));
        let largest = ready.iter().map(|node| node.left).max().unwrap_or_default();
        let tasks = own.iter().map(|node| self.world.tasks_on(node).len()).sum();
        Row {
            name: name.to_owned(),
            class,
            is_spot,
            has_object,
            nodes: own.len(),
            ready: ready.len(),
            free,
            largest,
            tasks,
            size,
        }
    }
}

fn class(provider: &CapacityProvider) -> Class {
    match provider.form {
        Form::ManagedNodeGroup => Class::ManagedNodeGroup,
        Form::AutoScalingGroup => Class::SelfManaged,
        Form::ManagedInstances => Class::ManagedInstances,
        Form::FargateProfile(_) => Class::Fargate,
    }
}

fn size(provider: &CapacityProvider) -> String {
    let bounds = match (provider.size.least, provider.size.most) {
        (least, Some(most)) => format!("{least} to {most} nodes"),
        (0, None) => String::new(),
        (least, None) => format!("{least} nodes or more"),
    };
    let by = match (&provider.scale_target, provider.scaling) {
        (Some(target), Some(_)) => format!("managed scaling of {} {}", target.kind, target.name),
        (Some(target), None) => format!("{} {}", target.kind, target.name),
        (None, _) => "its own group".to_owned(),
    };
    if bounds.is_empty() { by } else { format!("{bounds}, {by}") }
}

/// The pools that nodes' labels name, each with the label's key.
fn pools(world: &World) -> BTreeMap<String, String> {
    let mut pools = BTreeMap::new();
    for node in world.nodes.iter() {
        for (key, value) in node.metadata.labels.iter().flatten() {
            if POOL_LABELS.contains(&key.as_str()) || key == label::CAPACITY_PROVIDER {
                pools.entry(value.clone()).or_insert_with(|| key.clone());
            }
        }
    }
    pools
}

fn is_of(node: &corev1::Node, names: &BTreeSet<String>) -> bool {
    node.metadata.name.as_ref().is_some_and(|name| names.contains(name))
}

fn spot(node: &corev1::Node) -> bool {
    let labels = node.metadata.labels.iter().flatten();
    labels.into_iter().any(|(key, value)| {
        matches!(
            (key.as_str(), value.as_str()),
            ("eks.amazonaws.com/capacityType", "SPOT")
                | ("karpenter.sh/capacity-type", "spot")
                | ("cloud.google.com/gke-spot", "true")
        )
    })
}

/// CPU and memory in ECS's units.
pub fn units(amounts: Amounts) -> String {
    let cpu = amounts.millicores.saturating_mul(1024).div_euclid(1000);
    format!("{cpu} CPU units, {} MiB", amounts.memory >> 20)
}
