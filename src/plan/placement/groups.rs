//! Which task groups does a pod belong to, and which pods are the tasks of a group?
//!
//! A service's tasks are of the group `service:<name>`. Any other group is named by a hash of it in
//! the label `ecs.linkspan.dev/task-group`, and in plain text in an annotation of the same name.

use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};

use crate::names::{self, annotation, label};

/// The label, and the annotation, that name the group of a task that no service runs.
pub const TASK_GROUP: &str = "ecs.linkspan.dev/task-group";

/// The groups of a pod: one for a task, none for any other pod.
pub fn of(pod: &corev1::Pod) -> Option<String> {
    let annotated = |name: &str| pod.metadata.annotations.as_ref()?.get(name);
    let labelled = |name: &str| pod.metadata.labels.as_ref()?.get(name);
    if let Some(group) = annotated(TASK_GROUP) {
        return Some(group.clone());
    }
    let service = annotated(annotation::SERVICE_NAME).or_else(|| labelled(label::SERVICE))?;
    Some(format!("service:{service}"))
}

/// The label of a group's pods: its key and value.
pub fn label_of(group: &str) -> (&'static str, String) {
    match group.strip_prefix("service:") {
        Some(service) => (label::SERVICE, names::label_value(service)),
        None => (TASK_GROUP, names::hash8(&[group])),
    }
}

/// The pods of any of these groups; none where a selector cannot say it, because some are services
/// and others are not.
pub(super) fn selector(groups: &[&str]) -> Option<LabelSelector> {
    let labels: Vec<_> = groups.iter().map(|group| label_of(group)).collect();
    let (key, _) = labels.first()?;
    if labels.iter().any(|(other, _)| other != key) {
        return None;
    }
    let mut values: Vec<String> = labels.iter().map(|(_, value)| value.clone()).collect();
    values.sort_unstable();
    values.dedup();
    Some(one("In", key, Some(values)))
}

/// The pods of any group at all: every task carries the name of its cluster.
pub(in crate::plan) fn any() -> LabelSelector {
    one("Exists", label::CLUSTER, None)
}

fn one(operator: &str, key: &str, values: Option<Vec<String>>) -> LabelSelector {
    LabelSelector {
        match_expressions: Some(vec![LabelSelectorRequirement {
            key: key.to_owned(),
            operator: operator.to_owned(),
            values,
        }]),
        ..LabelSelector::default()
    }
}
