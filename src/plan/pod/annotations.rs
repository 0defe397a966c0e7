//! What is written on a pod for which it has no field?

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as corev1;
use serde_json::json;

use super::container::protocol;
use crate::names::{annotation, label_value};
use crate::plan::task_definition::{Container, Port, TaskDefinition};

/// The prefix by which containerd's plugin `ulimit-adjuster` finds a container's limits.
const LIMITS: &str = "ulimits.nri.containerd.io/container.";
/// The most characters of an annotation's name behind its `/`.
const LONGEST_NAME: usize = 63;

/// A pod's annotations:
/// * what ports speak, for the corev1 Service that leads to them;
/// * ECS's container names where Kubernetes has to write them differently;
/// * the Docker labels of each container, as JSON, under a key that ends in the container's name, so
///   that those of two containers never meet. Values may be any text, as in Docker;
/// * the limits of each container, in the form that containerd's plugin for them reads.
pub(super) fn annotations(task: &TaskDefinition) -> Option<BTreeMap<String, String>> {
    let mut annotations = BTreeMap::new();
    let renamed: BTreeMap<&str, &str> = task
        .containers
        .iter()
        .filter(|container| container.name != container.dns_name)
        .map(|container| (container.dns_name.as_str(), container.name.as_str()))
        .collect();
    if !renamed.is_empty() {
        annotations.insert(annotation::CONTAINER_NAMES.to_owned(), json!(renamed).to_string());
    }
    let protocols: BTreeMap<String, &str> = task
        .containers
        .iter()
        .flat_map(|container| &container.ports)
        .filter_map(|port| {
            Some((port_key(protocol(port), port.container_port), app_protocol(port)?))
        })
        .collect();
    if !protocols.is_empty() {
        annotations.insert(annotation::APP_PROTOCOLS.to_owned(), json!(protocols).to_string());
    }
    for container in &task.containers {
        if !container.labels.is_empty() {
            let name = format!("{}{}", annotation::DOCKER_LABELS, container.dns_name);
            annotations.insert(name, json!(container.labels).to_string());
        }
        let name = format!("{LIMITS}{}", container.dns_name);
        let behind = name.rsplit('/').next().map_or(0, str::len);
        if !container.limits.is_empty() && behind <= LONGEST_NAME {
            annotations.insert(name, limits(container));
        }
    }
    (!annotations.is_empty()).then_some(annotations)
}

/// Puts tags on the pods of a template, each as an annotation of its own.
pub fn tag(tags: &BTreeMap<String, String>, template: &mut corev1::PodTemplateSpec) {
    if tags.is_empty() {
        return;
    }
    let meta = template.metadata.get_or_insert_default();
    let annotations = meta.annotations.get_or_insert_default();
    for (key, value) in tags {
        // A key that cannot be the name of an annotation is cut and hashed.
        annotations.insert(format!("{}{}", annotation::TAGS, label_value(key)), value.clone());
    }
}

/// A port's key among those whose protocols are known, and its name where it has no better one.
pub(in crate::plan) fn port_key(protocol: &str, number: i32) -> String {
    format!("{}-{number}", protocol.to_ascii_lowercase())
}

/// What a port speaks, as Kubernetes calls it: gRPC is HTTP/2 in clear text.
fn app_protocol(port: &Port) -> Option<&'static str> {
    match port.app_protocol.as_deref()? {
        "http" => Some("http"),
        "http2" | "grpc" => Some("kubernetes.io/h2c"),
        _ => None,
    }
}

/// A list in YAML, of which JSON is a part.
fn limits(container: &Container) -> String {
    let bound = |bound: i64| u64::try_from(bound).unwrap_or(u64::MAX);
    let limits: Vec<_> = container
        .limits
        .iter()
        .map(|limit| {
            let kind = format!("RLIMIT_{}", limit.name.to_ascii_uppercase());
            json!({"type": kind, "soft": bound(limit.soft), "hard": bound(limit.hard)})
        })
        .collect();
    json!(limits).to_string()
}
