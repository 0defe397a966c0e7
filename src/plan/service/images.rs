//! Which images does a deployment run? What the tags of its containers meant when its first task ran.
//!
//! As DescribeServiceRevisions has it. ECS then starts every task of the deployment from these digests;
//! here they are what is known of it and nothing more: a template that named them would be another
//! template, whose tasks would all be started anew.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as corev1;
use serde_json::Value;

use super::observed::{Observed, sequence_of};
use crate::api::{ContainerImage, ServiceDeployment};
use crate::ecs::reference::image_digest;
use crate::names::annotation;

/// The images of the first task of a record that runs; nothing while none does, or where its kubelet
/// does not tell (a simulated one).
pub(super) fn of(observed: &Observed, record: &ServiceDeployment) -> Vec<ContainerImage> {
    let of_record = observed.pods.iter().filter(|pod| {
        sequence_of(&pod.metadata) == Some(record.spec.sequence)
            && pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running")
    });
    let age = |pod: &corev1::Pod| {
        let created = pod.metadata.creation_timestamp.as_ref().map(|time| time.0);
        (created, pod.metadata.name.clone())
    };
    let mut each = of_record.filter_map(|pod| Some((age(pod), digests(pod)?))).collect::<Vec<_>>();
    each.sort_by(|(one, _), (other, _)| one.cmp(other));
    let Some((_, digests)) = each.into_iter().next() else { return Vec::new() };
    containers(&record.spec.template, &digests)
}

/// What every container of a pod runs, by the containers' Kubernetes names; none while that is not
/// known of all.
fn digests(pod: &corev1::Pod) -> Option<BTreeMap<String, String>> {
    let status = pod.status.as_ref()?;
    let containers = status.init_container_statuses.iter().chain(&status.container_statuses);
    let digests: Option<BTreeMap<String, String>> = containers
        .flatten()
        .map(|container| {
            Some((container.name.clone(), image_digest(&container.image_id)?.to_owned()))
        })
        .collect();
    digests.filter(|digests| !digests.is_empty())
}

/// The containers of a template by their ECS names, in order, with what they run.
fn containers(template: &Value, digests: &BTreeMap<String, String>) -> Vec<ContainerImage> {
    let annotations = template.pointer("/metadata/annotations");
    let renamed = annotations.and_then(|all| all.get(annotation::CONTAINER_NAMES)?.as_str());
    let renamed: BTreeMap<String, String> =
        renamed.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let list = |path: &str| template.pointer(path).and_then(Value::as_array).into_iter().flatten();
    list("/spec/initContainers")
        .chain(list("/spec/containers"))
        .filter_map(|container| {
            let name = container.get("name")?.as_str()?;
            Some(ContainerImage {
                container_name: renamed.get(name).map_or(name, String::as_str).to_owned(),
                image: container.get("image")?.as_str()?.to_owned(),
                image_digest: digests.get(name)?.clone(),
            })
        })
        .collect()
}
