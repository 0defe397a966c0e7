//! What of a pod's status is kept in memory?
//!
//! What becomes of it and of its containers, and which images they run: the digests, without the names
//! that stand before them. A service of many tasks has as many of these.

use k8s_openapi::api::core::v1 as corev1;

use crate::ecs::reference::image_digest;

/// What decisions look at.
pub(super) fn reduced(status: corev1::PodStatus) -> corev1::PodStatus {
    corev1::PodStatus {
        container_statuses: status.container_statuses.map(containers),
        init_container_statuses: status.init_container_statuses.map(containers),
        conditions: status.conditions,
        message: status.message,
        phase: status.phase,
        reason: status.reason,
        start_time: status.start_time,
        ..corev1::PodStatus::default()
    }
}

fn containers(all: Vec<corev1::ContainerStatus>) -> Vec<corev1::ContainerStatus> {
    let container = |status: corev1::ContainerStatus| corev1::ContainerStatus {
        name: status.name,
        image_id: image_digest(&status.image_id).unwrap_or_default().to_owned(),
        state: status.state,
        last_state: status.last_state,
        ready: status.ready,
        restart_count: status.restart_count,
        started: status.started,
        ..corev1::ContainerStatus::default()
    };
    all.into_iter().map(container).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use serde_json::{Value, json};

    use super::*;

    fn kept(status: Value) -> Value {
        json!(reduced(serde_json::from_value(status).unwrap()))
    }

    #[test]
    fn the_digest_of_an_image_is_kept_and_nothing_else_of_it() {
        let container = |image: &str, id: &str| {
            json!({
                "name": "web", "image": image, "imageID": id, "containerID": "containerd://1b2c",
                "ready": true, "restartCount": 2, "started": true,
                "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
                "lastState": {"terminated": {"exitCode": 1}},
                "volumeMounts": [{"name": "a", "mountPath": "/a"}], "resources": {"limits": {"cpu": "1"}},
            })
        };
        let status = json!({
            "phase": "Running", "reason": "Evicted", "message": "low on memory", "podIP": "10.0.0.1",
            "hostIP": "10.1.0.1", "podIPs": [{"ip": "10.0.0.1"}], "qosClass": "Burstable",
            "startTime": "2026-01-01T00:00:00Z",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [container("ghcr.io/acme/web:1", "ghcr.io/acme/web@sha256:1b2c")],
            "initContainerStatuses": [container("", "")],
        });
        let expected = |id: &str| {
            json!({
                "name": "web", "image": "", "imageID": id, "ready": true, "restartCount": 2,
                "started": true, "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
                "lastState": {"terminated": {"exitCode": 1}},
            })
        };
        assert_eq!(
            kept(status),
            json!({
                "phase": "Running", "reason": "Evicted", "message": "low on memory",
                "startTime": "2026-01-01T00:00:00Z",
                "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [expected("sha256:1b2c")],
                "initContainerStatuses": [expected("")],
            })
        );
    }
}
