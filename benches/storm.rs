//! 1,000 Services at once, and one task definition's change under all of them, each against a bare
//! client that makes the same writes at the same concurrency in the same run.
//!
//! `LINKSPAN_SERVICES=50 cargo bench --bench storm` tries it out.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a measurement that cannot go on ends"
)]
#![allow(dead_code, reason = "each benchmark uses its part of the support")]

#[path = "support/report.rs"]
mod report;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;
use std::pin::pin;
use std::sync::Mutex;
use std::time::Instant;

use futures::{Stream, StreamExt};
use k8s_openapi::api::apps::v1 as appsv1;
use k8s_openapi::api::events::v1 as eventsv1;
use kube::api::{
    ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams,
};
use kube::core::GroupVersionKind;
use kube::{Api, Client, ResourceExt};
use kube_runtime::{WatchStreamExt, watcher};
use linkspan::api::{Service, ServiceDeployment};
use report::{Report, heads, size};
use serde_json::{Value, json};
use support::{CONCURRENCY, Operator, Processor, control_plane, each};

const LINKSPAN: &str = "ecs.linkspan.dev/v1alpha1";

fn task_definition(image: &str) -> Value {
    json!({"apiVersion": LINKSPAN, "kind": "TaskDefinition", "metadata": {"name": "shop"}, "spec": {
        "family": "shop", "containerDefinitions": [{
            "name": "app", "image": image, "memory": 16, "portMappings": [{"containerPort": 80}],
            "healthCheck": {"command": ["CMD", "true"]}}]}})
}

fn service(at: usize) -> Value {
    json!({"apiVersion": LINKSPAN, "kind": "Service", "metadata": {"name": format!("svc-{at}")},
        "spec": {"taskDefinition": "shop"}})
}

struct Storm {
    client: Client,
    namespace: String,
    services: usize,
}

impl Storm {
    fn api(&self, object: &Value) -> Api<DynamicObject> {
        let api_version = object["apiVersion"].as_str().unwrap();
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let kind = object["kind"].as_str().unwrap();
        let named = GroupVersionKind::gvk(group, version, kind);
        Api::namespaced_with(self.client.clone(), &self.namespace, &ApiResource::from_gvk(&named))
    }

    async fn apply(&self, object: &Value) -> DynamicObject {
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let parameters = PatchParams::apply("bench").force();
        self.api(object).patch(&name, &parameters, &Patch::Apply(object)).await.unwrap()
    }

    async fn list<K>(&self) -> Vec<K>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), &self.namespace);
        api.list(&ListParams::default()).await.unwrap().items
    }

    /// Waits until every service is steady with a revision.
    async fn all_steady(&self, revision: &str) {
        let mut seen = pin!(self.seen::<Service>());
        let mut steady = BTreeSet::new();
        while steady.len() < self.services {
            let service = seen.next().await.unwrap();
            let name = service.name_any();
            let status = service.status.unwrap_or_default();
            if status.task_definition.as_deref() == Some(revision)
                && status.running_count == 1
                && status.conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True")
            {
                steady.insert(name);
            } else {
                steady.remove(&name);
            }
        }
    }

    /// Every object of a kind, as it is and as it becomes.
    fn seen<K>(&self) -> impl Stream<Item = K>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned
            + Send
            + 'static,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), &self.namespace);
        let events = watcher(api, watcher::Config::default()).default_backoff();
        events.applied_objects().map(Result::unwrap)
    }

    /// What stands for a service, as the operator wrote it, to be written again by a bare client.
    async fn written(&self) -> Vec<Written> {
        let mut all: BTreeMap<String, Written> = BTreeMap::new();
        let owner = |object: &Value| {
            object["metadata"]["ownerReferences"][0]["name"].as_str().map(ToOwned::to_owned)
        };
        for record in self.list::<ServiceDeployment>().await {
            let record = json!(record);
            let Some(owner) = owner(&record) else { continue };
            all.entry(owner).or_default().record = record;
        }
        let mut children: Vec<Value> = Vec::new();
        children.extend(
            self.list::<k8s_openapi::api::core::v1::Service>().await.iter().map(|o| json!(o)),
        );
        children.extend(
            self.list::<k8s_openapi::api::policy::v1::PodDisruptionBudget>()
                .await
                .iter()
                .map(|o| json!(o)),
        );
        children.extend(self.list::<appsv1::Deployment>().await.iter().map(|o| json!(o)));
        for child in children {
            let Some(owner) = owner(&child) else { continue };
            all.entry(owner).or_default().children.push(child);
        }
        for service in self.list::<Service>().await {
            all.entry(service.name_any()).or_default().status = json!(service.status);
        }
        for event in self.list::<eventsv1::Event>().await {
            let event = json!(event);
            let by = event["reportingController"].as_str().unwrap_or_default();
            let of = event["regarding"]["name"].as_str().unwrap_or_default();
            if by.starts_with("ecs.linkspan.dev") && all.contains_key(of) {
                all.entry(of.to_owned()).or_default().events.push(event);
            }
        }
        all.into_values().collect()
    }
}

#[derive(Clone, Default)]
struct Written {
    record: Value,
    children: Vec<Value>,
    status: Value,
    /// The Events that people were told by.
    events: Vec<Value>,
}

/// An object as it is first written: without what the API server adds, and owned by another.
fn bare(object: &Value, at: usize, uid: &str) -> Value {
    let mut object = object.clone();
    let meta = &object["metadata"];
    object["metadata"] = json!({
        "name": format!("bare-{at}-{}", meta["name"].as_str().unwrap()),
        "labels": meta["labels"], "annotations": meta["annotations"],
        "ownerReferences": [{"apiVersion": LINKSPAN, "kind": "Service", "name": format!("svc-{at}"),
            "uid": uid, "controller": true, "blockOwnerDeletion": true}],
    });
    object.as_object_mut().unwrap().remove("status");
    if let Some(spec) = object["spec"].as_object_mut() {
        for server_set in ["clusterIP", "clusterIPs"] {
            spec.remove(server_set);
        }
    }
    // Selected by its own label, so that no two Deployments want each other's pods.
    let text = object.to_string();
    serde_json::from_str(&text.replace(
        "ecs.linkspan.dev/service-uid\":\"",
        &format!("ecs.linkspan.dev/service-uid\":\"{at}-"),
    ))
    .unwrap()
}

/// The writes that the operator makes for one service: the record, its children, and the status of
/// both once the task runs.
async fn write_bare(
    storm: &Storm,
    at: usize,
    written: &Written,
    running: &Mutex<BTreeMap<usize, String>>,
) {
    let created = storm.apply(&service(at)).await;
    let uid = created.uid().unwrap();
    let record = bare(&written.record, at, &uid);
    let api = storm.api(&record);
    let posted: DynamicObject = serde_json::from_value(record.clone()).unwrap();
    api.create(&PostParams::default(), &posted).await.unwrap();
    for child in &written.children {
        storm.apply(&bare(child, at, &uid)).await;
    }
    patch_status(storm, &service(at), &json!({"conditions": written.status["conditions"]})).await;
    running.lock().unwrap().insert(at, record["metadata"]["name"].as_str().unwrap().to_owned());
}

async fn patch_status(storm: &Storm, object: &Value, status: &Value) {
    let name = object["metadata"]["name"].as_str().unwrap();
    let body = json!({"apiVersion": object["apiVersion"], "kind": object["kind"],
        "metadata": {"name": name}, "status": status});
    let parameters = PatchParams::apply("bench").force();
    storm.api(object).patch_status(name, &parameters, &Patch::Apply(&body)).await.unwrap();
}

#[tokio::main]
async fn main() {
    let services = size("LINKSPAN_SERVICES", 1000);
    let control_plane = control_plane().await;
    let client = Client::try_from(control_plane.config()).unwrap();
    let mut report = Report::default();
    let storm = |namespace: String| Storm { client: client.clone(), namespace, services };

    // The operator.
    let operator = Operator::start(&control_plane);
    let cold = operator.ready().await;
    let ours = storm(control_plane.namespace(&client, "storm").await.unwrap());
    ours.apply(&task_definition("example/shop:1")).await;
    let registered = operator.writes();
    let mut processor = Processor::of(&control_plane);
    let started = Instant::now();
    each(services, |at| {
        let ours = &ours;
        async move {
            ours.apply(&service(at)).await;
        }
    })
    .await;
    ours.all_steady("shop:1").await;
    let first = started.elapsed();
    let mut used = vec![("to steady", processor.since())];
    let writes = (operator.writes() - registered) as f64 / services as f64;
    let by_kind = operator.writes_by_kind();
    let resident = operator.resident();
    let plans = operator.reconciliations();
    let written = ours.written().await;

    let before = operator.writes();
    processor.since();
    let started = Instant::now();
    ours.apply(&task_definition("example/shop:2")).await;
    ours.all_steady("shop:2").await;
    let rolled = started.elapsed();
    used.push(("the change", processor.since()));
    let roll_writes = (operator.writes() - before) as f64 / services as f64;
    let mut roll_by_kind = operator.writes_by_kind();
    for (labels, count) in &mut roll_by_kind {
        *count -= by_kind.get(labels).unwrap_or(&0);
    }
    drop(operator);

    // The bare client, in a namespace of its own, with nobody else at work.
    let theirs = storm(control_plane.namespace(&client, "bare").await.unwrap());
    let running = Mutex::new(BTreeMap::new());
    processor.since();
    let started = Instant::now();
    each(services, |at| {
        let (theirs, running) = (&theirs, &running);
        let written = &written[at % written.len()];
        async move { write_bare(theirs, at, written, running).await }
    })
    .await;
    finish_bare(&theirs, &running, &written, services).await;
    let bare_first = started.elapsed();
    used.push(("a bare client to steady", processor.since()));

    let started = Instant::now();
    roll_bare(&theirs, &running, &written, services).await;
    let bare_rolled = started.elapsed();
    used.push(("a bare client's change", processor.since()));

    heads();
    let ratio = first.as_secs_f64() / bare_first.as_secs_f64();
    let what = format!(
        "{services} Services to steady, of a bare client's {:.1} s",
        bare_first.as_secs_f64()
    );
    report.row(&what, "≤ 1.25", ratio, "×", ratio <= 1.25);
    report.row(
        "writes for one new Service (3 children, record, 4 status)",
        "≤ 8",
        writes,
        "writes",
        writes <= 8.05,
    );
    let ratio = rolled.as_secs_f64() / bare_rolled.as_secs_f64();
    let what = format!(
        "one change under {services}, of a bare client's {:.1} s",
        bare_rolled.as_secs_f64()
    );
    report.row(&what, "≤ 1.25", ratio, "×", ratio <= 1.25);
    report.row(
        "writes for one roll (record, Deployment, earlier record, 4 status)",
        "≤ 7",
        roll_writes,
        "writes",
        roll_writes <= 7.05,
    );
    report.row(
        "cold start to ready, no Services yet",
        "≤ 1",
        cold.as_secs_f64(),
        "s",
        cold.as_secs_f64() <= 1.0,
    );
    report.row(&format!("resident with {services} Services"), "-", resident, "MiB", true);
    let each = services as f64;
    let ours = used[0].1.get("linkspan").copied().unwrap_or_default();
    report.row("processor time to steady, each", "-", ours * 1000.0 / each, "ms", true);
    report.row("plans to steady, each", "-", plans as f64 / each, "plans", true);
    let binary = std::fs::metadata(env!("CARGO_BIN_EXE_linkspan")).unwrap().len() as f64 / 1e6;
    report.row("binary, sandbox included", "≤ 15", binary, "MB", binary <= 15.0);
    for (what, by_program) in used {
        println!("\nprocessor seconds, {what}:");
        for (program, seconds) in by_program.iter().filter(|(_, seconds)| **seconds >= 0.1) {
            println!("  {seconds:>6.1} {program}");
        }
    }
    for (what, by_kind) in [("to steady", by_kind), ("the change", roll_by_kind)] {
        println!("\nwrites, {what}:");
        for (labels, count) in by_kind.iter().filter(|(_, count)| **count > 0) {
            println!("  {count:>6} {labels}");
        }
    }
    report.save("storm");
}

/// Waits for the bare client's Deployments and writes both statuses, and the Events, of each as it
/// comes up.
async fn finish_bare(
    storm: &Storm,
    running: &Mutex<BTreeMap<usize, String>>,
    written: &[Written],
    services: usize,
) {
    let mut done = BTreeSet::new();
    let came_up = storm
        .seen::<appsv1::Deployment>()
        .filter_map(|deployment| {
            let status = deployment.status.clone().unwrap_or_default();
            let is_up = status.observed_generation == deployment.metadata.generation
                && status.updated_replicas == Some(1)
                && status.replicas == Some(1)
                && status.available_replicas == Some(1);
            let at = deployment.name_any().split('-').nth(1).and_then(|at| at.parse().ok());
            ready(at.filter(|at: &usize| is_up && done.insert(*at)))
        })
        .take(services);
    came_up
        .for_each_concurrent(CONCURRENCY, |at| async move {
            let written = &written[at % written.len()];
            let name = running.lock().unwrap().get(&at).cloned().unwrap();
            let record = json!({"apiVersion": LINKSPAN, "kind": "ServiceDeployment",
                "metadata": {"name": name}});
            patch_status(storm, &record, &written.record["status"]).await;
            patch_status(storm, &service(at), &written.status).await;
            for (number, event) in written.events.iter().enumerate() {
                let mut event = event.clone();
                let now = jiff::Timestamp::now();
                event["metadata"] = json!({"name": format!("{name}.{number}")});
                event["eventTime"] = json!(format!("{now:.6}"));
                event["regarding"]["namespace"] = json!(storm.namespace);
                let event: DynamicObject = serde_json::from_value(event).unwrap();
                storm.api(&json!(event)).create(&PostParams::default(), &event).await.unwrap();
            }
        })
        .await;
}

/// The writes of a roll: a record, the Deployment, the statuses as before, and the end of the record
/// before it.
async fn roll_bare(
    storm: &Storm,
    running: &Mutex<BTreeMap<usize, String>>,
    written: &[Written],
    services: usize,
) {
    let uids: BTreeMap<String, String> =
        storm.list::<Service>().await.iter().map(|s| (s.name_any(), s.uid().unwrap())).collect();
    each(services, |at| {
        let written = &written[at % written.len()];
        let uid = &uids[&format!("svc-{at}")];
        async move {
            let mut record = bare(&written.record, at, uid);
            let name = format!("{}-2", record["metadata"]["name"].as_str().unwrap());
            record["metadata"]["name"] = name.clone().into();
            record["spec"]["sequence"] = 2.into();
            let posted: DynamicObject = serde_json::from_value(record.clone()).unwrap();
            storm.api(&record).create(&PostParams::default(), &posted).await.unwrap();
            let deployment = written.children.iter().find(|child| child["kind"] == "Deployment");
            let mut deployment = bare(deployment.unwrap(), at, uid);
            deployment["spec"]["template"]["spec"]["containers"][0]["image"] =
                "example/shop:2".into();
            storm.apply(&deployment).await;
            patch_status(storm, &service(at), &json!({"conditions": written.status["conditions"]}))
                .await;
            running.lock().unwrap().insert(at, name);
        }
    })
    .await;
    finish_bare(storm, running, written, services).await;
    // With the new one completed, the record before it goes.
    each(services, |at| {
        let written = &written[at % written.len()];
        async move {
            let record = bare(&written.record, at, "");
            let name = record["metadata"]["name"].as_str().unwrap();
            storm.api(&record).delete(name, &DeleteParams::background()).await.unwrap();
        }
    })
    .await;
}
