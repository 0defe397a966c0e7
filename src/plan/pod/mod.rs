//! Which pod is a task of a task definition? From resolved values to a pod template.
//!
//! Cannot fail: everything that could be wrong was refused before. The same resolved task
//! definition and the same features always give the same bytes.

mod annotations;
mod container;
mod named;
mod network;
mod resources;
mod security;
mod volumes;

pub(in crate::plan) use annotations::port_key;
pub use annotations::tag;
pub use named::lay;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::task_definition::{Namespace, NetworkMode, Role, STOP_TIMEOUT, TaskDefinition};
use crate::api::Features;
use crate::defect::{self, Defect};

/// The pod template of a service's tasks. `balanced` has the container ports that load balancers send
/// traffic to.
pub fn template(
    task: &TaskDefinition,
    features: Features,
    balanced: &[(String, i32)],
    labels: BTreeMap<String, String>,
) -> corev1::PodTemplateSpec {
    let sizes = resources::distribute(task, features);
    let mut init_containers = Vec::new();
    let mut containers = Vec::new();
    for at in &task.start_order {
        let Some(container) = task.containers.get(*at) else { continue };
        let size = sizes.containers.get(*at).cloned().flatten();
        let built = container::build(task, container, size, features, balanced);
        match container.role {
            Role::Main => containers.push(built),
            Role::Sidecar { .. } | Role::Ends { .. } => init_containers.push(built),
        }
    }
    corev1::PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(labels),
            annotations: annotations::annotations(task),
            ..ObjectMeta::default()
        }),
        spec: Some(corev1::PodSpec {
            init_containers: (!init_containers.is_empty()).then_some(init_containers),
            containers,
            resources: sizes.pod,
            volumes: volumes::volumes(task),
            node_selector: node_selector(task),
            host_network: (task.network_mode == NetworkMode::Host).then_some(true),
            share_process_namespace: (task.processes == Namespace::Task).then_some(true),
            host_pid: (task.processes == Namespace::Host).then_some(true),
            host_ipc: (task.ipc == Namespace::Host).then_some(true),
            security_context: security::pod(task),
            dns_policy: network::dns_policy(task),
            dns_config: network::dns_config(task),
            host_aliases: network::host_aliases(task),
            termination_grace_period_seconds: Some(task.grace_period)
                .filter(|seconds| *seconds != STOP_TIMEOUT),
            // A task of ECS has neither Kubernetes' identity nor its variables.
            automount_service_account_token: Some(false),
            enable_service_links: Some(false),
            hostname: hostname(task),
            ..corev1::PodSpec::default()
        }),
    }
}

fn hostname(task: &TaskDefinition) -> Option<String> {
    let otherwise = defect::is(Defect::RendersOtherwise).then(|| "otherwise".to_owned());
    otherwise.or_else(|| task.names.hostname.clone())
}

fn node_selector(task: &TaskDefinition) -> Option<BTreeMap<String, String>> {
    let wanted: BTreeMap<String, String> = [
        ("kubernetes.io/os", task.operating_system),
        ("kubernetes.io/arch", task.architecture),
        ("node.kubernetes.io/windows-build", task.windows_build),
    ]
    .into_iter()
    .filter_map(|(label, value)| Some((label.to_owned(), value?.to_owned())))
    .collect();
    (!wanted.is_empty()).then_some(wanted)
}

#[cfg(test)]
mod tests;
