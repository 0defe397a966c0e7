//! Starting, scaling and deleting.

use k8s_openapi::api::apps::v1 as appsv1;
use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::api::policy::v1 as policyv1;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::{DeleteParams, ListParams};
use kube::{Api, ResourceExt};
use linkspan::api::{Service, TaskDefinition, TaskDefinitionRevision};
use serde_json::json;

use crate::support::{Place, status_of, until};

#[tokio::test]
async fn a_service_starts_with_one_task_and_scales_to_three_to_none_and_to_two() {
    let place = Place::new("scale").await;
    place.task_definition("shop", "example/shop:1").await;
    place.service("web", json!({"taskDefinition": "shop"})).await;
    let service = place.steady("web", 1, "shop:1").await;

    let deployment = place.deployment(&service).await;
    let spec = deployment.spec.clone().unwrap();
    assert_eq!(spec.template.spec.unwrap().containers[0].image.as_deref(), Some("example/shop:1"));
    let endpoints = place.api::<corev1::Service>().get("web").await.unwrap();
    let ports = endpoints.spec.unwrap().ports.unwrap();
    assert_eq!((ports[0].port, ports[0].name.as_deref()), (8080, Some("web")));
    let budget = &place.children::<policyv1::PodDisruptionBudget>(&service).await[0];
    let least = budget.spec.clone().unwrap().min_available;
    assert_eq!(least, Some(IntOrString::Int(0)), "one task may always be drained");

    place.scale("web", 3).await;
    place.steady("web", 3, "shop:1").await;
    place.scale("web", 0).await;
    place.steady("web", 0, "shop:1").await;
    place.scale("web", 2).await;
    let service = place.steady("web", 2, "shop:1").await;

    let records = place.records(&service).await;
    assert_eq!(records.len(), 1, "a count starts no deployment");
    let status = status_of(&service);
    assert_eq!(status.deployments[0].rollout_state.as_deref(), Some("COMPLETED"));
    let said: Vec<&str> = status.events.iter().map(|event| event.message.as_str()).collect();
    assert!(said.contains(&"(service web) has reached a steady state."), "{said:?}");
    assert!(
        said.iter().any(|message| message.starts_with("(service web) has started 1 tasks: (task "))
    );
    let budget = &place.children::<policyv1::PodDisruptionBudget>(&service).await[0];
    assert_eq!(budget.spec.clone().unwrap().min_available, Some(IntOrString::Int(1)));
}

#[tokio::test]
async fn events_are_told_to_the_cluster_too() {
    let place = Place::new("events").await;
    place.task_definition("shop", "example/shop:1").await;
    place.service("web", json!({"taskDefinition": "shop"})).await;
    place.steady("web", 1, "shop:1").await;
    let events = place.api::<corev1::Event>();
    until("a Kubernetes Event of the steady state", || async {
        let told = events.list(&ListParams::default()).await.unwrap();
        let told: Vec<_> = told.iter().filter_map(|event| event.message.clone()).collect();
        let steady = "(service web) has reached a steady state.";
        if told.iter().any(|message| message == steady) { Ok(()) } else { Err(told.join("; ")) }
    })
    .await;
}

#[tokio::test]
async fn deleting_a_service_and_its_family_leaves_nothing() {
    let place = Place::new("delete").await;
    place.task_definition("shop", "example/shop:1").await;
    place.service("web", json!({"taskDefinition": "shop", "desiredCount": 2})).await;
    let service = place.steady("web", 2, "shop:1").await;
    place.delete::<Service>("web").await;
    place.gone(&service).await;
    let revisions = place.api::<TaskDefinitionRevision>();
    assert_eq!(
        revisions.list(&ListParams::default()).await.unwrap().items.len(),
        1,
        "the counter stays"
    );
    place.delete::<TaskDefinition>("shop").await;
    until("no revision is left", || async {
        let left = revisions.list(&ListParams::default()).await.unwrap().items;
        if left.is_empty() { Ok(()) } else { Err(format!("{} left", left.len())) }
    })
    .await;
}

#[tokio::test]
async fn a_deleted_family_goes_on_running_and_scaling_where_it_is_in_use() {
    let place = Place::new("inactive").await;
    place.task_definition("shop", "example/shop:1").await;
    place.service("web", json!({"taskDefinition": "shop:1"})).await;
    place.steady("web", 1, "shop:1").await;
    place.delete::<TaskDefinition>("shop").await;
    until("the revision is INACTIVE", || async {
        let revision = place.api::<TaskDefinitionRevision>().get("shop-1").await.unwrap();
        let status = revision.status.and_then(|status| status.status);
        if status.as_deref() == Some("INACTIVE") { Ok(()) } else { Err(format!("{status:?}")) }
    })
    .await;
    place.scale("web", 2).await;
    place.steady("web", 2, "shop:1").await;
}

#[tokio::test]
async fn deleting_the_namespace_is_held_up_by_nothing() {
    let place = Place::new("namespace").await;
    place.task_definition("shop", "example/shop:1").await;
    place.service("web", json!({"taskDefinition": "shop"})).await;
    place.steady("web", 1, "shop:1").await;
    let namespaces: Api<corev1::Namespace> = Api::all(place.client.clone());
    namespaces.delete(&place.namespace, &DeleteParams::default()).await.unwrap();
    until("the namespace is gone", || async {
        match namespaces.get_opt(&place.namespace).await.unwrap() {
            None => Ok(()),
            Some(namespace) => Err(json!(namespace.status).to_string()),
        }
    })
    .await;
}

#[tokio::test]
async fn applying_the_same_files_again_changes_nothing() {
    let place = Place::new("again").await;
    place.task_definition("shop", "example/shop:1").await;
    place.service("web", json!({"taskDefinition": "shop"})).await;
    let service = place.steady("web", 1, "shop:1").await;
    let before = place.deployment(&service).await;
    place.task_definition("shop", "example/shop:1").await;
    place.service("web", json!({"taskDefinition": "shop"})).await;
    // Something else that the operator has to work on afterwards tells that it has seen both.
    place.task_definition("other", "example/shop:1").await;
    place.service("later", json!({"taskDefinition": "other"})).await;
    place.steady("later", 1, "other:1").await;
    let after = place.deployment(&service).await;
    assert_eq!(before.resource_version(), after.resource_version());
    let again = place.api::<Service>().get("web").await.unwrap();
    assert_eq!(service.resource_version(), again.resource_version());
    assert_eq!(place.children::<appsv1::ReplicaSet>(&service).await.len(), 1);
}
