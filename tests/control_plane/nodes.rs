//! Do the real controllers and the real scheduler use simulated nodes?

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1 as appsv1;
use k8s_openapi::api::core::v1 as corev1;
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use linkspan::sandbox::control_plane::BINPACK_SCHEDULER;
use linkspan::sandbox::control_plane::nodes::{CapacityType, NodeGroup};
use serde_json::json;

use crate::{eventually, is_ready, pod, sandbox};

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
    deployments.create(&PostParams::default(), &deployment("web", 3)).await.unwrap();
    eventually("three replicas are available", async || {
        let status = deployments.get("web").await.unwrap().status.unwrap_or_default();
        status.available_replicas == Some(3)
    })
    .await;

    let pods = Api::<corev1::Pod>::namespaced(client, &namespace);
    assert_eq!(nodes_of(&pods).await.len(), 3, "three pods spread over three nodes");

    let none = json!({"spec": {"replicas": 0}});
    deployments.patch("web", &PatchParams::default(), &Patch::Merge(none)).await.unwrap();
    eventually("no pod is left", async || {
        pods.list(&ListParams::default()).await.unwrap().items.is_empty()
    })
    .await;
}

async fn nodes_of(pods: &Api<corev1::Pod>) -> BTreeSet<String> {
    let pods = pods.list(&ListParams::default()).await.unwrap();
    pods.into_iter().filter_map(|pod| pod.spec.unwrap().node_name).collect()
}

/// Keeps the pods of other tests away from a group of nodes.
fn own_taint() -> Vec<corev1::Taint> {
    serde_json::from_value(json!([{"key": "own-test", "effect": "NoSchedule"}])).unwrap()
}

#[tokio::test]
async fn the_binpack_scheduler_fills_a_node_before_it_begins_another() {
    let (client, namespace) = sandbox("binpack").await;
    let group = NodeGroup {
        name: "binpack".to_owned(),
        capacity_type: CapacityType::Spot,
        labels: [("only-for".to_owned(), "binpack".to_owned())].into(),
        taints: own_taint(),
        ..NodeGroup::default()
    };
    group.create(&client).await.unwrap();
    let pods = Api::<corev1::Pod>::namespaced(client.clone(), &namespace);
    for number in 0..4 {
        let mut pod = pod(&format!("pod-{number}"), "web:1", &[]);
        let spec = pod.spec.as_mut().unwrap();
        spec.scheduler_name = Some(BINPACK_SCHEDULER.to_owned());
        spec.node_selector = Some(group.labels.clone());
        spec.tolerations =
            serde_json::from_value(json!([{"key": "own-test", "operator": "Exists"}])).unwrap();
        let requests = json!({"requests": {"cpu": "500m", "memory": "1Gi"}});
        spec.containers[0].resources = serde_json::from_value(requests).unwrap();
        pods.create(&PostParams::default(), &pod).await.unwrap();
    }
    eventually("every pod is placed", async || {
        let pods = pods.list(&ListParams::default()).await.unwrap();
        pods.iter().all(is_ready)
    })
    .await;
    assert_eq!(nodes_of(&pods).await.len(), 1);
    group.delete(&client).await.unwrap();
}

#[tokio::test]
async fn a_node_can_be_made_to_fail() {
    let (client, _) = sandbox("node").await;
    let group = NodeGroup { name: "failing".to_owned(), count: 1, ..NodeGroup::default() };
    group.create(&client).await.unwrap();
    let nodes = Api::<corev1::Node>::all(client.clone());
    let fails = json!({"metadata": {"annotations": {"sandbox.linkspan.dev/fails": "yes"}}});
    let name = group.node_name(0);
    nodes.patch(&name, &PatchParams::default(), &Patch::Merge(fails)).await.unwrap();
    eventually("the node controller keeps pods away", async || {
        let taints = nodes.get(&name).await.unwrap().spec.unwrap().taints.unwrap_or_default();
        taints.iter().any(|taint| taint.key == "node.kubernetes.io/not-ready")
    })
    .await;
    let recovers = json!({"metadata": {"annotations": {"sandbox.linkspan.dev/fails": null}}});
    nodes.patch(&name, &PatchParams::default(), &Patch::Merge(recovers)).await.unwrap();
    eventually("pods are let in again", async || {
        nodes.get(&name).await.unwrap().spec.unwrap().taints.unwrap_or_default().is_empty()
    })
    .await;
    group.delete(&client).await.unwrap();
}
