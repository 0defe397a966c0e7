//! `linkspan explain`

use k8s_openapi::api::core::v1 as corev1;
use kube::ResourceExt;
use kube::api::ListParams;
use serde_json::json;

use crate::said::{ask, told};
use crate::support::{Place, status_of, until};

/// A service whose task the scheduler has said no to.
async fn waiting(place: &Place, name: &str, more: serde_json::Value) {
    let mut spec = json!({"taskDefinition": "shop"});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    place.service(name, spec).await;
    place.reason(name, "UnableToPlaceTask").await;
}

#[tokio::test]
async fn a_task_that_waits_is_explained_by_what_is_asked_of_nodes() {
    let place = Place::new("explain").await;
    place.task_definition("shop", "example/shop:1").await;
    let constraint = |expression: &str| json!({"placementConstraints": [{"type": "memberOf", "expression": expression}]});
    waiting(&place, "typo", constraint("attribute:ecs.instance-type == m5.xlrage")).await;
    let said = told(&place, &["explain", "service", "typo"]).await;
    let lines: Vec<&str> = said.out.lines().collect();
    let namespace = &place.namespace;
    let head = format!("Service {namespace}/typo: 1 desired, 0 running, 1 pending");
    assert_eq!(lines[0], head);
    assert!(lines[2].starts_with("1 task waits for a node: typo-"), "{}", said.out);
    assert_eq!(lines[3], "  9 nodes");
    assert_eq!(lines[4], "  - 9 fail `attribute:ecs.instance-type == m5.xlrage`: 0 left");
    assert_eq!(
        lines[6],
        "  `ecs.instance-type` of the nodes is `m5.xlarge` (9), never `m5.xlrage`; did you mean \
         `m5.xlarge`?"
    );
    assert!(said.out.contains("\nNot ready: UnableToPlaceTask: 0/9 nodes"), "{}", said.out);

    // The same of the task, by its pod's name.
    let pods = place.api::<corev1::Pod>().list(&ListParams::default()).await.unwrap().items;
    let pod = pods[0].name_any();
    let said = told(&place, &["explain", "task", &pod]).await;
    assert!(
        said.out.starts_with(&format!("1 task waits for a node: {pod}\n  9 nodes\n")),
        "{said:?}"
    );
    let said = told(&place, &["explain", "node", "spot-1"]).await;
    assert!(said.out.starts_with("Node spot-1 takes tasks\n"), "{}", said.out);
    let why = format!(
        "Task {namespace}/{pod} waits, and this node does not take it: it fails \
         `attribute:ecs.instance-type == m5.xlrage`"
    );
    assert!(said.out.contains(&why), "{}", said.out);

    let strategy = json!({"capacityProviderStrategy": [{"capacityProvider": "spott"}]});
    waiting(&place, "nowhere", strategy).await;
    let said = told(&place, &["explain", "service", "nowhere"]).await;
    assert!(said.out.contains("  - 9 are not of capacity provider `spott`: 0 left\n"), "{said:?}");
    assert!(
        said.out.contains("capacity provider `spott`: no node is of it; did you mean `spot`?"),
        "{said:?}"
    );
}

#[tokio::test]
async fn a_service_that_stands_well_is_told_so_and_a_wrong_name_is_helped() {
    let place = Place::new("explained").await;
    place.task_definition("shop", "example/shop:1").await;
    place.service("web", json!({"taskDefinition": "shop"})).await;
    let service = place.steady("web", 1, "shop:1").await;
    assert_eq!(status_of(&service).running_count, 1);
    let said = told(&place, &["explain", "service", "web"]).await;
    let head = format!("Service {}/web: 1 desired, 1 running, 0 pending\n", place.namespace);
    assert_eq!(said.out, format!("{head}No task waits for a node.\n"));
    let said = ask(&place, &["explain", "service", "webb"]).await;
    assert_eq!(said.code, 1);
    let namespace = &place.namespace;
    assert_eq!(
        said.err,
        format!("error: no Service webb is in namespace {namespace}; did you mean web?\n")
    );
    let said = ask(&place, &["explain", "node", "spot-11"]).await;
    assert_eq!(said.err, "error: no node spot-11 is there; did you mean spot-1?\n");
}

#[tokio::test]
async fn the_kinds_of_capacity_are_told_with_what_is_free() {
    let place = Place::new("inventory").await;
    let said = until("all nodes", || async {
        let said = told(&place, &["explain", "capacity"]).await;
        if said.out.contains("on-demand") { Ok(said) } else { Err(said.out) }
    })
    .await;
    let words = said.words();
    let row = |name: &str| {
        let found = words.iter().find(|words| words.first() == Some(&name));
        found.unwrap_or_else(|| panic!("{name}: {}", said.out)).join(" ")
    };
    assert!(row("on-demand").starts_with("on-demand managed node group 3/3 "), "{}", said.out);
    assert!(row("spot").starts_with("spot managed node group, spot 3/3 "), "{}", said.out);
    assert!(row("FARGATE").starts_with("FARGATE Fargate 9/9 "), "{}", said.out);
    assert!(said.out.contains("\nKIND"), "{}", said.out);
    assert!(said.out.contains("self-managed         no     nodes that you make"), "{}", said.out);
}
