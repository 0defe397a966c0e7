//! Fargate-style profiles: they place services without their asking, on nodes as EKS and virtual
//! kubelets label and taint them, and keep tasks from sharing a node where that is asked for.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::api::node::v1 as nodev1;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Resource, ResourceExt};
use linkspan::api::{CapacityProvider, Service, TaskDefinition};
use linkspan::sandbox::control_plane::nodes::NodeGroup;
use serde_json::{Value, json};

use crate::support::{Place, status_of, task_definition, until};

/// A profile for the services of one namespace.
async fn profile(place: &Place, name: &str, kubernetes: Value) {
    let object = json!({"apiVersion": CapacityProvider::api_version(&()),
        "kind": "CapacityProvider", "metadata": {"name": name}, "spec": {
            "fargateProfile": {"fargateProfileName": name,
                "selectors": [{"namespace": place.namespace}]},
            "kubernetes": kubernetes}});
    let api: Api<CapacityProvider> = Api::all(place.client.clone());
    api.patch(name, &PatchParams::apply("test").force(), &Patch::Apply(&object)).await.unwrap();
}

/// Nodes with a label and a taint, as they are known by.
async fn group(place: &Place, name: &str, label: (&str, &str), taint: (&str, &str)) -> NodeGroup {
    let taint = corev1::Taint {
        key: taint.0.to_owned(),
        value: Some(taint.1.to_owned()),
        effect: "NoSchedule".to_owned(),
        ..corev1::Taint::default()
    };
    let labels = [label, ("profile", name)];
    let group = NodeGroup {
        name: name.to_owned(),
        count: 2,
        labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        taints: vec![taint],
        ..NodeGroup::default()
    };
    group.create(&place.client).await.unwrap();
    group
}

/// A task definition that is for Fargate.
async fn for_fargate(place: &Place, more: Value) {
    let mut spec = task_definition("example/shop:1");
    spec["requiresCompatibilities"] = json!(["FARGATE"]);
    spec["networkMode"] = json!("awsvpc");
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    place.apply::<TaskDefinition>("shop", spec).await;
}

fn service(count: i32) -> Value {
    json!({"taskDefinition": "shop", "desiredCount": count})
}

async fn pods(place: &Place, service: &Service) -> Vec<corev1::Pod> {
    let pods = place.children::<corev1::Pod>(service).await;
    pods.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).collect()
}

fn node_of(pod: &corev1::Pod) -> String {
    pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default()
}

async fn end(place: &Place, names: &[&str], groups: &[NodeGroup]) {
    let api: Api<CapacityProvider> = Api::all(place.client.clone());
    for name in names {
        api.delete(name, &DeleteParams::default()).await.unwrap();
    }
    for group in groups {
        group.delete(&place.client).await.unwrap();
    }
}

#[tokio::test]
async fn a_profile_places_services_on_virtual_kubelets_and_on_nodes_of_eks_fargate() {
    let place = Place::new("profile").await;
    let (kubelets, eks) =
        (("type", "virtual-kubelet"), ("eks.amazonaws.com/compute-type", "fargate"));
    let groups = [
        group(&place, "fgkubelet", kubelets, ("virtual-kubelet.io/provider", "azure")).await,
        group(&place, "fgeks", eks, (eks.0, eks.1)).await,
    ];
    for_fargate(&place, json!({})).await;
    for (name, selected) in [("fgkubelet", "fgkubelet"), ("fgeks", "fgeks")] {
        // Both kinds are known without a selector; it keeps the two apart here.
        profile(&place, name, json!({"nodeSelector": {"profile": selected}})).await;
        place.service(name, service(3)).await;
        let found = place.steady(name, 3, "shop:1").await;
        let landed: BTreeSet<String> = pods(&place, &found).await.iter().map(node_of).collect();
        assert!(landed.iter().all(|node| node.starts_with(selected)), "{landed:?}");
        place.delete::<Service>(name).await;
        place.gone(&found).await;
        end(&place, &[name], &[]).await;
    }
    // By the labels alone.
    profile(&place, "fgany", json!({})).await;
    place.service("any", service(4)).await;
    let found = place.steady("any", 4, "shop:1").await;
    let nodes: Api<corev1::Node> = Api::all(place.client.clone());
    for pod in pods(&place, &found).await {
        let node = nodes.get(&node_of(&pod)).await.unwrap();
        let has = |(key, value): (&str, &str)| node.labels().get(key).is_some_and(|v| v == value);
        assert!(has(kubelets) || has(eks), "{:?}", node.labels());
    }
    end(&place, &["fgany"], &groups).await;
}

#[tokio::test]
async fn an_isolated_task_has_a_node_of_its_own_or_a_runtime_class() {
    let place = Place::new("isolated").await;
    // Not known as Fargate's by their labels, so that no task of another test comes there.
    let taint = ("eks.amazonaws.com/compute-type", "fargate");
    let groups = [group(&place, "fgalone", ("tasks", "alone"), taint).await];
    for_fargate(&place, json!({})).await;
    let selector = json!({"profile": "fgalone"});
    profile(&place, "fgalone", json!({"nodeSelector": selector, "isolation": "Node"})).await;
    // Two services of one task each: none shares a node, so that for a third there is none.
    for name in ["one", "two"] {
        place.service(name, service(1)).await;
    }
    let mut landed = BTreeSet::new();
    for name in ["one", "two"] {
        let found = place.steady(name, 1, "shop:1").await;
        landed.extend(pods(&place, &found).await.iter().map(node_of));
    }
    assert_eq!(landed.len(), 2, "{landed:?}");
    place.service("three", service(1)).await;
    place.reason("three", "UnableToPlaceTask").await;
    // What they leave must be gone before others come: a scheduler of 1.33 looks at a task that was
    // kept off by a task's anti-affinity only minutes after that task has ended.
    for name in ["one", "two", "three"] {
        let found = place.api::<Service>().get(name).await.unwrap();
        place.delete::<Service>(name).await;
        place.gone(&found).await;
    }

    let class: nodev1::RuntimeClass =
        serde_json::from_value(json!({"metadata": {"name": "fgwalls"}, "handler": "walls"}))
            .unwrap();
    let classes: Api<nodev1::RuntimeClass> = Api::all(place.client.clone());
    classes.create(&PostParams::default(), &class).await.unwrap();
    profile(&place, "fgalone", json!({"nodeSelector": selector, "isolation": "fgwalls"})).await;
    place.service("walled", service(3)).await;
    let found = place.steady("walled", 3, "shop:1").await;
    for pod in pods(&place, &found).await {
        let spec = pod.spec.unwrap();
        assert_eq!(spec.runtime_class_name.as_deref(), Some("fgwalls"));
        assert!(spec.node_name.unwrap().starts_with("fgalone"));
    }
    end(&place, &["fgalone"], &groups).await;
    classes.delete("fgwalls", &DeleteParams::default()).await.unwrap();
}

#[tokio::test]
async fn what_fargate_does_not_have_is_refused_and_its_disk_is_given() {
    let place = Place::new("fargate-rules").await;
    for_fargate(&place, json!({})).await;
    let expression = json!([{"type": "memberOf", "expression": "attribute:a exists"}]);
    for (name, member, value, expected) in [
        ("constraint", "placementConstraints", expression, "is not for Fargate"),
        ("strategy", "placementStrategy", json!([{"type": "random"}]), "is not for Fargate"),
        ("daemon", "schedulingStrategy", json!("DAEMON"), "don't support the DAEMON scheduling"),
    ] {
        let mut spec = service(1);
        (spec["launchType"], spec[member]) = (json!("FARGATE"), value);
        place.service(name, spec).await;
        let message = place.reason(name, "InvalidSpec").await;
        assert!(message.contains(expected), "{name}: {message}");
    }
    let mut asked = service(1);
    asked["launchType"] = json!("FARGATE");
    place.service("usual", asked.clone()).await;
    let found = place.steady("usual", 1, "shop:1").await;
    let disk = |pods: Vec<corev1::Pod>| {
        let spec = json!(pods[0].spec);
        let found = spec["containers"][0]["resources"]["limits"]["ephemeral-storage"].clone();
        if found.is_null() {
            spec["resources"]["limits"]["ephemeral-storage"].clone()
        } else {
            found
        }
    };
    assert_eq!(disk(pods(&place, &found).await), "20Gi");
    for_fargate(&place, json!({"ephemeralStorage": {"sizeInGiB": 60}})).await;
    let found = place.steady("usual", 1, "shop:2").await;
    assert_eq!(disk(pods(&place, &found).await), "60Gi");
    for_fargate(&place, json!({"ephemeralStorage": {"sizeInGiB": 20}})).await;
    until("the size is refused", || async {
        let definition = place.api::<TaskDefinition>().get("shop").await.unwrap();
        let conditions = json!(definition.status)["conditions"].to_string();
        let told = conditions.contains("InvalidSpec") && conditions.contains("ephemeralStorage");
        if told { Ok(()) } else { Err(conditions) }
    })
    .await;
    let told = status_of(&place.api::<Service>().get("usual").await.unwrap());
    assert_eq!(told.running_count, 1, "what runs goes on running");
}
