//! Objects in the way, and refusals of the API server.

use k8s_openapi::api::core::v1 as corev1;
use kube::ResourceExt;
use kube::api::{DeleteParams, PostParams};
use linkspan::api::{Service, TaskDefinition};
use serde_json::json;

use crate::support::{Place, task_definition, until};

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
    until("the quota is in force", || async {
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

#[tokio::test]
async fn what_an_earlier_service_left_is_not_taken_over() {
    let place = Place::new("left").await;
    // Without ports, and so without a corev1 Service of the plain name.
    let mut portless = task_definition("example/shop:1");
    portless["containerDefinitions"][0]["portMappings"] = json!([]);
    place.apply::<TaskDefinition>("shop", portless).await;
    place.service("web", json!({"taskDefinition": "shop"})).await;
    let first = place.steady("web", 1, "shop:1").await;
    let left = place.deployment(&first).await;
    place.api::<Service>().delete("web", &DeleteParams::orphan()).await.unwrap();
    until("the service is gone and its workload stays", || async {
        let service = place.api::<Service>().get_opt("web").await.unwrap();
        let owners = place.deployment(&first).await.metadata.owner_references;
        if service.is_none() && owners.is_none() { Ok(()) } else { Err(format!("{owners:?}")) }
    })
    .await;
    place.service("web", json!({"taskDefinition": "shop"})).await;
    let second = place.steady("web", 1, "shop:1").await;
    assert_ne!(place.deployment(&second).await.uid(), left.uid());
    let now = place.deployment(&first).await;
    assert_eq!((now.uid(), now.metadata.generation), (left.uid(), left.metadata.generation));
}
