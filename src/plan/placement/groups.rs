//! Which task groups does a pod belong to, and which pods are the tasks of a group?
//!
//! A service's tasks are of the group `service:<name>`, of which their label holds the name, or what
//! stands for one that no label can hold: names are compared as labels have them. Any other group is
//! named by a hash of it in the label `ecs.linkspan.dev/task-group`, and in plain text in an annotation
//! of the same name.

use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};

use crate::names::{self, label};

/// The label, and the annotation, that name the group of a task that no service runs.
pub const TASK_GROUP: &str = "ecs.linkspan.dev/task-group";

/// Stands before the name of a service.
const SERVICE: &str = "service:";

/// The group of a pod, as [`as_labelled`] has it: one for a task, none for any other pod.
pub fn of(pod: &corev1::Pod) -> Option<String> {
    let annotated = |name: &str| pod.metadata.annotations.as_ref()?.get(name);
    let labelled = |name: &str| pod.metadata.labels.as_ref()?.get(name);
    if let Some(group) = annotated(TASK_GROUP) {
        return Some(group.clone());
    }
    let service = labelled(label::SERVICE)?;
    Some(format!("{SERVICE}{service}"))
}

/// A group by what the label of its tasks says of it: a service's name that no label can hold is cut
/// and hashed there.
pub fn as_labelled(group: &str) -> String {
    match group.strip_prefix(SERVICE) {
        Some(service) => format!("{SERVICE}{}", names::label_value(service)),
        None => group.to_owned(),
    }
}

/// The label of a group's pods: its key and value.
pub fn label_of(group: &str) -> (&'static str, String) {
    match group.strip_prefix(SERVICE) {
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
