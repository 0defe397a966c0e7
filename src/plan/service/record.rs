//! When does a deployment start, and what became of it?
//!
//! A record is made when the inputs that start a deployment in ECS differ from those of the newest
//! record. Both sides are computed by this version from the raw JSON that was asked for, never from
//! a stored hash, so that a new version of the operator starts none.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::apps::v1 as appsv1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use serde_json::{Value, json};

use super::assess::Situation;
use super::observed::{NO_PROVIDER, Named, Observed, annotated_record, sequence_of};
use super::resolve::{Settings, balanced_ports, demands, min_ready_seconds, propagated_tags};
use super::{Obstacle, tasks};
use crate::api::{
    Cause, Features, Reason, RolloutState, ServiceDeployment, ServiceDeploymentSpec,
    ServiceReference,
};
use crate::defect::{self, Defect};
use crate::ecs::members::Input;
use crate::names::{self, annotation, label};
use crate::plan::conditions::time;
use crate::plan::finding::{Findings, in_one_line};
use crate::plan::judge::is_empty;
use crate::plan::mapping::{self, Launch, Mapping, Names, Tables};
use crate::plan::task_definition::{TaskDefinition, flag, identifiers, resolve, without_nulls};
use crate::plan::{Moment, Write, pod};
use crate::world::{Kind, Object, ObjectKey, World, set};

/// What to do about deployments.
pub(super) enum Decision {
    /// The newest record is what the Service asks for.
    Keep,
    /// A new one should start.
    Start(Box<Start>),
    /// Something keeps a new one from starting.
    Obstructed(Obstacle),
}

/// A deployment that should start.
pub(super) struct Start {
    /// Its record.
    pub(super) record: Object,
    /// Stands for its inputs while they settle.
    pub(super) fingerprint: String,
}

/// Decides whether a deployment should start.
pub(super) fn decide(world: &World, observed: &Observed, settings: &Settings) -> Decision {
    let (reference, revision, active) = match &observed.task_definition {
        Named::Revision { reference, spec, active } => (reference, spec, *active),
        Named::NotYet { message } => {
            return Decision::Obstructed(Obstacle::passing(
                Reason::DeploymentInProgress,
                message.clone(),
            ));
        }
        Named::Nothing { refused, message } => {
            let reason = if *refused {
                Reason::TaskDefinitionRefused
            } else {
                Reason::TaskDefinitionNotFound
            };
            return Decision::Obstructed(Obstacle::new(
                reason,
                format!("taskDefinition: {message}"),
            ));
        }
    };
    let spec = &observed.service.spec.0;
    let nonce = nonce(observed);
    let cause = match observed.newest() {
        None => Cause::ServiceCreated,
        Some(newest) => {
            let forced = settings.force_new_deployment && force_is_new(newest);
            if newest.spec.task_definition != *reference {
                Cause::TaskDefinitionChanged
            } else if starting_inputs(&newest.spec.requested) != starting_inputs(spec) {
                Cause::ServiceUpdated
            } else if forced || (nonce.is_some() && nonce != newest.spec.nonce) {
                Cause::ForceNewDeployment
            } else if active && mapping_changed(observed, newest, &revision.spec.0) {
                Cause::MappingChanged
            } else {
                return Decision::Keep;
            }
        }
    };
    if !active {
        return Decision::Obstructed(Obstacle::new(
            Reason::TaskDefinitionNotFound,
            format!(
                "taskDefinition: {reference} is INACTIVE, since its family has no TaskDefinition any \
                 more; what runs goes on running, and a new deployment needs an ACTIVE one"
            ),
        ));
    }
    let mut findings = Findings::default();
    let task = resolve(&revision.spec.0, None, &mut findings);
    if findings.any_refused() {
        let message = format!("{reference}: {}", in_one_line(findings.refusals()));
        return Decision::Obstructed(Obstacle::new(Reason::TaskDefinitionRefused, message));
    }
    demands(spec, &task, &mut findings);
    if findings.any_refused() {
        let message = in_one_line(findings.refusals());
        return Decision::Obstructed(Obstacle::new(Reason::InvalidSpec, message));
    }
    if let Some(message) = &observed.mapping.refused {
        return Decision::Obstructed(Obstacle::new(Reason::ClusterRefused, message.clone()));
    }
    let launch = Launch::read(spec, &mut Findings::default());
    let names = mapping::resolve(&task.identifiers, &launch, &observed.mapping, &mut findings);
    if findings.any_refused() {
        let message = format!("{reference}: {}", in_one_line(findings.refusals()));
        return Decision::Obstructed(Obstacle::new(Reason::TaskDefinitionRefused, message));
    }
    let features = world.features();
    let sequence = next_sequence(observed);
    let labels = template_labels(observed, reference, sequence);
    let record = ServiceDeploymentSpec {
        service: ServiceReference { name: observed.key.name.clone(), uid: observed.uid.clone() },
        sequence,
        cause,
        requested: without_nulls(spec),
        nonce,
        task_definition: reference.clone(),
        mapping: names.rows.clone(),
        features,
        min_ready_seconds: min_ready_seconds(spec, &task),
        template: template(&task, &names, features, spec, labels),
    };
    let inputs = json!([starting_inputs(spec), reference, record.nonce, cause, record.mapping]);
    let fingerprint = names::sha256_hex(&[&inputs.to_string()]);
    Decision::Start(Box::new(Start { record: object(observed, record), fingerprint }))
}

/// A record's pod template.
fn template(
    task: &TaskDefinition,
    names: &Names,
    features: Features,
    spec: &Value,
    labels: BTreeMap<String, String>,
) -> Value {
    let mut template = pod::template(task, features, &balanced_ports(spec), labels);
    pod::lay(names, task.image_pull_policy.as_deref(), &mut template);
    pod::tag(&propagated_tags(spec, task), &mut template);
    json!(template)
}

/// Whether the Cluster's tables now give other names than those by which the newest record was made,
/// while that one is not completed: so that a missing row, once added, mends a deployment that does
/// not come up. One that is completed keeps its names until the next.
///
/// Both sides are computed by this version, from rows as they were written.
fn mapping_changed(observed: &Observed, newest: &ServiceDeployment, revision: &Value) -> bool {
    let state = newest.status.as_ref().and_then(|status| status.rollout_state);
    let now = &observed.mapping;
    if state == Some(RolloutState::Completed) || now.refused.is_some() {
        return false;
    }
    if now.tables.is_empty() && newest.spec.mapping.is_none() {
        return false;
    }
    let then = Mapping {
        tables: Tables::read(&json!({"kubernetes": newest.spec.mapping}), &mut Findings::default()),
        ..Mapping::default()
    };
    let identifiers = identifiers(revision, &mut Findings::default());
    let launch = Launch::read(&observed.service.spec.0, &mut Findings::default());
    let [then, now] = [&then, now]
        .map(|mapping| mapping::resolve(&identifiers, &launch, mapping, &mut Findings::default()));
    then.outcome() != now.outcome()
}

/// The inputs whose change starts a deployment, without what says nothing. The task definition is
/// not among them: its resolved revision is compared instead.
fn starting_inputs(spec: &Value) -> BTreeMap<String, Value> {
    let spec = without_nulls(spec);
    let Value::Object(members) = spec else { return BTreeMap::new() };
    members
        .into_iter()
        .filter(|(name, value)| {
            name != "taskDefinition"
                && !is_empty(value)
                && (Input::Service.member(name).is_some_and(|member| member.rolls)
                    || (defect::is(Defect::DefaultInHash) && name == "desiredCount"))
        })
        .collect()
}

fn nonce(observed: &Observed) -> Option<String> {
    observed.service.metadata.annotations.as_ref()?.get(annotation::FORCE_NEW_DEPLOYMENT).cloned()
}

/// Whether `forceNewDeployment` was false since the newest record.
fn force_is_new(newest: &ServiceDeployment) -> bool {
    let forced = flag(&newest.spec.requested, "forceNewDeployment").unwrap_or_default();
    !forced || newest.status.as_ref().is_some_and(|status| status.force_released)
}

/// One more than any that was handed out; the workload remembers where records were lost.
fn next_sequence(observed: &Observed) -> i64 {
    let recorded = observed.newest().map_or(0, |record| record.spec.sequence);
    let written = observed.seen().sequence.filter(|sequence| *sequence < MOST_DEPLOYMENTS);
    recorded.max(written.unwrap_or_default()).saturating_add(1)
}

/// No service comes near so many deployments: a label beyond it was not written by Linkspan.
const MOST_DEPLOYMENTS: i64 = 1_000_000_000;

/// The labels of a service's child; those of the selector never change.
pub(super) fn labels(observed: &Observed) -> BTreeMap<String, String> {
    let name = names::label_value(&observed.name);
    let mut labels = selector();
    labels.extend(
        [
            (label::SERVICE_UID, observed.uid.clone()),
            (label::SERVICE, name.clone()),
            (label::CLUSTER, names::label_value(&observed.cluster)),
            (label::APP_NAME, name),
            (label::APP_PART_OF, names::label_value(&observed.cluster)),
            (label::APP_MANAGED_BY, names::FIELD_MANAGER.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    labels
}

fn selector() -> BTreeMap<String, String> {
    [(label::CAPACITY_PROVIDER, NO_PROVIDER), (label::SLOT, names::FIRST_SLOT)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// The labels by which a service's tasks are selected, for ever.
pub(super) fn selector_of(observed: &Observed) -> BTreeMap<String, String> {
    let mut selector = selector();
    selector.insert(label::SERVICE_UID.to_owned(), observed.uid.clone());
    if defect::is(Defect::SelectorWithDeployment) {
        let newest = observed.newest().map_or(1, |newest| newest.spec.sequence);
        selector.insert(label::DEPLOYMENT.to_owned(), newest.to_string());
    }
    selector
}

fn template_labels(
    observed: &Observed,
    reference: &str,
    sequence: i64,
) -> BTreeMap<String, String> {
    let (family, revision) = reference.split_once(':').unwrap_or((reference, ""));
    let mut labels = labels(observed);
    labels.extend(
        [
            (label::FAMILY, names::label_value(family)),
            (label::REVISION, revision.to_owned()),
            (label::DEPLOYMENT, sequence.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    labels
}

/// What a record's template would be today, which is nobody's business: for
/// [`Defect::RendersAnew`].
pub(super) fn rendered_anew(observed: &Observed, record: &ServiceDeployment) -> Option<Value> {
    let Named::Revision { spec: revision, .. } = &observed.task_definition else { return None };
    let task = resolve(&revision.spec.0, None, &mut Findings::default());
    let ServiceDeploymentSpec { features, sequence, requested, task_definition, .. } = &record.spec;
    let labels = template_labels(observed, task_definition, *sequence);
    let launch = Launch::read(requested, &mut Findings::default());
    let mut findings = Findings::default();
    let names = mapping::resolve(&task.identifiers, &launch, &observed.mapping, &mut findings);
    Some(template(&task, &names, *features, requested, labels))
}

/// The reference by which everything of a service goes with it.
pub(super) fn owner(observed: &Observed) -> OwnerReference {
    let (api_version, kind) = Kind::Service.type_meta();
    OwnerReference {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        name: observed.key.name.clone(),
        uid: observed.uid.clone(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

fn object(observed: &Observed, spec: ServiceDeploymentSpec) -> Object {
    let record = ServiceDeployment {
        metadata: ObjectMeta {
            name: Some(names::record(&observed.name, &observed.uid, spec.sequence)),
            namespace: Some(observed.key.namespace.clone()),
            labels: Some(labels(observed)),
            owner_references: Some(vec![owner(observed)]),
            ..ObjectMeta::default()
        },
        spec,
        status: None,
    };
    Object::of(&record)
}

/// What a workload keeps of its record: everything but the template, which it has anyway.
pub(super) fn annotation_of(record: &ServiceDeployment) -> String {
    let mut spec = json!(record.spec);
    if let Some(spec) = spec.as_object_mut() {
        spec.remove("template");
    }
    spec.to_string()
}

/// A record that was lost while its workload lives, rebuilt from the workload.
pub(super) fn restored(observed: &Observed) -> Option<Object> {
    let deployment = observed.deployment()?;
    let mut spec = annotated_record(deployment)?;
    set(&mut spec, &["template"], template_of(deployment)?);
    set(&mut spec, &["cause"], json!(Cause::Restored));
    let spec: ServiceDeploymentSpec = serde_json::from_value(spec).ok()?;
    let newest = observed.newest().map_or(0, |record| record.spec.sequence);
    (spec.service.uid == observed.uid && spec.sequence > newest).then(|| object(observed, spec))
}

/// A live Deployment's pod template, as a record would hold it.
pub(super) fn template_of(deployment: &appsv1::Deployment) -> Option<Value> {
    let mut template = json!(deployment.spec.as_ref()?.template);
    if let Some(meta) = template.get_mut("metadata").and_then(Value::as_object_mut) {
        meta.remove("creationTimestamp");
    }
    Some(template)
}

/// The write of the newest record's status, where it has changed.
pub(super) fn verdict(
    newest: &ServiceDeployment,
    situation: &Situation<'_>,
    spec: &Value,
    moment: &Moment,
) -> Option<Write> {
    let before = newest.status.clone().unwrap_or_default();
    let mut after = before.clone();
    if situation.steady && before.rollout_state != Some(RolloutState::Completed) {
        let id = names::deployment_id(&newest.spec.service.uid, newest.spec.sequence);
        after.rollout_state = Some(RolloutState::Completed);
        after.rollout_state_reason = Some(format!("ECS deployment {id} completed."));
        after.completed_at = Some(time(moment.now));
    }
    let asked = flag(&newest.spec.requested, "forceNewDeployment").unwrap_or_default();
    if asked && !flag(spec, "forceNewDeployment").unwrap_or_default() {
        after.force_released = true;
    }
    if after == before {
        return None;
    }
    Some(Write::Status {
        key: key_of(newest),
        uid: newest.metadata.uid.clone().unwrap_or_default(),
        status: json!(after),
        urgent: true,
    })
}

fn key_of(record: &ServiceDeployment) -> ObjectKey {
    ObjectKey::new(
        Kind::ServiceDeployment,
        record.metadata.namespace.as_deref().unwrap_or_default(),
        record.metadata.name.as_deref().unwrap_or_default(),
    )
}

/// The records that may go: all but the newest, the last completed one, and every one that has
/// tasks or whose template the workload has.
pub(super) fn prune(observed: &Observed, situation: &Situation<'_>) -> Vec<Write> {
    let newest = observed.newest().map(|record| record.spec.sequence);
    let completed = observed.records.iter().rev().find(|record| {
        let state = record.status.as_ref().and_then(|status| status.rollout_state);
        state == Some(RolloutState::Completed)
    });
    let live = observed.pods.iter().filter_map(|pod| sequence_of(&pod.metadata));
    let kept: BTreeSet<i64> = live
        .chain(newest)
        .chain(completed.map(|record| record.spec.sequence))
        .chain(situation.written)
        .collect();
    observed
        .records
        .iter()
        .filter(|record| !kept.contains(&record.spec.sequence))
        .map(|record| Write::Delete {
            key: key_of(record),
            uid: record.metadata.uid.clone().unwrap_or_default(),
        })
        .collect()
}

/// Tasks of one record.
pub(super) fn tasks_of(observed: &Observed, sequence: i64) -> tasks::Counts {
    tasks::count(observed.pods.iter().filter(|pod| sequence_of(&pod.metadata) == Some(sequence)))
}
