//! What do a service's pods say of its tasks? Counts, why a task does not start, and which have failed.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
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

/// The tasks of one deployment that have failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Failed {
    /// How many.
    pub(super) tasks: i32,
    /// When the next of them counts as healthy, if its containers go on until then.
    pub(super) until: Option<Timestamp>,
}

/// Counts the tasks of one deployment that have failed and have not become healthy since, by those
/// that there are. Healthy is one that has been ready for as many seconds as its record asks for.
///
/// A task that crashes over and over is one all the time, whether it waits or runs for the moment. One
/// that Kubernetes has given up (evicted, or not admitted by its node) is one until another becomes
/// healthy that is no older: nobody takes such pods away.
pub(super) fn failed<'a>(
    pods: impl Iterator<Item = &'a Arc<corev1::Pod>>,
    min_ready_seconds: i32,
    now: Timestamp,
) -> Failed {
    let asked = SignedDuration::from_secs(min_ready_seconds.max(0).into());
    let (mut failed, mut last_healthy) = (Failed::default(), None);
    let mut given_up: Vec<Option<Timestamp>> = Vec::new();
    for pod in pods.filter(|pod| pod.metadata.deletion_timestamp.is_none()) {
        let created = pod.metadata.creation_timestamp.as_ref().map(|time| time.0);
        if phase(pod) == "Failed" {
            given_up.push(created);
            continue;
        }
        let healthy_from = readiness(pod)
            .filter(|(ready, _)| *ready)
            .map(|(_, since)| since.checked_add(asked).unwrap_or(Timestamp::MAX));
        if healthy_from.is_some_and(|from| from <= now) {
            last_healthy = last_healthy.max(created);
        } else if has_failed(pod) {
            failed.tasks = failed.tasks.saturating_add(1);
            failed.until = [failed.until, healthy_from].into_iter().flatten().min();
        }
    }
    let given_up = given_up.iter().filter(|created| **created > last_healthy).count();
    failed.tasks = failed.tasks.saturating_add(i32::try_from(given_up).unwrap_or(i32::MAX));
    failed
}

/// Whether a pod is ready, and since when.
fn readiness(pod: &corev1::Pod) -> Option<(bool, Timestamp)> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let ready = conditions.iter().find(|condition| condition.type_ == "Ready")?;
    let since = ready.last_transition_time.as_ref().map(|time| time.0);
    Some((ready.status == "True", since.unwrap_or(Timestamp::UNIX_EPOCH)))
}

/// Whether a container of a pod cannot start, or has ended since the pod was last ready. One that was
/// started again long ago and fails its readiness probe now has not.
fn has_failed(pod: &corev1::Pod) -> bool {
    let unready_since = readiness(pod).filter(|(ready, _)| !*ready).map(|(_, since)| since);
    let goes_on = |container: &corev1::ContainerStatus| {
        let Some(state) = &container.state else { return false };
        if let Some(ended) = &state.terminated {
            return ended.exit_code == 0;
        }
        let started = state.running.as_ref().and_then(|running| running.started_at.as_ref());
        started.is_some_and(|started| unready_since.is_some_and(|since| started.0 < since))
    };
    let mut containers = pod.status.iter().flat_map(|status| {
        status.init_container_statuses.iter().chain(&status.container_statuses).flatten()
    });
    containers.any(|container| {
        error_of(container).is_some() || (container.restart_count > 0 && !goes_on(container))
    })
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

/// Why the first container of a task that does not run does not.
fn failing(pod: &corev1::Pod) -> Option<(Reason, String)> {
    let status = pod.status.as_ref()?;
    let containers = status.init_container_statuses.iter().chain(&status.container_statuses);
    containers.flatten().find_map(|container| {
        let (error, waiting) = error_of(container)?;
        let detail = waiting.message.as_deref().or(waiting.reason.as_deref()).unwrap_or_default();
        let message = format!("{error}: container {}: {detail}", container.name);
        Some((Reason::TasksFailToStart, message))
    })
}

/// ECS's name for why a container does not run, where that does not pass by itself.
fn error_of(
    container: &corev1::ContainerStatus,
) -> Option<(&'static str, &corev1::ContainerStateWaiting)> {
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
    Some((error, waiting))
}
