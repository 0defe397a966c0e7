//! Objects that are stored but cannot be read, beside good ones.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use linkspan::api::ServiceDeployment;
use serde_json::{Value, json};

use crate::support::{Operator, Place, own_control_plane, until};

/// The status of a kind as the API server checks it, replaced by one that takes anything.
fn relaxed(crd: &CustomResourceDefinition) -> Value {
    let mut crd = json!(crd);
    let anything = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let schema = crd.pointer_mut("/spec/versions/0/schema/openAPIV3Schema/properties").unwrap();
    schema["status"] = anything.clone();
    schema["spec"] = anything;
    crd
}

async fn install(place: &Place, crd: &Value) {
    let api: Api<CustomResourceDefinition> = Api::all(place.client.clone());
    let name = crd.pointer("/metadata/name").and_then(Value::as_str).unwrap();
    api.patch(name, &PatchParams::apply("linkspan-sandbox").force(), &Patch::Apply(crd))
        .await
        .unwrap();
}

#[tokio::test]
async fn an_object_that_cannot_be_read_harms_no_other() {
    let control_plane = own_control_plane().await;
    let place = Place::of(&control_plane, "malformed").await;
    let operator = Operator::start(&control_plane);
    place.task_definition("shop", "example/shop:1").await;
    for name in ["good", "bad"] {
        place.service(name, json!({"taskDefinition": "shop"})).await;
        place.steady(name, 1, "shop:1").await;
    }
    // A hundred others of another family, of which only a change is expected that is asked for.
    place.task_definition("others", "example/others:1").await;
    let hundred: Vec<String> = (0..100).map(|number| format!("other-{number}")).collect();
    let spec = json!({"taskDefinition": "others"});
    futures::future::join_all(hundred.iter().map(|name| place.service(name, spec.clone()))).await;
    let others = hundred.iter().map(|name| place.steady(name, 1, "others:1"));
    let others = futures::future::join_all(others).await;

    let crds = linkspan::api::crds();
    let of = |kind: &str| crds.iter().find(|crd| crd.spec.names.kind == kind).unwrap();
    let resource = |kind: &str| {
        let named = GroupVersionKind::gvk("ecs.linkspan.dev", "v1alpha1", kind);
        ApiResource::from_gvk_with_plural(&named, &of(kind).spec.names.plural)
    };
    let services: Api<DynamicObject> =
        Api::namespaced_with(place.client.clone(), &place.namespace, &resource("Service"));
    install(&place, &relaxed(of("Service"))).await;
    // The new schema takes a moment to be in force.
    let broken = json!({"status": {"deployments": "none", "events": 7}});
    until("the broken status is stored", || async {
        let as_admin = PatchParams::default();
        let patched = services.patch_status("bad", &as_admin, &Patch::Merge(&broken)).await;
        patched.map(drop).map_err(|error| error.to_string())
    })
    .await;
    install(&place, &json!(of("Service"))).await;

    // The good ones go on; so does the operator after a restart, with the bad one in its first list.
    place.scale("good", 2).await;
    place.steady("good", 2, "shop:1").await;
    place.steady("bad", 1, "shop:1").await;

    // A record that cannot be read stops its service, which says so, and no other.
    install(&place, &relaxed(of("ServiceDeployment"))).await;
    let records: Api<DynamicObject> = Api::namespaced_with(
        place.client.clone(),
        &place.namespace,
        &resource("ServiceDeployment"),
    );
    let bad = place.api::<linkspan::api::Service>().get("bad").await.unwrap();
    let record = place.records(&bad).await.remove(0).metadata.name.unwrap();
    let broken = json!({"spec": {"sequence": "first"}});
    until("the broken record is stored", || async {
        let patched = records.patch(&record, &PatchParams::default(), &Patch::Merge(&broken)).await;
        match patched {
            Ok(stored) if stored.data["spec"]["sequence"] == "first" => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    install(&place, &json!(of("ServiceDeployment"))).await;
    let message = place.reason("bad", "Unreadable").await;
    assert!(message.contains(&record), "{message}");
    operator.stop();
    let operator = Operator::start(&control_plane);
    place.task_definition("shop", "example/shop:2").await;
    place.steady("good", 2, "shop:2").await;
    let now = place.api::<linkspan::api::Service>().list(&ListParams::default()).await.unwrap();
    for before in &others {
        let after = now.items.iter().find(|now| now.metadata.uid == before.metadata.uid).unwrap();
        assert_eq!(json!(after), json!(before), "unaffected");
    }
    let rolls = hundred.iter().map(|name| place.steady(name, 1, "others:2"));
    place.task_definition("others", "example/others:2").await;
    futures::future::join_all(rolls).await;

    // The way out that the message names.
    place.delete::<ServiceDeployment>(&record).await;
    place.steady("bad", 1, "shop:2").await;
    let left = records.list(&ListParams::default()).await.unwrap();
    assert!(left.items.iter().all(|record| record.data["spec"]["sequence"].is_i64()));
    operator.stop();
    control_plane.stop().await;
}
