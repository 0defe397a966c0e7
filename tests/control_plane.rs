//! Does the control plane on demand keep its promises?
//!
//! Runs a real one. The first run on a machine builds its programs, which takes minutes and is
//! shown on stderr.
#![cfg(feature = "sandbox")]

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1 as appsv1;
use k8s_openapi::api::core::v1 as corev1;
use kube::Client;
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use linkspan::sandbox::control_plane::nodes::NodeGroup;
use linkspan::sandbox::control_plane::{ControlPlane, Lines, Options};
use serde_json::json;

fn options() -> Options {
    #[allow(
        clippy::disallowed_methods,
        reason = "a test has no command line to be told by"
    )]
    let version = std::env::var("LINKSPAN_KUBERNETES").unwrap_or_default();
    Options {
        version: version.parse().unwrap_or_default(),
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

/// Waits for at most 20 s; how long it took.
async fn eventually<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) -> Duration {
    let started = Instant::now();
    while !is_so().await {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "not within 20 s: {what}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    eprintln!("{what}: after {} ms", started.elapsed().as_millis());
    started.elapsed()
}

fn deployment(name: &str, replicas: i32) -> appsv1::Deployment {
    serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "web", "image": "web:1"}]},
            },
        },
    }))
    .unwrap()
}

#[tokio::test]
async fn a_deployment_becomes_available_and_scales_to_nothing() {
    let (client, namespace) = sandbox("deployment").await;
    let deployments = Api::<appsv1::Deployment>::namespaced(client.clone(), &namespace);
    deployments
        .create(&PostParams::default(), &deployment("web", 3))
        .await
        .unwrap();
    eventually("three replicas are available", async || {
        let status = deployments
            .get("web")
            .await
            .unwrap()
            .status
            .unwrap_or_default();
        status.available_replicas == Some(3)
    })
    .await;

    let pods = Api::<corev1::Pod>::namespaced(client, &namespace);
    let zones: BTreeMap<_, _> = pods
        .list(&ListParams::default())
        .await
        .unwrap()
        .into_iter()
        .map(|pod| (pod.spec.unwrap().node_name.unwrap(), ()))
        .collect();
    assert_eq!(
        zones.len(),
        3,
        "the scheduler spreads three pods over three nodes"
    );

    let none = json!({"spec": {"replicas": 0}});
    deployments
        .patch("web", &PatchParams::default(), &Patch::Merge(none))
        .await
        .unwrap();
    eventually("no pod is left", async || {
        pods.list(&ListParams::default())
            .await
            .unwrap()
            .items
            .is_empty()
    })
    .await;
}
