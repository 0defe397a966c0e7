//! A capacity provider tells which nodes it has, how they do, and what runs on them.

use std::time::Duration;

use k8s_openapi::api::core::v1 as corev1;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, Client, Resource, ResourceExt};
use linkspan::api::{CapacityProvider, CapacityProviderStatus};
use linkspan::sandbox::control_plane::Options;
use linkspan::sandbox::control_plane::nodes::{GROUP_LABEL, NodeGroup};
use serde_json::{Value, json};

use crate::operator::Operator;
use crate::support::{Place, control_plane_with, options, shared, until};

async fn providers() -> Api<CapacityProvider> {
    Api::all(Client::try_from(shared().await.config()).unwrap())
}

/// A provider of one's own, since providers are there for the whole cluster.
async fn applied(api: &Api<CapacityProvider>, name: &str, spec: Value) -> CapacityProvider {
    let object = json!({"apiVersion": CapacityProvider::api_version(&()),
        "kind": "CapacityProvider", "metadata": {"name": name}, "spec": spec});
    api.patch(name, &PatchParams::apply("test").force(), &Patch::Apply(&object)).await.unwrap()
}

async fn when(
    api: &Api<CapacityProvider>,
    name: &str,
    what: &str,
    is_so: impl Fn(&CapacityProviderStatus) -> bool,
) -> CapacityProvider {
    until(&format!("capacity provider {name}: {what}"), || async {
        let provider = api.get(name).await.unwrap();
        let status = provider.status.clone().unwrap_or_default();
        if is_so(&status) { Ok(provider) } else { Err(json!(status).to_string()) }
    })
    .await
}

/// Reason and message of the condition Ready.
fn ready(status: &CapacityProviderStatus) -> (&str, &str) {
    let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready").unwrap();
    (&ready.reason, &ready.message)
}

/// How many nodes there are, how many are ready, and how many cordoned.
fn nodes(status: &CapacityProviderStatus) -> (i32, i32, i32) {
    let nodes = status.nodes.clone().unwrap_or_default();
    (nodes.total, nodes.ready, nodes.cordoned)
}

async fn cordon(group: &NodeGroup, number: u32, cordoned: bool) {
    let api: Api<corev1::Node> = Api::all(Client::try_from(shared().await.config()).unwrap());
    let patch = Patch::Merge(json!({"spec": {"unschedulable": cordoned}}));
    api.patch(&group.node_name(number), &PatchParams::default(), &patch).await.unwrap();
}

/// Nodes that no other test looks at: pods come to them by this test's own selectors only.
async fn group(name: &str, count: u32) -> NodeGroup {
    let taint = corev1::Taint {
        key: format!("only-{name}"),
        effect: "NoSchedule".to_owned(),
        ..corev1::Taint::default()
    };
    let group =
        NodeGroup { name: name.to_owned(), count, taints: vec![taint], ..NodeGroup::default() };
    group.create(&Client::try_from(shared().await.config()).unwrap()).await.unwrap();
    group
}

#[tokio::test]
async fn a_provider_finds_the_nodes_of_its_group_and_follows_them() {
    let api = providers().await;
    let group = group("cap-follow", 2).await;
    let spec = json!({"managedNodeGroup": {"nodegroupName": group.name}});
    applied(&api, "follow", spec).await;
    let provider = when(&api, "follow", "two nodes", |status| nodes(status) == (2, 2, 0)).await;
    let status = provider.status.unwrap();
    assert_eq!(status.status.as_deref(), Some("ACTIVE"));
    assert_eq!(status.kind.as_deref(), Some("EC2_AUTOSCALING"));
    assert_eq!(json!(status.registered), json!({"cpu": 8192, "memory": 32_768}));
    assert_eq!((status.tasks, status.reservation), (Some(0), Some(0)));
    assert_eq!(ready(&status).0, "InEffect");

    cordon(&group, 0, true).await;
    when(&api, "follow", "a cordoned node", |status| nodes(status) == (2, 1, 1)).await;
    cordon(&group, 1, true).await;
    let provider = when(&api, "follow", "none ready", |status| nodes(status) == (2, 0, 2)).await;
    let status = provider.status.unwrap();
    let told = "none of its nodes takes tasks: 2 cordoned";
    assert_eq!(ready(&status), ("NoCapacity", told));
    cordon(&group, 0, false).await;
    when(&api, "follow", "one back", |status| nodes(status) == (2, 1, 1)).await;
    group.delete(&Client::try_from(shared().await.config()).unwrap()).await.unwrap();
    let provider = when(&api, "follow", "no node", |status| nodes(status) == (0, 0, 0)).await;
    assert_eq!(ready(&provider.status.unwrap()).0, "NoCapacity");
    api.delete("follow", &DeleteParams::default()).await.unwrap();
}

#[tokio::test]
async fn two_providers_with_the_same_nodes_are_both_told_until_they_are_told_apart() {
    let api = providers().await;
    let group = group("cap-shared", 2).await;
    let spec = json!({"managedNodeGroup": {"nodegroupName": group.name}});
    applied(&api, "shared-one", spec.clone()).await;
    applied(&api, "shared-two", spec).await;
    for (name, other) in [("shared-one", "shared-two"), ("shared-two", "shared-one")] {
        let provider = when(&api, name, "a word", |status| {
            !status.conditions.is_empty() && ready(status).0 == "NodesShared"
        })
        .await;
        let message = ready(&provider.status.unwrap()).1.to_owned();
        let told = format!("would also be of capacity provider `{other}`");
        assert!(message.contains(&told), "{message}");
    }
    let apart = json!({"managedNodeGroup": {"nodegroupName": group.name},
        "kubernetes": {"nodeSelector": {"kubernetes.io/hostname": group.node_name(0)}}});
    applied(&api, "shared-one", apart).await;
    let apart = json!({"managedNodeGroup": {"nodegroupName": group.name},
        "kubernetes": {"nodeSelector": {"kubernetes.io/hostname": group.node_name(1)}}});
    applied(&api, "shared-two", apart).await;
    for name in ["shared-one", "shared-two"] {
        when(&api, name, "nodes of its own", |status| {
            ready(status).0 == "InEffect" && nodes(status) == (1, 1, 0)
        })
        .await;
        api.delete(name, &DeleteParams::default()).await.unwrap();
    }
    group.delete(&Client::try_from(shared().await.config()).unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_provider_without_nodes_says_which_labels_there_are() {
    let api = providers().await;
    applied(&api, "nowhere", json!({"managedNodeGroup": {"nodegroupName": "on-demnad"}})).await;
    let provider =
        when(&api, "nowhere", "a condition", |status| !status.conditions.is_empty()).await;
    let status = provider.status.unwrap();
    let (reason, message) = ready(&status);
    assert_eq!(reason, "NoCapacity");
    assert!(
        message.starts_with(&format!("no node has label {GROUP_LABEL}=on-demnad")),
        "{message}"
    );
    assert!(message.contains(&format!("{GROUP_LABEL}=on-demand")), "{message}");
    // A new spec is answered at once, not when figures may be written again.
    let spec = json!({"managedNodeGroup": {"nodegroupName": "on-demand"}});
    let generation = applied(&api, "nowhere", spec).await.metadata.generation;
    let asked = std::time::Instant::now();
    when(&api, "nowhere", "the answer", |status| status.observed_generation == generation).await;
    assert!(asked.elapsed() < Duration::from_secs(8), "{:?}", asked.elapsed());
    api.delete("nowhere", &DeleteParams::default()).await.unwrap();
}

#[tokio::test]
async fn a_provider_counts_the_tasks_on_its_nodes() {
    let api = providers().await;
    let place = Place::new("capacity-tasks").await;
    // Other tests' services run there too: what is asked is that ours are among the tasks.
    applied(&api, "counts", json!({"managedNodeGroup": {"nodegroupName": "on-demand"}})).await;
    applied(&api, "counts-spot", json!({"managedNodeGroup": {"nodegroupName": "spot"}})).await;
    place.task_definition("shop", "example/shop:1").await;
    place.service("web", json!({"taskDefinition": "shop", "desiredCount": 6})).await;
    place.steady("web", 6, "shop:1").await;
    let on = |group: &str| {
        let config = shared();
        let (group, namespace) = (format!("{group}-"), place.namespace.clone());
        async move {
            let api: Api<corev1::Pod> =
                Api::namespaced(Client::try_from(config.await.config()).unwrap(), &namespace);
            let pods = api.list(&kube::api::ListParams::default()).await.unwrap();
            let on_it = pods.iter().filter(|pod| {
                pod.spec
                    .as_ref()
                    .and_then(|spec| spec.node_name.as_deref())
                    .unwrap()
                    .starts_with(&group)
            });
            i32::try_from(on_it.count()).unwrap()
        }
    };
    for (name, group) in [("counts", "on-demand"), ("counts-spot", "spot")] {
        let ours = on(group).await;
        let provider = when(&api, name, "its tasks", |status| status.tasks >= Some(ours)).await;
        let status = provider.status.unwrap();
        let (registered, remaining) = (status.registered.unwrap(), status.remaining.unwrap());
        let tasks = i64::from(status.tasks.unwrap());
        assert!(registered.cpu - remaining.cpu >= tasks, "{registered:?} {remaining:?}");
        assert_eq!(status.nodes.unwrap().total, 3);
    }
    for name in ["counts", "counts-spot"] {
        api.delete(name, &DeleteParams::default()).await.unwrap();
    }
}

#[tokio::test]
async fn a_steady_cluster_sees_no_write_of_a_provider() {
    let control_plane = control_plane_with(Options { audit: true, ..options() }).await;
    let place = Place::of(&control_plane, "steady").await;
    let client = Client::try_from(control_plane.config()).unwrap();
    let api: Api<CapacityProvider> = Api::all(client.clone());
    let mut operator = Operator::new(&control_plane, &control_plane.kubeconfig_path());
    operator.start();
    place.task_definition("shop", "example/shop:1").await;
    place.service("web", json!({"taskDefinition": "shop", "desiredCount": 3})).await;
    applied(&api, "steady", json!({"managedNodeGroup": {"nodegroupName": "on-demand"}})).await;
    applied(&api, "wrong", json!({"managedNodeGroup": {"nodegroupName": "nothing"}})).await;
    applied(&api, "bad", json!({"managedNodeGroup": {"capacityType": "cheap"}})).await;
    place.steady("web", 3, "shop:1").await;
    for name in ["steady", "wrong", "bad"] {
        when(&api, name, "a status", |status| !status.conditions.is_empty()).await;
    }
    // Figures are written ten seconds after the last at the latest.
    tokio::time::sleep(Duration::from_secs(12)).await;
    let versions = || async {
        let all = api.list(&kube::api::ListParams::default()).await.unwrap();
        all.iter().map(|one| (one.name_any(), one.resource_version())).collect::<Vec<_>>()
    };
    let before = versions().await;
    // A node that changes in what no figure says.
    let nodes: Api<corev1::Node> = Api::all(client);
    let patch = Patch::Merge(json!({"metadata": {"annotations": {"example.com/a": "b"}}}));
    nodes.patch("on-demand-0", &PatchParams::default(), &patch).await.unwrap();
    tokio::time::sleep(Duration::from_secs(14)).await;
    assert_eq!(versions().await, before, "nothing was written");
    drop(operator);
    control_plane.stop().await;
}

#[tokio::test]
async fn attributes_of_nodes_are_listed() {
    let control_plane = shared().await;
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_linkspan"))
        .env("KUBECONFIG", control_plane.kubeconfig_path())
        .args(["attributes", "on-demand-0", "--attribute-name", "ecs.availability-zone"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let words: Vec<Vec<&str>> = text.lines().map(|l| l.split_whitespace().collect()).collect();
    let expected = [
        vec!["NODE", "ATTRIBUTE", "VALUE"],
        vec!["on-demand-0", "ecs.availability-zone", "sandbox-1a"],
    ];
    assert_eq!(words, expected);
}
