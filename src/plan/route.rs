//! Which objects must be looked at again when one changed? A pure table.
//!
//! Looking at an object too often costs time and nothing else; too rarely, and it waits for the
//! hour. But a family may have ten thousand followers, so that what cannot matter to them is left
//! out: a revision's status, a service's count.

use std::collections::BTreeSet;
use std::sync::Arc;

use k8s_openapi::api::core::v1 as corev1;

use super::capacity_provider::Standing;
use crate::world::{Change, Index, Kind, ObjectKey, Owned, Placed, Shelved, World};

/// The objects to plan for when one appears, changes or goes.
pub fn roots_of<K: Shelved>(world: &World, change: &Change<K>) -> BTreeSet<ObjectKey> {
    let mut roots = BTreeSet::new();
    let (old, new) = (change.old.as_ref(), change.new.as_ref());
    let indexes = |object: Option<&Arc<K>>| -> BTreeSet<Index> {
        object.map(|object| object.indexes().into_iter().collect()).unwrap_or_default()
    };
    let (before, now) = (indexes(old), indexes(new));
    for object in [old, new].into_iter().flatten() {
        let meta = object.meta();
        let namespace = meta.namespace.as_deref().unwrap_or_default();
        let name = meta.name.as_deref().unwrap_or_default();
        if is_root(K::KIND) && (K::KIND != Kind::Node || is_news_of_node(world, old, new)) {
            roots.insert(ObjectKey::new(K::KIND, namespace, name));
        }
        // Whoever made it: it may be in the way, or may have lost what says whose it is.
        if matches!(
            K::KIND,
            Kind::Endpoints
                | Kind::Deployment
                | Kind::DaemonSet
                | Kind::DisruptionBudget
                | Kind::HorizontalPodAutoscaler
                | Kind::NetworkPolicy
                | Kind::Ingress
        ) {
            roots.extend(services(world, &Index::child(K::KIND, namespace, name)));
        }
        if let Some(uid) = meta.service_uid() {
            roots.extend(services(world, &Index::service(namespace, uid)));
        }
    }
    let standing = |object: Option<&Arc<K>>| object.and_then(|object| object.standing());
    let (stood, stands) = (standing(old), standing(new));
    roots.extend(of_node(world, stood.as_ref(), stands.as_ref()));
    if stood.map(|one| one.condition) != stands.map(|one| one.condition) {
        // Whose tasks have to leave it, or may stay.
        let names = [old, new].into_iter().flatten().filter_map(|node| node.meta().name.clone());
        for name in names.collect::<BTreeSet<_>>() {
            roots.extend(services_on(world, &name));
        }
    }
    if K::KIND == Kind::CapacityProvider && has_new_spec(old, new) {
        // Whose strategy names it, whose cluster's does, or whom it selects by namespace and labels:
        // people change a provider seldom, so that all are asked. Its status is no news to them.
        roots.extend(world.services.keys());
        // And who may have the same nodes.
        roots.extend(world.capacity_providers.keys());
    }
    for index in before.union(&now) {
        let moved = !(before.contains(index) && now.contains(index));
        let left = moved && before.contains(index);
        roots.extend(related(world, K::KIND, index, moved, left));
    }
    roots
}

/// Whether a node's own plan would see a difference, where there is one at all.
fn is_news_of_node<K: Shelved>(world: &World, old: Option<&Arc<K>>, new: Option<&Arc<K>>) -> bool {
    world.writes_nodes
        && match (old, new) {
            (Some(old), Some(new)) => new.is_news(old),
            _ => new.is_some(),
        }
}

/// Whether an object came, went, or has another spec than before.
fn has_new_spec<K: Shelved>(old: Option<&Arc<K>>, new: Option<&Arc<K>>) -> bool {
    match (old, new) {
        (Some(old), Some(new)) => old.meta().generation != new.meta().generation,
        _ => true,
    }
}

/// Whether an object of this kind is planned for, rather than only written.
pub fn is_root(kind: Kind) -> bool {
    match kind {
        Kind::Cluster
        | Kind::CapacityProvider
        | Kind::TaskDefinition
        | Kind::TaskDefinitionRevision
        | Kind::Service
        | Kind::Task
        | Kind::Rule
        | Kind::Node => true,
        Kind::ServiceDeployment
        | Kind::Deployment
        | Kind::DaemonSet
        | Kind::ReplicaSet
        | Kind::Pod
        | Kind::Endpoints
        | Kind::DisruptionBudget
        | Kind::HorizontalPodAutoscaler
        | Kind::NetworkPolicy
        | Kind::Ingress => false,
    }
}

/// What an object of a kind means to others that share an index with it. `moved`: it has just come
/// under the index, or left it; `left`: the latter.
fn related(world: &World, kind: Kind, index: &Index, moved: bool, left: bool) -> Vec<ObjectKey> {
    match (kind, index) {
        // When a family changes hands, its claimants, its revisions and its followers. A frozen
        // revision matters to others only as it comes and goes.
        (Kind::TaskDefinition | Kind::TaskDefinitionRevision, Index::Family(_)) if moved => {
            family(world, index)
        }
        // A revision that is no longer in use may go.
        (Kind::Service | Kind::ServiceDeployment, Index::Family(_)) => {
            let owners = world.task_definitions.find_keys(index);
            match owners.is_empty() {
                true => world.revisions.find_keys(index),
                false if left => owners,
                false => Vec::new(),
            }
        }
        // Whose deployments are rendered by its tables; and the next in line for its name.
        (Kind::Cluster, Index::Cluster(_)) => {
            let mut roots = services(world, index);
            if moved {
                roots.extend(world.clusters.find_keys(index));
            }
            roots
        }
        // The next in line for a name.
        (Kind::Service, Index::ServiceName(_) | Index::Child(..)) if moved => {
            services(world, index)
        }
        // The next in line for a name.
        (Kind::CapacityProvider, Index::ProviderName(_)) if moved => {
            world.capacity_providers.find_keys(index)
        }
        // Of which node a task takes room, or for which provider's it waits. That a task has become
        // ready, or that it restarts, moves nothing here.
        (Kind::Pod, Index::Placed(placed)) if moved => of_task(world, placed),
        // The node that is to leave its group, or is no longer.
        (Kind::CapacityProvider, Index::Leaving(node)) if moved => nodes(world, [node.as_str()]),
        // The first and the last that needs a label on nodes.
        (Kind::ServiceDeployment, Index::NeedsNodeLabel(_)) if moved && world.writes_nodes => {
            let others = world.records.find_keys(index).len().saturating_sub(usize::from(!left));
            if others == 0 { world.nodes.keys().collect() } else { Vec::new() }
        }
        // Who follows the family; and whose record or workload it is, by what nobody can change.
        (Kind::TaskDefinition, Index::Family(_))
        | (Kind::ServiceDeployment | Kind::Deployment | Kind::DaemonSet, Index::Service(_)) => {
            services(world, index)
        }
        _ => Vec::new(),
    }
}

/// The capacity providers that a node belongs or belonged to, where they would see a difference: and
/// as nodes come, go or get other labels, those that tell their nodes by a label of the same key,
/// since they say which values there are.
fn of_node(world: &World, old: Option<&Standing>, new: Option<&Standing>) -> Vec<ObjectKey> {
    if old == new {
        return Vec::new();
    }
    let relabelled = old.map(|old| &old.labels) != new.map(|new| &new.labels);
    let standings = [old, new].into_iter().flatten();
    let labels: BTreeSet<_> = standings.flat_map(|standing| &standing.labels).collect();
    let find = |text: String| world.capacity_providers.find_keys(&Index::NodeLabel(text));
    let mut found = Vec::new();
    for (key, value) in labels {
        found.extend(find(if relabelled { key.clone() } else { format!("{key}={value}") }));
    }
    found
}

/// The capacity providers that a task's node belongs to, or whose node it waits for.
fn of_task(world: &World, placed: &Placed) -> Vec<ObjectKey> {
    if placed.node.is_empty() {
        let index = Index::ProviderName(placed.provider.clone());
        return world.capacity_providers.find_keys(&index);
    }
    let mut roots = Vec::new();
    if world.writes_nodes && super::node::tasks_matter(world) {
        roots.extend(nodes(world, [placed.node.as_str()]));
    }
    let node = world.nodes.get("", &placed.node);
    let labels = node.iter().flat_map(|node| node.metadata.labels.iter().flatten());
    let indexes = labels.map(|(key, value)| Index::NodeLabel(format!("{key}={value}")));
    roots.extend(indexes.flat_map(|index| world.capacity_providers.find_keys(&index)));
    roots
}

/// Nodes by name, where they may be written.
fn nodes<'a>(world: &World, names: impl IntoIterator<Item = &'a str>) -> Vec<ObjectKey> {
    let names = names.into_iter().filter(|_| world.writes_nodes);
    names.map(|name| ObjectKey::new(Kind::Node, "", name)).collect()
}

/// The services with tasks on a node.
fn services_on(world: &World, node: &str) -> BTreeSet<ObjectKey> {
    let pods = world.pods_on(node).into_iter();
    let of = |pod: Arc<corev1::Pod>| {
        let namespace = pod.metadata.namespace.clone().unwrap_or_default();
        let uid = pod.metadata.service_uid().map(ToOwned::to_owned);
        uid.map(|uid| services(world, &Index::service(&namespace, &uid))).unwrap_or_default()
    };
    pods.flat_map(of).collect()
}

fn family(world: &World, index: &Index) -> Vec<ObjectKey> {
    let mut roots = world.task_definitions.find_keys(index);
    roots.extend(world.revisions.find_keys(index));
    roots.extend(services(world, index));
    roots
}

fn services(world: &World, index: &Index) -> Vec<ObjectKey> {
    world.services.find_keys(index)
}
