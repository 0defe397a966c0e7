//! Objects in the way, and refusals of the API server.

use k8s_openapi::api::core::v1 as corev1;
use kube::ResourceExt;
use kube::api::PostParams;
use serde_json::json;

use crate::support::Place;

#[tokio::test]
async fn a_service_of_somebody_else_is_left_alone_and_named() {
    let place = Place::new("foreign").await;
    let theirs: corev1::Service = serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"ports": [{"port": 1}], "selector": {"app": "theirs"}},
    }))
    .unwrap();
    let services = place.api::<corev1::Service>();
    let theirs = services.create(&PostParams::default(), &theirs).await.unwrap();
    place.task_definition("shop", "example/shop:1").await;
    place.service("web", json!({"taskDefinition": "shop"})).await;
    let message = place.reason("web", "ChildConflict").await;
    assert!(message.contains("web") && message.contains("not made by Linkspan"), "{message}");
    let now = services.get("web").await.unwrap();
    assert_eq!(now.resource_version(), theirs.resource_version());
    place.delete::<corev1::Service>("web").await;
    place.steady("web", 1, "shop:1").await;
    assert_eq!(services.get("web").await.unwrap().spec.unwrap().ports.unwrap()[0].port, 8080);
}

#[tokio::test]
async fn what_the_api_server_refuses_is_said_and_tried_again() {
    let place = Place::new("quota").await;
    let quota: corev1::ResourceQuota = serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"},
        "spec": {"hard": {"count/deployments.apps": "0"}},
    }))
    .unwrap();
    place.api::<corev1::ResourceQuota>().create(&PostParams::default(), &quota).await.unwrap();
    crate::support::until("the quota is in force", || async {
        let quota = place.api::<corev1::ResourceQuota>().get("none").await.unwrap();
        let used = quota.status.and_then(|status| status.used).unwrap_or_default();
        if used.is_empty() { Err("not yet".to_owned()) } else { Ok(()) }
    })
    .await;
    place.task_definition("shop", "example/shop:1").await;
    place.service("web", json!({"taskDefinition": "shop"})).await;
    let message = place.reason("web", "RejectedByCluster").await;
    assert!(message.contains("exceeded quota"), "{message}");
    place.delete::<corev1::ResourceQuota>("none").await;
    place.steady("web", 1, "shop:1").await;
}
