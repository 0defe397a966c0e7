//! What becomes of tasks whose node is drained, or about to end: others start first where the percents
//! have room for it, no bound is broken, and no drain hangs.

use k8s_openapi::api::apps::v1 as appsv1;
use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::api::policy::v1 as policyv1;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::{DeleteParams, EvictParams, Patch, PatchParams};
use kube::{Api, Resource, ResourceExt};
use linkspan::api::{CapacityProvider, Service};
use linkspan::sandbox::control_plane::nodes::NodeGroup;
use serde_json::{Value, json};

use crate::bounds::Recording;
use crate::support::{Place, until};

/// A group of nodes that only tasks of its provider come to, each with room for so many tasks.
async fn group(place: &Place, name: &str, count: u32, room: u32) -> NodeGroup {
    let taint = corev1::Taint {
        key: format!("only-{name}"),
        effect: "NoSchedule".to_owned(),
        ..corev1::Taint::default()
    };
    let taints = json!([{"key": taint.key, "effect": "NO_SCHEDULE"}]);
    let (taints_of_nodes, pods) = (vec![taint], room);
    let group = NodeGroup {
        name: name.to_owned(),
        count,
        pods,
        taints: taints_of_nodes,
        ..NodeGroup::default()
    };
    group.create(&place.client).await.unwrap();
    let object = json!({"apiVersion": CapacityProvider::api_version(&()),
        "kind": "CapacityProvider", "metadata": {"name": name},
        "spec": {"managedNodeGroup": {"nodegroupName": name, "taints": taints}}});
    let api: Api<CapacityProvider> = Api::all(place.client.clone());
    api.patch(name, &PatchParams::apply("test").force(), &Patch::Apply(&object)).await.unwrap();
    group
}

fn spread_over(provider: &str, minimum: i32, maximum: i32) -> Value {
    json!({"taskDefinition": "shop", "desiredCount": 3,
        "capacityProviderStrategy": [{"capacityProvider": provider}],
        "placementStrategy": [{"type": "spread", "field": "instanceId"}],
        "deploymentConfiguration":
            {"minimumHealthyPercent": minimum, "maximumPercent": maximum}})
}

/// The tasks on a node that do not stop.
async fn tasks_on(place: &Place, service: &Service, node: &str) -> Vec<corev1::Pod> {
    let pods = place.children::<corev1::Pod>(service).await.into_iter();
    pods.filter(|pod| {
        pod.metadata.deletion_timestamp.is_none()
            && pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()) == Some(node)
    })
    .collect()
}

/// What `kubectl drain` does: cordons, then evicts until the node is empty, asking again where a
/// disruption budget says no.
async fn drain(place: &Place, service: &Service, node: &str) {
    edit_node(place, node, &json!({"spec": {"unschedulable": true}})).await;
    let api = place.api::<corev1::Pod>();
    until(&format!("{node} is drained"), || async {
        let left = tasks_on(place, service, node).await;
        for pod in &left {
            match api.evict(&pod.name_any(), &EvictParams::default()).await {
                Err(kube::Error::Api(answer)) if [404, 429].contains(&answer.code) => {}
                other => drop(other.unwrap()),
            }
        }
        if left.is_empty() { Ok(()) } else { Err(format!("{} tasks left", left.len())) }
    })
    .await;
}

async fn edit_node(place: &Place, name: &str, patch: &Value) {
    let api: Api<corev1::Node> = Api::all(place.client.clone());
    let edited = api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await;
    edited.unwrap();
}

async fn least_available(place: &Place, service: &Service) -> i32 {
    let budgets = place.children::<policyv1::PodDisruptionBudget>(service).await;
    match budgets[0].spec.as_ref().unwrap().min_available {
        Some(IntOrString::Int(least)) => least,
        ref other => panic!("{other:?}"),
    }
}

async fn end(place: &Place, service: &Service, group: &NodeGroup) {
    place.delete::<Service>(&service.name_any()).await;
    place.gone(service).await;
    let api: Api<CapacityProvider> = Api::all(place.client.clone());
    api.delete(&group.name, &DeleteParams::default()).await.unwrap();
    group.delete(&place.client).await.unwrap();
}

/// A node with exactly one task of the service.
async fn node_with_a_task(place: &Place, service: &Service) -> String {
    let pods = place.children::<corev1::Pod>(service).await;
    pods[0].spec.as_ref().unwrap().node_name.clone().unwrap()
}

#[tokio::test]
async fn a_spot_notice_starts_another_task_before_the_one_is_evicted() {
    let place = Place::new("spot-notice").await;
    let nodes = group(&place, "drspot", 4, 10).await;
    place.task_definition("shop", "example/shop:1").await;
    place.service("web", spread_over("drspot", 100, 200)).await;
    let service = place.steady("web", 3, "shop:1").await;
    assert_eq!(least_available(&place, &service).await, 2, "one may always go");
    let node = node_with_a_task(&place, &service).await;
    let recording = Recording::start(&place, "web").await;
    let notice = json!({"spec": {"taints": [
        {"key": "only-drspot", "effect": "NoSchedule"},
        {"key": "aws-node-termination-handler/spot-itn", "effect": "NoSchedule"}]}});
    edit_node(&place, &node, &notice).await;
    until("no task is left on the node", || async {
        let left = tasks_on(&place, &service, &node).await.len();
        if left == 0 { Ok(()) } else { Err(left.to_string()) }
    })
    .await;
    let service = place.steady("web", 3, "shop:1").await;
    let deployment = place.deployment(&service).await;
    assert_eq!(deployment.spec.unwrap().replicas, Some(3));
    let verdict = recording.end("a spot notice").await;
    assert!(verdict.least_healthy >= 3 && verdict.most >= 4, "{verdict:?}");
    assert_eq!(place.records(&service).await.len(), 1, "no deployment");
    end(&place, &service, &nodes).await;
}

#[tokio::test]
async fn a_drained_node_gives_up_its_tasks_within_the_bounds() {
    let place = Place::new("drained").await;
    let nodes = group(&place, "drkube", 3, 10).await;
    place.task_definition("shop", "example/shop:1").await;
    // In ECS neither is a bound of what a drain may take; here one may always go.
    for (name, minimum, maximum, least) in
        [("half", 50, 200, 2), ("full", 100, 200, 2), ("closed", 100, 100, 2)]
    {
        place.service(name, spread_over("drkube", minimum, maximum)).await;
        let service = place.steady(name, 3, "shop:1").await;
        let node = node_with_a_task(&place, &service).await;
        let recording = Recording::start(&place, name).await.evicted_down_to(least);
        drain(&place, &service, &node).await;
        place.steady(name, 3, "shop:1").await;
        assert_eq!(tasks_on(&place, &service, &node).await.len(), 0);
        let verdict = recording.end(&format!("a drain, {name}")).await;
        assert!(verdict.least_healthy >= least, "{name}: {verdict:?}");
        // What was remembered of the drain is forgotten.
        let status = place.records(&service).await.pop().unwrap().status.unwrap();
        assert!(status.draining.is_empty(), "{status:?}");
        edit_node(&place, &node, &json!({"spec": {"unschedulable": null}})).await;
        place.delete::<Service>(name).await;
        place.gone(&service).await;
    }
    let api: Api<CapacityProvider> = Api::all(place.client.clone());
    api.delete("drkube", &DeleteParams::default()).await.unwrap();
    nodes.delete(&place.client).await.unwrap();
}

#[tokio::test]
async fn a_drain_ends_where_no_other_task_can_start() {
    let place = Place::new("no-room").await;
    // As many tasks as there is room for.
    let nodes = group(&place, "drfull", 3, 1).await;
    place.task_definition("shop", "example/shop:1").await;
    place.service("web", spread_over("drfull", 100, 200)).await;
    let service = place.steady("web", 3, "shop:1").await;
    let node = node_with_a_task(&place, &service).await;
    drain(&place, &service, &node).await;
    place.reason("web", "UnableToPlaceTask").await;
    edit_node(&place, &node, &json!({"spec": {"unschedulable": null}})).await;
    place.steady("web", 3, "shop:1").await;
    let deployment: appsv1::Deployment = place.deployment(&service).await;
    assert_eq!(deployment.spec.unwrap().replicas, Some(3));
    end(&place, &service, &nodes).await;
}

#[tokio::test]
async fn a_cordon_alone_moves_no_task() {
    let place = Place::new("cordoned").await;
    let nodes = group(&place, "drcord", 3, 10).await;
    place.task_definition("shop", "example/shop:1").await;
    place.service("web", spread_over("drcord", 100, 200)).await;
    let service = place.steady("web", 3, "shop:1").await;
    let node = node_with_a_task(&place, &service).await;
    edit_node(&place, &node, &json!({"spec": {"unschedulable": true}})).await;
    let api: Api<corev1::Node> = Api::all(place.client.clone());
    until("the operator has seen it", || async {
        let labels = api.get(&node).await.unwrap().labels().clone();
        let seen = labels.contains_key(linkspan::plan::node::DRAINING);
        if seen { Ok(()) } else { Err(format!("{labels:?}")) }
    })
    .await;
    let service = place.steady("web", 3, "shop:1").await;
    assert_eq!(tasks_on(&place, &service, &node).await.len(), 1);
    assert_eq!(place.deployment(&service).await.metadata.generation, Some(1));
    edit_node(&place, &node, &json!({"spec": {"unschedulable": null}})).await;
    end(&place, &service, &nodes).await;
}
