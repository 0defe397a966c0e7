//! What do a service's pods say of its tasks? Counts, and why a task does not start.

use std::sync::Arc;

use k8s_openapi::api::core::v1 as corev1;

use crate::api::Reason;

/// Tasks by where they are in their life. A task that is stopping is in neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Tasks whose containers run.
    pub(super) running: i32,
    /// Tasks on their way to that.
    pub(super) pending: i32,
}

/// Counts tasks.
pub(super) fn count<'a>(pods: impl Iterator<Item = &'a Arc<corev1::Pod>>) -> Counts {
    let mut counts = Counts::default();
    for pod in pods.filter(|pod| pod.metadata.deletion_timestamp.is_none()) {
        match phase(pod) {
            "Running" => counts.running += 1,
            "Succeeded" | "Failed" => {}
            _ => counts.pending += 1,
        }
    }
    counts
}

fn phase(pod: &corev1::Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("Pending")
}

/// Why the first task that does not start does not.
pub(super) fn trouble<'a>(
    pods: impl Iterator<Item = &'a Arc<corev1::Pod>>,
) -> Option<(Reason, String)> {
    pods.filter(|pod| pod.metadata.deletion_timestamp.is_none())
        .find_map(|pod| has_no_node(pod).or_else(|| failing(pod)))
}

/// Whether no task runs or can come to run as things are: each is unplaced, or fails before its
/// containers start. So it is without any task.
pub(super) fn all_stuck<'a>(mut pods: impl Iterator<Item = &'a Arc<corev1::Pod>>) -> bool {
    pods.all(|pod| {
        // A container that crashes has run, and may run again.
        let fails = failing(pod).is_some_and(|(_, why)| !why.starts_with(EXITED));
        pod.metadata.deletion_timestamp.is_some() || has_no_node(pod).is_some() || fails
    })
}

/// How many tasks wait for a node that would do.
pub(super) fn unplaced<'a>(pods: impl Iterator<Item = &'a Arc<corev1::Pod>>) -> i32 {
    let waits = |pod: &&Arc<corev1::Pod>| {
        pod.metadata.deletion_timestamp.is_none() && has_no_node(pod).is_some()
    };
    i32::try_from(pods.filter(waits).count()).unwrap_or(i32::MAX)
}

/// How many tasks wait for a node that would do, or fail over and over.
pub(super) fn hopeless<'a>(pods: impl Iterator<Item = &'a Arc<corev1::Pod>>) -> i32 {
    let fails = |pod: &&Arc<corev1::Pod>| {
        pod.metadata.deletion_timestamp.is_none()
            && (has_no_node(pod).is_some() || failing(pod).is_some())
    };
    i32::try_from(pods.filter(fails).count()).unwrap_or(i32::MAX)
}

fn has_no_node(pod: &corev1::Pod) -> Option<(Reason, String)> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let condition = conditions.iter().find(|condition| {
        condition.type_ == "PodScheduled"
            && condition.status == "False"
            && condition.reason.as_deref() == Some("Unschedulable")
    })?;
    let message = condition.message.clone().unwrap_or_default();
    Some((Reason::UnableToPlaceTask, message))
}

const EXITED: &str = "EssentialContainerExited";

/// ECS's names for the waiting reasons of a kubelet that do not pass by themselves.
fn failing(pod: &corev1::Pod) -> Option<(Reason, String)> {
    let status = pod.status.as_ref()?;
    let containers = status.init_container_statuses.iter().chain(&status.container_statuses);
    containers.flatten().find_map(|container| {
        let waiting = container.state.as_ref()?.waiting.as_ref()?;
        let error = match waiting.reason.as_deref()? {
            "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" => {
                "CannotPullContainerError"
            }
            "CreateContainerConfigError" => "ResourceInitializationError",
            "CreateContainerError" => "CannotCreateContainerError",
            "RunContainerError" => "CannotStartContainerError",
            "CrashLoopBackOff" => EXITED,
            _ => return None,
        };
        let detail = waiting.message.as_deref().or(waiting.reason.as_deref()).unwrap_or_default();
        let message = format!("{error}: container {}: {detail}", container.name);
        Some((Reason::TasksFailToStart, message))
    })
}
