//! Where do the tasks of a service land? The real scheduler places them on simulated nodes.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1 as corev1;
use kube::{Api, ResourceExt};
use linkspan::api::Service;
use linkspan::sandbox::node_groups;
use serde_json::{Value, json};

use crate::support::{Place, status_of};

const ZONE: &str = "topology.kubernetes.io/zone";

/// The nodes of a steady service's tasks.
async fn nodes(place: &Place, service: &Service) -> Vec<corev1::Node> {
    let all: Api<corev1::Node> = Api::all(place.client.clone());
    let mut nodes = Vec::new();
    for pod in place.children::<corev1::Pod>(service).await {
        let name = pod.spec.unwrap().node_name.unwrap();
        nodes.push(all.get(&name).await.unwrap());
    }
    nodes
}

async fn placed(place: &Place, name: &str, count: i32, more: Value) -> Vec<corev1::Node> {
    let mut spec = json!({"taskDefinition": "shop", "desiredCount": count});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    place.service(name, spec).await;
    let service = place.steady(name, count, "shop:1").await;
    nodes(place, &service).await
}

fn counts(nodes: &[corev1::Node], label: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for node in nodes {
        *counts.entry(node.labels()[label].clone()).or_default() += 1;
    }
    counts
}

#[tokio::test]
async fn tasks_land_where_constraints_and_strategies_say() {
    let place = Place::new("placing").await;
    place.task_definition("shop", "example/shop:1").await;
    let zones: BTreeSet<String> = {
        let all: Api<corev1::Node> = Api::all(place.client.clone());
        let nodes = all.list(&kube::api::ListParams::default()).await.unwrap();
        nodes.items.iter().filter_map(|node| node.labels().get(ZONE).cloned()).collect()
    };
    let zone = zones.first().unwrap();
    assert_eq!(zones.len(), 3, "{zones:?}");

    let of_zone = json!({"placementConstraints": [
        {"type": "memberOf", "expression": format!("attribute:ecs.availability-zone == {zone}")}]});
    let distinct = json!({"placementConstraints": [{"type": "distinctInstance"}]});
    let spread = json!({"placementStrategy":
        [{"type": "spread", "field": "attribute:ecs.availability-zone"}]});
    let (in_zone, apart, even) = tokio::join!(
        placed(&place, "in-zone", 4, of_zone),
        placed(&place, "apart", 4, distinct),
        placed(&place, "even", 6, spread)
    );
    assert_eq!(counts(&in_zone, ZONE), BTreeMap::from([(zone.clone(), 4)]));
    let hosts: BTreeSet<String> = apart.iter().map(ResourceExt::name_any).collect();
    assert_eq!(hosts.len(), 4, "each on a node of its own");
    let even = counts(&even, ZONE);
    assert!(even.len() == 3 && even.values().all(|count| *count == 2), "{even:?}");
}

#[tokio::test]
async fn tasks_run_on_the_nodes_of_their_capacity_provider() {
    let place = Place::new("capacity").await;
    place.task_definition("shop", "example/shop:1").await;
    let pools: Vec<String> = node_groups().iter().map(|group| group.name.clone()).collect();
    let pool = &pools[0];
    let strategy = json!([{"capacityProvider": pool, "weight": 1}]);
    let landed = placed(&place, "pooled", 3, json!({"capacityProviderStrategy": strategy})).await;
    assert!(landed.iter().all(|node| node.name_any().starts_with(pool.as_str())), "{landed:?}");

    // No node is of this pool: the task waits, and the service says where it would run.
    let strategy = json!([{"capacityProvider": "nobody", "weight": 1}]);
    let asked = json!({"taskDefinition": "shop", "capacityProviderStrategy": strategy});
    place.service("waiting", asked).await;
    let message = place.reason("waiting", "UnableToPlaceTask").await;
    assert!(message.contains("didn't match Pod's node affinity/selector"), "{message}");
    let service = place.api::<Service>().get("waiting").await.unwrap();
    let conditions = status_of(&service).conditions;
    let told = conditions.iter().find(|condition| condition.type_ == "FullySupported").unwrap();
    assert!(told.message.contains("no CapacityProvider `nobody` is there"), "{}", told.message);
}
