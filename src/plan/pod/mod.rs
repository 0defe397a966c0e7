//! Which pod is a task of a task definition? From resolved values to a pod template.
//!
//! Cannot fail: everything that could be wrong was refused before. The same resolved task
//! definition and the same features always give the same bytes.

mod container;
mod named;
mod resources;

pub use named::lay;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::task_definition::TaskDefinition;
use crate::api::Features;
use crate::defect::{self, Defect};
use crate::names::annotation;

/// The pod template of a service's tasks. `balanced` has the container ports that load balancers send
/// traffic to.
pub fn template(
    task: &TaskDefinition,
    features: Features,
    balanced: &[(String, i32)],
    labels: BTreeMap<String, String>,
) -> corev1::PodTemplateSpec {
    let sizes = resources::distribute(task, features);
    let containers = task
        .containers
        .iter()
        .zip(sizes.containers)
        .map(|(container, size)| container::build(task, container, size, features, balanced))
        .collect();
    corev1::PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(labels),
            annotations: container_names(task),
            ..ObjectMeta::default()
        }),
        spec: Some(corev1::PodSpec {
            containers,
            resources: sizes.pod,
            node_selector: node_selector(task),
            // A task of ECS has neither Kubernetes' identity nor its variables.
            automount_service_account_token: Some(false),
            enable_service_links: Some(false),
            hostname: defect::is(Defect::RendersOtherwise).then(|| "otherwise".to_owned()),
            ..corev1::PodSpec::default()
        }),
    }
}

fn node_selector(task: &TaskDefinition) -> Option<BTreeMap<String, String>> {
    let wanted: BTreeMap<String, String> =
        [("kubernetes.io/os", task.operating_system), ("kubernetes.io/arch", task.architecture)]
            .into_iter()
            .filter_map(|(label, value)| Some((label.to_owned(), value?.to_owned())))
            .collect();
    (!wanted.is_empty()).then_some(wanted)
}

/// ECS's container names where Kubernetes has to write them differently.
fn container_names(task: &TaskDefinition) -> Option<BTreeMap<String, String>> {
    let renamed: BTreeMap<&str, &str> = task
        .containers
        .iter()
        .filter(|container| container.name != container.dns_name)
        .map(|container| (container.dns_name.as_str(), container.name.as_str()))
        .collect();
    if renamed.is_empty() {
        return None;
    }
    let json = serde_json::to_string(&renamed).unwrap_or_default();
    Some(BTreeMap::from([(annotation::CONTAINER_NAMES.to_owned(), json)]))
}

#[cfg(test)]
mod tests;
