//! Another version of the operator takes over what is running, and the first one takes it back.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1 as corev1;
use kube::ResourceExt;
use linkspan::api::Service;
use linkspan::defect::Defect;
use serde_json::json;

use crate::operator::Operator;
use crate::support::{Place, own_control_plane, until};

/// What must stay: every pod, by UID, and every record.
async fn standing(place: &Place, services: &[Service]) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for service in services {
        let pods = place.children::<corev1::Pod>(service).await;
        all.extend(pods.iter().map(|pod| format!("pod {}", pod.uid().unwrap())));
        all.extend(place.records(service).await.iter().map(ResourceExt::name_any));
    }
    all
}

/// The host names of a service's pods, which are the one thing that the other version renders
/// otherwise.
async fn hostnames(place: &Place, service: &Service) -> BTreeSet<Option<String>> {
    let pods = place.children::<corev1::Pod>(service).await;
    let there = pods.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
    there.map(|pod| pod.spec.unwrap().hostname).collect()
}

#[tokio::test]
async fn another_version_restarts_nothing() {
    let control_plane = own_control_plane().await;
    let place = Place::of(&control_plane, "versions").await;
    let mut operator = Operator::new(&control_plane, &control_plane.kubeconfig_path());
    operator.start();
    place.task_definition("shop", "example/shop:1").await;
    place.task_definition("other", "example/other:1").await;
    let mut services = Vec::new();
    for (name, family) in [("one", "shop"), ("two", "shop"), ("three", "other")] {
        place.service(name, json!({"taskDefinition": family, "desiredCount": 2})).await;
        services.push(place.steady(name, 2, &format!("{family}:1")).await);
    }
    let before = standing(&place, &services).await;
    operator.kill().await;

    let mut other = Operator::new(&control_plane, &control_plane.kubeconfig_path());
    other.with_defect(Defect::RendersOtherwise);
    other.start();
    // It works: it scales, with tasks as they were rendered; and it rolls, with its own.
    place.scale("two", 3).await;
    place.steady("two", 3, "shop:1").await;
    assert_eq!(hostnames(&place, &services[1]).await, [None].into());
    place.task_definition("other", "example/other:2").await;
    place.steady("three", 2, "other:2").await;
    assert_eq!(hostnames(&place, &services[2]).await, [Some("otherwise".to_owned())].into());
    let after = standing(&place, &services[..2]).await;
    let kept = before.iter().filter(|name| after.contains(*name)).count();
    assert_eq!(kept, 4 + 2, "two pods and a record of each service: {before:?} {after:?}");
    assert_eq!(after.len(), kept + 1, "and the pod that was asked for: {after:?}");
    until("what the roll replaced is gone", || async {
        let standing = standing(&place, &services[2..]).await;
        if standing.len() == 2 + 1 { Ok(()) } else { Err(format!("{standing:?}")) }
    })
    .await;
    let before = standing(&place, &services).await;
    other.kill().await;

    operator.start();
    place.scale("one", 1).await;
    place.steady("one", 1, "shop:1").await;
    place.scale("three", 3).await;
    place.steady("three", 3, "other:2").await;
    assert_eq!(hostnames(&place, &services[2]).await, [Some("otherwise".to_owned())].into());
    let after = standing(&place, &services).await;
    let (gone, new): (Vec<_>, Vec<_>) =
        (before.difference(&after).collect(), after.difference(&before).collect());
    assert!(gone.len() == 1 && gone[0].starts_with("pod "), "{gone:?}");
    assert!(new.len() == 1 && new[0].starts_with("pod "), "{new:?}");
    operator.kill().await;
    control_plane.stop().await;
}
