//! Which Deployments are a service's workload? A record's template, under the counts of a step: one for
//! each capacity provider.

use k8s_openapi::api::apps::v1 as appsv1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::Value;

use super::observed::{Observed, Standing, Workload};
use super::record::{annotation_of, labels_of_workload, owner, selector_of_workload, template_of};
use super::rollout::{Seen, Step};
use super::template::{rendered_anew, template_for};
use crate::api::ServiceDeployment;
use crate::defect::{self, Defect};
use crate::names::{self, annotation};
use crate::plan::Write;
use crate::world::Object;

/// Kubernetes' word for "no deadline": ECS goes on trying until somebody stops it.
const NO_DEADLINE: i32 = i32::MAX;

/// The Deployment that the step asks for, for a provider by its label. Its template is a record's, as
/// stored; where that record is gone, the one that the Deployment has.
pub(super) fn build(
    observed: &Observed,
    newest: &ServiceDeployment,
    provider: &str,
    step: &Step,
) -> Object {
    let found = observed.workloads.get(provider).and_then(Workload::deployment);
    let record = observed.record(step.sequence, provider);
    let (template, min_ready_seconds) = match record {
        Some(record) if defect::is(Defect::RendersAnew) => {
            let anew = rendered_anew(observed, record);
            let anew = anew.map(|all| template_for(&all.template, &all.placements, provider));
            (anew.unwrap_or_default(), record.spec.min_ready_seconds)
        }
        Some(record) => {
            let template = template_for(&record.spec.template, &record.spec.placements, provider);
            (template, record.spec.min_ready_seconds)
        }
        None => {
            let spec = found.and_then(|found| found.spec.as_ref());
            let template = spec.map(|spec| template_of(&spec.template));
            (template.unwrap_or_default(), newest.spec.min_ready_seconds)
        }
    };
    // A workload whose record is gone keeps what it remembers of it.
    let remembered = || {
        let annotations = found?.metadata.annotations.as_ref()?;
        annotations.get(annotation::RECORD).cloned()
    };
    let kept = record
        .map(|record| annotation_of(record))
        .or_else(remembered)
        .unwrap_or_else(|| annotation_of(newest));
    let deployment = appsv1::Deployment {
        metadata: ObjectMeta {
            name: Some(names::workload(&observed.name, &observed.uid, provider, names::FIRST_SLOT)),
            namespace: Some(observed.key.namespace.clone()),
            labels: Some(labels_of_workload(observed, provider)),
            annotations: Some([(annotation::RECORD.to_owned(), kept)].into()),
            owner_references: Some(vec![owner(observed)]),
            ..ObjectMeta::default()
        },
        spec: Some(appsv1::DeploymentSpec {
            replicas: Some(step.replicas),
            selector: LabelSelector {
                match_labels: Some(selector_of_workload(observed, provider)),
                ..LabelSelector::default()
            },
            strategy: Some(appsv1::DeploymentStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(appsv1::RollingUpdateDeployment {
                    max_unavailable: Some(IntOrString::Int(step.max_unavailable)),
                    max_surge: Some(IntOrString::Int(step.max_surge)),
                }),
            }),
            min_ready_seconds: Some(min_ready_seconds),
            progress_deadline_seconds: Some(NO_DEADLINE),
            // Going back is a deployment of its own, with a template of its own.
            revision_history_limit: Some(0),
            ..appsv1::DeploymentSpec::default()
        }),
        status: None,
    };
    let mut object = Object::of(&deployment);
    if let Some(spec) = object.body.get_mut("spec").and_then(Value::as_object_mut) {
        // As stored: not through a type, which might not know all of it.
        spec.insert("template".to_owned(), template);
    }
    object
}

/// The deletion of the Deployment of a provider that the newest record does not name, once it has no
/// task any more.
pub(super) fn surplus(workload: &Workload, seen: &Seen) -> Option<Write> {
    let Standing::Ours(found) = &workload.standing else { return None };
    let uid = found.pointer("/metadata/uid").and_then(Value::as_str)?.to_owned();
    seen.is_empty().then(|| Write::Delete { key: workload.key.clone(), uid })
}
