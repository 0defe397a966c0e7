//! How a service's tasks are split over capacity providers, and how they move between them.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1 as appsv1;
use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::api::policy::v1 as policyv1;
use kube::ResourceExt;
use linkspan::api::Service;
use linkspan::names::label;
use serde_json::{Value, json};

use crate::bounds::Recording;
use crate::support::{Place, status_of, until};

/// Groups of the sandbox.
const ON_DEMAND: &str = "on-demand";
const SPOT: &str = "spot";

fn strategy(items: &[(&str, u32, u32)]) -> Value {
    let item = |(provider, base, weight): &(&str, u32, u32)| json!({"capacityProvider": provider, "base": base, "weight": weight});
    items.iter().map(item).collect()
}

/// Tasks that do not stop: how many on the nodes of each group, by the names of nodes.
async fn landed(place: &Place, service: &Service) -> BTreeMap<String, i32> {
    let mut counts = BTreeMap::new();
    for pod in place.children::<corev1::Pod>(service).await {
        if pod.metadata.deletion_timestamp.is_some() {
            continue;
        }
        let node = pod.spec.unwrap().node_name.unwrap_or_else(|| "nowhere-0".to_owned());
        let (group, _) = node.rsplit_once('-').unwrap();
        *counts.entry(group.to_owned()).or_default() += 1;
    }
    counts
}

fn groups(counts: &[(&str, i32)]) -> BTreeMap<String, i32> {
    counts.iter().map(|(group, count)| ((*group).to_owned(), *count)).collect()
}

async fn until_landed(place: &Place, service: &Service, counts: &[(&str, i32)]) {
    until(&format!("tasks on {counts:?}"), || async {
        let found = landed(place, service).await;
        if found == groups(counts) { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;
}

/// The pods by name with the image that they have.
async fn tasks(place: &Place, service: &Service) -> BTreeMap<String, String> {
    let pods = place.children::<corev1::Pod>(service).await;
    let running = pods.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
    running
        .map(|pod| (pod.name_any(), pod.spec.unwrap().containers[0].image.clone().unwrap()))
        .collect()
}

/// The labels of the providers that have a Deployment.
async fn providers(place: &Place, service: &Service) -> Vec<String> {
    let deployments = place.children::<appsv1::Deployment>(service).await;
    let mut all: Vec<String> = deployments
        .iter()
        .map(|found| {
            let selector = found.spec.as_ref().unwrap().selector.match_labels.as_ref().unwrap();
            selector[label::CAPACITY_PROVIDER].clone()
        })
        .collect();
    all.sort();
    all
}

#[tokio::test]
async fn tasks_are_split_by_base_and_weight_and_stay_so_as_their_count_changes() {
    let place = Place::new("split").await;
    place.task_definition("shop", "example/shop:1").await;
    let split = strategy(&[(ON_DEMAND, 1, 1), (SPOT, 0, 3)]);
    let asked = json!({"taskDefinition": "shop", "desiredCount": 9,
        "capacityProviderStrategy": split});
    place.service("web", asked).await;
    let service = place.steady("web", 9, "shop:1").await;
    assert_eq!(landed(&place, &service).await, groups(&[(ON_DEMAND, 3), (SPOT, 6)]));
    assert_eq!(providers(&place, &service).await, [ON_DEMAND, SPOT]);
    let recording = Recording::start(&place, "web").await;
    for (count, split) in [
        (12, &[(ON_DEMAND, 4), (SPOT, 8)][..]),
        (1, &[(ON_DEMAND, 1)]),
        (5, &[(ON_DEMAND, 2), (SPOT, 3)]),
    ] {
        place.scale("web", count).await;
        let service = place.steady("web", count, "shop:1").await;
        assert_eq!(landed(&place, &service).await, groups(split), "{count} tasks");
    }
    // All of it is one service to the outside.
    let selector = status_of(&service).selector.unwrap();
    assert!(!selector.contains(label::CAPACITY_PROVIDER), "{selector}");
    let endpoints = place.children::<corev1::Service>(&service).await;
    let selected = endpoints[0].spec.as_ref().unwrap().selector.clone().unwrap();
    assert!(!selected.contains_key(label::CAPACITY_PROVIDER), "{selected:?}");
    let budgets = place.children::<policyv1::PodDisruptionBudget>(&service).await;
    assert_eq!(budgets.len(), 1);
    recording.end("scaling over two providers").await;
}

#[tokio::test]
async fn a_roll_over_two_providers_keeps_the_bounds_of_both_together() {
    let place = Place::new("split-roll").await;
    place.task_definition("shop", "example/shop:1").await;
    let asked = |minimum: i32, maximum: i32| {
        json!({"taskDefinition": "shop", "desiredCount": 6,
            "capacityProviderStrategy": strategy(&[(ON_DEMAND, 0, 1), (SPOT, 0, 1)]),
            "deploymentConfiguration":
                {"minimumHealthyPercent": minimum, "maximumPercent": maximum}})
    };
    for (at, (minimum, maximum)) in [(100, 200), (50, 100), (100, 125)].into_iter().enumerate() {
        let name = format!("web-{at}");
        place.task_definition("shop", &format!("example/shop:{}", 2 * at + 1)).await;
        let revision = format!("shop:{}", 2 * at + 1);
        place.registered(&format!("shop-{}", 2 * at + 1)).await;
        place.service(&name, asked(minimum, maximum)).await;
        place.steady(&name, 6, &revision).await;
        let recording = Recording::start(&place, &name).await;
        let image = format!("example/shop:{}", 2 * at + 2);
        place.task_definition("shop", &image).await;
        let service = place.steady(&name, 6, &format!("shop:{}", 2 * at + 2)).await;
        let images = tasks(&place, &service).await;
        assert!(images.values().all(|found| *found == image), "{images:?}");
        assert_eq!(landed(&place, &service).await, groups(&[(ON_DEMAND, 3), (SPOT, 3)]));
        recording.end(&format!("a roll at {minimum}/{maximum} % over two providers")).await;
        place.delete::<Service>(&name).await;
    }
}

#[tokio::test]
async fn a_change_of_providers_moves_tasks_within_the_bounds_and_no_more_than_it_must() {
    let place = Place::new("moves").await;
    place.task_definition("shop", "example/shop:1").await;
    let asked = |split: Option<Value>| {
        let mut spec = json!({"taskDefinition": "shop", "desiredCount": 4,
            "deploymentConfiguration": {"minimumHealthyPercent": 75, "maximumPercent": 125}});
        if let Some(split) = split {
            spec["capacityProviderStrategy"] = split;
        }
        spec
    };
    place.service("web", asked(None)).await;
    let service = place.steady("web", 4, "shop:1").await;
    assert_eq!(providers(&place, &service).await, [""]);
    let recording = Recording::start(&place, "web").await;

    // From anywhere to one.
    place.service("web", asked(Some(strategy(&[(ON_DEMAND, 0, 1)])))).await;
    until_landed(&place, &service, &[(ON_DEMAND, 4)]).await;
    let service = place.steady("web", 4, "shop:1").await;
    assert_eq!(providers(&place, &service).await, [ON_DEMAND]);
    let before = tasks(&place, &service).await;

    // To one more: who stays is not restarted.
    let both = strategy(&[(ON_DEMAND, 0, 1), (SPOT, 0, 1)]);
    place.service("web", asked(Some(both))).await;
    until_landed(&place, &service, &[(ON_DEMAND, 2), (SPOT, 2)]).await;
    let service = place.steady("web", 4, "shop:1").await;
    let after = tasks(&place, &service).await;
    let stayed = after.keys().filter(|name| before.contains_key(*name)).count();
    assert_eq!(stayed, 2, "{before:?} {after:?}");

    // Other weights alone move nothing; what is added goes by them.
    let other = strategy(&[(ON_DEMAND, 0, 1), (SPOT, 0, 3)]);
    let records = place.records(&service).await.len();
    place.service("web", asked(Some(other))).await;
    let service = place.steady("web", 4, "shop:1").await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(tasks(&place, &service).await, after);
    assert_eq!(place.records(&service).await.len(), records);
    place.scale("web", 8).await;
    let service = place.steady("web", 8, "shop:1").await;
    assert_eq!(landed(&place, &service).await, groups(&[(ON_DEMAND, 2), (SPOT, 6)]));
    place.scale("web", 4).await;
    let service = place.steady("web", 4, "shop:1").await;

    // And back to anywhere.
    place.service("web", asked(None)).await;
    until("one Deployment", || async {
        let found = providers(&place, &service).await;
        if found == [""] { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;
    place.steady("web", 4, "shop:1").await;
    recording.end("tasks move between providers at 75/125 %").await;
}

#[tokio::test]
async fn an_empty_spot_market_keeps_nobody_else_from_rolling() {
    let place = Place::new("no-spot").await;
    place.task_definition("shop", "example/shop:1").await;
    let asked = json!({"taskDefinition": "shop", "desiredCount": 4,
        "capacityProviderStrategy": strategy(&[(ON_DEMAND, 0, 1), ("sold-out", 0, 1)]),
        "deploymentConfiguration": {"minimumHealthyPercent": 50, "maximumPercent": 100}});
    place.service("web", asked).await;
    let half = |service: &Service| {
        let status = status_of(service);
        (status.running_count, status.pending_count) == (2, 2)
    };
    let service = place.service_when("web", "two run, two wait", half).await;
    let recording = Recording::start(&place, "web").await;
    place.task_definition("shop", "example/shop:2").await;
    until("all tasks are the new ones", || async {
        let images = tasks(&place, &service).await;
        let new = images.values().filter(|image| *image == "example/shop:2").count();
        if new == 4 && images.len() == 4 { Ok(()) } else { Err(format!("{images:?}")) }
    })
    .await;
    let service = place.service_when("web", "two run, two wait", half).await;
    assert_eq!(landed(&place, &service).await, groups(&[(ON_DEMAND, 2), ("nowhere", 2)]));
    let verdict = recording.end("a roll while a provider has no nodes").await;
    assert_eq!(verdict.least_healthy, 2, "the floor of 50 % of 4");
    let message = place.reason("web", "UnableToPlaceTask").await;
    assert!(message.contains("node affinity"), "{message}");
}
