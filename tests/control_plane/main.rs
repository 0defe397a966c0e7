//! Does the control plane on demand keep its promises?
//!
//! Runs a real one. The first run on a machine builds its programs, which takes minutes and is
//! shown on stderr.
#![cfg(feature = "sandbox")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed, in its helpers as well"
)]

mod life;
mod nodes;
mod pods;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1 as corev1;
use kube::Client;
use linkspan::sandbox::control_plane::nodes::NodeGroup;
use linkspan::sandbox::control_plane::{ControlPlane, Lines, Options, Version};
use serde_json::json;

fn options() -> Options {
    #[allow(clippy::disallowed_methods, reason = "a test has no command line to be told by")]
    let version = std::env::var("LINKSPAN_KUBERNETES").ok();
    Options {
        version: version.map_or_else(Version::default, |version| version.parse().unwrap()),
        progress: Arc::new(Lines::new(std::io::stderr())),
        ..Options::default()
    }
}

/// The shared control plane, a client of this test's runtime, and a namespace of its own.
async fn sandbox(test: &str) -> (Client, String) {
    let plane = ControlPlane::shared(options()).await.unwrap();
    let client = Client::try_from(plane.config()).unwrap();
    NodeGroup::default().create(&client).await.unwrap();
    let namespace = plane.namespace(&client, test).await.unwrap();
    (client, namespace)
}

/// Waits for at most a minute.
async fn eventually<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    let started = Instant::now();
    while !is_so().await {
        assert!(started.elapsed() < Duration::from_secs(60), "not within 60 s: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A pod with one container of this image, and with annotations under `sandbox.linkspan.dev`.
fn pod(name: &str, image: &str, notes: &[(&str, &str)]) -> corev1::Pod {
    serde_json::from_value(json!({
        "metadata": {"name": name, "annotations": annotations(notes)},
        "spec": {"containers": [{"name": "app", "image": image}]},
    }))
    .unwrap()
}

fn annotations(notes: &[(&str, &str)]) -> BTreeMap<String, String> {
    let annotation = |(name, value): &(&str, &str)| {
        (format!("sandbox.linkspan.dev/{name}"), (*value).to_owned())
    };
    notes.iter().map(annotation).collect()
}

fn is_ready(pod: &corev1::Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|conditions| {
        conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
    })
}

fn phase(pod: &corev1::Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

/// The status of the first container.
fn container(pod: &corev1::Pod) -> corev1::ContainerStatus {
    let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.clone());
    statuses.unwrap_or_default().into_iter().next().unwrap_or_default()
}

fn waits_for(pod: &corev1::Pod) -> String {
    let state = container(pod).state.unwrap_or_default();
    state.waiting.and_then(|waiting| waiting.reason).unwrap_or_default()
}
