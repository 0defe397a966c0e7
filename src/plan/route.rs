//! Which objects must be looked at again when one changed? A pure table.
//!
//! Looking at an object too often costs time and nothing else; too rarely, and it waits for the
//! hour. But a family may have ten thousand followers, so that what cannot matter to them is left
//! out: a revision's status, a service's count.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::world::{Change, Index, Kind, ObjectKey, Owned, Shelved, World};

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
        if is_root(K::KIND) {
            roots.insert(ObjectKey::new(K::KIND, namespace, name));
        }
        // Whoever made it: it may be in the way, or may have lost what says whose it is.
        if matches!(
            K::KIND,
            Kind::Endpoints
                | Kind::Deployment
                | Kind::DisruptionBudget
                | Kind::HorizontalPodAutoscaler
        ) {
            roots.extend(services(world, &Index::child(K::KIND, namespace, name)));
        }
        if let Some(uid) = meta.service_uid() {
            roots.extend(services(world, &Index::service(namespace, uid)));
        }
    }
    for index in before.union(&now) {
        let moved = !(before.contains(index) && now.contains(index));
        let left = moved && before.contains(index);
        roots.extend(related(world, K::KIND, index, moved, left));
    }
    roots
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
        | Kind::Rule => true,
        Kind::ServiceDeployment
        | Kind::Deployment
        | Kind::ReplicaSet
        | Kind::Pod
        | Kind::Endpoints
        | Kind::DisruptionBudget
        | Kind::HorizontalPodAutoscaler
        | Kind::Node => false,
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
        // Who follows the family; and whose record it is, by its frozen spec.
        (Kind::TaskDefinition, Index::Family(_)) | (Kind::ServiceDeployment, Index::Service(_)) => {
            services(world, index)
        }
        _ => Vec::new(),
    }
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
