//! A DAEMON service runs one task on each node that is meant, and on no other, as nodes come, go and
//! drain. The controller of DaemonSets is the real one.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use k8s_openapi::api::apps::v1 as appsv1;
use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::api::policy::v1 as policyv1;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, Client, Resource, ResourceExt};
use linkspan::api::{CapacityProvider, Cause, Service, ServiceDeployment};
use linkspan::names::label;
use linkspan::plan::node::DRAINING;
use linkspan::sandbox::control_plane::nodes::NodeGroup;
use serde_json::{Value, json};

use crate::support::{Place, shared, status_of, until};

/// A group of nodes that only tasks of its provider come to, and the provider.
async fn group(place: &Place, name: &str, count: u32) -> NodeGroup {
    let taint = corev1::Taint {
        key: format!("only-{name}"),
        effect: "NoSchedule".to_owned(),
        ..corev1::Taint::default()
    };
    let taints = json!([{"key": taint.key, "effect": "NO_SCHEDULE"}]);
    let group =
        NodeGroup { name: name.to_owned(), count, taints: vec![taint], ..NodeGroup::default() };
    group.create(&place.client).await.unwrap();
    let object = json!({"apiVersion": CapacityProvider::api_version(&()),
        "kind": "CapacityProvider", "metadata": {"name": name},
        "spec": {"managedNodeGroup": {"nodegroupName": name, "taints": taints}}});
    let api: Api<CapacityProvider> = Api::all(place.client.clone());
    api.patch(name, &PatchParams::apply("test").force(), &Patch::Apply(&object)).await.unwrap();
    group
}

fn daemon(provider: &str, more: &Value) -> Value {
    let mut spec = json!({"taskDefinition": "agent", "schedulingStrategy": "DAEMON",
        "capacityProviderStrategy": [{"capacityProvider": provider}]});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    spec
}

/// What the command line says.
async fn said(place: &Place, verb: &[&str]) -> String {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_linkspan"))
        .env("KUBECONFIG", shared().await.kubeconfig_path())
        .args(verb)
        .args(["--namespace", &place.namespace])
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{verb:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

async fn daemon_set(place: &Place, service: &Service) -> appsv1::DaemonSet {
    let mut found = place.children::<appsv1::DaemonSet>(service).await;
    assert_eq!(found.len(), 1, "one DaemonSet");
    found.remove(0)
}

/// The nodes of the tasks that do not stop, with their images.
async fn tasks(place: &Place, service: &Service) -> Vec<(String, String)> {
    let pods = place.children::<corev1::Pod>(service).await;
    let there = pods.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
    let mut all: Vec<_> = there
        .map(|pod| {
            let spec = pod.spec.unwrap();
            (spec.node_name.unwrap_or_default(), spec.containers[0].image.clone().unwrap())
        })
        .collect();
    all.sort();
    all
}

async fn edit_node(client: &Client, name: &str, patch: &Value) {
    let api: Api<corev1::Node> = Api::all(client.clone());
    let edited = api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await;
    edited.unwrap();
}

async fn end(place: &Place, group: &NodeGroup) {
    let api: Api<CapacityProvider> = Api::all(place.client.clone());
    api.delete(&group.name, &DeleteParams::default()).await.unwrap();
    group.delete(&place.client).await.unwrap();
}

#[tokio::test]
async fn one_task_runs_on_each_node_that_is_meant_as_nodes_come_go_and_drain() {
    let place = Place::new("daemon").await;
    let mut nodes = group(&place, "dmn", 3).await;
    place.task_definition("agent", "example/agent:1").await;
    // The count says nothing.
    place.service("agent", daemon("dmn", &json!({"desiredCount": 7}))).await;
    let service = place.steady("agent", 3, "agent:1").await;
    let on = |tasks: Vec<(String, String)>| -> BTreeSet<String> {
        tasks.into_iter().map(|(node, _)| node).collect()
    };
    for (verb, expected) in [
        (&["status", "agent"][..], "agent"),
        (&["tasks", "agent"], "dmn-2"),
        (&["explain", "service", "agent"], "3 desired, 3 running, 0 pending"),
        (&["rollout", "status", "agent"], "agent"),
        (&["rollout", "history", "agent"], "agent:1"),
    ] {
        let said = said(&place, verb).await;
        assert!(said.contains(expected), "{verb:?}: {said}");
    }
    let expected: BTreeSet<String> = (0..3).map(|number| nodes.node_name(number)).collect();
    assert_eq!(on(tasks(&place, &service).await), expected);
    let status = status_of(&service);
    assert_eq!((status.desired_count, status.deployments[0].desired_count), (3, 3));
    assert_eq!(place.children::<appsv1::Deployment>(&service).await.len(), 0);
    // What would bind a drain by tasks that no drain moves.
    assert_eq!(place.children::<policyv1::PodDisruptionBudget>(&service).await.len(), 0);
    let said = status.events.iter().any(|event| event.message.contains("has started 3 tasks"));
    assert!(said, "{:?}", status.events);

    nodes.count = 4;
    nodes.create(&place.client).await.unwrap();
    place.steady("agent", 4, "agent:1").await;
    // A cordoned node loses its task, by a label that says why, and gets it back.
    edit_node(&place.client, "dmn-0", &json!({"spec": {"unschedulable": true}})).await;
    let service = place.steady("agent", 3, "agent:1").await;
    assert!(!on(tasks(&place, &service).await).contains("dmn-0"));
    let api: Api<corev1::Node> = Api::all(place.client.clone());
    assert_eq!(api.get("dmn-0").await.unwrap().labels()[DRAINING], "cordoned");
    edit_node(&place.client, "dmn-0", &json!({"spec": {"unschedulable": null}})).await;
    place.steady("agent", 4, "agent:1").await;
    // So does one whose machine is about to end.
    let notice = json!({"spec": {"taints": [
        {"key": "only-dmn", "effect": "NoSchedule"},
        {"key": "aws-node-termination-handler/spot-itn", "effect": "NoSchedule"}]}});
    edit_node(&place.client, "dmn-1", &notice).await;
    let service = place.steady("agent", 3, "agent:1").await;
    assert!(!on(tasks(&place, &service).await).contains("dmn-1"));
    api.delete("dmn-1", &DeleteParams::default()).await.unwrap();
    place.steady("agent", 3, "agent:1").await;
    place.delete::<Service>("agent").await;
    place.gone(&service).await;
    end(&place, &nodes).await;
}

/// What was seen of a service's tasks, looking all the time.
#[derive(Debug)]
struct Watched {
    /// The fewest healthy tasks.
    least: usize,
    /// Those that had become healthy.
    were_ready: BTreeSet<String>,
    /// Tasks that then became unhealthy by themselves: those Kubernetes replaces beside, or had counted
    /// as healthy when it stopped another.
    failed: BTreeSet<String>,
    /// How the DaemonSet was to replace them.
    strategies: BTreeSet<String>,
}

/// Looks until told to stop.
fn watch_health(place: &Place, service: &Service) -> (Arc<AtomicBool>, Arc<Mutex<Watched>>) {
    let none = BTreeSet::new;
    let nothing =
        Watched { least: usize::MAX, were_ready: none(), failed: none(), strategies: none() };
    let (stop, watched) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(nothing)));
    let ours = format!("{}={}", label::SERVICE_UID, service.uid().unwrap());
    let (told, seen) = (stop.clone(), watched.clone());
    let (pods, sets) = (place.api::<corev1::Pod>(), place.api::<appsv1::DaemonSet>());
    tokio::spawn(async move {
        let ours = kube::api::ListParams::default().labels(&ours);
        while !told.load(Ordering::Relaxed) {
            let pods = pods.list(&ours).await.unwrap().items;
            let sets = sets.list(&ours).await.unwrap().items;
            {
                let mut seen = seen.lock().unwrap();
                let there = pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
                let (ready, unready): (Vec<_>, Vec<_>) = there.partition(|pod| is_ready(pod));
                seen.least = seen.least.min(ready.len());
                seen.were_ready.extend(ready.iter().filter_map(|pod| pod.uid()));
                let failed: Vec<String> = unready
                    .iter()
                    .filter(|pod| pod.uid().is_some_and(|uid| seen.were_ready.contains(&uid)))
                    .map(|pod| json!(pod.status).to_string())
                    .collect();
                seen.failed.extend(failed);
                let strategy = |set: &appsv1::DaemonSet| {
                    json!(set.spec.as_ref().unwrap().update_strategy).to_string()
                };
                seen.strategies.extend(sets.iter().map(strategy));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    (stop, watched)
}

fn is_ready(pod: &corev1::Pod) -> bool {
    let mut conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.any(|one| one.type_ == "Ready" && one.status == "True")
}

#[tokio::test]
async fn a_daemon_rolls_within_its_minimum_and_not_where_there_is_no_room() {
    let place = Place::new("daemon-roll").await;
    let nodes = group(&place, "dmnroll", 5).await;
    place.task_definition("agent", "example/agent:1").await;
    let percent = |minimum: i32| {
        daemon("dmnroll", &json!({"deploymentConfiguration": {"minimumHealthyPercent": minimum}}))
    };
    place.service("agent", percent(50)).await;
    let service = place.steady("agent", 5, "agent:1").await;
    let spec = daemon_set(&place, &service).await.spec.unwrap();
    // Of 5 tasks 3 must stay: 50 % of Kubernetes' would let 3 go.
    let rolling = json!(spec.update_strategy)["rollingUpdate"].clone();
    assert_eq!(rolling, json!({"maxUnavailable": 2, "maxSurge": 0}));
    let (stop, watched) = watch_health(&place, &service);
    place.task_definition("agent", "example/agent:2").await;
    let service = place.steady("agent", 5, "agent:2").await;
    stop.store(true, Ordering::Relaxed);
    let (least, failed, strategies) = {
        let seen = watched.lock().unwrap();
        (seen.least, seen.failed.clone(), seen.strategies.clone())
    };
    assert_eq!(strategies.len(), 1, "{strategies:?}");
    // Tasks that fail by themselves are nobody's violation.
    assert!(least < 5 && (least >= 3 || !failed.is_empty()), "{least} healthy; {failed:?}");
    assert!(tasks(&place, &service).await.iter().all(|(_, image)| image == "example/agent:2"));
    let records = place.records(&service).await;
    assert_eq!(records.last().unwrap().spec.cause, Cause::TaskDefinitionChanged);
    tell!("daemon roll: 5 nodes at 50 %: least healthy {least}");

    place.service("agent", percent(100)).await;
    place.steady("agent", 5, "agent:2").await;
    place.task_definition("agent", "example/agent:3").await;
    let message = place.reason("agent", "DeploymentBlocked").await;
    assert!(message.contains("none of 5 tasks may be away"), "{message}");
    assert!(tasks(&place, &service).await.iter().all(|(_, image)| image == "example/agent:2"));
    place.service("agent", percent(0)).await;
    place.steady("agent", 5, "agent:3").await;
    place.delete::<Service>("agent").await;
    place.gone(&service).await;
    end(&place, &nodes).await;
}

#[tokio::test]
async fn a_daemon_is_put_right_and_outlives_the_loss_of_its_record() {
    let place = Place::new("daemon-drift").await;
    let nodes = group(&place, "dmndrift", 2).await;
    place.task_definition("agent", "example/agent:1").await;
    place.service("agent", daemon("dmndrift", &json!({}))).await;
    let service = place.steady("agent", 2, "agent:1").await;
    let found = daemon_set(&place, &service).await;
    let pods: Vec<String> =
        place.children::<corev1::Pod>(&service).await.iter().map(ResourceExt::name_any).collect();
    for edit in [
        json!({"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": null}}}),
        json!({"metadata": {"ownerReferences": []}}),
    ] {
        place.meddle::<appsv1::DaemonSet>(&found.name_any(), edit.clone()).await;
        until(&format!("{edit} is put right"), || async {
            let now = daemon_set(&place, &service).await;
            let kind = now.spec.unwrap().update_strategy.unwrap().type_;
            let owned = now.metadata.owner_references.unwrap_or_default().len() == 1;
            if owned && kind.as_deref() == Some("RollingUpdate") {
                Ok(())
            } else {
                Err(format!("{kind:?}"))
            }
        })
        .await;
    }
    let record = place.records(&service).await.remove(0).name_any();
    place.delete::<ServiceDeployment>(&record).await;
    until("the record is rebuilt", || async {
        let records = place.records(&service).await;
        let causes: Vec<Cause> = records.iter().map(|record| record.spec.cause).collect();
        if causes == [Cause::Restored] { Ok(()) } else { Err(format!("{causes:?}")) }
    })
    .await;
    let service = place.steady("agent", 2, "agent:1").await;
    let after: Vec<String> =
        place.children::<corev1::Pod>(&service).await.iter().map(ResourceExt::name_any).collect();
    assert_eq!(after, pods, "no task was replaced");
    place.delete::<appsv1::DaemonSet>(&found.name_any()).await;
    until("the DaemonSet is made anew", || async {
        let now = place.children::<appsv1::DaemonSet>(&service).await;
        let other = now.first().is_some_and(|now| now.uid() != found.uid());
        if other { Ok(()) } else { Err(format!("{}", now.len())) }
    })
    .await;
    place.steady("agent", 2, "agent:1").await;
    place.delete::<Service>("agent").await;
    place.gone(&service).await;
    end(&place, &nodes).await;
}

#[tokio::test]
async fn what_is_not_for_daemons_is_refused_by_name() {
    let place = Place::new("daemon-refused").await;
    place.task_definition("agent", "example/agent:1").await;
    let spread = json!([{"type": "spread", "field": "instanceId"}]);
    for (name, more, expected) in [
        (
            "fargate",
            json!({"launchType": "FARGATE"}),
            "tasks using the Fargate launch type don't support the DAEMON scheduling strategy",
        ),
        ("strategy", json!({"placementStrategy": spread}), "placementStrategy: is not for DAEMON"),
        (
            "zones",
            json!({"availabilityZoneRebalancing": "ENABLED"}),
            "availabilityZoneRebalancing is ENABLED: goes with REPLICA only",
        ),
        (
            "scaled",
            json!({"autoscaling": {"scalableTarget": {"minCapacity": 1, "maxCapacity": 2}}}),
            "a DAEMON service has one task on each node",
        ),
    ] {
        let mut spec = json!({"taskDefinition": "agent", "schedulingStrategy": "DAEMON"});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        place.service(name, spec).await;
        let message = place.reason(name, "InvalidSpec").await;
        assert!(message.contains(expected), "{name}: {message}");
    }
    let replica = json!({"taskDefinition": "agent", "schedulingStrategy": "REPLICA"});
    let changed = place.try_apply::<Service>("scaled", replica).await;
    let why = changed.unwrap_err().to_string();
    assert!(why.contains("schedulingStrategy cannot be changed"), "{why}");
}

#[tokio::test]
async fn who_scales_a_daemon_is_told_that_it_has_no_count() {
    let place = Place::new("daemon-scaled").await;
    let nodes = group(&place, "dmnscaled", 1).await;
    place.task_definition("agent", "example/agent:1").await;
    place.service("agent", daemon("dmnscaled", &json!({"desiredCount": 1}))).await;
    place.steady("agent", 1, "agent:1").await;
    place.scale("agent", 5).await;
    let told = |service: &Service| {
        status_of(service).conditions.iter().any(|one| {
            one.type_ == "FullySupported"
                && one.message.contains("sets it through the scale subresource, without effect")
        })
    };
    place.service_when("agent", "a word about the scaler", told).await;
    let service = place.steady("agent", 1, "agent:1").await;
    place.delete::<Service>("agent").await;
    place.gone(&service).await;
    end(&place, &nodes).await;
}
