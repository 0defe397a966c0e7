//! A group of nodes is sized by the scale of an object, as tasks come and go. The group is simulated:
//! the number in its scale makes and removes nodes; the scheduler that finds no room is the real one.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::apps::v1 as appsv1;
use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::api::events::v1 as eventsv1;
use kube::api::{
    ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams,
};
use kube::core::GroupVersionKind;
use kube::{Api, Client, Resource, ResourceExt};
use linkspan::api::{CapacityProvider, CapacityProviderStatus};
use linkspan::sandbox::control_plane::nodes::GROUP_LABEL;
use linkspan::sandbox::control_plane::{ControlPlane, Options, Program};
use linkspan::sandbox::scaled_group::{NodeGroup, REMOVE_FIRST};
use serde_json::{Value, json};

use crate::support::{Operator, Place, audited, control_plane_with, options, shared, until};

async fn client() -> Client {
    Client::try_from(shared().await.config()).unwrap()
}

/// A group of nodes of one core, which only pods come to that ask for it.
async fn group(place: &Place, name: &str, more: Value) {
    let mut spec =
        json!({"replicas": 0, "cpu": "1", "memory": "2Gi", "taints": [format!("only-{name}")]});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    place.apply::<NodeGroup>(name, spec).await;
}

/// A provider that is sized by a group of the same name.
async fn provider(place: &Place, name: &str, form: Value, target: Value) {
    let mut scale = json!({"apiVersion": "sandbox.linkspan.dev/v1", "kind": "NodeGroup",
        "namespace": place.namespace, "name": name});
    scale.as_object_mut().unwrap().extend(target.as_object().unwrap().clone());
    let mut spec =
        json!({"kubernetes": {"scaleInAnnotation": REMOVE_FIRST, "scaleTargetRef": scale}});
    spec.as_object_mut().unwrap().extend(form.as_object().unwrap().clone());
    let object = json!({"apiVersion": CapacityProvider::api_version(&()),
        "kind": "CapacityProvider", "metadata": {"name": name}, "spec": spec});
    let api: Api<CapacityProvider> = Api::all(place.client.clone());
    api.patch(name, &PatchParams::apply("test").force(), &Patch::Apply(&object)).await.unwrap();
}

fn auto_scaling(name: &str) -> Value {
    json!({"autoScalingGroupProvider": {"autoScalingGroupArn": name,
        "managedScaling": {"status": "ENABLED", "instanceWarmupPeriod": 3}}})
}

/// Tasks of most of a core each, placed by a provider as a service's tasks are.
async fn tasks(place: &Place, provider: &str, count: i32) {
    let labels = json!({"ecs.linkspan.dev/service": provider, "ecs.linkspan.dev/cluster": "default",
        "ecs.linkspan.dev/service-uid": format!("uid-{provider}"),
        "ecs.linkspan.dev/capacity-provider": provider});
    place
        .apply::<appsv1::Deployment>(
            &format!("{provider}-tasks"),
            json!({"replicas": count, "selector": {"matchLabels": labels}, "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "nodeSelector": {GROUP_LABEL: provider},
                    "tolerations": [{"key": format!("only-{provider}"), "operator": "Exists"}],
                    "containers": [{"name": "a", "image": "example/a:1",
                        "resources": {"requests": {"cpu": "800m", "memory": "1Gi"}}}]}}}),
        )
        .await;
}

async fn nodes(name: &str) -> Vec<corev1::Node> {
    let api: Api<corev1::Node> = Api::all(client().await);
    let of_group = ListParams::default().labels(&format!("{GROUP_LABEL}={name}"));
    api.list(&of_group).await.unwrap().items
}

async fn has_nodes(name: &str, count: usize) {
    until(&format!("{count} nodes of {name}"), || async {
        let found = nodes(name).await.len();
        if found == count { Ok(()) } else { Err(format!("{found}; {}", told(name).await)) }
    })
    .await;
}

async fn told(name: &str) -> String {
    let api: Api<CapacityProvider> = Api::all(client().await);
    json!(api.get(name).await.unwrap().status).to_string()
}

async fn when(
    name: &str,
    what: &str,
    is_so: impl Fn(&CapacityProviderStatus) -> bool,
) -> CapacityProviderStatus {
    let api: Api<CapacityProvider> = Api::all(client().await);
    until(&format!("capacity provider {name}: {what}"), || async {
        let status = api.get(name).await.unwrap().status.unwrap_or_default();
        if is_so(&status) { Ok(status) } else { Err(json!(status).to_string()) }
    })
    .await
}

fn reason(status: &CapacityProviderStatus) -> (&str, &str) {
    let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready");
    ready.map_or(("", ""), |ready| (&ready.reason, &ready.message))
}

async fn running(place: &Place) -> Vec<corev1::Pod> {
    let pods = place.api::<corev1::Pod>().list(&ListParams::default()).await.unwrap();
    let is_running = |pod: &corev1::Pod| {
        pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running")
    };
    pods.items.into_iter().filter(is_running).collect()
}

async fn are_running(place: &Place, count: usize) {
    until(&format!("{count} tasks run"), || async {
        let found = running(place).await.len();
        if found == count { Ok(()) } else { Err(found.to_string()) }
    })
    .await;
}

async fn end(place: &Place, name: &str) {
    let api: Api<CapacityProvider> = Api::all(place.client.clone());
    api.delete(name, &DeleteParams::default()).await.unwrap();
    place.delete::<NodeGroup>(name).await;
}

#[tokio::test]
async fn a_group_goes_from_none_to_five_and_back_as_tasks_come_and_go() {
    let place = Place::new("sizing").await;
    group(&place, "sized", json!({})).await;
    provider(&place, "sized", auto_scaling("sized"), json!({})).await;
    when("sized", "a size", |status| status.desired == Some(0)).await;
    tasks(&place, "sized", 5).await;
    are_running(&place, 5).await;
    has_nodes("sized", 5).await;
    let status = when("sized", "five nodes", |status| status.desired == Some(5)).await;
    let last = status.last_activity.unwrap();
    assert_eq!((last.from, last.to), (2, 5), "{}", last.cause);
    let events: Api<eventsv1::Event> = Api::namespaced(place.client.clone(), "default");
    let events = events.list(&ListParams::default()).await.unwrap();
    let said: Vec<&str> = events
        .iter()
        .filter(|event| event.reason.as_deref() == Some("ScaledOut"))
        .filter_map(|event| event.note.as_deref())
        .filter(|note| note.contains("/sized goes"))
        .collect();
    assert!(said.iter().any(|note| note.contains("goes from 2 to 5 nodes")), "{said:?}");

    // Two tasks go: their nodes leave, and no other.
    tasks(&place, "sized", 3).await;
    has_nodes("sized", 3).await;
    let left = running(&place).await;
    assert_eq!(left.len(), 3, "no task that stays was moved");
    let at: BTreeSet<_> = left.iter().map(|pod| pod.spec.clone().unwrap().node_name).collect();
    let there: BTreeSet<_> =
        nodes("sized").await.iter().map(|node| Some(node.name_any())).collect();
    assert_eq!(at, there);
    tasks(&place, "sized", 0).await;
    for count in [2, 1, 0] {
        has_nodes("sized", count).await;
    }
    let status = when("sized", "no nodes", |status| reason(status).0 == "ScaledToZero").await;
    assert_eq!((status.desired, status.leaving.len()), (Some(0), 0));
    end(&place, "sized").await;
}

#[tokio::test]
async fn a_managed_group_of_none_gets_one_node_for_one_task_and_gives_it_back() {
    let place = Place::new("zeroed").await;
    group(&place, "zeroed", json!({})).await;
    let form = json!({"managedNodeGroup": {"nodegroupName": "zeroed",
        "scalingConfig": {"minSize": 0, "desiredSize": 0, "maxSize": 5}}});
    provider(&place, "zeroed", form, json!({})).await;
    when("zeroed", "nothing to do", |status| reason(status).0 == "ScaledToZero").await;
    tasks(&place, "zeroed", 1).await;
    are_running(&place, 1).await;
    let there = nodes("zeroed").await;
    assert_eq!(there.len(), 1);
    // Somebody else's pod keeps the node, as long as it is there.
    let guest = json!({"nodeName": there[0].name_any(), "tolerations": [{"operator": "Exists"}],
        "containers": [{"name": "a", "image": "example/a:1"}]});
    place.apply::<corev1::Pod>("guest", guest).await;
    tasks(&place, "zeroed", 0).await;
    let named = format!("pod {}/guest runs on", place.namespace);
    when("zeroed", "a guest is told of", |status| reason(status).1.contains(&named)).await;
    assert_eq!(nodes("zeroed").await.len(), 1);
    place.delete::<corev1::Pod>("guest").await;
    has_nodes("zeroed", 0).await;
    let status = when("zeroed", "none again", |status| status.desired == Some(0)).await;
    assert_eq!(status.last_activity.map(|last| (last.from, last.to)), Some((1, 0)));
    end(&place, "zeroed").await;
}

#[tokio::test]
async fn a_group_that_gets_no_nodes_is_asked_once_and_told_of() {
    let place = Place::new("stuck").await;
    group(&place, "stuck", json!({"stuck": true})).await;
    provider(&place, "stuck", auto_scaling("stuck"), json!({})).await;
    tasks(&place, "stuck", 1).await;
    let status = when("stuck", "a word", |status| reason(status).0 == "ScaleTargetIgnores").await;
    assert!(reason(&status).1.contains("was asked for 2 nodes"), "{:?}", reason(&status));
    tokio::time::sleep(Duration::from_secs(8)).await;
    let group = place.api::<NodeGroup>().get("stuck").await.unwrap();
    assert_eq!((group.spec.replicas, group.metadata.generation), (2, Some(2)), "asked once");
    end(&place, "stuck").await;
}

#[tokio::test]
async fn what_cannot_be_scaled_is_a_condition() {
    let place = Place::new("unscaled").await;
    for (target, expected) in [
        (json!({"name": "nobody"}), "ScaleTargetNotFound"),
        (json!({"kind": "Nothing"}), "ScaleTargetNotFound"),
        (json!({"apiVersion": "example.com/v1"}), "ScaleTargetNotFound"),
        (
            json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "kube-root-ca.crt"}),
            "ScaleTargetNotScalable",
        ),
    ] {
        provider(&place, "unscaled", auto_scaling("unscaled"), target).await;
        when("unscaled", expected, |status| reason(status).0 == expected).await;
    }
    let api: Api<CapacityProvider> = Api::all(place.client.clone());
    api.delete("unscaled", &DeleteParams::default()).await.unwrap();
}

/// What is asked of the group of nobody, which names no resource, and what is written of Linkspan's.
const AUDIT_POLICY: &str = r#"apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: Metadata, nonResourceURLs: ["/apis/down.example.com/*"]}
- {level: Metadata, verbs: [create, update, patch, delete], resources: [{group: ecs.linkspan.dev}]}
- {level: None}
"#;

/// How often Linkspan has asked for the group of nobody, and written of the provider that names it.
fn asked_and_written(control_plane: &ControlPlane) -> (usize, usize) {
    let mut ours = audited(&control_plane.audit_log());
    ours.retain(|line| line["userAgent"].as_str().is_some_and(|by| by.starts_with("linkspan/")));
    let asks = |line: &&Value| {
        line["requestURI"].as_str().is_some_and(|uri| uri.starts_with("/apis/down.example.com/"))
    };
    let writes = |line: &&Value| line["objectRef"]["name"] == "unreached";
    (ours.iter().filter(asks).count(), ours.iter().filter(writes).count())
}

/// The kind is served by somebody who does not answer.
#[tokio::test]
async fn a_target_that_cannot_be_reached_is_a_condition_and_not_a_loop() {
    let policy = std::env::temp_dir().join(format!("linkspan-audit-{}.yaml", std::process::id()));
    std::fs::write(&policy, AUDIT_POLICY).unwrap();
    let policy_of_ours = format!("--audit-policy-file={}", policy.display());
    let arguments = vec![(Program::KubeApiserver, policy_of_ours)];
    let control_plane = control_plane_with(Options { audit: true, arguments, ..options() }).await;
    let operator = Operator::start(&control_plane);
    let place = Place::of(&control_plane, "unreached").await;
    let api: Api<CapacityProvider> = Api::all(place.client.clone());
    let kind = GroupVersionKind::gvk("apiregistration.k8s.io", "v1", "APIService");
    let services: Api<DynamicObject> =
        Api::all_with(place.client.clone(), &ApiResource::from_gvk(&kind));
    let down: DynamicObject = serde_json::from_value(json!({
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": {"name": "v1.down.example.com"},
        "spec": {"group": "down.example.com", "version": "v1", "groupPriorityMinimum": 100,
            "versionPriority": 100, "insecureSkipTLSVerify": true,
            "service": {"namespace": "default", "name": "nobody"}}
    }))
    .unwrap();
    services.create(&PostParams::default(), &down).await.unwrap();
    provider(
        &place,
        "unreached",
        auto_scaling("unreached"),
        json!({"apiVersion": "down.example.com/v1"}),
    )
    .await;
    let comes = async |expected: &str| {
        until(expected, || async {
            let status = api.get("unreached").await.unwrap().status.unwrap_or_default();
            let told = reason(&status);
            if told.0 == expected { Ok(()) } else { Err(format!("{told:?}")) }
        })
        .await;
    };
    comes("ScaleTargetUnreachable").await;
    // Looked at every ten seconds, and told once: but for what changed while the server took it up.
    let before = asked_and_written(&control_plane);
    tokio::time::sleep(Duration::from_secs(25)).await;
    let after = asked_and_written(&control_plane);
    let (asked, written) = (after.0 - before.0, after.1 - before.1);
    assert!((1..=5).contains(&asked), "asked {asked} times in 25 s");
    assert!(before.1 > 0 && written <= 1, "told {} times, then {written} times", before.1);
    // Where it answers again, that is seen: here it is not found, since nobody serves it any more.
    services.delete("v1.down.example.com", &DeleteParams::default()).await.unwrap();
    comes("ScaleTargetNotFound").await;
    operator.stop();
    control_plane.stop().await;
    std::fs::remove_file(&policy).unwrap();
}
