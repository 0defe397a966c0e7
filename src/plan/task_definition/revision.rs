//! Which revisions does a family have, which are in use, and which may go?

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;

use super::owner_of_family;
use crate::api::{TaskDefinitionRevision, TaskDefinitionRevisionStatus};
use crate::ecs::reference::{family_of, task_definition, task_definition_of};
use crate::names::{revision as revision_name, revision_number};
use crate::plan::{Plan, Write};
use crate::world::{Index, Kind, ObjectKey, World};

/// A revision with its number.
pub(in crate::plan) type Numbered = (i64, Arc<TaskDefinitionRevision>);

/// The revisions of a family, lowest first.
pub(in crate::plan) fn revisions_of(world: &World, namespace: &str, family: &str) -> Vec<Numbered> {
    let mut revisions: Vec<Numbered> = world
        .revisions
        .find(&Index::family(namespace, family))
        .into_iter()
        .filter_map(|revision| {
            let name = revision.metadata.name.as_deref()?;
            let number = revision_number(name)?;
            // Any other name is not one that Linkspan gives to a revision of this family.
            (name == revision_name(family, number)).then_some((number, revision))
        })
        .collect();
    revisions.sort_by_key(|(number, _)| *number);
    revisions
}

/// The newest revision of a family.
pub(in crate::plan) fn newest(world: &World, namespace: &str, family: &str) -> Option<Numbered> {
    revisions_of(world, namespace, family).pop()
}

/// The numbers of a family that a service pins, or that a deployment record names.
fn in_use(world: &World, namespace: &str, family: &str) -> BTreeSet<i64> {
    let index = Index::family(namespace, family);
    let pinned = world.services.find(&index);
    let pinned = pinned.iter().filter_map(|service| task_definition_of(&service.spec.0)?.revision);
    let deployed = world.records.find(&index);
    let deployed = deployed
        .iter()
        .filter_map(|record| task_definition(&record.spec.task_definition).ok()?.revision);
    pinned.chain(deployed).collect()
}

/// Whether there is something that may use a revision and cannot be read: then none may go.
fn unreadable(world: &World, namespace: &str) -> bool {
    world.unreadable.keys().any(|key| {
        key.namespace == namespace
            && matches!(key.kind, Kind::TaskDefinition | Kind::Service | Kind::ServiceDeployment)
    })
}

/// The deletions that bring the unused revisions down to the limit. The newest always stays, since
/// it is the counter.
pub(super) fn prune(
    world: &World,
    namespace: &str,
    family: &str,
    revisions: &[Numbered],
    limit: i64,
) -> Vec<Write> {
    if unreadable(world, namespace) {
        return Vec::new();
    }
    let used = in_use(world, namespace, family);
    let unused: Vec<&Numbered> = revisions
        .split_last()
        .map(|(_, older)| older.iter().filter(|(number, _)| !used.contains(number)).collect())
        .unwrap_or_default();
    let surplus = unused.len().saturating_sub(usize::try_from(limit).unwrap_or_default());
    unused.into_iter().take(surplus).map(|(_, revision)| deletion(revision)).collect()
}

fn deletion(revision: &TaskDefinitionRevision) -> Write {
    let meta = &revision.metadata;
    Write::Delete { key: key_of(revision), uid: meta.uid.clone().unwrap_or_default() }
}

fn key_of(revision: &TaskDefinitionRevision) -> ObjectKey {
    ObjectKey::new(
        Kind::TaskDefinitionRevision,
        revision.metadata.namespace.as_deref().unwrap_or_default(),
        revision.metadata.name.as_deref().unwrap_or_default(),
    )
}

/// The plan for one revision: ACTIVE while its family has a TaskDefinition; after that, INACTIVE
/// while it is in use, and then gone.
pub(super) fn plan(world: &World, key: &ObjectKey) -> Plan {
    let Some(revision) = world.revisions.get(&key.namespace, &key.name) else {
        return Plan::default();
    };
    if revision.metadata.deletion_timestamp.is_some() {
        return Plan::default();
    }
    let family = family_of(&revision.spec.0, None);
    let active = owner_of_family(world, &key.namespace, &family).is_some();
    let number = revision_number(&key.name);
    if !active
        && !unreadable(world, &key.namespace)
        && !number.is_some_and(|n| in_use(world, &key.namespace, &family).contains(&n))
    {
        return Plan { writes: vec![deletion(&revision)], ..Plan::default() };
    }
    let status = if active { "ACTIVE" } else { "INACTIVE" };
    let after = TaskDefinitionRevisionStatus { status: Some(status.to_owned()) };
    if revision.status.as_ref() == Some(&after) {
        return Plan::default();
    }
    Plan {
        writes: vec![Write::Status {
            key: key.clone(),
            uid: revision.metadata.uid.clone().unwrap_or_default(),
            status: json!(after),
            urgent: false,
        }],
        ..Plan::default()
    }
}
