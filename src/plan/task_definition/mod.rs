//! What should be registered for a task definition?
//!
//! A TaskDefinition whose spec differs from its family's newest revision gets a new revision; the
//! newest stays as the counter, and unused ones beyond `kubernetes.revisionHistoryLimit` go. A
//! refused spec registers nothing, as RegisterTaskDefinition would. No revision is ever changed.

mod accelerators;
mod canonical;
mod constraints;
mod container;
mod dependencies;
mod firelens;
mod identifiers;
mod kernel;
mod linux_parameters;
mod network;
mod ports;
pub(in crate::plan) mod read;
mod resolve;
mod restart;
mod revision;
mod security;
mod stored;
mod volumes;

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

pub use canonical::{canonical, without_nulls};
pub(in crate::plan) use container::STOP_TIMEOUT;
pub use container::{Container, HealthCheck};
pub use dependencies::Role;
pub(in crate::plan) use dependencies::shell;
pub use identifiers::{
    ContainerIdentifiers, Identifiers, LogDriver, SecretVariable, StoredVolume, identifiers,
};
pub use kernel::Limit;
pub use linux_parameters::MemoryFileSystem;
pub use network::{Names, NetworkMode};
pub use ports::Port;
pub(in crate::plan) use read::{flag, whole};
pub use resolve::{Namespace, TaskDefinition, resolve};
pub use restart::Restart;
pub(in crate::plan) use revision::{newest, revisions_of};
pub use security::{Profile, SeLinux, Security};
pub use stored::{FileSystem, Stored};
pub use volumes::{Mount, Source, Volume};

use super::conditions::{Outcome, advance, fully_supported, newly_stalled, progress};
use super::finding::{Findings, in_one_line};
use super::{Moment, Note, Plan, Rejection, Write};
use crate::api;
use crate::api::{Reason, TaskDefinitionStatus};
use crate::ecs::reference::family_of;
use crate::names;
use crate::world::{Index, Kind, Object, ObjectKey, World};

/// How many unused revisions are kept where the spec does not say.
const REVISION_HISTORY_LIMIT: i64 = 10;

/// The plan for a TaskDefinition, or for one of its revisions.
pub(super) fn plan(world: &World, key: &ObjectKey, moment: &Moment) -> Plan {
    if key.kind == Kind::TaskDefinitionRevision {
        return revision::plan(world, key);
    }
    let Some(object) = world.task_definitions.get(&key.namespace, &key.name) else {
        return Plan::default();
    };
    if object.metadata.deletion_timestamp.is_some() {
        return Plan::default();
    }
    let family = family_of(&object.spec.0, object.metadata.name.as_deref());
    let before = object.status.clone().unwrap_or_default();
    let mut findings = Findings::default();
    resolve(&object.spec.0, object.metadata.name.as_deref(), &mut findings);
    let revisions = revisions_of(world, &key.namespace, &family);
    let highest = revisions.last().map_or(0, |(number, _)| *number);
    let highest = highest.max(before.latest_revision.unwrap_or_default());

    let mut plan = Plan::default();
    let latest;
    let (outcome, reason, message) = if let Some(owner) = earlier_claim(world, &object, &family) {
        latest = before.latest_revision;
        let message = format!(
            "family `{family}` belongs to the older TaskDefinition {owner}; give this one another family"
        );
        (Outcome::Stalled, Reason::NameTaken, message)
    } else if findings.any_refused() {
        latest = (highest > 0).then_some(highest);
        (Outcome::Stalled, Reason::InvalidSpec, in_one_line(findings.refusals()))
    } else {
        let wanted = canonical(&object.spec.0, object.metadata.name.as_deref());
        let newest = revisions.last().filter(|(number, _)| *number == highest);
        let number = match newest {
            Some((number, revision)) if canonical(&revision.spec.0, None) == wanted => *number,
            _ => {
                plan.writes.push(Write::Create(new_revision(
                    key,
                    &family,
                    highest.saturating_add(1),
                    wanted,
                )));
                highest.saturating_add(1)
            }
        };
        // Not before it is there.
        latest = if moment.rejected.is_some() { before.latest_revision } else { Some(number) };
        let limit = revision_history_limit(&object.spec.0);
        plan.writes.extend(revision::prune(world, &key.namespace, &family, &revisions, limit));
        if let Some(Rejection { key, message }) = &moment.rejected {
            // Tried again all the same, by the writes above.
            let message = format!("the API server refused {key}: {message}");
            (Outcome::Stalled, Reason::RejectedByCluster, message)
        } else {
            let message = format!("{family}:{number} is the newest revision");
            (Outcome::Ready, Reason::Registered, message)
        }
    };

    let mut assessments = progress(outcome, reason, &message);
    assessments.push(fully_supported(&findings.0));
    let generation = object.metadata.generation;
    let after = TaskDefinitionStatus {
        observed_generation: generation,
        family: Some(family.clone()),
        latest_revision: latest,
        status: Some("ACTIVE".to_owned()),
        conditions: advance(&before.conditions, assessments, generation, moment.now),
    };
    if after != before {
        if newly_stalled(outcome, &before.conditions, before.observed_generation, generation) {
            plan.notes.push(Note { warning: true, reason, message: message.clone() });
        } else if after.latest_revision != before.latest_revision {
            plan.notes.push(Note { warning: false, reason, message });
        }
        plan.writes.push(Write::Status {
            key: key.clone(),
            uid: object.metadata.uid.clone().unwrap_or_default(),
            status: json!(after),
            urgent: true,
        });
    }
    plan
}

fn new_revision(key: &ObjectKey, family: &str, number: i64, spec: Value) -> Object {
    let object = api::TaskDefinitionRevision {
        metadata: ObjectMeta {
            name: Some(names::revision(family, number)),
            namespace: Some(key.namespace.clone()),
            labels: Some(
                [
                    (names::label::FAMILY, names::label_value(family)),
                    (names::label::REVISION, number.to_string()),
                    (names::label::APP_MANAGED_BY, names::FIELD_MANAGER.to_owned()),
                ]
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
            ),
            ..ObjectMeta::default()
        },
        spec: api::TaskDefinitionRevisionSpec(spec),
        status: None,
    };
    Object::of(&object)
}

fn revision_history_limit(spec: &Value) -> i64 {
    spec.pointer("/kubernetes/revisionHistoryLimit")
        .and_then(Value::as_i64)
        .unwrap_or(REVISION_HISTORY_LIMIT)
}

/// The name of the TaskDefinition that has this family, if that is not this one: of several that
/// claim one family, the oldest has it.
fn earlier_claim(world: &World, object: &api::TaskDefinition, family: &str) -> Option<String> {
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    let owner = owner_of_family(world, namespace, family)?;
    (owner.metadata.name != object.metadata.name).then(|| owner.metadata.name.clone())?
}

/// The TaskDefinition that has a family.
pub(in crate::plan) fn owner_of_family(
    world: &World,
    namespace: &str,
    family: &str,
) -> Option<Arc<api::TaskDefinition>> {
    world
        .task_definitions
        .find(&Index::family(namespace, family))
        .into_iter()
        .min_by_key(|claim| super::age(&claim.metadata))
}
