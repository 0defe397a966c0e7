//! Children that were edited or deleted behind the operator's back.

use k8s_openapi::api::apps::v1 as appsv1;
use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::api::policy::v1 as policyv1;
use kube::ResourceExt;
use linkspan::api::{Cause, Service, ServiceDeployment};
use linkspan::names;
use serde_json::{Value, json};

use crate::support::{Place, until};

async fn start(place: &Place) -> Service {
    place.task_definition("shop", "example/shop:1").await;
    place.service("web", json!({"taskDefinition": "shop", "desiredCount": 2})).await;
    place.steady("web", 2, "shop:1").await
}

/// The value at a place of an object.
fn at(object: &impl serde::Serialize, pointer: &str) -> Value {
    json!(object).pointer(pointer).cloned().unwrap_or_default()
}

#[tokio::test]
async fn edited_fields_come_back_and_others_stay() {
    let place = Place::new("edited").await;
    let service = start(&place).await;
    let deployment = place.deployment(&service).await.name_any();
    let edits = [
        (json!({"spec": {"replicas": 7}}), "/spec/replicas", json!(2)),
        (json!({"spec": {"minReadySeconds": 9}}), "/spec/minReadySeconds", Value::Null),
        (
            json!({"spec": {"template": {"metadata": {"labels": {names::label::REVISION: "9"}}}}}),
            "/spec/template/metadata/labels/ecs.linkspan.dev~1revision",
            json!("1"),
        ),
        (
            json!({"metadata": {"labels": {names::label::SERVICE: null, names::label::SERVICE_UID: null}}}),
            "/metadata/labels/ecs.linkspan.dev~1service",
            json!("web"),
        ),
        (
            json!({"metadata": {"ownerReferences": null}}),
            "/metadata/ownerReferences/0/name",
            json!("web"),
        ),
        (
            json!({"metadata": {"annotations": {names::annotation::INTENT: "x"}}}),
            "/metadata/ownerReferences/0/name",
            json!("web"),
        ),
    ];
    for (edit, pointer, value) in edits {
        place.meddle::<appsv1::Deployment>(&deployment, edit.clone()).await;
        until(&format!("{edit} is undone"), || async {
            let now = place.api::<appsv1::Deployment>().get(&deployment).await.unwrap();
            let found = at(&now, pointer);
            let settled = at(&now, "/metadata/annotations/ecs.linkspan.dev~1intent") != json!("x");
            // A zero is kept as no value at all.
            let met = found == value || (value.is_null() && found == json!(0));
            if met && settled { Ok(()) } else { Err(found.to_string()) }
        })
        .await;
    }
    let note =
        json!({"metadata": {"annotations": {"example.com/note": "mine"}, "labels": {"team": "a"}}});
    place.meddle::<appsv1::Deployment>(&deployment, note).await;
    place.meddle::<appsv1::Deployment>(&deployment, json!({"spec": {"replicas": 5}})).await;
    until("the count is back, the note still there", || async {
        let now = place.api::<appsv1::Deployment>().get(&deployment).await.unwrap();
        assert_eq!(now.annotations().get("example.com/note").map(String::as_str), Some("mine"));
        assert_eq!(now.labels().get("team").map(String::as_str), Some("a"));
        if at(&now, "/spec/replicas") == json!(2) { Ok(()) } else { Err("no".into()) }
    })
    .await;

    place.meddle::<corev1::Service>("web", json!({"spec": {"selector": {"app": "else"}}})).await;
    place
        .meddle::<corev1::Service>(
            "web",
            json!({"spec": {"ports": [{"name": "web", "port": 8080, "targetPort": 99, "protocol": "TCP"}]}}),
        )
        .await;
    until("the port is back", || async {
        let now = place.api::<corev1::Service>().get("web").await.unwrap();
        let target = at(&now, "/spec/ports/0/targetPort");
        if target == json!(8080) { Ok(()) } else { Err(target.to_string()) }
    })
    .await;
    let budget = place.children::<policyv1::PodDisruptionBudget>(&service).await[0].name_any();
    place
        .meddle::<policyv1::PodDisruptionBudget>(&budget, json!({"spec": {"minAvailable": 2}}))
        .await;
    until("the budget is back", || async {
        let now = place.api::<policyv1::PodDisruptionBudget>().get(&budget).await.unwrap();
        let least = at(&now, "/spec/minAvailable");
        if least == json!(1) { Ok(()) } else { Err(least.to_string()) }
    })
    .await;
}

#[tokio::test]
async fn deleted_children_come_back() {
    let place = Place::new("deleted").await;
    let service = start(&place).await;
    let deployment = place.deployment(&service).await;
    let budget = place.children::<policyv1::PodDisruptionBudget>(&service).await[0].clone();
    place.delete::<corev1::Service>("web").await;
    place.delete::<policyv1::PodDisruptionBudget>(&budget.name_any()).await;
    place.delete::<appsv1::Deployment>(&deployment.name_any()).await;
    until("all three are new", || async {
        let endpoints = place.api::<corev1::Service>().get_opt("web").await.unwrap();
        let deployments = place.children::<appsv1::Deployment>(&service).await;
        let budgets = place.children::<policyv1::PodDisruptionBudget>(&service).await;
        let renewed = |uid: Option<String>, old: Option<String>| uid.is_some() && uid != old;
        let done = endpoints.is_some()
            && renewed(deployments.first().and_then(ResourceExt::uid), deployment.uid())
            && renewed(budgets.first().and_then(ResourceExt::uid), budget.uid());
        if done { Ok(()) } else { Err(place.everything(&service).await.join(", ")) }
    })
    .await;
    let service = place.steady("web", 2, "shop:1").await;
    assert_eq!(place.records(&service).await.len(), 1, "no new deployment");
}

#[tokio::test]
async fn a_deleted_record_is_rebuilt_and_nothing_rolls() {
    let place = Place::new("record").await;
    let service = start(&place).await;
    let before = place.records(&service).await.remove(0);
    place.delete::<ServiceDeployment>(&before.name_any()).await;
    let rebuilt = until("the record is rebuilt", || async {
        match place.records(&service).await.pop() {
            Some(record) if record.uid() != before.uid() => Ok(record),
            _ => Err("not yet".into()),
        }
    })
    .await;
    assert_eq!(rebuilt.spec.sequence, before.spec.sequence);
    assert_eq!(rebuilt.spec.cause, Cause::Restored);
    assert_eq!(rebuilt.spec.requested, before.spec.requested);
    until("it is judged again", || async {
        let record = place.records(&service).await.pop().unwrap();
        if record.status.is_some() { Ok(()) } else { Err("no status".into()) }
    })
    .await;
    assert_eq!(place.children::<appsv1::ReplicaSet>(&service).await.len(), 1, "nothing rolled");
}
