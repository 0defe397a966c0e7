//! Which objects must be looked at again when one changed? A pure table.

use crate::world::{Index, Kind, ObjectKey, Owned, Shelved, World};

/// The objects to plan for when `object` appears, changes or goes.
pub fn roots_of<K: Shelved>(world: &World, object: &K) -> Vec<ObjectKey> {
    let meta = object.meta();
    let namespace = meta.namespace.as_deref().unwrap_or_default();
    let name = meta.name.as_deref().unwrap_or_default();
    let mut roots = match K::KIND {
        Kind::TaskDefinition
        | Kind::TaskDefinitionRevision
        | Kind::Service
        | Kind::Cluster
        | Kind::CapacityProvider
        | Kind::Task
        | Kind::Rule => vec![ObjectKey::new(K::KIND, namespace, name)],
        Kind::Endpoints => services(world, &Index::endpoints(namespace, name)),
        Kind::ServiceDeployment
        | Kind::Deployment
        | Kind::ReplicaSet
        | Kind::Pod
        | Kind::DisruptionBudget
        | Kind::Node => Vec::new(),
    };
    if let Some(uid) = meta.service_uid() {
        roots.extend(services(world, &Index::Service(uid.to_owned())));
    }
    for index in object.indexes() {
        roots.extend(related::<K>(world, &index));
    }
    roots.sort();
    roots.dedup();
    roots
}

/// What an object of kind `K` means to others that share an index with it.
fn related<K: Shelved>(world: &World, index: &Index) -> Vec<ObjectKey> {
    match (K::KIND, index) {
        // The family's owner, its revisions' status, and those who follow it.
        (Kind::TaskDefinition | Kind::TaskDefinitionRevision, Index::Family(_)) => {
            let mut roots = keys(&world.task_definitions.find(index));
            roots.extend(keys(&world.revisions.find(index)));
            roots.extend(services(world, index));
            roots
        }
        // A revision that is no longer in use may go.
        (Kind::Service | Kind::ServiceDeployment, Index::Family(_)) => {
            let mut roots = keys(&world.task_definitions.find(index));
            if roots.is_empty() {
                roots.extend(keys(&world.revisions.find(index)));
            }
            roots
        }
        // The next in line for a name; and whose record it is.
        (Kind::Service, Index::ServiceName(_) | Index::Endpoints(_))
        | (Kind::ServiceDeployment, Index::Service(_)) => services(world, index),
        _ => Vec::new(),
    }
}

fn services(world: &World, index: &Index) -> Vec<ObjectKey> {
    keys(&world.services.find(index))
}

fn keys<K: Shelved>(objects: &[std::sync::Arc<K>]) -> Vec<ObjectKey> {
    objects
        .iter()
        .map(|object| {
            let meta = object.meta();
            ObjectKey::new(
                K::KIND,
                meta.namespace.as_deref().unwrap_or_default(),
                meta.name.as_deref().unwrap_or_default(),
            )
        })
        .collect()
}
