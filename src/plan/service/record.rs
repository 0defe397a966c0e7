//! When does a deployment start, and what became of it?
//!
//! A record is made when the inputs that start a deployment in ECS differ from those of the newest
//! record. Both sides are computed by this version from the raw JSON that was asked for, never from
//! a stored hash, so that a new version of the operator starts none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use serde_json::{Value, json};

use super::assess::Situation;
use super::course::Course;
use super::observed::{NO_PROVIDER, Named, Observed, annotated_record, sequence_of};
use super::resolve::{Settings, demands, min_ready_seconds};
use super::template::{Inputs, template_labels};
use super::{Obstacle, held, images, moves, spread};
use crate::api::{
    Cause, Reason, RolloutState, ServiceDeployment, ServiceDeploymentSpec, ServiceReference,
};
use crate::defect::{self, Defect};
use crate::ecs::members::Input;
use crate::names::{self, annotation, label};
use crate::plan::capacity_provider::Chosen;
use crate::plan::conditions::time;
use crate::plan::finding::{Findings, in_one_line};
use crate::plan::judge::is_empty;
use crate::plan::mapping::{self, Launch};
use crate::plan::task_definition::{flag, resolve, without_nulls};
use crate::plan::{Moment, Write};
use crate::world::{Kind, Object, ObjectKey, World, set};

/// What to do about deployments.
pub(super) enum Decision {
    /// The newest record is what the Service asks for, but for these changes, which wait for the
    /// next one.
    Keep(Vec<String>),
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

/// Decides whether a deployment should start. `rows` are those of the Cluster's tables that name what
/// the task definition refers to now, `chosen` is the capacity that the Service gets now.
pub(super) fn decide(
    world: &World,
    observed: &Observed,
    settings: &Settings,
    rows: Option<&Value>,
    chosen: Option<&Chosen>,
) -> Decision {
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
            } else {
                let changes =
                    if active { held::changes(observed, newest, rows, chosen) } else { Vec::new() };
                if changes.is_empty() || is_completed(newest) {
                    return Decision::Keep(changes);
                }
                Cause::HeldInputsChanged
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
    let mapping = names.rows.clone();
    let inputs = Inputs { spec, names, chosen: chosen.cloned() };
    let rendered = inputs.template(observed, (&task, &revision.spec.0), features, labels);
    let mut record = ServiceDeploymentSpec {
        service: ServiceReference { name: observed.key.name.clone(), uid: observed.uid.clone() },
        sequence,
        cause,
        requested: without_nulls(spec),
        nonce,
        task_definition: reference.clone(),
        mapping,
        capacity: chosen.map(|chosen| json!(chosen)),
        features,
        min_ready_seconds: min_ready_seconds(spec, &task),
        template: rendered.template,
        placements: rendered.placements,
        template_from: None,
    };
    if let Some(earlier) = observed.newest().filter(|_| cause == Cause::ServiceUpdated) {
        moves::keep_template(observed, earlier, &task, &mut record);
    }
    // What is held goes in too, and must be still as well; the rest of the spec applies at once.
    let held = (&record.mapping, &record.capacity, &record.template, &record.placements);
    let inputs = json!([starting_inputs(spec), reference, record.nonce, cause, held]);
    let fingerprint = names::sha256_hex(&[&inputs.to_string()]);
    Decision::Start(Box::new(Start { record: object(observed, record), fingerprint }))
}

fn is_completed(record: &ServiceDeployment) -> bool {
    let state = record.status.as_ref().and_then(|status| status.rollout_state);
    state == Some(RolloutState::Completed)
}

/// The inputs whose change starts a deployment, without what says nothing. The task definition is
/// not among them: its resolved revision is compared instead. Of a strategy it is the providers: their
/// weights count for the tasks that are added from now on.
pub(super) fn starting_inputs(spec: &Value) -> BTreeMap<String, Value> {
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
        .map(|(name, value)| match name.as_str() {
            "capacityProviderStrategy" => (name, spread::names(&value)),
            _ => (name, value),
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
    let written = written(observed).into_iter().filter(|sequence| *sequence < MOST_DEPLOYMENTS);
    recorded.max(written.max().unwrap_or_default()).saturating_add(1)
}

/// The records in which the templates of the workloads originated.
pub(super) fn written(observed: &Observed) -> BTreeSet<i64> {
    let templates = observed.templates();
    templates.filter_map(|(_, template)| sequence_of(template.metadata.as_ref()?)).collect()
}

/// No service comes near so many deployments: a label beyond it was not written by Linkspan.
const MOST_DEPLOYMENTS: i64 = 1_000_000_000;

/// The labels of a service's child; those of the selector never change.
pub(super) fn labels(observed: &Observed) -> BTreeMap<String, String> {
    let name = names::label_value(&observed.name);
    let mut labels = BTreeMap::new();
    labels.extend(
        [
            (label::CAPACITY_PROVIDER, NO_PROVIDER.to_owned()),
            (label::SLOT, names::FIRST_SLOT.to_owned()),
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

/// The labels of a service's Deployment for a capacity provider, by its label.
pub(super) fn labels_of_workload(observed: &Observed, provider: &str) -> BTreeMap<String, String> {
    let mut labels = labels(observed);
    labels.insert(label::CAPACITY_PROVIDER.to_owned(), provider.to_owned());
    labels
}

/// The labels by which the tasks of one Deployment are selected, for ever.
pub(super) fn selector_of_workload(
    observed: &Observed,
    provider: &str,
) -> BTreeMap<String, String> {
    let mut selector = selector_of(observed);
    selector.insert(label::CAPACITY_PROVIDER.to_owned(), provider.to_owned());
    selector
}

/// The labels by which all of a service's tasks are selected, whichever provider they are for.
pub(super) fn selector_of(observed: &Observed) -> BTreeMap<String, String> {
    let mut selector: BTreeMap<String, String> =
        [(label::SERVICE_UID, observed.uid.as_str()), (label::SLOT, names::FIRST_SLOT)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
    if defect::is(Defect::SelectorWithDeployment) {
        let newest = observed.newest().map_or(1, |newest| newest.spec.sequence);
        selector.insert(label::DEPLOYMENT.to_owned(), newest.to_string());
    }
    selector
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
    let newest = observed.newest().map_or(0, |record| record.spec.sequence);
    let restored = |(workload, template)| -> Option<ServiceDeploymentSpec> {
        let mut spec = annotated_record(workload)?;
        let mut template = template_of(template);
        set(&mut template, &["metadata", "labels", label::CAPACITY_PROVIDER], NO_PROVIDER);
        set(&mut spec, &["template"], template);
        set(&mut spec, &["cause"], json!(Cause::Restored));
        let spec: ServiceDeploymentSpec = serde_json::from_value(spec).ok()?;
        (spec.service.uid == observed.uid && spec.sequence > newest).then_some(spec)
    };
    // Of several workloads, each remembers the newest record that has tasks there.
    let all = observed.templates().filter_map(restored);
    all.max_by_key(|spec| spec.sequence).map(|spec| object(observed, spec))
}

/// A live workload's pod template, as a record would hold it.
pub(super) fn template_of(template: &corev1::PodTemplateSpec) -> Value {
    let mut template = json!(template);
    if let Some(meta) = template.get_mut("metadata").and_then(Value::as_object_mut) {
        meta.remove("creationTimestamp");
    }
    template
}

/// The write of the newest record's status, where it has changed.
pub(super) fn verdict(
    observed: &Observed,
    newest: &ServiceDeployment,
    situation: &Situation<'_>,
    course: &Course,
    moment: &Moment,
) -> Option<Write> {
    let before = newest.status.clone().unwrap_or_default();
    let mut after = before.clone();
    let spec = &observed.service.spec.0;
    if before.container_images.is_empty() {
        after.container_images = images::of(observed, newest);
    }
    after.desired_counts.clone_from(&course.desired_counts);
    after.draining.clone_from(&observed.drains.cordoned);
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

/// The records whose tasks there are or may be: the newest, every one that has tasks, and those whose
/// templates the workloads have.
pub(super) fn live(observed: &Observed) -> BTreeSet<i64> {
    let newest = observed.newest().map(|record| record.spec.sequence);
    let with_tasks = observed.pods.iter().filter_map(|pod| sequence_of(&pod.metadata));
    with_tasks.chain(newest).chain(written(observed)).collect()
}

/// The records that may go: all but the last completed one, and those whose tasks there are or may be.
pub(super) fn prune(observed: &Observed) -> Vec<Write> {
    let completed = observed.records.iter().rev().find(|record| is_completed(record));
    let mut kept = live(observed);
    kept.extend(completed.map(|record| record.spec.sequence));
    observed
        .records
        .iter()
        .filter(|record| {
            ![record.spec.sequence, record.spec.origin()].iter().any(|one| kept.contains(one))
        })
        .map(|record| Write::Delete {
            key: key_of(record),
            uid: record.metadata.uid.clone().unwrap_or_default(),
        })
        .collect()
}

/// The pods of one record: of several with one template, they are the newest's.
pub(super) fn pods_of<'a>(
    observed: &'a Observed,
    record: &ServiceDeployment,
) -> impl Iterator<Item = &'a Arc<corev1::Pod>> + use<'a> {
    let origin = record.spec.origin();
    let newest = observed.newest_from(origin).map(|newest| newest.spec.sequence);
    let is_holder = newest == Some(record.spec.sequence);
    let has =
        move |pod: &&Arc<corev1::Pod>| is_holder && sequence_of(&pod.metadata) == Some(origin);
    observed.pods.iter().filter(has)
}
