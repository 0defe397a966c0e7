//! Which resolver and which table of hosts does a pod have?

use k8s_openapi::api::core::v1 as corev1;

use crate::plan::task_definition::{NetworkMode, TaskDefinition};

/// How names are resolved: ECS's servers take the place of all others; without any, the cluster's
/// are asked, on the node's network too.
pub(super) fn dns_policy(task: &TaskDefinition) -> Option<String> {
    let policy = if !task.names.servers.is_empty() {
        "None"
    } else if task.network_mode == NetworkMode::Host {
        "ClusterFirstWithHostNet"
    } else {
        return None;
    };
    Some(policy.to_owned())
}

/// Its servers and search domains.
pub(super) fn dns_config(task: &TaskDefinition) -> Option<corev1::PodDNSConfig> {
    let some = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
    let (nameservers, searches) = (some(&task.names.servers), some(&task.names.searches));
    (nameservers.is_some() || searches.is_some()).then_some(corev1::PodDNSConfig {
        nameservers,
        searches,
        options: None,
    })
}

/// Its lines of /etc/hosts.
pub(super) fn host_aliases(task: &TaskDefinition) -> Option<Vec<corev1::HostAlias>> {
    let lines: Vec<corev1::HostAlias> = task
        .names
        .hosts
        .iter()
        .map(|(ip, names)| corev1::HostAlias { ip: ip.clone(), hostnames: Some(names.clone()) })
        .collect();
    (!lines.is_empty()).then_some(lines)
}
